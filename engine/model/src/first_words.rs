//! The first words of a model that nobody has heard yet: some begin in the middle of a thought.
//! Invariant: they wait once for each model, for a moment, and nothing is lost or overtaken.

use std::time::Duration;

use tokio::time::Instant;

use super::Chunk;
use super::taken_back::take_back;

/// How long the first words of a model's first reply wait for a mark that ends a thought.
const WAIT: Duration = Duration::from_millis(200);

/// The first words of a reply that wait until it is sure that they are no thought.
#[derive(Debug)]
pub(super) enum FirstWords {
    /// The model has said nothing yet.
    Silent,
    /// These chunks wait until this moment.
    Waiting(Vec<Chunk>, Instant),
    /// They were passed on; nothing waits any more.
    Passed,
}

impl FirstWords {
    /// At the beginning of a reply; `listen` when it is the first of its model.
    pub(super) fn new(listen: bool) -> Self {
        if listen { Self::Silent } else { Self::Passed }
    }

    /// When what waits is to be passed on.
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Waiting(_, due) => Some(*due),
            Self::Silent | Self::Passed => None,
        }
    }

    /// Takes what came, gives what may pass.
    pub(super) fn pass(&mut self, out: &mut Vec<Chunk>, now: Instant) {
        let says = |chunk: &Chunk| matches!(chunk, Chunk::Text(text) if !text.trim().is_empty());
        match self {
            Self::Passed => {}
            Self::Silent => {
                if let Some(at) = out.iter().position(says) {
                    *self = Self::Waiting(Vec::new(), now + WAIT);
                    let mut first = out.split_off(at);
                    self.pass(&mut first, now);
                    out.append(&mut first);
                }
            }
            Self::Waiting(held, _) => {
                let known = out.iter().any(|chunk| matches!(chunk, Chunk::Unsaid { .. } | Chunk::End(_)));
                held.append(out);
                if known {
                    self.release(out);
                }
            }
        }
    }

    /// Gives what waits: its time is up, or nothing follows.
    pub(super) fn release(&mut self, out: &mut Vec<Chunk>) {
        if let Self::Waiting(held, _) = std::mem::replace(self, Self::Passed) {
            let fresh = std::mem::replace(out, take_back(held));
            out.extend(fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words_wait_and_a_thought_among_them_goes() {
        let now = Instant::now();
        let text = |text: &str| Chunk::Text(text.into());
        let mut words = FirstWords::new(true);
        let mut out = vec![Chunk::Alive, text("\n")];
        words.pass(&mut out, now);
        assert_eq!((out.len(), words.due()), (2, None), "nothing said, nothing held");
        let mut out = vec![Chunk::Alive, text("The margin"), Chunk::Alive];
        words.pass(&mut out, now);
        assert_eq!((out, words.due()), (vec![Chunk::Alive], Some(now + WAIT)));
        let mut out = vec![text(" is 40%."), Chunk::Unsaid { bytes: 18 }, text("Hello")];
        words.pass(&mut out, now);
        assert_eq!(out, [Chunk::Alive, text("Hello")]);
        let mut out = vec![text(" there.")];
        words.pass(&mut out, now);
        assert_eq!(out, [text(" there.")], "and no more waiting");

        let mut words = FirstWords::new(true);
        let mut out = vec![text("Hello")];
        words.pass(&mut out, now);
        assert!(out.is_empty());
        words.release(&mut out);
        assert_eq!((out, words.due()), (vec![text("Hello")], None));
    }
}
