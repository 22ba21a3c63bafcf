//! Who lives: folds what the places of signs of life have said into who is taken to live now.
//! Invariant: no clock, no I/O. The same reports at the same moments give the same answer; only a goodbye, or silence
//! in all that can be read, ends a member; that something cannot be read ends nobody.
//!
//! 1. A sign is new when its count is higher than the one that its place had before. Its node lives until what the sign
//!    lasts is over, by our clock. The place may have counted a part of that time already (a key of Redis does).
//! 2. Redis hears from each node every 3 s, the store every 9 s while Redis answers. Where Redis can be read, has heard
//!    of a node as lately as the store and has not forgotten it since, its word counts alone, so that who dies is missed
//!    within 10 s. Otherwise the later of both ends counts.
//! 3. That a node is missing from a report says nothing: a Redis that was flushed has forgotten those who live.
//! 4. While nothing can be read, who lived last lives on. When something can be read again they are given the time to
//!    beat once more, and so they are when this node itself stood still.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_store::{BEATS_MAX, Beat, GOODBYE_STANDS, Member};
use schema::NodeId;

use crate::living::{Living, Sight};

/// How long a sign in Redis lasts, and how long whoever lived is waited for after a time without any sight.
pub const SIGN_LASTS: Duration = Duration::from_secs(10);
/// Longer than this no sign is believed, whatever stands in it: Redis may be written to by others.
pub(crate) const SIGN_LASTS_MAX: Duration = Duration::from_secs(16);
/// So much later than its place reckons may the end of a sign be reckoned here.
const LATE_MAX: Duration = Duration::from_secs(1);
/// Whose sign lasts no longer than this has not beaten in time where it was read last.
const LATE_LEFT: Duration = Duration::from_secs(4);
/// Signs of one node that are so close to each other are of the same round.
pub(crate) const ROUND: Duration = Duration::from_secs(4);

/// A place of signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Quick, and may forget.
    Redis,
    /// Slow, and forgets nothing.
    Store,
}

impl Source {
    /// Its name for people and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Store => "store",
        }
    }
}

/// Who lives, as far as is known. Moments are times since any fixed one, by a clock that never goes back.
#[derive(Clone, Debug)]
pub struct Membership {
    me: Member,
    has_left: bool,
    sources: BTreeMap<Source, Reading>,
    others: BTreeMap<NodeId, Other>,
}

/// What came of looking into a source last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It was never read.
    NotYet,
    Read,
    Failed,
}

/// What is known of another node.
#[derive(Clone, Debug)]
struct Other {
    member: Member,
    lives: bool,
    signs: BTreeMap<Source, Sign>,
    /// After a time without sight it is waited for until then.
    waited_for_until: Duration,
    /// The count of its goodbye, and until when that is remembered.
    goodbye: Option<(u64, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct Sign {
    count: u64,
    until: Duration,
    /// The last report of its source had it.
    is_there: bool,
    /// It was missing while it should have stood: its source has forgotten it.
    is_forgotten: bool,
}

impl Membership {
    /// A node that looks for others in these sources; in none, it is a single one.
    #[must_use]
    pub fn new(me: Member, sources: &[Source]) -> Self {
        let sources = sources.iter().map(|source| (*source, Reading::NotYet)).collect();
        Self { me, has_left: false, sources, others: BTreeMap::new() }
    }

    /// A source was read, and had these signs.
    pub fn seen(&mut self, source: Source, beats: Vec<Beat>, now: Duration) {
        let was_blind = self.is_blind();
        let Some(reading) = self.sources.get_mut(&source) else { return };
        *reading = Reading::Read;
        if was_blind {
            self.was_held(now);
        }
        for sign in self.others.values_mut().filter_map(|other| other.signs.get_mut(&source)) {
            sign.is_there = false;
        }
        let me = self.me.id;
        for beat in beats.into_iter().take(BEATS_MAX).filter(|beat| beat.member.id != me) {
            if beat.is_goodbye() {
                self.hear_goodbye(&beat, now);
            } else {
                self.hear(source, beat, now);
            }
        }
        for sign in self.others.values_mut().filter_map(|other| other.signs.get_mut(&source)) {
            sign.is_forgotten |= !sign.is_there && sign.until > now + LATE_MAX;
        }
        self.settle(now);
    }

    /// A source could not be read.
    pub fn source_failed(&mut self, source: Source, now: Duration) {
        if let Some(reading) = self.sources.get_mut(&source) {
            *reading = Reading::Failed;
        }
        self.settle(now);
    }

    /// Whether each source was looked into, or could not be.
    #[must_use]
    pub fn has_looked(&self) -> bool {
        self.sources.values().all(|reading| *reading != Reading::NotYet)
    }

    /// Time has passed.
    pub fn settle(&mut self, now: Duration) {
        if self.is_blind() {
            return;
        }
        let reads_redis = self.reads(Source::Redis);
        for other in self.others.values_mut() {
            other.lives = other.end(reads_redis) > now;
        }
        self.others.retain(|_, other| {
            let is_remembered = other.goodbye.is_some_and(|(_, until)| until > now);
            other.lives || is_remembered || other.signs.values().any(|sign| sign.is_there)
        });
    }

    /// This node itself stood still, and has not looked meanwhile: that others were silent says nothing.
    pub fn was_held(&mut self, now: Duration) {
        for other in self.others.values_mut().filter(|other| other.lives) {
            other.waited_for_until = now + SIGN_LASTS;
        }
    }

    /// The next moment at which somebody ceases to live, if nothing is seen until then.
    #[must_use]
    pub fn next_end(&self) -> Option<Duration> {
        if self.is_blind() {
            return None;
        }
        let reads_redis = self.reads(Source::Redis);
        self.others.values().filter(|other| other.lives).map(|other| other.end(reads_redis)).min()
    }

    /// Whether it has to be looked for somebody in all places now: a node that has lost its way to Redis beats in the
    /// store alone, which is read seldom else.
    #[must_use]
    pub fn is_anyone_late(&self, now: Duration) -> bool {
        let reads_redis = self.reads(Source::Redis);
        self.others.values().any(|other| other.lives && other.end(reads_redis) < now + LATE_LEFT)
    }

    /// The node itself leaves: from now on it has no chores.
    pub fn leave(&mut self) {
        self.has_left = true;
    }

    /// By what the node sees others now.
    #[must_use]
    pub fn sight(&self) -> Sight {
        match (self.sources.is_empty(), self.reads(Source::Redis), self.reads(Source::Store)) {
            (true, ..) => Sight::Single,
            (_, true, true) => Sight::Whole,
            (_, false, true) => Sight::WithoutRedis,
            (_, true, false) => Sight::WithoutStore,
            (_, false, false) => Sight::Blind,
        }
    }

    /// Who lives.
    #[must_use]
    pub fn living(&self) -> Living {
        let me = (!self.has_left).then_some(&self.me);
        let others = self.others.values().filter(|other| other.lives).map(|other| &other.member);
        let members = me.into_iter().chain(others).map(|member| (member.id, member.clone())).collect();
        Living { me: self.me.id, sight: self.sight(), members }
    }

    fn reads(&self, source: Source) -> bool {
        self.sources.get(&source) == Some(&Reading::Read)
    }

    fn is_blind(&self) -> bool {
        self.sight() == Sight::Blind
    }

    fn hear(&mut self, source: Source, beat: Beat, now: Duration) {
        let Beat { member, count, lasts } = beat;
        let other = self.others.entry(member.id).or_insert_with(|| Other::new(member.clone()));
        if let Some((last, until)) = &mut other.goodbye
            && count <= *last
        {
            // A source that has not heard of the goodbye: it is remembered for as long as that shows the node.
            *until = (*until).max(now + GOODBYE_STANDS);
            return;
        }
        let until = now + lasts.min(SIGN_LASTS_MAX);
        let sign = other.signs.entry(source).or_insert(Sign { count, until, is_there: true, is_forgotten: false });
        sign.is_there = true;
        if count > sign.count {
            (sign.count, sign.until, sign.is_forgotten) = (count, until, false);
            (other.member, other.goodbye) = (member, None);
        } else if count == sign.count {
            // The same sign, of which it is known now when it is over at the latest.
            sign.until = sign.until.min(until);
        }
    }

    fn hear_goodbye(&mut self, beat: &Beat, now: Duration) {
        let id = beat.member.id;
        let other = self.others.entry(id).or_insert_with(|| Other::new(beat.member.clone()));
        if other.signs.values().any(|sign| sign.count > beat.count) {
            return;
        }
        other.signs.clear();
        other.waited_for_until = Duration::ZERO;
        other.goodbye = Some((beat.count, now + GOODBYE_STANDS));
    }
}

impl Other {
    fn new(member: Member) -> Self {
        let (lives, signs, waited_for_until) = (false, BTreeMap::new(), Duration::ZERO);
        Self { member, lives, signs, waited_for_until, goodbye: None }
    }

    /// When it ceases to live, if nothing else is seen of it.
    fn end(&self, reads_redis: bool) -> Duration {
        let (redis, store) = (self.signs.get(&Source::Redis), self.signs.get(&Source::Store));
        let until = match (redis, store) {
            (Some(redis), Some(store)) if reads_redis && redis.is_of_last_round(store) => redis.until,
            (redis, store) => redis.into_iter().chain(store).map(|sign| sign.until).max().unwrap_or_default(),
        };
        until.max(self.waited_for_until)
    }
}

impl Sign {
    /// Whether Redis, whose sign this is, has heard of the node as lately as the store.
    const fn is_of_last_round(&self, store: &Self) -> bool {
        #[allow(clippy::cast_possible_truncation, reason = "seconds")]
        let round = ROUND.as_millis() as u64;
        !self.is_forgotten && self.count.saturating_add(round) >= store.count
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
