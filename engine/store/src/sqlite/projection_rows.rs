//! A row of the list as the file has it: columns by which it is found, the rest as JSON, and its words sealed.

use engine_privacy::KeyNumber;
use schema::{ConversationId, ConversationKey, Seq, TenantId, Timestamp};

use super::reader::ReadError;
use super::rows::natural;
use super::sealing::Sealing;
use crate::sealed::row::label;
use crate::{ConversationRow, Projection};

/// One conversation's row, with the number of the key under which its words are sealed.
pub(super) const ROW: &str =
    "SELECT row.id, row.contact, row.head, row.last_at, row.version, row.body, row.sealed, log.key_id
    FROM conversations AS log JOIN conversation_rows AS row ON row.conversation = log.row_id
    WHERE log.tenant = ?1 AND log.id = ?2 AND row.version = ?3";

/// A row as [`ROW`] and the lists' statements give it.
pub(super) struct StoredRow<'a> {
    pub(super) key: ConversationKey,
    /// It was folded as this program folds.
    pub(super) is_ours: bool,
    contact: &'a str,
    head: Seq,
    last_at: Timestamp,
    body: &'a str,
    sealed: Option<&'a [u8]>,
    key_id: Option<KeyNumber>,
}

impl<'a> StoredRow<'a> {
    /// What is damaged in it is empty here, and found so by [`StoredRow::open`]. Without its id it is nobody's.
    pub(super) fn of(row: &'a rusqlite::Row<'_>, tenant: TenantId) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            key: ConversationKey { tenant, conversation: ConversationId::from_bytes(row.get(0)?) },
            contact: row.get_ref(1)?.as_str().unwrap_or_default(),
            head: natural(row.get(2)?),
            last_at: Timestamp::from_millis(row.get(3)?),
            is_ours: row.get::<_, i64>(4)? == i64::from(Projection::Conversations.version()),
            body: row.get_ref(5)?.as_str().unwrap_or_default(),
            sealed: row.get_ref(6)?.as_blob_or_null()?,
            key_id: row.get::<_, Option<i64>>(7)?.map(|id| KeyNumber(natural(id))),
        })
    }

    /// The whole row; without its words when its key has ended. None when it cannot be read, and is to be made anew.
    pub(super) fn open(&self, sealing: &Sealing) -> Result<Option<ConversationRow>, ReadError> {
        let Ok(read) = serde_json::from_str::<ConversationRow>(self.body) else { return Ok(self.unreadable(sealing)) };
        let mut read = self.columns(read);
        if let (Some(sealed), Some(id), true) = (self.sealed, self.key_id, self.is_ours)
            && let Some(cipher) = sealing.cipher(id)?
        {
            let texts = cipher.open(&label(self.key, self.head), sealed);
            let Some(texts) = texts.ok().and_then(|texts| serde_json::from_slice(&texts).ok()) else {
                return Ok(self.unreadable(sealing));
            };
            read.put_texts(texts);
        }
        Ok(Some(read))
    }

    /// The row with what stands in columns of its own.
    pub(super) fn columns(&self, mut row: ConversationRow) -> ConversationRow {
        row.contact = self.contact.parse().ok();
        row.head = self.head;
        row.last_at = self.last_at;
        row
    }

    // What serde says may quote it.
    fn unreadable<T>(&self, sealing: &Sealing) -> Option<T> {
        if self.is_ours {
            sealing.unreadable.met(self.key, &"it is damaged; the next event makes it anew");
        }
        None
    }
}
