//! Remembers recent answers of the store, so that it need not be asked each time.
//! Invariant: once an answer was forgotten, no reading of the store that began before that brings it back.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schema::Timestamp;

/// How long what the store says is believed.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Entries of each memory; when it is full it starts anew.
const REMEMBERED_MAX: usize = 4_096;

/// What was read lately.
pub struct Memory<K, V> {
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    entries: HashMap<K, (Timestamp, V)>,
    /// How often something was forgotten.
    forgotten: u64,
}

/// When a look at the store began.
#[derive(Clone, Copy)]
pub struct Look(u64);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { entries: HashMap::new(), forgotten: 0 }) }
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    /// What was remembered of it, if that is not too old.
    pub fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        // A clock that was set back must not keep an entry alive.
        let fresh = |read_at: Timestamp| read_at <= now && now.since(read_at) < REMEMBERED_FOR;
        self.lock().entries.get(key).filter(|(read_at, _)| fresh(*read_at)).map(|(_, value)| value.clone())
    }

    /// To be asked for before the store is.
    #[must_use]
    pub fn look(&self) -> Look {
        Look(self.lock().forgotten)
    }

    /// Remembers what the look has found, unless something was forgotten since it began: it may be just
    /// what the look has found.
    pub fn put(&self, key: K, value: V, now: Timestamp, look: Look) {
        let mut inner = self.lock();
        if inner.forgotten != look.0 {
            return;
        }
        if inner.entries.len() >= REMEMBERED_MAX && !inner.entries.contains_key(&key) {
            inner.entries.clear();
        }
        inner.entries.insert(key, (now, value));
    }

    /// What is remembered of it is true no longer.
    pub fn forget(&self, key: &K) {
        let mut inner = self.lock();
        inner.entries.remove(key);
        inner.forgotten += 1;
    }

    /// The same of all that `is_untrue` names.
    pub fn forget_all(&self, is_untrue: impl Fn(&K) -> bool) {
        let mut inner = self.lock();
        inner.entries.retain(|key, _| !is_untrue(key));
        inner.forgotten += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_short_and_small() {
        let memory = Memory::<usize, usize>::default();
        let at = Timestamp::from_millis;
        memory.put(1, 10, at(100_000), memory.look());
        for (now, found) in [(100_000, true), (104_999, true), (105_000, false), (99_999, false)] {
            assert_eq!(memory.get(&1, at(now)).is_some(), found, "{now}");
        }
        for key in 0..3 * REMEMBERED_MAX {
            memory.put(key, key, at(0), memory.look());
        }
        assert!(memory.lock().entries.len() <= REMEMBERED_MAX);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let memory = Memory::<usize, &str>::default();
        let now = Timestamp::from_millis(0);
        let look = memory.look();
        memory.forget(&1);
        memory.put(1, "as it was", now, look);
        assert_eq!(memory.get(&1, now), None);
        memory.put(1, "as it is", now, memory.look());
        assert_eq!(memory.get(&1, now), Some("as it is"));
    }
}
