//! Append before reply and push: holds back what may only be seen once its events are durable.
//! Invariant: things leave in the order in which they came.

use std::collections::VecDeque;
use std::mem;

use schema::{Event, Seq};

/// Events on their way to the store, and what waits for them.
///
/// The writer alone holds it. What goes in is bound to the newest event decided so far and comes out, in order, once
/// that is durable; where nothing is undecided it does not go in at all. It ends every wait: an append is either
/// durable ([`Gate::stored`], then [`Gate::release`]) or lost ([`Gate::give_up`]), and then all that is held is given
/// back to be answered.
pub(crate) struct Gate<H> {
    /// Everything up to here is durable.
    durable: Seq,
    /// Events of the append that is under way.
    in_flight: usize,
    /// Events decided since.
    waiting: Vec<Event>,
    /// Things to let out, each with the event it waits for.
    held: VecDeque<(Seq, H)>,
}

impl<H> Gate<H> {
    /// A gate of a log that ends at `head`.
    pub(crate) const fn new(head: Seq) -> Self {
        Self { durable: head, in_flight: 0, waiting: Vec::new(), held: VecDeque::new() }
    }

    /// Everything up to here is durable, and may be shown.
    pub(crate) const fn durable(&self) -> Seq {
        self.durable
    }

    /// Events that are not durable yet.
    pub(crate) fn unstored(&self) -> usize {
        self.in_flight + self.waiting.len()
    }

    /// An event was decided; `held` goes out when it is durable.
    pub(crate) fn append(&mut self, event: Event, held: H) {
        self.held.push_back((event.seq, held));
        self.waiting.push(event);
    }

    /// Something that may only be seen after every event decided so far. Given back when nothing
    /// stands in its way.
    pub(crate) fn after_all(&mut self, held: H) -> Option<H> {
        let assigned = self.durable + self.unstored() as Seq;
        if assigned == self.durable {
            return Some(held);
        }
        self.held.push_back((assigned, held));
        None
    }

    /// The next append, when none is under way: the head before it, and its events. Everything
    /// decided while the last one was under way goes together.
    pub(crate) fn next_append(&mut self) -> Option<(Seq, Vec<Event>)> {
        if self.in_flight > 0 || self.waiting.is_empty() {
            return None;
        }
        self.in_flight = self.waiting.len();
        Some((self.durable, mem::take(&mut self.waiting)))
    }

    /// The append under way is durable.
    pub(crate) fn stored(&mut self) {
        self.durable += self.in_flight as Seq;
        self.in_flight = 0;
    }

    /// Everything still held, when it is known that it will never be durable.
    pub(crate) fn give_up(&mut self) -> impl Iterator<Item = H> + use<H> {
        mem::take(&mut self.held).into_iter().map(|(_, held)| held)
    }

    /// The next thing that may go out.
    pub(crate) fn release(&mut self) -> Option<H> {
        let (seq, _) = self.held.front()?;
        if *seq > self.durable {
            return None;
        }
        self.held.pop_front().map(|(_, held)| held)
    }
}

#[cfg(test)]
mod tests {
    use schema::{Author, Fact, Timestamp};

    use super::*;

    fn event(seq: Seq) -> Event {
        Event { seq, at: Timestamp::default(), author: Author::System, fact: Fact::Reopened {} }
    }

    fn released(gate: &mut Gate<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| gate.release()).collect()
    }

    #[test]
    fn nothing_passes_an_event_that_is_not_durable() {
        let mut gate = Gate::new(4);
        assert_eq!(gate.after_all("at once"), Some("at once"));
        gate.append(event(5), "event 5");
        assert_eq!(gate.after_all("reply 5"), None);
        assert_eq!(gate.next_append().map(|(head, events)| (head, events.len())), Some((4, 1)));
        gate.append(event(6), "event 6");
        gate.append(event(7), "event 7");
        assert_eq!(gate.after_all("delta"), None);
        assert_eq!(gate.next_append(), None, "one append at a time");
        assert!(released(&mut gate).is_empty());
        gate.stored();
        assert_eq!(released(&mut gate), ["event 5", "reply 5"]);
        assert_eq!(gate.next_append().map(|(head, events)| (head, events.len())), Some((5, 2)));
        assert!(released(&mut gate).is_empty());
        gate.stored();
        assert_eq!(released(&mut gate), ["event 6", "event 7", "delta"]);
        assert_eq!((gate.durable(), gate.unstored()), (7, 0));
    }
}
