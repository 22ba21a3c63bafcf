//! What all nodes together have used of a limit in a window of time.
//! Invariant: what a node lets pass it has taken from the window's budget in Redis before, so that in each window no
//! more than the limit passes, however many nodes ask.
//!
//! Windows are fixed: they follow each other by the clock of Redis, each name's shifted by a part of its own, so that not
//! all begin at once. One number is kept for each name then, and what a node has taken has one clear end. The price is
//! that around the border of two windows up to twice the limit may pass within one window's length.
//!
//! A node takes a share at a time, a sixteenth of what is left, and lets pass from it without asking: a busy name costs a
//! hundred calls in a window, not one for each message, and towards the end of the budget shares are single ones. What
//! it has not used for half a second it gives back. Shares end with their window, which a node reckons from before it
//! asked, so that it never uses one after its end.
//!
//! More than the limit passes in a window only where Redis loses what it had (the limit once more, each time), where its
//! clock jumps, or while it is away: then each node counts by itself (see [`Taken::Local`]).

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use siphasher::sip::SipHasher13;
use tokio::sync::{Mutex as Turn, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::living::Living;
use crate::metrics::COUNTED;
use crate::redis::{Redis, RedisError, Script};

/// Takes from a window's budget. Arguments: the cost, the limit, the window and its shift in milliseconds, into how many
/// shares what is left is divided, what is held, and of the window of which number. Answers what was taken, what is
/// left, the window's number, and the milliseconds until its end.
static TAKE: Script = Script::new(
    "local t = redis.call('TIME')
     local now = t[1] * 1000 + math.floor(t[2] / 1000)
     local cost, limit, window, shift = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
     local number = math.floor((now + shift) / window)
     local ends = (number + 1) * window - shift - now
     local name = string.format('%.0f', number)
     local need = cost
     if ARGV[7] == name then need = cost - ARGV[6] end
     local kept = redis.call('HMGET', KEYS[1], 'window', 'used')
     local used = 0
     if kept[1] == name then used = tonumber(kept[2]) end
     local left = math.max(limit - used, 0)
     if left < need then return {0, left, number, ends} end
     local taken = math.max(need, math.min(left, math.ceil(left / ARGV[5])))
     redis.call('HSET', KEYS[1], 'window', name, 'used', string.format('%.0f', used + taken))
     redis.call('PEXPIRE', KEYS[1], ends)
     return {taken, left - taken, number, ends}",
);

/// Gives back to a window's budget. Arguments: how much, the window's number.
static GIVE_BACK: Script = Script::new(
    "local kept = redis.call('HMGET', KEYS[1], 'window', 'used')
     if kept[1] ~= ARGV[2] then return 0 end
     redis.call('HSET', KEYS[1], 'used', string.format('%.0f', math.max(kept[2] - ARGV[1], 0)))
     return 1",
);

/// Into how many shares what is left is divided.
const SHARES: u64 = 16;
/// How long the answer may be waited for, for Redis and for the turn before.
const WITHIN: Duration = Duration::from_millis(250);
const CALL_WITHIN: Duration = Duration::from_millis(200);
/// A share that was not used for so long is given back.
const IDLE: Duration = Duration::from_millis(500);
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// After a refusal Redis is not asked again for so long: others may have given something back by then.
const REFUSED_FOR: Duration = Duration::from_millis(100);
/// Names of which shares are held; of further ones each is asked for singly.
const NAMES_MAX: usize = 10_000;
/// Numbers up to this are exact in Redis.
const NUMBER_MAX: u64 = 1 << 53;

/// Whether something may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It may, and is counted.
    Allowed {
        /// What is left in this window, as far as this node knows.
        left: u64,
    },
    /// It may not: the window's budget is used, or what is left of it is too little.
    Refused {
        /// How long until the next window begins.
        retry_after: Duration,
    },
    /// Nobody knows what others have used: the caller counts by itself.
    Local {
        /// Its own limit in a window: the limit divided by the nodes that live, 1 at least.
        limit: u64,
    },
}

/// Counts what all nodes together use.
pub struct Counters {
    redis: Option<Redis>,
    living: watch::Receiver<Arc<Living>>,
    shares: Arc<Shares>,
}

#[derive(Default)]
struct Shares(Mutex<HashMap<String, Arc<Turn<Share>>>>);

/// What this node has of one name's budget.
#[derive(Debug)]
struct Share {
    left: u64,
    /// What was left in Redis beside it.
    beyond: u64,
    /// The window that it is of.
    number: u64,
    ends: Instant,
    /// Until then Redis is not asked again.
    refused_until: Instant,
    used_at: Instant,
}

impl Counters {
    pub(crate) fn new(redis: Option<Redis>, living: watch::Receiver<Arc<Living>>) -> Self {
        let shares = Arc::new(Shares::default());
        if let Some(redis) = &redis {
            tokio::spawn(look_after(redis.clone(), Arc::downgrade(&shares)));
        }
        Self { redis, living, shares }
    }

    /// Takes `cost` from what `limit` allows in a `window`. Whoever uses one name always says the same window; a name is
    /// one tenant's. Answers within a quarter of a second, and mostly at once.
    pub async fn take(&self, name: &str, cost: u64, limit: u64, window: Duration) -> Taken {
        let taken = match &self.redis {
            Some(redis) => {
                let taken = timeout(WITHIN, self.take_of_all(redis, name, cost, limit, window)).await;
                taken.unwrap_or(Err(RedisError::Late))
            }
            None => Err(RedisError::Away),
        };
        let taken = taken.unwrap_or_else(|_| self.local(limit));
        let answer = match taken {
            Taken::Allowed { .. } => "allowed",
            Taken::Refused { .. } => "refused",
            Taken::Local { .. } => "local",
        };
        metrics::counter!(COUNTED, "answer" => answer).increment(1);
        taken
    }

    /// Gives back all that is held: when the node leaves.
    pub(crate) async fn give_back(&self) {
        if let Some(redis) = &self.redis {
            give_back_idle(redis, &self.shares, Duration::ZERO).await;
        }
    }

    fn local(&self, limit: u64) -> Taken {
        let nodes = self.living.borrow().members.len().max(1) as u64;
        Taken::Local { limit: (limit / nodes).max(1) }
    }

    async fn take_of_all(
        &self,
        redis: &Redis,
        name: &str,
        cost: u64,
        limit: u64,
        window: Duration,
    ) -> Result<Taken, RedisError> {
        let (cost, limit) = (cost.min(NUMBER_MAX), limit.min(NUMBER_MAX));
        let Some(share) = self.shares.of(name) else {
            let mut single = Share::new(Instant::now());
            return single.take(redis, name, cost, limit, window, NUMBER_MAX).await;
        };
        // One asks for all who wait.
        let mut share = share.lock().await;
        share.take(redis, name, cost, limit, window, SHARES).await
    }
}

impl Shares {
    /// The share of a name; none when there are too many.
    fn of(&self, name: &str) -> Option<Arc<Turn<Share>>> {
        let mut all = self.lock();
        if let Some(share) = all.get(name) {
            return Some(Arc::clone(share));
        }
        if all.len() >= NAMES_MAX {
            return None;
        }
        let share = Arc::new(Turn::new(Share::new(Instant::now())));
        all.insert(name.to_owned(), Arc::clone(&share));
        Some(share)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Turn<Share>>>> {
        // What is in it is whole after each step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    fn new(now: Instant) -> Self {
        Self { left: 0, beyond: 0, number: 0, ends: now, refused_until: now, used_at: now }
    }

    /// Takes from what is held, or from Redis what is missing.
    async fn take(
        &mut self,
        redis: &Redis,
        name: &str,
        cost: u64,
        limit: u64,
        window: Duration,
        shares: u64,
    ) -> Result<Taken, RedisError> {
        let now = Instant::now();
        if self.ends <= now {
            (self.left, self.beyond, self.refused_until) = (0, 0, now);
        }
        if self.left < cost {
            let refused = |share: &Self| Taken::Refused { retry_after: share.ends.saturating_duration_since(now) };
            if self.refused_until > now {
                return Ok(refused(self));
            }
            let arguments = [cost, limit, millis(window), shift(name, window), shares, self.left, self.number];
            let arguments = arguments.map(|number| number.to_string()).to_vec();
            let keys = vec![key(redis, name)];
            let [taken, beyond, number, ends] = redis
                .call("take", CALL_WITHIN, async |client| TAKE.run::<Vec<u64>>(&client, keys, arguments).await)
                .await?
                .try_into()
                .map_err(|_| RedisError::Refused("it has answered something else".into()))?;
            if number != self.number {
                // What is held is of a window that is over there.
                self.left = 0;
            }
            // From before it was asked: Redis ends the window a little later.
            (self.number, self.ends, self.beyond) = (number, now + Duration::from_millis(ends), beyond);
            self.left = self.left.saturating_add(taken);
            if self.left < cost {
                self.refused_until = self.ends.min(now + REFUSED_FOR);
                return Ok(refused(self));
            }
        }
        // Whoever is only refused holds nothing back by asking.
        self.used_at = now;
        self.left -= cost;
        Ok(Taken::Allowed { left: self.left.saturating_add(self.beyond) })
    }
}

/// Gives back what is not used, and forgets names that nobody asks for, for as long as the counters are there.
async fn look_after(redis: Redis, shares: Weak<Shares>) {
    let mut looks = interval(LOOKS_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(shares) = shares.upgrade() else { return };
        give_back_idle(&redis, &shares, IDLE).await;
    }
}

async fn give_back_idle(redis: &Redis, shares: &Shares, idle: Duration) {
    let now = Instant::now();
    let all: Vec<(String, Arc<Turn<Share>>)> =
        shares.lock().iter().map(|(name, share)| (name.clone(), Arc::clone(share))).collect();
    for (name, share) in &all {
        // One that is being taken from is not idle.
        let Ok(mut share) = share.try_lock() else { continue };
        if share.used_at + idle > now || share.left == 0 || share.ends <= now {
            continue;
        }
        // Whether it arrives or not, it is not used here any more.
        let (keys, arguments) = (vec![key(redis, name)], vec![share.left.to_string(), share.number.to_string()]);
        share.left = 0;
        drop(share);
        let given =
            redis.call("give_back", CALL_WITHIN, async |client| GIVE_BACK.run::<i64>(&client, keys, arguments).await);
        if let Err(RedisError::Away) = given.await {
            break;
        }
    }
    drop(all);
    shares.lock().retain(|_, share| {
        // Whoever has it in hand is about to take from it.
        Arc::strong_count(share) > 1 || share.try_lock().is_ok_and(|share| share.left > 0 || share.ends > now)
    });
}

fn key(redis: &Redis, name: &str) -> String {
    redis.key(format_args!("count:{name}"))
}

/// By how much a name's windows are shifted: the same on every node.
fn shift(name: &str, window: Duration) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(name.as_bytes());
    hasher.finish() % millis(window)
}

/// A window of no time is one of a moment.
fn millis(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(NUMBER_MAX).clamp(1, NUMBER_MAX)
}
