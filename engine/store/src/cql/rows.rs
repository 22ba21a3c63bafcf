//! Rows of the list: what a log says, folded, with its words sealed.
//! Invariant: of two writings of a row the one that tells of more stands, whichever comes last: generation and head are
//! its time. So any number of consumers may bring it on, and none can take it back.

use futures_util::future::join_all;
use schema::{ContactId, ConversationKey, Seq, Timestamp};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::core::Core;
use super::failure::odd;
use super::segments::{moment, number, seq};
use crate::sealed::row::label;
use crate::{ConversationRow, Projection, StoreError};

/// Bits of a row's time that are its head, and one that says that it was made anew where it could not be read. Far below
/// the clock for thousands of generations, so that a removal, which has the clock's time, comes after.
const HEAD_BITS: u32 = 36;
const LIST: Projection = Projection::Conversations;

type StoredRow =
    (Option<i32>, Option<i32>, Option<i64>, Option<Vec<u8>>, Option<CqlTimestamp>, Option<String>, Option<Vec<u8>>);

/// A row as it is stored.
pub(super) struct Found {
    pub(super) log: Uuid,
    pub(super) version: i32,
    pub(super) generation: i32,
    pub(super) head: Seq,
    pub(super) contact: Option<ContactId>,
    pub(super) last_at: Timestamp,
    body: String,
    sealed: Option<Vec<u8>>,
}

impl Core {
    /// Some conversations' rows in the list, as many and in that order.
    pub(super) async fn rows(
        &self,
        keys: Vec<ConversationKey>,
    ) -> Result<Vec<Result<Option<ConversationRow>, StoreError>>, StoreError> {
        Ok(join_all(keys.into_iter().map(|key| self.row(key))).await)
    }

    async fn row(&self, key: ConversationKey) -> Result<Option<ConversationRow>, StoreError> {
        match self.row_that_counts(key).await? {
            Some(found) => self.open_row(key, &found).await,
            None => Ok(None),
        }
    }

    /// The head of a conversation's row; 0 where there is none that counts.
    pub(super) async fn row_head(&self, key: ConversationKey) -> Result<Seq, StoreError> {
        Ok(self.row_that_counts(key).await?.map_or(0, |found| found.head))
    }

    async fn row_that_counts(&self, key: ConversationKey) -> Result<Option<Found>, StoreError> {
        let Some((log, _)) = self.log(key).await? else { return Ok(None) };
        Ok(self.found_row(log).await?.filter(|found| self.counts(found)))
    }

    pub(super) fn counts(&self, found: &Found) -> bool {
        found.version == version() && found.generation == self.touched.generation()
    }

    pub(super) async fn found_row(&self, log: Uuid) -> Result<Option<Found>, StoreError> {
        let found = self.link.one::<StoredRow>(&self.statements.row, (log,)).await?;
        let Some((Some(version), Some(generation), Some(head), contact, last_at, Some(body), sealed)) = found else {
            return Ok(None);
        };
        let contact = contact.and_then(|contact| contact.try_into().ok()).map(ContactId::from_bytes);
        let last_at = Timestamp::from_millis(last_at.ok_or_else(|| odd("a row of the list"))?.0);
        Ok(Some(Found { log, version, generation, head: seq(head)?, contact, last_at, body, sealed }))
    }

    /// The whole row; without its words when its key has ended. None when it cannot be read, and is to be made anew.
    pub(super) async fn open_row(
        &self,
        key: ConversationKey,
        found: &Found,
    ) -> Result<Option<ConversationRow>, StoreError> {
        let Ok(mut row) = serde_json::from_str::<ConversationRow>(&found.body) else { return Ok(None) };
        (row.contact, row.head, row.last_at) = (found.contact, found.head, found.last_at);
        if let Some(sealed) = &found.sealed
            && let Some(cipher) = self.cipher(found.log).await?
        {
            let texts = cipher.open(&label(key, found.head), sealed);
            let Some(texts) = texts.ok().and_then(|texts| serde_json::from_slice(&texts).ok()) else {
                metrics::counter!(crate::metrics::ROWS_UNREADABLE).increment(1);
                return Ok(None);
            };
            row.put_texts(texts);
        }
        Ok(Some(row))
    }

    /// Writes a conversation's row if the one there is still at head `expected`.
    pub(super) async fn project(
        &self,
        key: ConversationKey,
        expected: Seq,
        mut row: ConversationRow,
    ) -> Result<(), StoreError> {
        let (log, tail) = self.log(key).await?.ok_or(StoreError::NotFound)?;
        if self.places.head(key).is_none_or(|head| head < row.head) {
            match self.tail(log, tail).await?.live() {
                Some(segment) if segment.head < row.head => return Err(StoreError::Fenced),
                Some(_) => {}
                None => return Err(StoreError::NotFound),
            }
        }
        let before = self.found_row(log).await?;
        let counting = before.as_ref().filter(|found| self.counts(found));
        let found = counting.map_or(0, |found| found.head);
        let mut is_repair = false;
        if found != expected || (found > 0 && row.head <= found) {
            // One that cannot be read is as good as none: it is made anew from its log.
            is_repair = match counting {
                Some(counting) if expected == 0 && row.head >= found => self.open_row(key, counting).await?.is_none(),
                _ => false,
            };
            if !is_repair {
                return Err(StoreError::Conflict { found });
            }
        }
        let cipher = self.cipher(log).await?.ok_or(StoreError::NotFound)?;
        let (head, contact, last_at) = (row.head, row.contact, row.last_at);
        let unwritable = |_| StoreError::Corrupt("a row of the list cannot be written as JSON".into());
        let texts = row.take_texts().map(|texts| serde_json::to_vec(&texts)).transpose().map_err(unwritable)?;
        let sealed = texts.map(|texts| cipher.seal(&label(key, head), &texts)).transpose();
        let sealed = sealed.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let body = serde_json::to_string(&row).map_err(unwritable)?;
        // What points to it goes before it.
        let is_moved = before.as_ref().is_none_or(|before| (before.last_at, before.contact) != (last_at, contact));
        if is_moved {
            self.list_at(key, log, contact, last_at).await?;
        }
        let generation = self.touched.generation();
        let time = (((i64::from(generation) << HEAD_BITS) | number(head)) << 1) | i64::from(is_repair);
        let contact_bytes = contact.as_ref().map(|contact| contact.as_bytes().as_slice());
        let values = (log, version(), generation, number(head), contact_bytes, moment(last_at), body, sealed);
        self.link.write_at(time, &self.statements.set_row, values).await?;
        self.places.list(key, log, head);
        if let Some(before) = before.filter(|_| is_moved) {
            self.unlist_at(key, log, before.contact, before.last_at).await;
        }
        Ok(())
    }

    /// What the list has of a conversation that is being erased goes.
    pub(super) async fn drop_row(&self, key: ConversationKey, log: Uuid) -> Result<(), StoreError> {
        if let Some(found) = self.found_row(log).await? {
            self.unlist_at(key, log, found.contact, found.last_at).await;
        }
        self.link.write(&self.statements.drop_row, (log,)).await
    }
}

/// The version of rows as this program folds them.
pub(super) fn version() -> i32 {
    i32::try_from(LIST.version()).unwrap_or(i32::MAX)
}
