//! The newest events, encoded, for readers that come and come back. Bounded in number and bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use schema::{Event, Seq, limits};

use super::listener::Audience;
use crate::frames::event_json;

/// A stored event with its JSON.
#[derive(Clone)]
pub(crate) struct Encoded {
    pub(crate) seq: Seq,
    json: Arc<str>,
    /// The same as the contact sees it, where that is less.
    for_contact: Option<Arc<str>>,
}

impl Encoded {
    pub(crate) fn new(event: &Event) -> Self {
        let for_contact = event.for_contact().map(|shown| event_json(&shown).into());
        Self { seq: event.seq, json: event_json(event).into(), for_contact }
    }

    /// What a listener is sent.
    pub(crate) fn json(&self, audience: Audience) -> &str {
        match (audience, &self.for_contact) {
            (Audience::Contact, Some(less)) => less,
            (Audience::Contact, None) | (Audience::Team, _) => &self.json,
        }
    }

    /// Whether everybody is sent the same.
    pub(crate) const fn is_one_for_all(&self) -> bool {
        self.for_contact.is_none()
    }

    fn bytes(&self) -> usize {
        self.json.len() + self.for_contact.as_ref().map_or(0, |less| less.len())
    }

    #[cfg(test)]
    pub(crate) fn of(seq: Seq, json: impl Into<Arc<str>>) -> Self {
        Self { seq, json: json.into(), for_contact: None }
    }
}

/// A window that ends at the durable head.
#[derive(Default)]
pub(crate) struct Ring {
    events: VecDeque<Encoded>,
    bytes: usize,
}

impl Ring {
    /// Takes the next durable event.
    pub(crate) fn push(&mut self, encoded: Encoded) {
        self.bytes += encoded.bytes();
        self.events.push_back(encoded);
        while self.events.len() > limits::RING_EVENTS_MAX || self.bytes > limits::RING_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// Everything after `after` up to the head, if the window reaches back that far.
    pub(crate) fn since(&self, after: Seq, head: Seq) -> Option<impl Iterator<Item = &Encoded>> {
        let missing = usize::try_from(head.saturating_sub(after)).unwrap_or(usize::MAX);
        let skip = self.events.len().checked_sub(missing)?;
        Some(self.events.iter().skip(skip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_bounded_and_exact() {
        let mut ring = Ring::default();
        let head = limits::RING_EVENTS_MAX as Seq + 10;
        for seq in 1..=head {
            ring.push(Encoded::of(seq, format!("{seq}")));
        }
        let seqs = |after| ring.since(after, head).map(|events| events.map(|event| event.seq).collect::<Vec<_>>());
        assert_eq!(seqs(head), Some(vec![]));
        assert_eq!(seqs(head - 2), Some(vec![head - 1, head]));
        assert_eq!(seqs(10).map(|seqs| seqs.len()), Some(limits::RING_EVENTS_MAX));
        assert_eq!(seqs(9), None);
        for seq in 0..10 {
            ring.push(Encoded::of(head + 1 + seq, "x".repeat(limits::RING_BYTES_MAX / 4)));
        }
        assert!(ring.events.len() <= 4);
    }
}
