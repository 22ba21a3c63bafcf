//! Keys that were opened lately, made ready: opening one again costs a look into a map.
//! Invariant: once [`Ciphers::end`] has answered, the key is not here, and does not come in again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Cipher, KeyNumber, Keys, KeysError};

/// Keys remembered, about 600 bytes each; past it the memory starts anew, at the price of one opening each.
const REMEMBERED_MAX: usize = 8_192;

/// The keys as those who seal and open use them. Shared by all threads.
pub struct Ciphers {
    keys: Arc<dyn Keys>,
    open: Mutex<HashMap<KeyNumber, Arc<Cipher>>>,
}

impl Ciphers {
    /// With none opened yet.
    #[must_use]
    pub fn new(keys: Arc<dyn Keys>) -> Self {
        Self { keys, open: Mutex::default() }
    }

    /// The keys behind.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn Keys> {
        &self.keys
    }

    /// A key, ready to seal and open; none once it has ended.
    ///
    /// # Errors
    /// As [`Keys::open`], but for [`KeysError::Ended`].
    pub fn get(&self, id: KeyNumber) -> Result<Option<Arc<Cipher>>, KeysError> {
        // The lock is held while the key is opened: one that ends meanwhile must not be put back behind its end.
        let mut open = self.lock();
        if let Some(cipher) = open.get(&id) {
            return Ok(Some(Arc::clone(cipher)));
        }
        let key = match self.keys.open(id) {
            Ok(key) => key,
            Err(KeysError::Ended) => return Ok(None),
            Err(error) => return Err(error),
        };
        let cipher = Arc::new(Cipher::new(&key).map_err(|_| KeysError::Unknown(id))?);
        if open.len() >= REMEMBERED_MAX {
            open.clear();
        }
        open.insert(id, Arc::clone(&cipher));
        Ok(Some(cipher))
    }

    /// Ends keys, and forgets them here.
    ///
    /// # Errors
    /// As [`Keys::end`].
    pub fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
        self.keys.end(ids)?;
        // After it: whoever opened one before has put it there.
        let mut open = self.lock();
        for id in ids {
            open.remove(id);
        }
        Ok(())
    }

    // A thread that panicked while it held the lock left the map whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<KeyNumber, Arc<Cipher>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
