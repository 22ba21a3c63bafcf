//! What the store's threads and callers know of keys: which conversation has which, which are spare, and what is
//! sealed under them.
//! Invariant: a caller seals under the key that is remembered for the conversation. The writer looks the key up, and
//! seals anew what was sealed under another one. A key is remembered once the file has it. No lock of this file is held
//! while keys are made, opened or ended: callers on threads that serve clients take these locks.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_privacy::{Cipher, Ciphers, FreshNonce, KeyNumber, Keys, KeysError, Label, SealError};
use schema::ConversationKey;

use super::unreadable::Unreadable;
use crate::StoreError;

/// Conversations whose keys are remembered; past it the memory starts anew, and the writer seals for
/// each until its next append.
const KNOWN_MAX: usize = 65_536;
/// Keys taken at a time for conversations to come …
const SPARE_KEYS: usize = 256;
/// … and how few of them make the next ones due.
const SPARE_LOW: usize = 128;

/// The keys of a store. Shared by all its threads.
pub(super) struct Sealing {
    ciphers: Ciphers,
    known: Mutex<HashMap<ConversationKey, KeyNumber>>,
    spare: Mutex<VecDeque<KeyNumber>>,
    /// None, if the last ones that were wanted could be made.
    lack: Mutex<Option<StoreError>>,
    /// Some keys are on the list of those to end, and the keeper does not know it.
    owed: AtomicBool,
    /// What could not be opened.
    pub(super) unreadable: Unreadable,
}

impl Sealing {
    pub(super) fn new(keys: Arc<dyn Keys>) -> Self {
        Self {
            ciphers: Ciphers::new(keys),
            known: Mutex::default(),
            spare: Mutex::default(),
            lack: Mutex::default(),
            owed: AtomicBool::new(false),
            unreadable: Unreadable::default(),
        }
    }

    /// The key of a conversation, as far as it is remembered.
    pub(super) fn known(&self, key: ConversationKey) -> Option<KeyNumber> {
        lock(&self.known).get(&key).copied()
    }

    /// Remembers keys that the file has from now on, and forgets those of conversations that have none any more.
    pub(super) fn make_known(&self, changes: impl IntoIterator<Item = (ConversationKey, Option<KeyNumber>)>) {
        let mut known = lock(&self.known);
        for (key, id) in changes {
            let Some(id) = id else {
                known.remove(&key);
                continue;
            };
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(key, id);
        }
    }

    pub(super) fn forget(&self, key: ConversationKey) {
        lock(&self.known).remove(&key);
    }

    /// A key for a new conversation. Durable already, so that opening one costs no sync of its own.
    pub(super) fn take_spare(&self) -> Result<KeyNumber, StoreError> {
        let taken = lock(&self.spare).pop_front();
        if let Some(id) = taken {
            return Ok(id);
        }
        let mut made = self.allot()?.into_iter();
        let first = made.next().ok_or_else(|| StoreError::Unavailable("no keys were allotted".into()));
        lock(&self.spare).extend(made);
        first
    }

    /// The highest number among those that will be taken next, if there are some.
    pub(super) fn highest_spare(&self) -> Option<KeyNumber> {
        lock(&self.spare).iter().copied().max()
    }

    /// Whether it is time for [`Sealing::refill`].
    pub(super) fn is_low(&self) -> bool {
        lock(&self.spare).len() < SPARE_LOW
    }

    /// Gets more spare keys, while nobody waits for one.
    pub(super) fn refill(&self) -> Result<(), StoreError> {
        if self.is_low() {
            let more = self.allot()?;
            lock(&self.spare).extend(more);
        }
        Ok(())
    }

    fn allot(&self) -> Result<Vec<KeyNumber>, StoreError> {
        let allotted = self.ciphers.keys().allot(SPARE_KEYS).map_err(refusal);
        *lock(&self.lack) = allotted.as_ref().err().cloned();
        allotted
    }

    /// Why the last keys that were wanted could not be made.
    pub(super) fn lack(&self) -> Option<StoreError> {
        lock(&self.lack).clone()
    }

    /// Why no conversation can be opened now.
    pub(super) fn is_out(&self) -> Option<StoreError> {
        self.lack().filter(|_| lock(&self.spare).is_empty())
    }

    /// A key ready for use; none once it has ended.
    pub(super) fn cipher(&self, id: KeyNumber) -> Result<Option<Arc<Cipher>>, StoreError> {
        self.ciphers.get(id).map_err(refusal)
    }

    /// Whether a key has ended, without bringing it into memory.
    pub(super) fn has_ended(&self, id: KeyNumber) -> Result<bool, StoreError> {
        match self.ciphers.keys().open(id) {
            Ok(_) => Ok(false),
            Err(KeysError::Ended) => Ok(true),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Ends keys for good.
    pub(super) fn end(&self, ids: &[KeyNumber]) -> Result<(), StoreError> {
        self.ciphers.end(ids).map_err(refusal)
    }

    /// How many ends there were.
    pub(super) fn ended(&self) -> u64 {
        self.ciphers.keys().ended()
    }

    /// The keeper has to look which keys were noted to end.
    pub(super) fn owe(&self) {
        self.owed.store(true, Ordering::Relaxed);
    }

    pub(super) fn take_owed(&self) -> bool {
        self.owed.swap(false, Ordering::Relaxed)
    }

    pub(super) fn seal(&self, id: KeyNumber, label: &Label, text: &[u8]) -> Result<Vec<u8>, StoreError> {
        // Without its key there is nothing that could be written to.
        let cipher = self.cipher(id)?.ok_or(StoreError::NotFound)?;
        cipher.seal(label, text).map_err(unsealed)
    }
}

/// A text on its way to the writer.
pub(super) struct Sealable {
    label: Label,
    text: Vec<u8>,
    sealed: Option<(KeyNumber, Vec<u8>)>,
}

impl Sealable {
    /// Seals on the caller's thread: there are more of these than writers.
    pub(super) fn new(sealing: &Sealing, label: Label, text: Vec<u8>) -> Result<Self, StoreError> {
        Self::with(sealing, FreshNonce::new().map_err(unsealed)?, label, text)
    }

    /// As [`Sealable::new`], with a nonce that was drawn together with others.
    pub(super) fn with(sealing: &Sealing, nonce: FreshNonce, label: Label, text: Vec<u8>) -> Result<Self, StoreError> {
        let sealed = match sealing.known(label.key) {
            Some(id) => match sealing.cipher(id)? {
                Some(cipher) => Some((id, cipher.seal_with(nonce, &label, &text).map_err(unsealed)?)),
                None => None,
            },
            None => None,
        };
        Ok(Self { label, text, sealed })
    }

    /// Sealed under the conversation's key; [`StoreError::NotFound`] when that has ended.
    pub(super) fn under(&self, sealing: &Sealing, id: KeyNumber) -> Result<Cow<'_, [u8]>, StoreError> {
        match &self.sealed {
            Some((sealed_under, sealed)) if *sealed_under == id => Ok(Cow::Borrowed(sealed)),
            _ => sealing.seal(id, &self.label, &self.text).map(Cow::Owned),
        }
    }

    /// What it holds on to.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.sealed.as_ref().map_or(0, |(_, sealed)| sealed.len())
    }
}

/// What a store answers when its keys cannot be used.
pub(super) fn refusal(error: KeysError) -> StoreError {
    match error {
        KeysError::Unknown(_) | KeysError::Damaged { .. } => StoreError::Corrupt(error.to_string()),
        error => StoreError::Unavailable(error.to_string()),
    }
}

/// Nonces for texts that are sealed together.
pub(super) fn nonces(count: usize) -> Result<Vec<FreshNonce>, StoreError> {
    FreshNonce::draw(count).map_err(unsealed)
}

fn unsealed(error: SealError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one call, so that a panic leaves it whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
