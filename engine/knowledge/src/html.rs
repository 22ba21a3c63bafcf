//! The visible words of HTML that stands inside Markdown. Not for pages of HTML.
//! Invariant: text outside of tags, comments, scripts and styles is kept, however broken the markup, unless it is
//! struck through.

use super::struck::Struck;

/// The words, with line breaks where tags of blocks stood. Linear in the length of the markup.
pub(super) fn visible(html: &str) -> String {
    let page = Markup::new(html);
    let mut words = String::with_capacity(html.len());
    let (mut from, mut struck) = (0, Struck::default());
    while let Some(at) = html[from..].find('<').map(|at| from + at) {
        words.push_str(&html[from..at]);
        match page.hidden(at) {
            Some(end) => {
                if let Some(length) = struck.tag(&html[at..end], words.len()) {
                    words.truncate(length);
                }
                words.push(if is_inline(&html[at + 1..]) { ' ' } else { '\n' });
                from = end;
            }
            None => {
                words.push('<');
                from = at + 1;
            }
        }
    }
    words.push_str(&html[from..]);
    let decoded = words
        .replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    let lines = decoded.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

struct Markup<'a> {
    html: &'a str,
    /// In small ASCII letters; byte positions are the same.
    small: String,
    /// Where each of [`CLOSERS`] stands last: without it, hostile markup would have us search in
    /// vain to the end for every opener.
    last: [Option<usize>; CLOSERS.len()],
}

const CLOSERS: [&str; 3] = ["-->", "</script>", "</style>"];
const COMMENT: usize = 0;
const SCRIPT: usize = 1;
const STYLE: usize = 2;

impl<'a> Markup<'a> {
    fn new(html: &'a str) -> Self {
        let small = html.to_ascii_lowercase();
        Self { html, last: CLOSERS.map(|closer| small.rfind(closer)), small }
    }

    /// Where what this `<` begins is over, when it is something that is not shown.
    fn hidden(&self, at: usize) -> Option<usize> {
        let rest = &self.html[at..];
        if rest.starts_with("<!--") {
            return self.past(COMMENT, at);
        }
        if !rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            return None;
        }
        // A tag that runs into the next one is none: its words would be lost.
        let end = rest[1..].find(['<', '>']).map(|end| at + 1 + end)?;
        if !self.html[end..].starts_with('>') {
            return None;
        }
        let close = match tag_name(&rest[1..]).as_str() {
            "script" if !rest.starts_with("</") => self.past(SCRIPT, end),
            "style" if !rest.starts_with("</") => self.past(STYLE, end),
            _ => None,
        };
        Some(close.unwrap_or(end + 1))
    }

    /// The end of the next closer from here on.
    fn past(&self, closer: usize, from: usize) -> Option<usize> {
        self.last[closer].filter(|last| *last >= from)?;
        self.small[from..].find(CLOSERS[closer]).map(|at| from + at + CLOSERS[closer].len())
    }
}

fn is_inline(after: &str) -> bool {
    const INLINE: &[&str] = &[
        "a", "b", "i", "em", "strong", "span", "code", "kbd", "sub", "sup", "img", "small", "u", "s", "del", "strike",
    ];
    INLINE.contains(&tag_name(after).as_str())
}

fn tag_name(after: &str) -> String {
    let name = after.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).take(12);
    name.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn words_stay_and_markup_goes() {
        for (html, expected) in [
            ("<p>Hello <b>there</b></p>", "Hello there"),
            ("<details><summary>More</summary>Text</details>", "More\nText"),
            ("<!-- hidden -->shown", "shown"),
            ("<script>alert(1)</script>after", "after"),
            ("<p><s>Free.</s> 5 EUR</p>", "5 EUR"),
            ("<p>a <del class=x>b <b>c</b></del>d</p>", "a d"),
            ("<strike>a <s>b</strike> c</s> d", "d"),
            ("<s>never closed", "never closed"),
            ("a</s> b", "a b"),
            ("a < b &amp; c", "a < b & c"),
            ("<unclosed", "<unclosed"),
        ] {
            assert_eq!(visible(html), expected, "{html}");
        }
    }
}
