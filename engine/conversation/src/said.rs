//! The text of a running reply, and the parts of it that turned out to be thoughts.
//! Invariant: an offset, counted in characters from the beginning, means the same place for as long as the
//! reply runs: what is taken back is blanked, and left out only when the reply is over.

use std::fmt;
use std::ops::Range;

use schema::limits;
use serde::{Deserialize, Serialize};

/// What stands for each character of a thought: as text it is one byte, as Markdown it is nothing.
const BLANK: &str = "\n";

/// A reply so far. Its `Debug` shows how long it is and not what it says.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    text: String,
    chars: usize,
    /// Blanked parts, in bytes: in order and apart from each other.
    unsaid: Vec<Range<usize>>,
}

impl Said {
    /// All of it, with blanks for what was taken back.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its length in characters.
    #[must_use]
    pub const fn chars(&self) -> usize {
        self.chars
    }

    /// More was said.
    pub fn push(&mut self, text: &str, chars: usize) {
        self.text.push_str(text);
        self.chars += chars;
    }

    /// The last `bytes` were a thought; gives the characters from which they were.
    pub(super) fn take_back(&mut self, bytes: usize) -> usize {
        let from = self.text.len().saturating_sub(bytes);
        let from = (0..=from).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let chars = self.text.get(from..).map_or(0, |thought| thought.chars().count());
        self.text.truncate(from);
        self.text.push_str(&BLANK.repeat(chars));
        self.note(from..self.text.len());
        self.chars - chars
    }

    /// The same for characters, as the log has them. Nothing follows them yet.
    pub(super) fn take_back_from(&mut self, chars: usize) {
        let from = self.text.char_indices().nth(chars).map_or(self.text.len(), |(at, _)| at);
        self.take_back(self.text.len() - from);
    }

    /// A model that thinks aloud again and again widens the last part.
    fn note(&mut self, part: Range<usize>) {
        if part.is_empty() {
            return;
        }
        // What is taken back reaches to the end: parts that it covers are in it.
        self.unsaid.retain(|known| known.start < part.start);
        let full = self.unsaid.len() >= limits::UNSAID_MAX;
        match self.unsaid.last_mut() {
            Some(last) if full || part.start <= last.end => last.end = part.end,
            _ => self.unsaid.push(part),
        }
    }

    /// What is said once the reply is over: without what was taken back.
    #[must_use]
    pub fn finished(self) -> String {
        let Self { text, unsaid, .. } = self;
        if unsaid.is_empty() {
            return text;
        }
        let mut kept = String::with_capacity(text.len());
        let mut from = 0;
        for part in unsaid.iter().chain(std::iter::once(&(text.len()..text.len()))) {
            kept.push_str(text.get(from..part.start).unwrap_or_default());
            from = part.end;
        }
        kept
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, chars, unsaid } = self;
        f.debug_struct("Said").field("bytes", &text.len()).field("chars", chars).field("unsaid", unsaid).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_hold_and_thoughts_go() {
        // What is said, or how many bytes of it are taken back.
        for (steps, blanked, finished) in [
            (&[Ok("Hello")][..], "Hello", "Hello"),
            (&[Ok("Thöught"), Err(8), Ok("Hello")], "\n\n\n\n\n\n\nHello", "Hello"),
            (&[Ok("One. "), Ok("é"), Err(2), Ok("Two.")], "One. \nTwo.", "One. Two."),
            (&[Ok("a"), Err(1), Ok("b"), Err(1), Ok("c")], "\n\nc", "c"),
            (&[Ok("a"), Ok("b"), Err(1), Ok("c"), Err(3), Ok("d")], "\n\n\nd", "d"),
            (&[Ok("a"), Err(9)], "\n", ""),
            (&[Ok("a"), Err(0)], "a", "a"),
        ] {
            let (mut said, mut chars) = (Said::default(), 0);
            for step in steps {
                match step {
                    Ok(text) => {
                        said.push(text, text.chars().count());
                        chars += text.chars().count();
                    }
                    Err(bytes) => {
                        let mut as_logged = said.clone();
                        as_logged.take_back_from(said.take_back(*bytes));
                        assert_eq!(as_logged, said);
                    }
                }
                assert_eq!((said.chars(), said.text().chars().count()), (chars, chars), "{steps:?}");
            }
            assert_eq!((said.text(), said.clone().finished().as_str()), (blanked, finished), "{steps:?}");
        }
        let mut said = Said::default();
        for _ in 0..4 * limits::UNSAID_MAX {
            said.push("ab", 2);
            said.take_back(1);
        }
        assert!(said.unsaid.len() <= limits::UNSAID_MAX);
    }
}
