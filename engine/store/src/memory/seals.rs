//! Sealing in the model: each conversation has a key, which ends with it.

use engine_privacy::{Cipher, Keys, Kind, Label};
use schema::ConversationKey;

use super::MemoryStore;
use crate::{Note, Pending, Seals, StoreError};

impl MemoryStore {
    /// The conversation's key; none when there is no such conversation.
    fn cipher(&self, key: ConversationKey) -> Result<Option<Cipher>, StoreError> {
        let Some(id) = self.lock().conversations.get(&key).map(|conversation| conversation.key_id) else {
            return Ok(None);
        };
        let unusable = |why: String| StoreError::Unavailable(why);
        let key = self.keys.open(id).map_err(|error| unusable(error.to_string()))?;
        Cipher::new(&key).map(Some).map_err(|error| unusable(error.to_string()))
    }

    fn each(
        key: ConversationKey,
        notes: &[Note],
        change: impl Fn(&Label, &[u8]) -> Result<Vec<u8>, engine_privacy::SealError>,
    ) -> Result<Vec<Note>, StoreError> {
        let changed = notes.iter().map(|Note { seq, bytes }| {
            let label = Label { key, seq: *seq, kind: Kind::Note, format: 1 };
            let bytes = change(&label, bytes).map_err(|error| StoreError::Corrupt(format!("a note: {error}")))?;
            Ok(Note { seq: *seq, bytes })
        });
        changed.collect()
    }
}

impl Seals for MemoryStore {
    fn seal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Vec<Note>> {
        let answer = self.cipher(key).and_then(|cipher| cipher.ok_or(StoreError::NotFound));
        let answer = answer.and_then(|cipher| Self::each(key, &notes, |label, bytes| cipher.seal(label, bytes)));
        Box::pin(async { answer })
    }

    fn rewrite(&self) -> Pending<()> {
        Box::pin(async { Ok(()) })
    }

    fn unseal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Option<Vec<Note>>> {
        let answer = self.cipher(key).and_then(|cipher| {
            cipher.map(|cipher| Self::each(key, &notes, |label, bytes| cipher.open(label, bytes))).transpose()
        });
        Box::pin(async { answer })
    }
}
