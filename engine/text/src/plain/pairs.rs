//! Lines that give something its value each, and questions with their answers.

use super::headings::Style;
use super::items::{self, Marker};
use super::lines::{self, Line, is_full};
use super::scan::{Block, Scanner};

impl Scanner<'_, '_> {
    /// `Q: How long …?` and `A: Nine days.`
    pub(super) fn asked(&mut self, at: usize) -> Option<usize> {
        let line = self.lines[at];
        let (name, words) = line.text.split_once([':', '.', ')'])?;
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ').to_lowercase();
        let words = words.trim_start();
        let is_question = matches!(name.as_str(), "q" | "question" | "frage" | "f" | "pregunta" | "p" | "domanda")
            && words.ends_with(['?', '？']);
        let is_answer = matches!(
            name.as_str(),
            "a" | "answer" | "antwort" | "respuesta" | "réponse" | "r" | "risposta"
        ) && matches!(self.blocks.last(), Some(Block::Heading(Style::Plain, question)) if question.ends_with(['?', '？']));
        if words.is_empty() || !(is_question || is_answer) {
            return None;
        }
        if is_question {
            self.heading(Style::Plain, words);
            return Some(at + 1);
        }
        let rest = Line { raw: words, text: words, ..line };
        Some(self.paragraph_of(rest, at))
    }

    /// Lines of a name and a value each.
    pub(super) fn pairs(&mut self, at: usize) -> Option<usize> {
        if !self.is_pair(at) || !self.begins(at) && self.is_rest(at) {
            return None;
        }
        let mut found: Vec<String> = Vec::new();
        let mut next = at;
        let indent = self.lines[at].indent;
        while let Some(line) = self.line(next) {
            let is_item = items::item(line.text).is_some();
            let goes_on = line.indent > indent + 1 || (line.text.starts_with(char::is_lowercase) && self.is_rest(next));
            if self.is_pair(next) || (!found.is_empty() && !is_item && !goes_on && items::is_entry(line.text)) {
                found.push(line.text.to_owned());
            } else if goes_on && !is_item && !found.is_empty() {
                found.iter_mut().last().into_iter().for_each(|last| lines::join(last, line.text));
            } else {
                break;
            }
            next += 1;
        }
        if found.len() < 2 {
            return None;
        }
        let item = |words| Block::Item { marker: Marker::Bullet, indent, words };
        self.blocks.extend(found.into_iter().map(item));
        Some(next)
    }

    fn is_pair(&self, at: usize) -> bool {
        let Some(line) = self.line(at) else { return false };
        let wraps = self.line(at + 1).is_some_and(|next| {
            let is_one = items::pair(next.text).is_some() || items::is_entry(next.text);
            is_full(line, next, self.margin) && next.indent <= line.indent && !is_one
        });
        let is_one = |line: &Line<'_>| items::pair(line.text).is_some() || items::is_entry(line.text);
        let beside = [at.checked_sub(1), at.checked_add(1)];
        let mut beside = beside.into_iter().flatten().filter_map(|at| self.line(at));
        let is_pair = items::pair(line.text).is_some() || (items::is_entry(line.text) && beside.any(is_one));
        is_pair && items::item(line.text).is_none() && !wraps
    }

    /// Whether a line only goes on with the sentence of the line before, which had no more room.
    pub(super) fn is_rest(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|before| self.line(before)) else { return false };
        is_full(before, &self.lines[at], self.margin) && !before.text.ends_with([':', '.'])
    }

    /// Whether two lines give a value each.
    pub(super) fn pair_run(&self, at: usize) -> bool {
        self.is_pair(at) && self.is_pair(at + 1)
    }
}
