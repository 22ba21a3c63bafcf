//! The numbers that a page shows before the items of its ordered lists.
//! Invariant: an item has the number, letter or numeral that a reader of the page sees.

use engine_text::markdown::Writer;

use super::tree::{Node, Tree};

/// Markdown knows no longer number.
const NUMBER_MAX: i64 = 999_999_999;
/// A larger number has no numeral.
const ROMAN_MAX: i64 = 3_999;

/// Of each open list how it counts, if it does.
#[derive(Default)]
pub(super) struct Counters {
    open: Vec<Option<Counter>>,
}

impl Counters {
    pub(super) fn begin_list(&mut self, tree: &Tree, at: usize, writer: &mut Writer) {
        let counter = (tree.nodes[at].name() == "ol").then(|| Counter::of(tree, at));
        if counter.is_some() {
            writer.end_numbers();
        }
        writer.begin_list();
        self.open.push(counter);
    }

    pub(super) fn begin_item(&mut self, item: &Node, writer: &mut Writer) {
        match self.open.last_mut().and_then(Option::as_mut) {
            Some(counter) => counter.begin_item(item, writer),
            None => writer.begin_item(),
        }
    }

    pub(super) fn end_list(&mut self, writer: &mut Writer) {
        self.open.pop();
        writer.end_list();
    }
}

struct Counter {
    next: i64,
    step: i64,
    kind: Kind,
    before: Option<i64>,
}

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Letter { capital: bool },
    Roman { capital: bool },
}

impl Counter {
    /// Of an `ol`.
    fn of(tree: &Tree, at: usize) -> Self {
        let node = &tree.nodes[at];
        let is_reversed = node.attribute("reversed").is_some();
        let start = node.attribute("start").and_then(whole);
        let items = || tree.elements(at).filter(|child| tree.nodes[*child].name() == "li").count();
        let first = start.unwrap_or_else(|| if is_reversed { i64::try_from(items()).unwrap_or(i64::MAX) } else { 1 });
        let kind = match node.attribute("type").map(str::trim) {
            Some("a") => Kind::Letter { capital: false },
            Some("A") => Kind::Letter { capital: true },
            Some("i") => Kind::Roman { capital: false },
            Some("I") => Kind::Roman { capital: true },
            _ => Kind::Number,
        };
        Self { next: first, step: if is_reversed { -1 } else { 1 }, kind, before: None }
    }

    /// Begins an item with what stands before it.
    fn begin_item(&mut self, item: &Node, writer: &mut Writer) {
        let number = item.attribute("value").and_then(whole).unwrap_or(self.next);
        self.next = number.saturating_add(self.step);
        let before = self.before.replace(number);
        let label = self.kind.label(number);
        if label.is_none() && (0..=NUMBER_MAX).contains(&number) {
            // Items of one number would be counted: each is a list of its own.
            if before == Some(number) {
                writer.end_list();
                writer.end_numbers();
                writer.begin_list();
            }
            return writer.begin_numbered_item(&format!("{number}."));
        }
        writer.begin_item();
        writer.text(&format!("{}. ", label.unwrap_or_else(|| number.to_string())));
    }
}

impl Kind {
    fn label(self, number: i64) -> Option<String> {
        let (label, capital) = match self {
            Self::Letter { capital } if number > 0 => (letters(number), capital),
            Self::Roman { capital } if (1..=ROMAN_MAX).contains(&number) => (numeral(number), capital),
            _ => return None,
        };
        Some(if capital { label.to_uppercase() } else { label })
    }
}

/// A number as an attribute gives it: `3`, `-2`, `7 ` and no more.
fn whole(value: &str) -> Option<i64> {
    value.trim().parse::<i32>().ok().map(i64::from)
}

/// a, b, … z, aa, ab, …
fn letters(mut number: i64) -> String {
    let mut letters = Vec::new();
    while number > 0 {
        number -= 1;
        letters.push(b'a' + u8::try_from(number % 26).unwrap_or(0));
        number /= 26;
    }
    letters.iter().rev().map(|letter| char::from(*letter)).collect()
}

fn numeral(mut number: i64) -> String {
    const NUMERALS: &[(i64, &str)] = &[
        (1000, "m"),
        (900, "cm"),
        (500, "d"),
        (400, "cd"),
        (100, "c"),
        (90, "xc"),
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ];
    let mut numeral = String::new();
    for (value, sign) in NUMERALS {
        while number >= *value {
            numeral.push_str(sign);
            number -= value;
        }
    }
    numeral
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_item_has_the_number_that_the_page_shows() {
        for (html, expected) in [
            ("<ol><li>a<li value=9>b<li>c</ol>", "1.  a\n9.  b\n10. c"),
            ("<ol start=24><li>a<li value=26>b<li value=1>c</ol>", "24. a\n26. b\n1.  c"),
            ("<ol reversed><li>a<li>b<li>c</ol>", "3.  a\n2.  b\n1.  c"),
            ("<ol reversed start=10><li>a<li>b</ol>", "10. a\n9.  b"),
            ("<ol start=0 reversed><li>a<li>b</ol>", "0.  a\n-   \\-1. b"),
            ("<ol start=x><li value=''>a<li value=99999999999>b</ol>", "1.  a\n2.  b"),
            ("<ol><li>a</ol><ol><li>b<li>c</ol>", "1.  a\n\n<!-- -->\n\n1.  b\n2.  c"),
            ("<ol><li>a</ol><p>x</p><ol><li>b</ol>", "1.  a\n\nx\n\n1.  b"),
            ("<ol><li value=5>a<li value=5>b</ol>", "5.  a\n\n<!-- -->\n\n5.  b"),
            ("<ol><li>a<ol><li>x</ol><ol><li>y</ol><li>b</ol>", "1.  a\n    1.  x\n    <!-- -->\n    1.  y\n2.  b"),
            ("<ol type=a><li>a<li>b<li value=28>c</ol>", "-   a. a\n-   b. b\n-   ab. c"),
            ("<ol type=I start=9><li>a<li>b</ol>", "-   IX. a\n-   X. b"),
            ("<ul><li>a<li value=7>b</ul>", "-   a\n-   b"),
        ] {
            let page = format!("<main><h1>Page</h1><p>Words of the page.</p>{html}</main>");
            let markdown = super::super::read(&page).unwrap().markdown;
            let list = markdown.split_once("Words of the page.\n\n").unwrap().1;
            assert_eq!(list.trim_end(), expected, "{html}");
        }
    }
}
