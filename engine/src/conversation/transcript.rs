//! What was said, in the order in which it was answered: what a prompt is made of.

use std::collections::VecDeque;

use schema::{Author, Passage, Seq, Text, limits};

/// The recent talk. Bounded by [`limits::TRANSCRIPT_BYTES_MAX`]: when it overflows, the older half
/// goes at once, so that what remains stays the same for many turns and providers' prefix caches
/// keep hitting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    exchanges: VecDeque<Exchange>,
    bytes: usize,
}

/// What the contact said and what came back: the unit in which a transcript grows and shrinks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exchange {
    /// The contact's words; several when they came as a burst.
    pub asked: Vec<Line>,
    /// What the assistant had from the documents when it answered.
    pub passages: Vec<Passage>,
    /// Our side's words: the assistant's reply, or what human agents wrote.
    pub answered: Vec<Line>,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its event.
    pub seq: Seq,
    /// Whose.
    pub author: Author,
    /// What.
    pub text: Text,
    /// True for a reply that was cut before its end.
    pub cut: bool,
}

impl Transcript {
    /// Oldest first. The last one may have no answer yet: it is the question.
    pub fn exchanges(&self) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.exchanges.iter()
    }

    /// The contact said something: joins the open question, or begins one.
    pub fn ask(&mut self, line: Line) {
        self.bytes += line.text.bytes();
        match self.exchanges.back_mut() {
            Some(last) if last.answered.is_empty() => last.asked.push(line),
            _ => self.exchanges.push_back(Exchange { asked: vec![line], ..Exchange::default() }),
        }
        self.shrink();
    }

    /// Our side said something. What the contact said after event `answers` was not yet known to
    /// it, and stays open as the next question.
    pub fn answer(&mut self, line: Line, answers: Seq, passages: Vec<Passage>) {
        self.bytes += line.text.bytes() + passages.iter().map(|passage| passage.text.bytes()).sum::<usize>();
        let mut later = Vec::new();
        match self.exchanges.back_mut() {
            Some(last) => {
                if last.answered.is_empty() {
                    later = last.asked.extract_if(.., |asked| asked.seq > answers).collect();
                }
                last.answered.push(line);
                last.passages.extend(passages);
            }
            None => self.exchanges.push_back(Exchange { answered: vec![line], passages, ..Exchange::default() }),
        }
        if !later.is_empty() {
            self.exchanges.push_back(Exchange { asked: later, ..Exchange::default() });
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.bytes <= limits::TRANSCRIPT_BYTES_MAX {
            return;
        }
        while self.bytes > limits::TRANSCRIPT_BYTES_MAX / 2 && self.exchanges.len() > 1 {
            let Some(oldest) = self.exchanges.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }
}

impl Exchange {
    fn bytes(&self) -> usize {
        let lines = self.asked.iter().chain(&self.answered).map(|line| line.text.bytes()).sum::<usize>();
        lines + self.passages.iter().map(|passage| passage.text.bytes()).sum::<usize>()
    }
}
