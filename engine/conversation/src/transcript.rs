//! The messages in the order in which they were answered: the material of a prompt.

use std::collections::VecDeque;

use schema::{Author, Passage, Seq, Text, Timestamp, limits};
use serde::{Deserialize, Serialize};

/// What a line or a passage costs besides its text, in bytes: many short ones are not free.
const LINE_BYTES: usize = 64;

/// The recent talk. Bounded by [`limits::TRANSCRIPT_BYTES_MAX`], whoever speaks and however long nobody
/// answers: when it overflows, the older half goes at once, so that what remains stays the same for many
/// turns and providers' prefix caches keep hitting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    exchanges: VecDeque<Exchange>,
    bytes: usize,
    begins_late: bool,
    /// The newest of the contact's messages that was answered.
    answered: Seq,
}

/// What the contact said and what came back: the unit in which a transcript grows and shrinks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The contact's words; several when they came as a burst.
    pub asked: Vec<Line>,
    /// What the assistant had from the documents when it answered.
    pub passages: Vec<Passage>,
    /// Our side's words: the assistant's reply, or what human agents wrote.
    pub answered: Vec<Line>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its event.
    pub seq: Seq,
    /// When it was said.
    pub at: Timestamp,
    /// Whose.
    pub author: Author,
    /// What.
    pub text: Text,
    /// True for a reply that was cut before its end.
    pub cut: bool,
    /// True where only the end of a long message is kept.
    pub begins_late: bool,
}

impl Transcript {
    /// Oldest first. The last one may have no answer yet: it is the question.
    pub fn exchanges(&self) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.exchanges.iter()
    }

    /// Whether something was said before what is kept.
    #[must_use]
    pub const fn begins_late(&self) -> bool {
        self.begins_late
    }

    /// What is kept, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The contact said something: joins the open question, or begins one.
    pub fn ask(&mut self, line: Line) {
        let line = line.shortened();
        self.bytes += line.bytes();
        match self.exchanges.back_mut() {
            Some(last) if last.answered.is_empty() => last.asked.push(line),
            _ => self.exchanges.push_back(Exchange { asked: vec![line], ..Exchange::default() }),
        }
        self.shrink();
    }

    /// Our side said something. What the contact said after event `answers` was not yet known to
    /// it, and stays open as the next question. A reply that answers no more than was answered before is to
    /// be given once more: it leaves the whole question open.
    pub fn answer(&mut self, line: Line, answers: Seq, passages: Vec<Passage>) {
        let line = line.shortened();
        let before = self.exchanges.back().map_or(0, Exchange::bytes);
        let open = self.exchanges.back_mut().filter(|last| last.answered.is_empty());
        let once_more = answers <= self.answered;
        self.answered = self.answered.max(answers);
        let mut later = Vec::new();
        if let Some(open) = open {
            if once_more && !open.asked.is_empty() && line.text.is_empty() {
                // Nothing was said and nothing answered: for a prompt nothing has happened.
                return;
            }
            later = if once_more {
                // What was said of an answer stands behind the question, which is then put again.
                open.asked.clone()
            } else {
                open.asked.extract_if(.., |asked| asked.seq > answers).collect()
            };
        }
        // What became of the last exchange is counted anew below.
        let mut last = self.exchanges.pop_back().unwrap_or_default();
        self.bytes -= before;
        last.answered.push(line);
        last.passages.extend(passages);
        self.add(last);
        if !later.is_empty() {
            self.add(Exchange { asked: later, ..Exchange::default() });
        }
        self.shrink();
    }

    fn add(&mut self, exchange: Exchange) {
        self.bytes += exchange.bytes();
        self.exchanges.push_back(exchange);
    }

    fn shrink(&mut self) {
        if self.bytes <= limits::TRANSCRIPT_BYTES_MAX {
            return;
        }
        self.begins_late = true;
        while self.bytes > limits::TRANSCRIPT_BYTES_MAX / 2 {
            let gone = if self.exchanges.len() > 1 {
                self.exchanges.pop_front().map(|oldest| oldest.bytes())
            } else {
                self.exchanges.front_mut().and_then(Exchange::forget_oldest)
            };
            let Some(gone) = gone else { break };
            self.bytes -= gone;
        }
    }
}

impl Exchange {
    /// Forgets its oldest line, with the excerpts that were found for it; gives their bytes. The newest line
    /// stays.
    fn forget_oldest(&mut self) -> Option<usize> {
        let before = self.bytes();
        if self.asked.len() + self.answered.len() <= 1 {
            let read = std::mem::take(&mut self.passages);
            return (!read.is_empty()).then(|| before - self.bytes());
        }
        let lines = if self.asked.is_empty() { &mut self.answered } else { &mut self.asked };
        lines.remove(0);
        self.passages.clear();
        Some(before - self.bytes())
    }

    fn bytes(&self) -> usize {
        let lines = self.asked.iter().chain(&self.answered).map(Line::bytes).sum::<usize>();
        let passage =
            |passage: &Passage| passage.text.bytes() + passage.source.len() + passage.heading.len() + LINE_BYTES;
        lines + self.passages.iter().map(passage).sum::<usize>()
    }
}

impl Line {
    fn bytes(&self) -> usize {
        self.text.bytes() + LINE_BYTES
    }

    /// The same with no more than the end of a long text.
    fn shortened(self) -> Self {
        let text = self.text.as_str();
        let Some(over) = text.len().checked_sub(limits::TRANSCRIPT_LINE_BYTES_MAX).filter(|over| *over > 0) else {
            return self;
        };
        let end = text.get(text.ceil_char_boundary(over)..).map(Text::from);
        Self { text: end.unwrap_or_default(), begins_late: true, ..self }
    }
}

#[cfg(test)]
#[path = "tests/transcript.rs"]
mod tests;
