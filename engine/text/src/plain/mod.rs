//! Plain text as Markdown: its headings, lists and tables have no markup, but they have a shape.
//! Invariant: no word is lost, the time taken grows with the text only, and what is Markdown already, made
//! here or by others, stays as it is.

mod aligned;
mod headings;
mod items;
mod lines;
mod numbers;
mod pairs;
mod scan;
mod tables;
#[cfg(test)]
mod tests;

pub use lines::is_unspaced;

use super::markdown::Writer;
use headings::{Outline, Style};
use items::Marker;
use scan::Block;

/// Words in the title of a whole document.
const TITLE_WORDS: &[&str] = &[
    "policy",
    "policies",
    "terms",
    "conditions",
    "agreement",
    "notice",
    "guide",
    "faq",
    "handbook",
    "manual",
    "statement",
    "rules",
    "regulations",
    "contract",
    "tariff",
    "schedule",
    "guidelines",
    "datenschutzerklärung",
    "geschäftsbedingungen",
    "agb",
    "richtlinie",
    "preisliste",
    "impressum",
    "política",
    "condiciones",
    "términos",
    "aviso",
    "politique",
    "conditions",
    "mentions",
    "informativa",
    "condizioni",
    "termini",
    "termos",
    "condições",
];

/// A plain text as Markdown. Linear in its length; given what it made, it gives the same again.
#[must_use]
pub fn to_markdown(text: &str) -> String {
    let text = lines::clean(text);
    if is_markdown(&text) || is_made(&text) {
        return text.into_owned();
    }
    let text = numbers::told_apart(&text);
    let lines = lines::of(&text);
    write(&scan::blocks(&lines))
}

/// Whether a text has headings as only Markdown has them.
#[must_use]
pub fn is_markdown(text: &str) -> bool {
    let (mut before_is_blank, mut headings) = (true, 0);
    let mut lines = text.lines().map(str::trim_end).peekable();
    while let Some(line) = lines.next() {
        let level = line.bytes().take_while(|b| *b == b'#').count();
        let is_heading = (1..=6).contains(&level)
            && before_is_blank
            && line[level..].strip_prefix(' ').is_some_and(|title| title.starts_with(|c: char| c != '#' && c != ' '));
        if is_heading {
            headings += 1;
            if headings > 1 || lines.peek().is_some_and(|next| next.is_empty()) {
                return true;
            }
        }
        before_is_blank = line.is_empty();
    }
    false
}

/// What the writer puts a backslash before, within a line.
const ESCAPED: &[char] = &['\\', '`', '*', '_', '[', ']', '<', '&', '~'];

/// Whether a text is Markdown that was made here: every sign that needs a backslash has one, and no other has.
#[must_use]
pub fn is_made(text: &str) -> bool {
    let mut has_backslash = false;
    for line in text.split('\n') {
        let mut chars = line.char_indices();
        while let Some((at, c)) = chars.next() {
            if c != '\\' {
                if ESCAPED.contains(&c) {
                    return false;
                }
                continue;
            }
            has_backslash = true;
            let is_ours = chars.next().is_some_and(|(_, sign)| match sign {
                '#' if line.starts_with('#') => true,
                // Behind nothing but the marks of quotations and items, or the digits that it follows.
                '#' | '>' | '-' | '+' | '=' | ':' => is_lead(&line[..at], false),
                '.' | ')' => is_lead(&line[..at], true),
                sign => sign == '|' || ESCAPED.contains(&sign),
            });
            if !is_ours {
                return false;
            }
        }
    }
    is_markdown(text) || (has_backslash && text.ends_with('\n'))
}

/// Whether nothing but marks of blocks stands at the beginning of a line, and digits at the end where they are due.
fn is_lead(before: &str, digits: bool) -> bool {
    let is_mark = |c: char| c == ' ' || matches!(c, '-' | '>' | '.' | ')') || c.is_ascii_digit();
    before.chars().all(is_mark) && (!digits || before.ends_with(|c: char| c.is_ascii_digit()))
}

fn write(blocks: &[Block<'_>]) -> String {
    let mut writer = Writer::default();
    let mut outline = Outline::default();
    let mut lists = Lists::default();
    let title = title(blocks);
    for (n, block) in blocks.iter().enumerate() {
        if !matches!(block, Block::Item { .. } | Block::More(_)) {
            lists.end(&mut writer, 0);
        }
        match block {
            Block::Heading(style, words) => {
                let level = if title == Some(n) {
                    outline = Outline::default();
                    1
                } else {
                    outline.level(*style)
                };
                writer.text(words);
                writer.end_heading(level);
            }
            Block::Paragraph(words) | Block::More(words) => {
                paragraph(&mut writer, words);
            }
            Block::Item { marker, indent, words } => {
                lists.begin(&mut writer, *marker, *indent);
                if let Marker::Label(label) = marker {
                    writer.text(&format!("{label} "));
                }
                paragraph(&mut writer, words);
            }
            Block::Table { caption, grid } => grid.write(&mut writer, caption.as_deref()),
        }
    }
    writer.finish()
}

fn paragraph(writer: &mut Writer, words: &str) {
    for (n, line) in words.split('\n').enumerate() {
        if n > 0 {
            writer.line_break();
        }
        writer.text(line);
    }
    writer.end_paragraph();
}

/// Which heading names the whole document, if one does.
fn title(blocks: &[Block<'_>]) -> Option<usize> {
    let has_title_word =
        |words: &str| words.to_lowercase().split(|c: char| !c.is_alphabetic()).any(|word| TITLE_WORDS.contains(&word));
    // Before it there may be a letterhead, which may begin like a heading.
    let first = blocks.iter().take(4).position(|block| matches!(block, Block::Heading(..)))?;
    let named =
        blocks.iter().take(10).position(|block| matches!(block, Block::Heading(_, words) if has_title_word(words)));
    let at = match named.map(|named| (named, &blocks[named])) {
        Some((named, Block::Heading(style, _))) if !same_style(&blocks[named + 1..], *style) => named,
        _ => first,
    };
    let Block::Heading(style, words) = &blocks[at] else { return None };
    if !matches!(style, Style::Capitals | Style::Underlined(_) | Style::Plain) {
        return None;
    }
    let names_all = has_title_word(words);
    let is_alone = !same_style(&blocks[at + 1..], *style);
    let leads = at == 0 && matches!(blocks.get(at + 1), Some(Block::Heading(..)));
    let has_more = blocks[at + 1..].iter().any(|block| matches!(block, Block::Heading(..)));
    (has_more && (is_alone || leads) || at == 0 && (names_all || !has_more) || names_all && is_alone).then_some(at)
}

fn same_style(blocks: &[Block<'_>], style: Style) -> bool {
    blocks.iter().any(|block| matches!(block, Block::Heading(other, _) if *other == style))
}

/// Lists that are open, from the outermost.
#[derive(Default)]
struct Lists {
    open: Vec<List>,
}

struct List {
    style: u8,
    indent: usize,
    /// The last item's letter.
    letter: Option<u8>,
}

impl Lists {
    /// Begins an item, with the number that was written.
    fn begin(&mut self, writer: &mut Writer, marker: Marker<'_>, indent: usize) {
        let letter = match marker {
            Marker::Label(label) => label.bytes().find(u8::is_ascii_alphabetic),
            _ => None,
        };
        // `(i)` after `(h)` is a letter, not a number.
        let follows = |list: &List| letter.is_some() && list.letter.map(|last| last.saturating_add(1)) == letter;
        let style = items::style(marker);
        let same = |list: &List| list.style == style || follows(list);
        let at = self.open.iter().rposition(|list| same(list) && list.indent.abs_diff(indent) <= 3);
        let at = at.or_else(|| self.open.iter().rposition(|list| same(list) && list.indent >= indent));
        match at {
            Some(at) => self.end(writer, at + 1),
            None => {
                while self.open.last().is_some_and(|list| list.indent > indent) {
                    self.end(writer, self.open.len() - 1);
                }
                writer.begin_list();
                self.open.push(List { style, indent, letter: None });
            }
        }
        match marker {
            Marker::Number(written, _) => writer.begin_numbered_item(written),
            _ => writer.begin_item(),
        }
        if let Some(list) = self.open.last_mut() {
            list.letter = letter;
        }
    }

    fn end(&mut self, writer: &mut Writer, depth: usize) {
        while self.open.len() > depth {
            writer.end_list();
            self.open.pop();
        }
    }
}
