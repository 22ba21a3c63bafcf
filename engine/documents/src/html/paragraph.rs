//! The words of a paragraph as they come, line by line, and which of them are bold.
//! Invariant: words of two elements that stand side by side are not one word.

use engine_text::markdown::Writer;
use engine_text::raised::is_shifted;

use super::amounts::has_digit;

/// A line of records is no longer than this, in characters.
const RECORD_CHARS_MAX: usize = 140;
/// A bold line that stands for a heading is no longer than this, in characters.
const TITLE_CHARS_MAX: usize = 80;

enum Piece {
    Words(String),
    Code(String),
}

/// One line.
#[derive(Default)]
pub(super) struct Line {
    pieces: Vec<Piece>,
    bold: usize,
    chars: usize,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.chars == 0
    }

    /// Its words with one space between two.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        for piece in &self.pieces {
            let (Piece::Words(text) | Piece::Code(text)) = piece;
            words.push_str(text);
        }
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        for piece in &self.pieces {
            match piece {
                Piece::Words(words) => writer.text(words),
                Piece::Code(words) => writer.code_span(words),
            }
        }
    }

    /// Whether it is a heading in all but name.
    pub(super) fn is_title(&self) -> bool {
        let words = self.words();
        self.bold == self.chars
            && self.chars > 1
            && words.chars().count() <= TITLE_CHARS_MAX
            && words.chars().any(char::is_alphabetic)
            && !words.trim_end_matches(':').contains(": ")
            && !words.ends_with(['.', ',', ';', '!'])
            && !super::amounts::has_fact(&words)
            && !super::amounts::has_price(&words)
    }

    fn is_record(&self) -> bool {
        let words = self.words();
        let label = words.split_once(':').map(|(label, value)| (label.chars().count(), value.trim()));
        has_digit(&words) || label.is_some_and(|(length, value)| (2..=40).contains(&length) && !value.is_empty())
    }
}

/// Whether lines say one thing each.
pub(super) fn are_records(lines: &[Line]) -> bool {
    let chars: usize = lines.iter().map(|line| line.chars).sum();
    let short =
        lines.iter().all(|line| line.chars <= RECORD_CHARS_MAX) && chars <= lines.len() * RECORD_CHARS_MAX * 2 / 3;
    lines.len() > 1 && short && lines.iter().filter(|line| line.is_record()).count() * 2 >= lines.len()
}

/// What is being read.
#[derive(Default)]
pub(super) struct Paragraph {
    lines: Vec<Line>,
    /// White space was read since the last word.
    space: bool,
    /// An element has ended since the last word, …
    ended: bool,
    /// … and another has begun.
    begun: bool,
    /// Letters since the last element began.
    run: usize,
}

impl Paragraph {
    /// Whether all of it is bold.
    pub(super) fn is_bold(&self) -> bool {
        self.lines.iter().all(|line| line.bold == line.chars)
    }

    fn line(&mut self) -> &mut Line {
        if self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }

    pub(super) fn begin_element(&mut self) {
        self.begun = self.ended;
    }

    pub(super) fn end_element(&mut self) {
        self.ended = true;
    }

    /// The last character, and how many letters and digits the last element had.
    fn is_apart(&self, words: &str) -> bool {
        let left = self.lines.last().and_then(|line| line.pieces.last()).and_then(|piece| match piece {
            Piece::Words(text) | Piece::Code(text) => text.chars().next_back(),
        });
        let (Some(left), Some(right)) = (left, words.chars().next()) else { return false };
        if is_shifted(right) {
            return false;
        }
        let right_run = words.chars().take(2).filter(|c| c.is_alphanumeric()).count();
        let is_whole = |c: char, run: usize| !c.is_alphabetic() || run > 1;
        let joins = |c: char| c.is_alphanumeric() || matches!(c, ')' | '%' | '€' | '$' | '£' | '?' | '!' | '.' | ':');
        // `9` and `.50` are one number, `H` and `ello` one word.
        joins(left)
            && (right.is_alphanumeric() || matches!(right, '€' | '$' | '£' | '+' | '('))
            && is_whole(left, self.run)
            && is_whole(right, right_run)
            && !(matches!(left, '.' | ',') && right.is_ascii_digit())
            && !(matches!(left, '€' | '$' | '£') && right.is_ascii_digit())
    }

    pub(super) fn text(&mut self, words: &str, bold: bool) {
        let trimmed = words.trim_start();
        if trimmed.is_empty() {
            self.space |= !words.is_empty();
            if !words.is_empty() && !self.lines.is_empty() {
                self.line().pieces.push(Piece::Words(" ".into()));
            }
            return;
        }
        let glued = !std::mem::take(&mut self.space) && trimmed.len() == words.len();
        if glued && self.begun && self.is_apart(trimmed) {
            self.line().pieces.push(Piece::Words(" ".into()));
        }
        if std::mem::take(&mut self.ended) || self.begun {
            self.run = 0;
        }
        self.begun = false;
        self.run += trimmed.chars().filter(|c| c.is_alphanumeric()).count();
        self.space = words.ends_with(char::is_whitespace);
        let chars = words.chars().filter(|c| !c.is_whitespace()).count();
        let line = self.line();
        line.chars += chars;
        line.bold += if bold { chars } else { 0 };
        line.pieces.push(Piece::Words(words.to_owned()));
    }

    pub(super) fn code(&mut self, words: &str) {
        let chars = words.chars().filter(|c| !c.is_whitespace()).count();
        let line = self.line();
        line.chars += chars;
        line.pieces.push(Piece::Code(words.to_owned()));
        (self.space, self.ended, self.begun) = (false, false, false);
    }

    pub(super) fn line_break(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        (self.space, self.ended, self.begun) = (false, false, false);
    }

    /// A line ends unless it is empty.
    pub(super) fn end_line(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.line_break();
        }
    }

    /// Groups of lines, parted where a line is empty.
    pub(super) fn groups(&mut self) -> Vec<Vec<Line>> {
        let mut groups: Vec<Vec<Line>> = vec![Vec::new()];
        for line in std::mem::take(self).lines {
            if line.is_empty() {
                groups.push(Vec::new());
            } else if let Some(group) = groups.last_mut() {
                group.push(line);
            }
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// All lines in one, with something between two.
    pub(super) fn joined(mut self, between: &str) -> String {
        let mut joined = String::new();
        for line in self.groups().into_iter().flatten() {
            let words = line.words();
            if !joined.is_empty() {
                let is_end = joined.ends_with([',', ';', ':', '.', '!', '?', '–', '-']);
                joined.push_str(if is_end { " " } else { between });
            }
            joined.push_str(&words);
        }
        joined
    }
}
