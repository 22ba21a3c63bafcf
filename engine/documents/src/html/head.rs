//! A page's statements about itself: its title, where its links lead, whether it may be kept.

use super::tree::Tree;
use crate::ReadDocument;

/// A title longer than this is cut, in characters.
const TITLE_CHARS_MAX: usize = 200;
/// A link longer than this is no use to anybody, in bytes.
const LINK_BYTES_MAX: usize = 2_048;

/// A page that leads to another after so many seconds or fewer is a way to it, not a page.
const REFRESH_SECONDS_MAX: u32 = 10;

/// Everything but its title and text.
pub(super) fn read(tree: &Tree) -> ReadDocument {
    let mut page = ReadDocument::default();
    for node in &tree.nodes {
        let attribute = |name| node.attribute(name).map(str::trim).filter(|value| !value.is_empty());
        match node.name() {
            "a" | "area" => {
                let rel = attribute("rel").unwrap_or_default().to_ascii_lowercase();
                let follow = !rel.split_whitespace().any(|word| word == "nofollow");
                if let Some(link) = attribute("href").filter(|link| follow && link.len() <= LINK_BYTES_MAX) {
                    page.links.push(link.to_owned());
                }
            }
            "base" if page.base.is_none() => page.base = attribute("href").map(str::to_owned),
            "link" => {
                let rel = attribute("rel").unwrap_or_default().to_ascii_lowercase();
                let is = |wanted: &str| rel.split_whitespace().any(|word| word == wanted);
                let href = attribute("href").filter(|link| link.len() <= LINK_BYTES_MAX).map(str::to_owned);
                if is("canonical") {
                    page.canonical = page.canonical.take().or(href);
                } else if (is("alternate") && attribute("hreflang").is_some()) || is("next") || is("prev") {
                    // The same in another language, or the next part of it.
                    page.links.extend(href);
                }
            }
            "meta" if attribute("http-equiv").is_some_and(|name| name.eq_ignore_ascii_case("refresh")) => {
                let to = attribute("content").and_then(refresh).filter(|(_, to)| to.len() <= LINK_BYTES_MAX);
                if let Some((seconds, to)) = to {
                    if seconds <= REFRESH_SECONDS_MAX && page.moved.is_none() {
                        page.moved = Some(to.clone());
                    }
                    page.links.push(to);
                }
            }
            "meta" if attribute("name").is_some_and(is_for_us) => {
                let content = attribute("content").unwrap_or_default();
                let (noindex, nofollow) = directives(content);
                page.noindex |= noindex;
                page.nofollow |= nofollow;
            }
            _ => {}
        }
    }
    page.moved = page.moved.take().filter(|_| !page.nofollow);
    if page.nofollow {
        page.links.clear();
    }
    page
}

fn is_for_us(name: &str) -> bool {
    name.eq_ignore_ascii_case("robots") || name.eq_ignore_ascii_case("tertulia")
}

/// Whether a list of words for robots says `noindex`, and `nofollow`.
pub(crate) fn directives(content: &str) -> (bool, bool) {
    let words: Vec<String> = content.split([',', ' ']).map(|word| word.trim().to_ascii_lowercase()).collect();
    let says = |wanted: &str| words.iter().any(|word| word == wanted || word == "none");
    (says("noindex"), says("nofollow"))
}

/// After how many seconds a page leads to which other one: `0; url=/en/`, however it is spelled.
fn refresh(content: &str) -> Option<(u32, String)> {
    let content = content.trim();
    let end = content.find(|c: char| !c.is_ascii_digit()).unwrap_or(content.len());
    let seconds = if end == 0 { 0 } else { content[..end].parse().unwrap_or(u32::MAX) };
    let rest = content[end..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    // Without a sign between them, what follows is no address.
    let to = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ';' | ','));
    if to.len() == rest.len() {
        return None;
    }
    let named = to
        .get(..3)
        .filter(|name| name.eq_ignore_ascii_case("url"))
        .and_then(|_| to[3..].trim_start().strip_prefix('='));
    let to = named.unwrap_or(to).trim();
    let to = match to.chars().next() {
        Some(mark @ ('"' | '\'')) => to[1..].split(mark).next().unwrap_or_default(),
        _ => to,
    };
    let to = to.trim();
    (!to.is_empty()).then(|| (seconds, to.to_owned()))
}

/// The only main heading, where the title has its words too; else the title.
pub(super) fn title(tree: &Tree) -> Option<String> {
    let clean = |node| {
        let words = tree.words(node);
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words.chars().filter(|c| !c.is_control()).take(TITLE_CHARS_MAX).collect();
        Some(words).filter(|words| !words.is_empty())
    };
    let in_head = tree.nodes.iter().position(|node| node.name() == "title").and_then(clean);
    let mut headings = tree.nodes.iter().enumerate().filter(|(_, node)| node.name() == "h1").map(|(at, _)| at);
    let heading = headings.next().filter(|_| headings.next().is_none()).and_then(clean);
    match (in_head, heading) {
        (Some(title), Some(heading)) if title.to_lowercase().contains(&heading.to_lowercase()) => Some(heading),
        (Some(title), _) => Some(title),
        (None, heading) => heading,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_lead_to_another() {
        for (content, expected) in [
            ("0; url=/en/", Some((0, "/en/"))),
            ("0;url=/en/", Some((0, "/en/"))),
            ("0;URL='/en/'", Some((0, "/en/"))),
            ("0; url = \"/en/\" ", Some((0, "/en/"))),
            ("0, /en/", Some((0, "/en/"))),
            ("0 url=/en/", Some((0, "/en/"))),
            (" 5 ;  Url=https://x.example/a?b=1;c", Some((5, "https://x.example/a?b=1;c"))),
            ("0.5; url=x", Some((0, "x"))),
            (";url=/en/", Some((0, "/en/"))),
            ("0; urls", Some((0, "urls"))),
            ("99999999999; url=x", Some((u32::MAX, "x"))),
            ("30", None),
            ("0;url=", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(refresh(content), expected.map(|(seconds, to)| (seconds, to.to_owned())), "{content}");
        }
        let page = |html: &str| super::super::read(html).unwrap();
        assert_eq!(page("<meta http-equiv=Refresh content='0;url=/b'>").moved.as_deref(), Some("/b"));
        assert_eq!(page("<noscript><meta http-equiv=refresh content='0;url=/b'></noscript><p>x").moved, None);
        let later = page("<meta http-equiv=refresh content='300;url=/b'><p>x");
        assert_eq!((later.moved, later.links.as_slice()), (None, &["/b".to_owned()][..]));
        let languages =
            page("<link rel=alternate hreflang=de href=/de><link rel=alternate type=application/rss+xml href=/feed>");
        assert_eq!(languages.links, ["/de"]);
    }
}
