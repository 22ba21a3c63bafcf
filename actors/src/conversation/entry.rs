//! What a conversation's entry in the due index says, as far as its owner knows, and when it is worth a write.
//! Invariant: the entry is never left later than what is due. Too early is harmless: the owner is then asked, and
//! says when to look again.

use std::time::Duration;

use engine_store::DueChange;
use schema::Timestamp;

/// An entry that is too early by less than this is left as it is …
const SLACK_MIN: Duration = Duration::from_secs(5);
/// … or by less than this part of the time until then, so that a talk does not move it with every word.
const SLACK_PART: u32 = 16;

/// A conversation's entry in the due index, as its writer knows it.
///
/// It *stands* (the store has said so, or will with the append under way) or nothing is known of it, after another
/// owner or a lost answer; then it is written anew. A change goes with an append, or alone with a ticket; the answer
/// of a ticket that is not the newest says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry {
    known: Known,
    /// Whether it is to be looked at though nothing is appended.
    look: bool,
    /// A change without an append that is under way.
    moving: Option<Move>,
    /// Such changes so far.
    moves: u64,
}

/// A change without an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// Which one: an answer may come when the next one is under way.
    pub(crate) ticket: u64,
    /// The new moment; none when nothing will be due.
    pub(crate) at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    /// Another wrote it, or an answer did not come.
    #[default]
    Nothing,
    /// What the store acknowledged, or will have with the append under way.
    Stands(Option<Timestamp>),
}

impl Entry {
    /// An entry as the store has it.
    pub(crate) const fn found(at: Option<Timestamp>) -> Self {
        Self { known: Known::Stands(at), look: false, moving: None, moves: 0 }
    }

    /// Look at it after what is done now, though nothing may be appended.
    pub(crate) const fn look(&mut self) {
        self.look = true;
    }

    /// Somebody has found it due: whatever is known of it, it is to be written anew.
    pub(crate) const fn is_due(&mut self) {
        self.known = Known::Nothing;
        self.look = true;
    }

    /// What an append is to do with it. The append decides over a change that is under way: the store refuses
    /// that one once the head has moved.
    pub(crate) fn with_append(&mut self, wanted: Option<Timestamp>, now: Timestamp) -> DueChange {
        self.look = false;
        let known = if self.moving.take().is_some() { Known::Nothing } else { self.known };
        let change = change(known, wanted, now);
        self.known = match change {
            DueChange::Keep => known,
            DueChange::At(_) | DueChange::Clear => Known::Stands(wanted),
        };
        change
    }

    /// Whether it is to be looked at without an append.
    pub(crate) const fn is_to_be_looked_at(&self) -> bool {
        self.look && self.moving.is_none()
    }

    /// The change that it needs without an append, if it needs one; [`Entry::moved`] is to follow.
    pub(crate) fn alone(&mut self, wanted: Option<Timestamp>, now: Timestamp) -> Option<Move> {
        self.look = false;
        if change(self.known, wanted, now) == DueChange::Keep {
            return None;
        }
        self.moves += 1;
        self.moving = Some(Move { ticket: self.moves, at: wanted });
        self.moving
    }

    /// The change without an append has ended, well or not. Where it has not, the entry stays too early at worst,
    /// and will be found due. Whether it was the newest: the answers to others say nothing.
    pub(crate) fn moved(&mut self, ticket: u64, well: bool) -> bool {
        let Some(Move { at, .. }) = self.moving.take_if(|moving| moving.ticket == ticket) else { return false };
        self.known = if well { Known::Stands(at) } else { Known::Nothing };
        true
    }

    /// Whether no change without an append is under way.
    pub(crate) const fn is_settled(&self) -> bool {
        self.moving.is_none()
    }
}

fn change(known: Known, wanted: Option<Timestamp>, now: Timestamp) -> DueChange {
    match (known, wanted) {
        (Known::Stands(None), None) => DueChange::Keep,
        (_, None) => DueChange::Clear,
        // One that has passed is found again and again until it is moved.
        (Known::Stands(Some(at)), Some(wanted)) if at > now && at <= wanted => {
            let slack = (wanted.since(now) / SLACK_PART).max(SLACK_MIN);
            if wanted.since(at) <= slack { DueChange::Keep } else { DueChange::At(wanted) }
        }
        (Known::Stands(Some(at)), Some(wanted)) if at == wanted => DueChange::Keep,
        (_, Some(wanted)) => DueChange::At(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn an_entry_is_written_where_it_would_be_late_or_is_far_too_early() {
        let now = 10 * HOUR;
        for (known, wanted, written) in [
            // Nothing was known: whatever is wanted is written, or surely is not there.
            (None, Some(now + 1), true),
            (None, None, true),
            (Some(None), None, false),
            (Some(None), Some(now + HOUR), true),
            (Some(Some(now + HOUR)), None, true),
            // Later than wanted, by however little.
            (Some(Some(now + HOUR)), Some(now + HOUR - 1), true),
            (Some(Some(now + HOUR)), Some(now - 1), true),
            // Too early: by a little, by more.
            (Some(Some(now + HOUR)), Some(now + HOUR), false),
            (Some(Some(now + HOUR)), Some(now + HOUR + 60_000), false),
            (Some(Some(now + HOUR)), Some(now + 2 * HOUR), true),
            (Some(Some(now + 30_000)), Some(now + 30_150), false),
            (Some(Some(now + 30_000)), Some(now + 72 * HOUR), true),
            // It has passed: it would be found again at every look.
            (Some(Some(now)), Some(now + 1), true),
            (Some(Some(now - 5)), Some(now - 1), true),
            (Some(Some(now - 1)), Some(now - 1), false),
        ] {
            let mut entry = known.map_or_else(Entry::default, |known| Entry::found(known.map(at)));
            let change = entry.with_append(wanted.map(at), at(now));
            assert_eq!(change != DueChange::Keep, written, "{known:?} {wanted:?}");
            // What was kept is not later than what is wanted.
            let stands = change.applied_to(known.flatten().map(at));
            assert!(wanted.is_none() || stands.is_some_and(|stands| Some(stands) <= wanted.map(at)), "{known:?}");
        }
    }

    #[test]
    fn a_talk_moves_the_entry_now_and_then_only() {
        let (mut entry, mut writes) = (Entry::found(None), 0);
        for minute in 0..600 {
            let now = at(minute * 60_000);
            let change = entry.with_append(Some(now.plus(Duration::from_secs(72 * 3_600))), now);
            writes += u32::from(change != DueChange::Keep);
        }
        assert!((2..=4).contains(&writes), "{writes} writes in ten hours of talk");
    }

    #[test]
    fn an_append_decides_over_a_change_that_is_under_way() {
        let (now, later, soon) = (at(HOUR), at(3 * HOUR), at(2 * HOUR));
        let mut entry = Entry::found(Some(now));
        entry.look();
        assert_eq!(entry.alone(Some(later), now), Some(Move { ticket: 1, at: Some(later) }));
        assert!(!entry.is_settled());
        // Whether that one comes before or never: this one says how it is.
        assert_eq!(entry.with_append(Some(soon), now), DueChange::At(soon));
        assert!(!entry.moved(1, true));
        assert_eq!(entry.with_append(Some(soon), now), DueChange::Keep);
        entry.is_due();
        assert!(entry.is_to_be_looked_at());
        let second = Some(Move { ticket: 2, at: Some(soon) });
        assert_eq!(entry.alone(Some(soon), now), second, "found due: written whatever was known");
        assert!(!entry.moved(1, true));
        assert!(!entry.is_settled(), "that was the answer to the first");
        assert!(entry.moved(2, false));
        assert_eq!(entry.with_append(Some(soon), now), DueChange::At(soon), "no answer: it may not stand");
    }
}
