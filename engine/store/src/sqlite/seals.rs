//! Notes sealed under conversations' keys. The key is looked up by a reader; only a conversation that an earlier
//! version has left without one needs the writer.

use std::sync::Arc;

use engine_privacy::KeyNumber;
use rusqlite::{Connection, OptionalExtension, params};
use schema::ConversationKey;

use super::reader::{Read, ReadError};
use super::rows::natural;
use super::sealing::Sealing;
use crate::sealed::note::label;
use crate::{Note, StoreError};

/// Seals notes under a key.
pub(super) fn seal(
    sealing: &Sealing,
    key: ConversationKey,
    id: KeyNumber,
    notes: &[Note],
) -> Result<Vec<Note>, StoreError> {
    let sealed = notes
        .iter()
        .map(|Note { seq, bytes }| sealing.seal(id, &label(key, *seq), bytes).map(|bytes| Note { seq: *seq, bytes }));
    sealed.collect()
}

/// A reading of sealed notes.
pub(super) struct UnsealRead {
    pub(super) key: ConversationKey,
    pub(super) notes: Vec<Note>,
    pub(super) sealing: Arc<Sealing>,
}

impl Read for UnsealRead {
    type Output = Option<Vec<Note>>;

    fn run(&self, connection: &Connection) -> Result<Self::Output, ReadError> {
        let Self { key, notes, sealing } = self;
        let found = connection
            .prepare_cached("SELECT key_id FROM conversations WHERE tenant = ?1 AND id = ?2")?
            .query_row(params![key.tenant.as_bytes(), key.conversation.as_bytes()], |row| row.get::<_, Option<i64>>(0))
            .optional()?;
        let Some(id) = found.flatten() else { return Ok(None) };
        let Some(cipher) = sealing.cipher(KeyNumber(natural(id)))? else { return Ok(None) };
        let opened = notes.iter().map(|Note { seq, bytes }| {
            let opened = cipher.open(&label(*key, *seq), bytes);
            opened.map(|bytes| Note { seq: *seq, bytes }).map_err(|_| {
                StoreError::Corrupt(format!("a note on event {seq} of {key} cannot be opened with its key"))
            })
        });
        Ok(Some(opened.collect::<Result<_, _>>()?))
    }
}
