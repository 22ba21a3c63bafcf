//! What was appended to a conversation since its row was last brought on, as far as it was kept: with it, the log need
//! not be read again.
//! Invariant: its events follow one another without a gap, or there are none and the log is to be read.

use std::sync::Arc;

use schema::{Event, Seq};

/// The appends that a nudge tells of, in their order.
///
/// Whoever appends shares its events, which are in memory anyway, until the next batch takes them. What finds no room is
/// let go with all that was told before it. It is safe to lose any of it: the log has it all.
#[derive(Debug, Default)]
pub(super) struct Told {
    appends: Vec<Arc<[Event]>>,
    bytes: usize,
    /// Something was not kept.
    has_gap: bool,
}

impl Told {
    /// Nothing is known but that the log goes on.
    pub(super) const NOTHING: Self = Self { appends: Vec::new(), bytes: 0, has_gap: true };

    /// Takes an append in if there is `room` for its bytes. Gives by how much less room there is.
    pub(super) fn add(&mut self, events: &Arc<[Event]>, room: usize) -> isize {
        let bytes = bytes(events);
        let goes_on = self.head().is_none_or(|head| events.first().is_some_and(|first| first.seq == head + 1));
        if self.has_gap || !goes_on || bytes > room {
            let freed = self.bytes.cast_signed();
            *self = Self::NOTHING;
            return -freed;
        }
        self.appends.push(Arc::clone(events));
        self.bytes += bytes;
        bytes.cast_signed()
    }

    /// What it weighs.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The events behind `head`, if they begin right there and nothing is missing; none when the log is to be read.
    pub(super) fn after(&self, head: Seq) -> Option<impl Iterator<Item = &Event>> {
        let first = self.appends.first().and_then(|events| events.first())?.seq;
        let all = self.appends.iter().flat_map(|events| events.iter());
        (!self.has_gap && first <= head + 1).then(|| all.filter(move |event| event.seq > head))
    }

    fn head(&self) -> Option<Seq> {
        self.appends.last().and_then(|events| events.last()).map(|event| event.seq)
    }
}

fn bytes(events: &[Event]) -> usize {
    size_of_val(events) + events.iter().map(|event| event.fact.text_bytes()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use schema::{Author, Fact, Timestamp};

    use super::*;

    fn events(seqs: impl IntoIterator<Item = Seq>) -> Arc<[Event]> {
        let event = |seq| Event {
            seq,
            at: Timestamp::from_millis(0),
            author: Author::Contact,
            fact: Fact::Message { text: "words".into(), r#ref: None, agent: None, reply: None },
        };
        seqs.into_iter().map(event).collect()
    }

    #[test]
    fn what_follows_the_row_is_given_and_a_gap_sends_to_the_log() {
        type Appends = &'static [&'static [Seq]];
        // The appends that were told, the row's head, and the events that it is brought on by.
        let rows: &[(Appends, Seq, Option<&[Seq]>)] = &[
            (&[], 0, None),
            (&[&[1, 2]], 0, Some(&[1, 2])),
            (&[&[1, 2], &[3]], 1, Some(&[2, 3])),
            (&[&[4], &[5]], 3, Some(&[4, 5])),
            (&[&[4], &[5]], 9, Some(&[])),
            (&[&[4], &[5]], 2, None),
            (&[&[4], &[6]], 3, None),
            (&[&[4], &[4]], 3, None),
            (&[&[4], &[6], &[7]], 6, None),
        ];
        for (appends, head, wanted) in rows {
            let mut told = Told::default();
            for append in *appends {
                told.add(&events(append.iter().copied()), usize::MAX);
            }
            let given = told.after(*head).map(|events| events.map(|event| event.seq).collect::<Vec<_>>());
            assert_eq!(given.as_deref(), *wanted, "{appends:?} after {head}");
        }
    }

    #[test]
    fn what_finds_no_room_lets_go_of_all() {
        let (mut told, first) = (Told::default(), events([1]));
        let each = bytes(&first);
        assert_eq!((told.add(&first, each), told.bytes()), (each.cast_signed(), each));
        assert_eq!((told.add(&events([2]), each - 1), told.bytes()), (-each.cast_signed(), 0));
        assert_eq!((told.add(&events([3]), usize::MAX), told.bytes()), (0, 0));
        assert!(told.after(0).is_none() && told.after(2).is_none());
    }
}
