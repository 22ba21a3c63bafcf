//! The keys of conversations, as far as they are at hand: wrapped by the root key in a keyspace of their own, and here
//! once they were opened.
//! Invariant: a key is in the cluster before anything is sealed under it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_privacy::{Cipher, RootKey, RootKeyError};
use secrecy::SecretBox;
use tokio::time::Instant;
use uuid::Uuid;

use crate::StoreError;

/// Keys remembered, about 600 bytes each; past it the memory starts anew, at the price of one reading each.
const REMEMBERED_MAX: usize = 16_384;
/// How long a key is remembered that another node may have ended: the conversation is erased then, and nothing is to be
/// left here that opens what was copied of it.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// The root key, and the keys that it has opened here.
pub(super) struct LogKeys {
    root: RootKey,
    opened: Mutex<Opened>,
}

/// Keys by their log, with when they were opened.
#[derive(Default)]
struct Opened {
    keys: HashMap<Uuid, (Arc<Cipher>, Instant)>,
    swept: Option<Instant>,
}

impl Opened {
    /// Forgets keys that were opened long ago, whether somebody asks for them or not: a part of the time after which
    /// they are old, so that this costs each call next to nothing.
    fn sweep(&mut self, now: Instant) {
        let is_due = self.swept.is_none_or(|swept| now.duration_since(swept) >= REMEMBERED_FOR / 4);
        if is_due {
            self.swept = Some(now);
            self.keys.retain(|_, (_, opened)| now.duration_since(*opened) < REMEMBERED_FOR);
        }
    }
}

impl LogKeys {
    pub(super) fn new(root: RootKey) -> Self {
        Self { root, opened: Mutex::default() }
    }

    /// What the root key gives for a purpose.
    pub(super) fn derive(&self, purpose: &str) -> SecretBox<[u8; 32]> {
        self.root.derive(purpose)
    }

    /// A new key for a log, ready, and as it is to be kept. It is not remembered yet.
    pub(super) fn make(&self, log: Uuid) -> Result<(Arc<Cipher>, Vec<u8>), StoreError> {
        let (key, wrapped) = self.root.make(log.as_bytes()).map_err(refusal)?;
        let cipher = Cipher::new(&key).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok((Arc::new(cipher), wrapped))
    }

    /// Opens a key as it is kept, and remembers it.
    pub(super) fn open(&self, log: Uuid, wrapped: &[u8]) -> Result<Arc<Cipher>, StoreError> {
        let key = self.root.unwrap(log.as_bytes(), wrapped).map_err(refusal)?;
        let cipher = Cipher::new(&key).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let cipher = Arc::new(cipher);
        self.remember(log, &cipher);
        Ok(cipher)
    }

    pub(super) fn remember(&self, log: Uuid, cipher: &Arc<Cipher>) {
        let (mut opened, now) = (self.lock(), Instant::now());
        opened.sweep(now);
        if opened.keys.len() >= REMEMBERED_MAX {
            opened.keys.clear();
        }
        opened.keys.insert(log, (Arc::clone(cipher), now));
    }

    pub(super) fn remembered(&self, log: Uuid) -> Option<Arc<Cipher>> {
        let (mut opened, now) = (self.lock(), Instant::now());
        opened.sweep(now);
        let (cipher, since) = opened.keys.get(&log)?;
        (now.duration_since(*since) < REMEMBERED_FOR).then(|| Arc::clone(cipher))
    }

    pub(super) fn forget(&self, log: Uuid) {
        self.lock().keys.remove(&log);
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        // Each change is one call, so that a panic leaves it whole.
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(error: RootKeyError) -> StoreError {
    match error {
        RootKeyError::Damaged => StoreError::Corrupt(error.to_string()),
        error => StoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_not_remembered_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let keys = LogKeys::new(RootKey::create(&folder.path().join("root.key")).unwrap());
        let logs: Vec<Uuid> = (0..10).map(Uuid::from_u128).collect();
        for log in &logs {
            let (cipher, _) = keys.make(*log).unwrap();
            keys.remember(*log, &cipher);
        }
        assert!(logs.iter().all(|log| keys.remembered(*log).is_some()));
        keys.forget(logs[0]);
        assert!(keys.remembered(logs[0]).is_none());
        advance(REMEMBERED_FOR - Duration::from_secs(1)).await;
        assert!(keys.remembered(logs[1]).is_some());
        advance(Duration::from_secs(1)).await;
        assert!(keys.remembered(logs[1]).is_none());
        advance(REMEMBERED_FOR).await;
        assert!(keys.remembered(Uuid::from_u128(99)).is_none());
        assert!(keys.lock().keys.is_empty(), "gone, though nobody has asked for them");
    }
}
