//! Counts by keys of which a stranger may have many, in memory of a fixed size.

use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Slots of a table, 1 MiB of them. Two keys that fall into one share its bucket: with a thousand
/// addresses that flood, one honest address in 130 is refused along with one of them.
const SLOTS: usize = 1 << 17;

/// Buckets for a [`governor::RateLimiter`]. Whoever has many addresses can fill slots, but not
/// memory, and nothing has to be tidied while requests wait.
pub(crate) struct Slots<K> {
    /// Which keys meet in a slot is nobody's to choose.
    chance: RandomState,
    /// The moment at which each bucket will be full again, as governor counts; zero when it always was.
    slots: Box<[AtomicU64]>,
    keys: PhantomData<fn(K)>,
}

impl<K: Hash> Slots<K> {
    pub(crate) fn new() -> Self {
        let slots = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { chance: RandomState::new(), slots, keys: PhantomData }
    }

    fn slot(&self, key: &K) -> &AtomicU64 {
        let hash = self.chance.hash_one(key);
        // The remainder is below the length, so the cast back loses nothing.
        &self.slots[(hash % self.slots.len() as u64) as usize]
    }
}

impl<K: Hash> StateStore for Slots<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let slot = self.slot(key);
        let mut before = slot.load(Ordering::Acquire);
        loop {
            let (answer, after) = measure((before != 0).then(|| Nanos::new(before)))?;
            match slot.compare_exchange_weak(before, after.as_u64(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(answer),
                Err(now) => before = now,
            }
        }
    }
}
