//! What each visitor of a tenant has done of late, over all ways in. Pure: the moment comes as an argument.
//! Invariant: bounded in number; only who has shown a visitor's token stands here, so that a tenant's own
//! server is not held to a visitor's budget.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use schema::{Contact, Timestamp, VisitorBudget, limits};

use super::bucket::{Bucket, Rate};
use super::day::Day;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// When a visitor may try again whose replies all still run.
const REPLY_WAIT: Duration = Duration::from_secs(2);
/// How many are forgotten at once when there are too many: an eighth, so that sorting them pays.
const FORGET: usize = limits::VISITORS_REMEMBERED_MAX / 8;

/// The visitors.
#[derive(Default)]
pub(super) struct Visitors {
    day: Day,
    all_bytes: u64,
    new: Bucket,
    known: HashMap<Contact, Visitor>,
}

#[derive(Clone, Default)]
struct Visitor {
    seen: Timestamp,
    messages: Bucket,
    conversations: Bucket,
    bytes: u64,
    running: Arc<AtomicU32>,
}

/// Why a visitor has to wait, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Messages(Duration),
    Conversations(Duration),
    Replies(Duration),
    Bytes(Duration),
    AllBytes(Duration),
    New(Duration),
}

impl Visitors {
    /// As they were left today.
    pub(super) fn restored(day: Day, all_bytes: u64, bytes: impl IntoIterator<Item = (Contact, u64)>) -> Self {
        let known = bytes.into_iter().take(limits::VISITORS_KEPT_MAX);
        let known = known.map(|(contact, bytes)| (contact, Visitor { bytes, ..Visitor::default() })).collect();
        Self { day, all_bytes, new: Bucket::default(), known }
    }

    /// Somebody new comes of whom no server has told.
    pub(super) fn comes(&mut self, budget: &VisitorBudget, now: Timestamp) -> Result<(), Wait> {
        self.new.take(Rate { count: budget.new_per_hour, per: HOUR }, now).map_err(Wait::New)
    }

    /// A visitor says something of so many bytes.
    pub(super) fn says(
        &mut self,
        contact: &Contact,
        bytes: u64,
        budget: &VisitorBudget,
        now: Timestamp,
    ) -> Result<(), Wait> {
        let bytes = bytes.saturating_add(limits::MESSAGE_BYTES_AROUND);
        self.has_room(contact, bytes, budget, now)?;
        let visitor = self.visitor(contact, now);
        if visitor.running.load(Ordering::Relaxed) >= budget.running_turns.get() {
            return Err(Wait::Replies(REPLY_WAIT));
        }
        visitor.messages.take(Rate { count: budget.messages_per_minute, per: MINUTE }, now).map_err(Wait::Messages)?;
        self.stored(contact, bytes, now);
        Ok(())
    }

    /// A visitor opens a conversation.
    pub(super) fn opens(&mut self, contact: &Contact, budget: &VisitorBudget, now: Timestamp) -> Result<(), Wait> {
        self.has_room(contact, limits::OPENING_BYTES, budget, now)?;
        self.visitor(contact, now)
            .conversations
            .take(Rate { count: budget.conversations_per_hour, per: HOUR }, now)
            .map_err(Wait::Conversations)?;
        self.stored(contact, limits::OPENING_BYTES, now);
        Ok(())
    }

    /// So many bytes are stored for somebody. True when it was a visitor.
    pub(super) fn stored(&mut self, contact: &Contact, bytes: u64, now: Timestamp) -> bool {
        self.turn_to(now);
        let Some(visitor) = self.known.get_mut(contact) else { return false };
        visitor.bytes = visitor.bytes.saturating_add(bytes);
        self.all_bytes = self.all_bytes.saturating_add(bytes);
        true
    }

    /// The count of a visitor's replies that run, and the most it may be; none for others.
    pub(super) fn running(&self, contact: &Contact, budget: &VisitorBudget) -> Option<(Arc<AtomicU32>, NonZeroU32)> {
        self.known.get(contact).map(|visitor| (Arc::clone(&visitor.running), budget.running_turns))
    }

    /// Of all of them together, and of each who has used much, the most first: the bytes of this day.
    pub(super) fn used(&mut self, now: Timestamp) -> (u64, Vec<(Contact, u64)>) {
        self.turn_to(now);
        let much = self.known.iter().filter(|(_, visitor)| visitor.bytes >= limits::VISITOR_BYTES_KEPT);
        let mut much: Vec<_> = much.map(|(contact, visitor)| (contact.clone(), visitor.bytes)).collect();
        much.sort_unstable_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        much.truncate(limits::VISITORS_KEPT_MAX);
        (self.all_bytes, much)
    }

    fn has_room(&mut self, contact: &Contact, bytes: u64, budget: &VisitorBudget, now: Timestamp) -> Result<(), Wait> {
        self.turn_to(now);
        let over = |used: u64, most: u64| most > 0 && used.saturating_add(bytes) > most;
        let used = self.known.get(contact).map_or(0, |visitor| visitor.bytes);
        if over(used, budget.bytes_per_day) {
            return Err(Wait::Bytes(self.day.left(now)));
        }
        if over(self.all_bytes, budget.all_bytes_per_day) {
            return Err(Wait::AllBytes(self.day.left(now)));
        }
        Ok(())
    }

    fn turn_to(&mut self, now: Timestamp) {
        let day = Day::of(now);
        if day != self.day {
            self.day = day;
            self.all_bytes = 0;
            self.known.values_mut().for_each(|visitor| visitor.bytes = 0);
        }
    }

    fn visitor(&mut self, contact: &Contact, now: Timestamp) -> &mut Visitor {
        if self.known.len() >= limits::VISITORS_REMEMBERED_MAX && !self.known.contains_key(contact) {
            self.forget(now);
        }
        let visitor = match self.known.entry(contact.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Visitor::default()),
        };
        visitor.seen = now;
        visitor
    }

    /// Makes room: those about whom there is nothing to remember, and then those who came longest ago.
    fn forget(&mut self, now: Timestamp) {
        self.known.retain(|_, visitor| !visitor.is_fresh(now));
        let room = limits::VISITORS_REMEMBERED_MAX - FORGET;
        let Some(excess) = self.known.len().checked_sub(room).filter(|excess| *excess > 0) else { return };
        let mut oldest: Vec<_> =
            self.known.iter().map(|(contact, visitor)| (visitor.used_much(), visitor.seen, contact.clone())).collect();
        oldest.sort_unstable();
        for (_, _, contact) in oldest.into_iter().take(excess) {
            self.known.remove(&contact);
        }
    }
}

impl Visitor {
    fn used_much(&self) -> bool {
        self.bytes >= limits::VISITOR_BYTES_KEPT
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.bytes == 0
            && self.messages.is_full(now)
            && self.conversations.is_full(now)
            && self.running.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 100 * 24 * 3_600_000 + 12 * 3_600_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(NOON + seconds * 1000)
    }

    fn contact(n: usize) -> Contact {
        format!("anon_{n}").parse().unwrap()
    }

    fn budget() -> VisitorBudget {
        let count = |n| NonZeroU32::new(n).unwrap();
        VisitorBudget {
            messages_per_minute: count(3),
            conversations_per_hour: count(2),
            running_turns: count(1),
            bytes_per_day: 10_000,
            all_bytes_per_day: 15_000,
            new_per_hour: count(2),
        }
    }

    #[test]
    fn each_budget_ends_with_its_own_word_and_a_time() {
        let (mut visitors, budget, ana) = (Visitors::default(), budget(), contact(1));
        let half_a_day = Duration::from_secs(12 * 3_600);
        for _ in 0..3 {
            assert_eq!(visitors.says(&ana, 10, &budget, at(0)), Ok(()));
        }
        assert_eq!(visitors.says(&ana, 10, &budget, at(0)), Err(Wait::Messages(Duration::from_secs(20))));
        for _ in 0..2 {
            assert_eq!(visitors.opens(&ana, &budget, at(0)), Ok(()));
        }
        assert_eq!(visitors.opens(&ana, &budget, at(0)), Err(Wait::Conversations(Duration::from_secs(1_800))));
        let (running, most) = visitors.running(&ana, &budget).unwrap();
        running.store(most.get(), Ordering::Relaxed);
        assert_eq!(visitors.says(&ana, 10, &budget, at(60)), Err(Wait::Replies(REPLY_WAIT)));
        running.store(0, Ordering::Relaxed);
        assert!(visitors.stored(&ana, 5_500, at(60)), "a reply counts too");
        let left = half_a_day - Duration::from_secs(60);
        assert_eq!(visitors.says(&ana, 2_000, &budget, at(60)), Err(Wait::Bytes(left)));
        assert_eq!(visitors.says(&ana, 10, &budget, at(60)), Ok(()), "the refused ones cost nothing");
        let bo = contact(2);
        assert_eq!(visitors.says(&bo, 5_000, &budget, at(60)), Err(Wait::AllBytes(left)));
        for _ in 0..2 {
            assert_eq!(visitors.comes(&budget, at(60)), Ok(()));
        }
        assert_eq!(visitors.comes(&budget, at(60)), Err(Wait::New(Duration::from_secs(1_800))));
        assert_eq!(visitors.says(&ana, 9_000, &budget, at(12 * 3_600)), Ok(()), "the next day");
    }

    #[test]
    fn who_never_showed_a_token_is_not_counted() {
        let (mut visitors, budget) = (Visitors::default(), budget());
        assert!(!visitors.stored(&contact(1), 1 << 40, at(0)));
        assert!(visitors.running(&contact(1), &budget).is_none());
        assert_eq!(visitors.used(at(0)), (0, vec![]));
    }

    #[test]
    fn much_is_kept_and_little_is_not() {
        let mut visitors = Visitors::default();
        let budget = VisitorBudget::default();
        for (n, bytes) in [(1, 100), (2, limits::VISITOR_BYTES_KEPT), (3, 3 * limits::VISITOR_BYTES_KEPT)] {
            visitors.says(&contact(n), 0, &budget, at(0)).unwrap();
            visitors.stored(&contact(n), bytes - limits::MESSAGE_BYTES_AROUND.min(bytes), at(0));
        }
        let (all, much) = visitors.used(at(0));
        assert_eq!(much.iter().map(|(contact, _)| contact.clone()).collect::<Vec<_>>(), [contact(3), contact(2)]);
        let mut again = Visitors::restored(Day::of(at(0)), all, much.clone());
        assert_eq!(again.used(at(0)), (all, much));
        assert_eq!(again.used(at(24 * 3_600)), (0, vec![]), "a day is over");
    }

    #[test]
    fn there_are_never_too_many_and_the_newest_and_the_heaviest_stay() {
        let mut visitors = Visitors::default();
        let budget = VisitorBudget::default();
        visitors.says(&contact(0), 0, &budget, at(0)).unwrap();
        visitors.stored(&contact(0), limits::VISITOR_BYTES_KEPT, at(0));
        let count = 3 * limits::VISITORS_REMEMBERED_MAX;
        for n in 1..count {
            visitors.says(&contact(n), 0, &budget, at(n as i64 / 1_000)).unwrap();
            assert!(visitors.known.len() <= limits::VISITORS_REMEMBERED_MAX);
        }
        for stays in [0, count - 1, count - limits::VISITORS_REMEMBERED_MAX / 2] {
            assert!(visitors.known.contains_key(&contact(stays)), "{stays}");
        }
    }
}
