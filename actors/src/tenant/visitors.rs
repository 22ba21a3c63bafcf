//! Each visitor's recent use of a tenant, over all channels. Pure: the moment comes as an argument.
//! Invariant: bounded in number; only who has shown a visitor's token stands here, so that a tenant's own
//! server is not held to a visitor's budget.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use schema::{ContactId, Neighbour, Timestamp, VisitorBudget, limits};

use super::bucket::{Bucket, Rate};
use super::day::Day;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// When a visitor may try again whose replies all still run.
const REPLY_WAIT: Duration = Duration::from_secs(2);
/// How many are forgotten at once when there are too many: an eighth, so that sorting them pays.
const FORGET: usize = limits::VISITORS_REMEMBERED_MAX / 8;

/// What each of a tenant's visitors has used today, bounded in number: those longest away are forgotten first.
#[derive(Default)]
pub(super) struct Visitors {
    day: Day,
    all_bytes: u64,
    new: Bucket,
    known: HashMap<ContactId, Used>,
    /// Bytes of those whom no server has announced, by where they came from. After a restart they begin anew:
    /// addresses are not written down.
    neighbours: HashMap<Neighbour, u64>,
}

#[derive(Clone, Default)]
struct Used {
    seen: Timestamp,
    /// Whose share what is stored for it comes out of.
    from: Option<Neighbour>,
    messages: Bucket,
    conversations: Bucket,
    bytes: u64,
    running: Arc<AtomicU32>,
}

/// What was taken from a visitor's budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    what: What,
    bytes: u64,
    day: Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Message,
    Conversation,
}

/// Why a visitor has to wait, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Messages(Duration),
    Conversations(Duration),
    Replies(Duration),
    Bytes(Duration),
    NeighbourBytes(Duration),
    AllBytes(Duration),
    New(Duration),
}

impl Visitors {
    /// As they were left today.
    pub(super) fn restored(day: Day, all_bytes: u64, bytes: impl IntoIterator<Item = (ContactId, u64)>) -> Self {
        let known = bytes.into_iter().take(limits::VISITORS_KEPT_MAX);
        let known = known.map(|(contact, bytes)| (contact, Used { bytes, ..Used::default() })).collect();
        Self { day, all_bytes, known, ..Self::default() }
    }

    /// Somebody new comes of whom no server has told.
    pub(super) fn comes(&mut self, budget: &VisitorBudget, now: Timestamp) -> Result<(), Wait> {
        self.new.take(Rate { count: budget.new_per_hour, per: HOUR }, now).map_err(Wait::New)
    }

    /// A visitor says something of so many bytes.
    pub(super) fn says(
        &mut self,
        contact: ContactId,
        from: Option<Neighbour>,
        bytes: u64,
        budget: &VisitorBudget,
        now: Timestamp,
    ) -> Result<Taken, Wait> {
        let bytes = bytes.saturating_add(limits::MESSAGE_BYTES_AROUND);
        self.take(What::Message, contact, from, bytes, budget, now)
    }

    /// A visitor says something at another node, which has counted it; its replies run here.
    pub(super) fn says_elsewhere(
        &mut self,
        contact: ContactId,
        budget: &VisitorBudget,
        now: Timestamp,
    ) -> Result<(), Wait> {
        self.turn_to(now);
        // Where it comes from is known only where it comes to.
        let from = self.known.get(&contact).and_then(|visitor| visitor.from);
        self.visitor(contact, from, now).may_be_answered(budget)
    }

    /// A visitor opens a conversation.
    pub(super) fn opens(
        &mut self,
        contact: ContactId,
        from: Option<Neighbour>,
        budget: &VisitorBudget,
        now: Timestamp,
    ) -> Result<Taken, Wait> {
        self.take(What::Conversation, contact, from, limits::OPENING_BYTES, budget, now)
    }

    fn take(
        &mut self,
        what: What,
        contact: ContactId,
        from: Option<Neighbour>,
        bytes: u64,
        budget: &VisitorBudget,
        now: Timestamp,
    ) -> Result<Taken, Wait> {
        self.has_room(contact, from, bytes, budget, now)?;
        let visitor = self.visitor(contact, from, now);
        if what == What::Message {
            visitor.may_be_answered(budget)?;
        }
        visitor.bucket(what).take(what.rate(budget), now).map_err(|wait| what.wait(wait))?;
        self.stored(contact, bytes, now);
        Ok(Taken { what, bytes, day: self.day })
    }

    /// Nothing came of it: what was taken flows back, bytes only on the day on which they were counted.
    pub(super) fn give_back(
        &mut self,
        contact: ContactId,
        from: Option<Neighbour>,
        taken: Taken,
        budget: &VisitorBudget,
        now: Timestamp,
    ) {
        self.turn_to(now);
        let bytes = if taken.day == self.day { taken.bytes } else { 0 };
        self.all_bytes = self.all_bytes.saturating_sub(bytes);
        if let Some(used) = from.and_then(|from| self.neighbours.get_mut(&from)) {
            *used = used.saturating_sub(bytes);
        }
        let Some(visitor) = self.known.get_mut(&contact) else { return };
        visitor.bytes = visitor.bytes.saturating_sub(bytes);
        visitor.bucket(taken.what).give_back(taken.what.rate(budget));
    }

    /// So many bytes are stored for somebody. True when it was a visitor.
    pub(super) fn stored(&mut self, contact: ContactId, bytes: u64, now: Timestamp) -> bool {
        self.turn_to(now);
        let Some(visitor) = self.known.get_mut(&contact) else { return false };
        visitor.bytes = visitor.bytes.saturating_add(bytes);
        self.all_bytes = self.all_bytes.saturating_add(bytes);
        if let Some(from) = visitor.from {
            self.count_for(from, bytes);
        }
        true
    }

    /// The count of a visitor's replies that run, and the most it may be; none for others.
    pub(super) fn running(&self, contact: ContactId, budget: &VisitorBudget) -> Option<(Arc<AtomicU32>, NonZeroU32)> {
        self.known.get(&contact).map(|visitor| (Arc::clone(&visitor.running), budget.running_turns))
    }

    /// Of all of them together, and of each who has used much, the most first: the bytes of this day.
    pub(super) fn used(&mut self, now: Timestamp) -> (u64, Vec<(ContactId, u64)>) {
        self.turn_to(now);
        let much = self.known.iter().filter(|(_, visitor)| visitor.bytes >= limits::VISITOR_BYTES_KEPT);
        let mut much: Vec<_> = much.map(|(contact, visitor)| (*contact, visitor.bytes)).collect();
        much.sort_unstable_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        much.truncate(limits::VISITORS_KEPT_MAX);
        (self.all_bytes, much)
    }

    fn has_room(
        &mut self,
        contact: ContactId,
        from: Option<Neighbour>,
        bytes: u64,
        budget: &VisitorBudget,
        now: Timestamp,
    ) -> Result<(), Wait> {
        self.turn_to(now);
        let over = |used: u64, most: u64| most > 0 && used.saturating_add(bytes) > most;
        let used = self.known.get(&contact).map_or(0, |visitor| visitor.bytes);
        if over(used, budget.bytes_per_day) {
            return Err(Wait::Bytes(self.day.left(now)));
        }
        let neighbours = from.and_then(|from| self.neighbours.get(&from)).copied().unwrap_or_default();
        if from.is_some() && over(neighbours, budget.bytes_per_day_of_neighbour()) {
            return Err(Wait::NeighbourBytes(self.day.left(now)));
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
            self.neighbours.clear();
        }
    }

    fn count_for(&mut self, from: Neighbour, bytes: u64) {
        if self.neighbours.len() >= limits::VISITOR_NEIGHBOURS_MAX && !self.neighbours.contains_key(&from) {
            // Those who have used least, an eighth at once, so that sorting them pays.
            let mut least: Vec<_> = self.neighbours.iter().map(|(from, used)| (*used, *from)).collect();
            least.sort_unstable();
            for (_, from) in least.into_iter().take(limits::VISITOR_NEIGHBOURS_MAX / 8) {
                self.neighbours.remove(&from);
            }
        }
        let used = self.neighbours.entry(from).or_default();
        *used = used.saturating_add(bytes);
    }

    fn visitor(&mut self, contact: ContactId, from: Option<Neighbour>, now: Timestamp) -> &mut Used {
        if self.known.len() >= limits::VISITORS_REMEMBERED_MAX && !self.known.contains_key(&contact) {
            self.forget(now);
        }
        let visitor = match self.known.entry(contact) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Used::default()),
        };
        visitor.seen = now;
        visitor.from = from;
        visitor
    }

    /// Makes room: those about whom there is nothing to remember, and then those who came longest ago.
    fn forget(&mut self, now: Timestamp) {
        self.known.retain(|_, visitor| !visitor.is_fresh(now));
        let room = limits::VISITORS_REMEMBERED_MAX - FORGET;
        let Some(excess) = self.known.len().checked_sub(room).filter(|excess| *excess > 0) else { return };
        let mut oldest: Vec<_> =
            self.known.iter().map(|(contact, visitor)| (visitor.used_much(), visitor.seen, *contact)).collect();
        oldest.sort_unstable();
        for (_, _, contact) in oldest.into_iter().take(excess) {
            self.known.remove(&contact);
        }
    }
}

impl What {
    const fn rate(self, budget: &VisitorBudget) -> Rate {
        match self {
            Self::Message => Rate { count: budget.messages_per_minute, per: MINUTE },
            Self::Conversation => Rate { count: budget.conversations_per_hour, per: HOUR },
        }
    }

    const fn wait(self, wait: Duration) -> Wait {
        match self {
            Self::Message => Wait::Messages(wait),
            Self::Conversation => Wait::Conversations(wait),
        }
    }
}

impl Used {
    /// Whether one reply more may run for it.
    fn may_be_answered(&self, budget: &VisitorBudget) -> Result<(), Wait> {
        let is_full = self.running.load(Ordering::Relaxed) >= budget.running_turns.get();
        if is_full { Err(Wait::Replies(REPLY_WAIT)) } else { Ok(()) }
    }

    const fn bucket(&mut self, what: What) -> &mut Bucket {
        match what {
            What::Message => &mut self.messages,
            What::Conversation => &mut self.conversations,
        }
    }

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

    fn contact(n: usize) -> ContactId {
        ContactId::from_bytes((n as u128).to_be_bytes())
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
            assert_eq!(visitors.says(ana, None, 10, &budget, at(0)).map(drop), Ok(()));
        }
        assert_eq!(
            visitors.says(ana, None, 10, &budget, at(0)).map(drop),
            Err(Wait::Messages(Duration::from_secs(20)))
        );
        for _ in 0..2 {
            assert_eq!(visitors.opens(ana, None, &budget, at(0)).map(drop), Ok(()));
        }
        assert_eq!(
            visitors.opens(ana, None, &budget, at(0)).map(drop),
            Err(Wait::Conversations(Duration::from_secs(1_800)))
        );
        let (running, most) = visitors.running(ana, &budget).unwrap();
        running.store(most.get(), Ordering::Relaxed);
        assert_eq!(visitors.says(ana, None, 10, &budget, at(60)).map(drop), Err(Wait::Replies(REPLY_WAIT)));
        running.store(0, Ordering::Relaxed);
        assert!(visitors.stored(ana, 5_500, at(60)), "a reply counts too");
        let left = half_a_day - Duration::from_secs(60);
        assert_eq!(visitors.says(ana, None, 2_000, &budget, at(60)).map(drop), Err(Wait::Bytes(left)));
        assert_eq!(visitors.says(ana, None, 10, &budget, at(60)).map(drop), Ok(()), "the refused ones cost nothing");
        let bo = contact(2);
        assert_eq!(visitors.says(bo, None, 5_000, &budget, at(60)).map(drop), Err(Wait::AllBytes(left)));
        for _ in 0..2 {
            assert_eq!(visitors.comes(&budget, at(60)), Ok(()));
        }
        assert_eq!(visitors.comes(&budget, at(60)), Err(Wait::New(Duration::from_secs(1_800))));
        assert_eq!(visitors.says(ana, None, 9_000, &budget, at(12 * 3_600)).map(drop), Ok(()), "the next day");
    }

    #[test]
    fn one_who_speaks_at_another_node_is_bound_by_its_replies_here_alone() {
        let (mut visitors, budget, ana) = (Visitors::default(), budget(), contact(1));
        let here = Some(neighbour(1));
        visitors.opens(ana, here, &budget, at(0)).unwrap();
        for _ in 0..1_000 {
            assert_eq!(visitors.says_elsewhere(ana, &budget, at(0)), Ok(()), "messages are counted where it comes to");
        }
        assert_eq!(visitors.known[&ana].from, here);
        let (running, most) = visitors.running(ana, &budget).unwrap();
        running.store(most.get(), Ordering::Relaxed);
        assert_eq!(visitors.says_elsewhere(ana, &budget, at(0)), Err(Wait::Replies(REPLY_WAIT)));
        let bo = contact(2);
        assert_eq!(visitors.says_elsewhere(bo, &budget, at(0)), Ok(()));
        assert!(visitors.running(bo, &budget).is_some(), "its replies are counted from now on");
    }

    #[test]
    fn who_never_showed_a_token_is_not_counted() {
        let (mut visitors, budget) = (Visitors::default(), budget());
        assert!(!visitors.stored(contact(1), 1 << 40, at(0)));
        assert!(visitors.running(contact(1), &budget).is_none());
        assert_eq!(visitors.used(at(0)), (0, vec![]));
    }

    fn neighbour(n: u32) -> Neighbour {
        std::net::IpAddr::from(n.to_be_bytes()).into()
    }

    #[test]
    fn one_address_leaves_room_for_visitors_from_others() {
        let mut visitors = Visitors::default();
        let budget = VisitorBudget { bytes_per_day: 100_000, all_bytes_per_day: 800_000, ..VisitorBudget::default() };
        let (here, there) = (Some(neighbour(1)), Some(neighbour(2)));
        let mut taken = 0;
        let refused = loop {
            // Somebody else each time, as far as we know.
            match visitors.says(contact(taken), here, 4_000, &budget, at(0)) {
                Ok(_) => assert!(visitors.stored(contact(taken), 1_000, at(0)), "replies count too"),
                Err(wait) => break wait,
            }
            taken += 1;
        };
        assert_eq!(refused, Wait::NeighbourBytes(Duration::from_secs(12 * 3_600)));
        assert_eq!(taken, 100_000 / (4_000 + 1_000 + limits::MESSAGE_BYTES_AROUND as usize));
        assert!(visitors.opens(contact(0), here, &budget, at(0)).is_err_and(|wait| wait == refused));
        assert!(visitors.says(contact(taken), there, 4_000, &budget, at(0)).is_ok());
        assert!(visitors.says(contact(taken), None, 4_000, &budget, at(0)).is_ok(), "one whom a server announced");
        assert!(visitors.says(contact(0), here, 4_000, &budget, at(12 * 3_600)).is_ok(), "the next day");
    }

    #[test]
    fn addresses_are_never_too_many_and_the_heaviest_stays() {
        let mut visitors = Visitors::default();
        let budget = VisitorBudget::default();
        for n in 0..2 * limits::VISITOR_NEIGHBOURS_MAX as u32 {
            let bytes = if n == 0 { 100_000 } else { 10 };
            visitors.says(contact(n as usize), Some(neighbour(n)), bytes, &budget, at(0)).unwrap();
            assert!(visitors.neighbours.len() <= limits::VISITOR_NEIGHBOURS_MAX);
        }
        assert!(visitors.neighbours.contains_key(&neighbour(0)));
    }

    #[test]
    fn what_came_to_nothing_costs_nothing() {
        let (mut visitors, budget, ana, here) = (Visitors::default(), budget(), contact(1), Some(neighbour(1)));
        for _ in 0..600 {
            let taken = visitors.says(ana, here, 1_000, &budget, at(0)).unwrap();
            visitors.give_back(ana, here, taken, &budget, at(0));
            let taken = visitors.opens(ana, here, &budget, at(0)).unwrap();
            visitors.give_back(ana, here, taken, &budget, at(0));
        }
        assert_eq!((visitors.used(at(0)).0, visitors.neighbours[&neighbour(1)]), (0, 0));
        let yesterdays = visitors.says(ana, here, 1_000, &budget, at(0)).unwrap();
        let tomorrow = at(12 * 3_600);
        visitors.says(ana, here, 100, &budget, tomorrow).unwrap();
        visitors.give_back(ana, here, yesterdays, &budget, tomorrow);
        assert_eq!(visitors.used(tomorrow).0, 100 + limits::MESSAGE_BYTES_AROUND, "another day's");
    }

    #[test]
    fn much_is_kept_and_little_is_not() {
        let mut visitors = Visitors::default();
        let budget = VisitorBudget::default();
        for (n, bytes) in [(1, 100), (2, limits::VISITOR_BYTES_KEPT), (3, 3 * limits::VISITOR_BYTES_KEPT)] {
            visitors.says(contact(n), None, 0, &budget, at(0)).unwrap();
            visitors.stored(contact(n), bytes - limits::MESSAGE_BYTES_AROUND.min(bytes), at(0));
        }
        let (all, much) = visitors.used(at(0));
        assert_eq!(much.iter().map(|(contact, _)| *contact).collect::<Vec<_>>(), [contact(3), contact(2)]);
        let mut again = Visitors::restored(Day::of(at(0)), all, much.clone());
        assert_eq!(again.used(at(0)), (all, much));
        assert_eq!(again.used(at(24 * 3_600)), (0, vec![]), "a day is over");
    }

    #[test]
    fn there_are_never_too_many_and_the_newest_and_the_heaviest_stay() {
        let mut visitors = Visitors::default();
        let budget = VisitorBudget::default();
        visitors.says(contact(0), None, 0, &budget, at(0)).unwrap();
        visitors.stored(contact(0), limits::VISITOR_BYTES_KEPT, at(0));
        let count = 3 * limits::VISITORS_REMEMBERED_MAX;
        for n in 1..count {
            visitors.says(contact(n), None, 0, &budget, at(n as i64 / 1_000)).unwrap();
            assert!(visitors.known.len() <= limits::VISITORS_REMEMBERED_MAX);
        }
        for stays in [0, count - 1, count - limits::VISITORS_REMEMBERED_MAX / 2] {
            assert!(visitors.known.contains_key(&contact(stays)), "{stays}");
        }
    }
}
