//! The partitions of an agenda: slots of ten minutes, each in shards, so that what was dropped at the front of one is not
//! read again and again.
//! Invariant: a slot that is over gets no more rows once clocks differ by less than a day; none is forgotten before.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use schema::Timestamp;

use super::agenda::Agenda;
use crate::StoreError;
use crate::metrics::AGENDA_SKIPPED;

/// A slot, in milliseconds.
pub(super) const SLOT: i64 = 600_000;
/// Slots of an hour, …
const HOUR_SLOTS: i32 = 6;
/// … and of a day: for so long before and after it a slot may get rows, by a clock that is behind or ahead.
pub(super) const DAY_SLOTS: i32 = 24 * HOUR_SLOTS;
/// How often a slot is looked at in which only other clocks write.
const QUIET_EVERY: Duration = Duration::from_secs(600);
/// Slots remembered.
const REMEMBERED_MAX: usize = 16_384;

/// What of an agenda is remembered: the slots that surely stand in it, and when others were looked at.
#[derive(Default)]
pub(super) struct Buckets {
    known: Mutex<HashSet<Bucket>>,
    looked: Mutex<HashMap<Bucket, Instant>>,
    /// Before these slots none stood in an agenda when it was last read.
    firsts: Mutex<HashMap<Agenda, i32>>,
    has_skipped: AtomicBool,
}

/// A partition of an agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    pub(super) agenda: Agenda,
    pub(super) slot: i32,
    pub(super) shard: i8,
}

impl Buckets {
    pub(super) fn is_known(&self, bucket: &Bucket) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(bucket)
    }

    pub(super) fn know(&self, bucket: Bucket, this_slot: i32) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Slots that are over may be forgotten, and get no more rows.
        known.retain(|bucket| bucket.slot >= this_slot);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(bucket);
    }

    /// The slot from which on an agenda is to be read, so that what was dropped at its front is not read again and again.
    /// To one before `open` nothing comes any more; a clock that was ahead for a while is not believed for longer.
    pub(super) fn first(&self, agenda: Agenda, open: i32) -> i32 {
        self.firsts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&agenda)
            .map_or(i32::MIN, |first| open.min(*first))
    }

    /// An agenda was read, from where it is to be read on, and this is the first slot that stands in it.
    pub(super) fn begin_at(&self, agenda: Agenda, first: Option<i32>) {
        self.firsts.lock().unwrap_or_else(PoisonError::into_inner).insert(agenda, first.unwrap_or(i32::MAX));
    }

    /// Whether a slot need not be looked at now: by this machine's clock nothing comes to it, or is due in it up to
    /// `last`, and what others may have written there was looked for a moment ago.
    pub(super) fn is_quiet(&self, bucket: &Bucket, this_slot: i32, last: i32) -> bool {
        let is_near = bucket.slot >= this_slot.saturating_sub(HOUR_SLOTS) && bucket.slot <= last;
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        !is_near && looked.get(bucket).is_some_and(|at| at.elapsed() < QUIET_EVERY)
    }

    /// A slot was read from its beginning, and has nothing that is due.
    pub(super) fn looked(&self, bucket: Bucket) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.len() >= REMEMBERED_MAX {
            looked.clear();
        }
        looked.insert(bucket, Instant::now());
    }

    /// Something that leads to one conversation, or to some, cannot be read or tidied. All others are gone on with.
    pub(super) fn skipped(&self, error: &StoreError) {
        metrics::counter!(AGENDA_SKIPPED).increment(1);
        if !self.has_skipped.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "a conversation cannot be looked at when it is due, and is passed over; told once");
        }
    }
}

pub(super) fn slot(at: Timestamp) -> i32 {
    i32::try_from(at.as_millis().div_euclid(SLOT)).unwrap_or(if at.as_millis() < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_that_of_the_moment_on_both_sides_of_the_first_one() {
        for (moment, wanted) in [
            (0, 0),
            (SLOT - 1, 0),
            (SLOT, 1),
            (-1, -1),
            (-SLOT, -1),
            (-SLOT - 1, -2),
            (i64::MAX, i32::MAX),
            (i64::MIN, i32::MIN),
        ] {
            assert_eq!(slot(Timestamp::from_millis(moment)), wanted, "{moment}");
        }
    }

    #[test]
    fn an_agenda_is_read_from_its_first_slot_on_or_from_where_others_may_still_write() {
        let buckets = Buckets::default();
        assert_eq!(buckets.first(Agenda::Due, 700), i32::MIN, "it was never read");
        // Each row: the first slot that was found, the first one that may get rows, and where reading begins.
        for (found, open, wanted) in [
            (Some(500), 700, 500),
            (Some(900), 700, 700),
            (None, 700, 700),
            (None, 710, 710),
            // By a clock that was put back.
            (Some(9_000), 650, 650),
        ] {
            buckets.begin_at(Agenda::Due, found);
            assert_eq!(buckets.first(Agenda::Due, open), wanted, "{found:?}, open from {open} on");
        }
        assert_eq!(buckets.first(Agenda::Unspoken, 700), i32::MIN, "another agenda");
    }

    /// Slot 1,000 is now, and what is due up to slot 1,001 is asked for.
    #[test]
    fn slots_in_which_only_other_clocks_write_are_looked_at_now_and_then() {
        let buckets = Buckets::default();
        let of = |slot| Bucket { agenda: Agenda::Due, slot, shard: 3 };
        for (slot, is_far) in [(800, true), (993, true), (994, false), (1_000, false), (1_001, false), (1_100, true)] {
            assert!(!buckets.is_quiet(&of(slot), 1_000, 1_001), "{slot} was never looked at");
            buckets.looked(of(slot));
            assert_eq!(buckets.is_quiet(&of(slot), 1_000, 1_001), is_far, "{slot}");
        }
    }
}
