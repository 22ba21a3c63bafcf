//! Notes sealed under conversations' keys.

use schema::ConversationKey;

use super::core::Core;
use crate::sealed::note::label;
use crate::{Note, StoreError};

impl Core {
    /// The notes, sealed, in their order.
    pub(super) async fn seal(&self, key: ConversationKey, notes: Vec<Note>) -> Result<Vec<Note>, StoreError> {
        let (log, _) = self.log(key).await?.ok_or(StoreError::NotFound)?;
        let cipher = self.cipher(log).await?.ok_or(StoreError::NotFound)?;
        let sealed = notes.iter().map(|Note { seq, bytes }| {
            let sealed = cipher.seal(&label(key, *seq), bytes);
            let sealed = sealed.map_err(|error| StoreError::Unavailable(error.to_string()));
            sealed.map(|bytes| Note { seq: *seq, bytes })
        });
        sealed.collect()
    }

    /// What was sealed, in its order; none when the conversation was erased.
    pub(super) async fn unseal(&self, key: ConversationKey, notes: Vec<Note>) -> Result<Option<Vec<Note>>, StoreError> {
        // Another life of it has another key, so what is remembered may be old, and must not be.
        let Some(owner) = self.owner_lately(key).await? else { return Ok(None) };
        let Some(cipher) = self.cipher(owner.log).await? else { return Ok(None) };
        let opened = notes.iter().map(|Note { seq, bytes }| {
            let opened = cipher.open(&label(key, *seq), bytes);
            opened.map(|bytes| Note { seq: *seq, bytes }).map_err(|_| {
                StoreError::Corrupt(format!("a note on event {seq} of {key} cannot be opened with its key"))
            })
        });
        opened.collect::<Result<Vec<_>, _>>().map(Some)
    }
}
