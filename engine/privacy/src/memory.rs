//! Keys in memory: for tests and simulations. They end with the process, and so does what they seal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Installation, Key, KeyNumber, Keys, KeysError};

/// Keys that nothing keeps.
pub struct MemoryKeys {
    installation: Installation,
    /// By number, from 1; none where it has ended.
    keys: Mutex<Vec<Option<[u8; 32]>>>,
    ended: AtomicU64,
}

impl MemoryKeys {
    /// No key yet.
    #[must_use]
    pub const fn new(installation: Installation) -> Self {
        Self { installation, keys: Mutex::new(Vec::new()), ended: AtomicU64::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<[u8; 32]>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryKeys {
    fn default() -> Self {
        Self::new(Installation([0; 16]))
    }
}

fn place(id: KeyNumber) -> Result<usize, KeysError> {
    let before = id.0.checked_sub(1).and_then(|before| usize::try_from(before).ok());
    before.ok_or(KeysError::Unknown(id))
}

impl Keys for MemoryKeys {
    fn installation(&self) -> Installation {
        self.installation
    }

    fn allot(&self, count: usize) -> Result<Vec<KeyNumber>, KeysError> {
        let mut keys = self.lock();
        let mut allotted = Vec::new();
        for _ in 0..count.max(1) {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| KeysError::Io {
                path: "memory".into(),
                doing: "draw random numbers for",
                problem: std::io::Error::other(error.to_string()),
            })?;
            keys.push(Some(key));
            allotted.push(KeyNumber(keys.len() as u64));
        }
        Ok(allotted)
    }

    fn open(&self, id: KeyNumber) -> Result<Key, KeysError> {
        match self.lock().get(place(id)?) {
            Some(Some(key)) => Ok(Key::new(*key)),
            Some(None) => Err(KeysError::Ended),
            None => Err(KeysError::Unknown(id)),
        }
    }

    fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
        let mut keys = self.lock();
        for id in ids {
            *keys.get_mut(place(*id)?).ok_or(KeysError::Unknown(*id))? = None;
        }
        self.ended.fetch_add(ids.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }
}
