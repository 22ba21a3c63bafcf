//! The keys of conversations, as far as they are at hand: wrapped by the root key in a keyspace of their own, and here
//! once they were opened.
//! Invariant: a key is in the cluster before anything is sealed under it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_privacy::{Cipher, RootKey, RootKeyError};
use secrecy::SecretBox;
use uuid::Uuid;

use crate::StoreError;

/// Keys remembered, about 600 bytes each; past it the memory starts anew, at the price of one reading each.
const REMEMBERED_MAX: usize = 16_384;

/// The root key, and the keys that it has opened here.
pub(super) struct LogKeys {
    root: RootKey,
    opened: Mutex<HashMap<Uuid, Arc<Cipher>>>,
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
        let mut opened = self.lock();
        if opened.len() >= REMEMBERED_MAX {
            opened.clear();
        }
        opened.insert(log, Arc::clone(cipher));
    }

    pub(super) fn remembered(&self, log: Uuid) -> Option<Arc<Cipher>> {
        self.lock().get(&log).map(Arc::clone)
    }

    pub(super) fn forget(&self, log: Uuid) {
        self.lock().remove(&log);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Cipher>>> {
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
