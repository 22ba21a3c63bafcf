//! Lines of a plain text, and how they run on.

use std::borrow::Cow;

/// A line without the white space at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// As it stands, with the white space before it.
    pub(super) raw: &'a str,
    /// Its words.
    pub(super) text: &'a str,
    /// Columns of white space before them.
    pub(super) indent: usize,
    /// It ended with two spaces, which breaks a line in Markdown.
    pub(super) breaks: bool,
}

impl<'a> Line<'a> {
    fn new(whole: &'a str) -> Self {
        let raw = whole.trim_end();
        let text = raw.trim_start();
        let before = &raw[..raw.len() - text.len()];
        let indent = before.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
        let breaks = whole.len() == raw.len() + 2 && whole.ends_with("  ");
        Self { raw, text, indent, breaks }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn chars(&self) -> usize {
        self.text.chars().count()
    }
}

/// Shorter than this, in characters, lines are not wrapped at a margin.
const WRAP_MIN: usize = 40;
/// Longer than this, a line is a paragraph of its own.
const WRAP_MAX: usize = 140;

/// A text's lines, with one kind of line end and no space that only looks like one.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| {
        matches!(c, '\r' | '\u{c}' | '\u{b}' | '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{202f}')
    };
    if !text.contains(is_odd) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                clean.push('\n');
            }
            '\u{c}' | '\u{b}' | '\u{85}' | '\u{2028}' => clean.push('\n'),
            '\u{2029}' => clean.push_str("\n\n"),
            '\u{a0}' | '\u{202f}' => clean.push(' '),
            '\u{feff}' => {}
            c => clean.push(c),
        }
    }
    clean.into()
}

/// The lines.
pub(super) fn of(text: &str) -> Vec<Line<'_>> {
    text.split('\n').map(Line::new).collect()
}

/// Where the text's lines are wrapped, when they are.
pub(super) fn margin(lines: &[Line<'_>]) -> Option<usize> {
    let mut lengths: Vec<usize> = lines
        .windows(2)
        .filter(|pair| !pair[0].is_blank() && !pair[1].is_blank())
        .map(|pair| pair[0].raw.chars().count())
        .collect();
    lengths.sort_unstable();
    let margin = *lengths.get(lengths.len().saturating_sub(1) * 9 / 10)?;
    (WRAP_MIN..=WRAP_MAX).contains(&margin).then_some(margin)
}

/// Whether a line ends only because its next word did not fit.
pub(super) fn is_full(line: &Line<'_>, next: &Line<'_>, margin: Option<usize>) -> bool {
    let Some(margin) = margin else { return false };
    let word = next.text.split(' ').next().unwrap_or_default().chars().count();
    line.raw.chars().count() + 1 + word > margin.saturating_sub(margin / 8)
}

/// The lines of a block as paragraphs, each with the line breaks that mean something.
pub(super) fn paragraphs(lines: &[Line<'_>], margin: Option<usize>) -> Vec<String> {
    let all_break = lines.len() > 1 && lines[..lines.len() - 1].iter().all(|line| line.breaks);
    let mut paragraphs: Vec<String> = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let Some((last, before)) = paragraphs.last_mut().zip(n.checked_sub(1).map(|n| &lines[n])) else {
            paragraphs.push(line.text.to_owned());
            continue;
        };
        let runs_on = line.text.starts_with(char::is_lowercase) && before.text.chars().count() >= WRAP_MIN / 2;
        if before.chars() > WRAP_MAX {
            paragraphs.push(line.text.to_owned());
        } else if !all_break && (is_full(before, line, margin) || (margin.is_some() && runs_on)) {
            join(last, line.text);
        } else {
            last.push('\n');
            last.push_str(line.text);
        }
    }
    paragraphs
}

/// Beginnings that keep their hyphen where a line ends at it.
const HYPHENATED: &[&str] = &["e", "self", "non", "third", "opt", "co", "well", "long", "short", "cross", "sub"];

/// Joins two pieces of a sentence; a word that was cut at a line's end is made whole.
pub(super) fn join(text: &mut String, more: &str) {
    if text.ends_with('\u{ad}') {
        text.pop();
    } else if let Some(head) = text.strip_suffix('-').filter(|head| head.ends_with(char::is_alphabetic)) {
        let word = head.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_lowercase();
        if more.starts_with(char::is_lowercase) && !HYPHENATED.contains(&word.as_str()) {
            text.pop();
        }
    } else if !(text.ends_with(is_unspaced) && more.starts_with(is_unspaced)) {
        text.push(' ');
    }
    text.push_str(more);
}

pub(super) fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '»', ')', '\'', '’', '*']).ends_with(['.', '!', '?', '…', '。', '！', '？'])
}

/// A line of nothing but a drawn rule.
pub(super) fn is_rule(text: &str) -> bool {
    let mut chars = text.chars().filter(|c| *c != ' ');
    let Some(first) = chars.next() else { return false };
    let is_drawn = matches!(first, '-' | '=' | '_' | '*' | '~' | '#' | '─' | '━' | '═' | '—' | '–' | '^' | '.');
    let mut count = 1;
    for c in chars {
        if c != first {
            return false;
        }
        count += 1;
    }
    is_drawn && count >= 3
}

/// Letters of scripts that part no words by spaces, and their stops.
pub fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}
