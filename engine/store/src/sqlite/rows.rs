//! The conversations' rows as the writer knows them: read once, then kept exact.
//! Invariant: the writer is the only one that changes them, and forgets all after a rollback.

use std::collections::HashMap;
use std::sync::Arc;

use engine_privacy::KeyNumber;
use rusqlite::{Connection, OptionalExtension, params};
use schema::{ConversationKey, Epoch, Seq, Timestamp};

use crate::Opening;

use super::installation;
use super::sealing::Sealing;
use crate::StoreError;

/// Conversations remembered; past it the memory starts anew, at the price of one look-up each.
const REMEMBERED_MAX: usize = 65_536;

/// What the writer remembers between transactions.
pub(super) struct Memory {
    rows: HashMap<ConversationKey, Row>,
    /// Keys as they will be when the transaction is committed: nobody else may use one before.
    uncommitted: HashMap<ConversationKey, Option<KeyNumber>>,
    /// Keys up to this one are noted in the file as in use.
    keys_to: KeyNumber,
    /// The conversations' keys.
    pub(super) sealing: Arc<Sealing>,
    /// Events of erased conversations may still be in the file.
    pub(super) remains: bool,
    /// Something was erased whose text may still be in the log's file.
    pub(super) erased: bool,
}

/// A conversation's fence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) row_id: i64,
    pub(super) epoch: Epoch,
    pub(super) head: Seq,
    pub(super) due: Option<Timestamp>,
    /// None in what an earlier version has left.
    pub(super) key_id: Option<KeyNumber>,
}

/// The rows inside one transaction.
pub(super) struct Rows<'a> {
    pub(super) connection: &'a Connection,
    pub(super) memory: &'a mut Memory,
}

impl Memory {
    pub(super) fn new(sealing: Arc<Sealing>) -> Self {
        // What an earlier process has left behind is found by looking.
        Self {
            rows: HashMap::new(),
            uncommitted: HashMap::new(),
            keys_to: KeyNumber(0),
            sealing,
            remains: true,
            erased: false,
        }
    }

    /// Forgets everything: the transaction that made it is gone.
    pub(super) fn forget(&mut self) {
        self.rows.clear();
        self.uncommitted.clear();
        self.keys_to = KeyNumber(0);
    }

    /// The transaction is committed: others may use its keys.
    pub(super) fn make_known(&mut self) {
        self.sealing.make_known(self.uncommitted.drain());
    }

    /// The conversation is no more.
    pub(super) fn remove(&mut self, key: ConversationKey) {
        self.rows.remove(&key);
        self.sealing.forget(key);
        self.uncommitted.insert(key, None);
    }

    /// From the commit on callers seal for a conversation under its key.
    pub(super) fn announce(&mut self, key: ConversationKey, id: KeyNumber) {
        self.uncommitted.insert(key, Some(id));
    }

    pub(super) fn remember(&mut self, key: ConversationKey, row: Row) {
        if self.rows.len() >= REMEMBERED_MAX {
            self.rows.clear();
        }
        let before = self.rows.insert(key, row).and_then(|before| before.key_id);
        if let Some(id) = row.key_id.filter(|id| before != Some(*id)) {
            self.announce(key, id);
        }
    }
}

impl Rows<'_> {
    /// The conversation's row, if there is one.
    pub(super) fn find(&mut self, key: ConversationKey) -> rusqlite::Result<Option<Row>> {
        if let Some(row) = self.memory.rows.get(&key) {
            return Ok(Some(*row));
        }
        let found = self
            .connection
            .prepare_cached(
                "SELECT row_id, epoch, head, at, key_id FROM conversations LEFT JOIN due ON conversation = row_id
                 WHERE conversations.tenant = ?1 AND conversations.id = ?2",
            )?
            .query_row(params![key.tenant.as_bytes(), key.conversation.as_bytes()], |row| {
                let due = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis);
                let key_id = row.get::<_, Option<i64>>(4)?.map(|id| KeyNumber(natural(id)));
                Ok(Row { row_id: row.get(0)?, epoch: natural(row.get(1)?), head: natural(row.get(2)?), due, key_id })
            })
            .optional()?;
        if let Some(row) = found {
            self.memory.remember(key, row);
        }
        Ok(found)
    }

    /// A new conversation, not yet written to, owned for the first time.
    pub(super) fn open(&mut self, key: ConversationKey, opening: &Opening, id: KeyNumber) -> rusqlite::Result<Row> {
        let row_id = self
            .connection
            .prepare_cached(
                "INSERT INTO conversations (tenant, id, contact, anonymous, epoch, head, last_at, key_id)
                 VALUES (?1, ?2, ?3, ?4, 1, 0, ?5, ?6)",
            )?
            .insert(params![
                key.tenant.as_bytes(),
                key.conversation.as_bytes(),
                opening.contact.to_string(),
                opening.is_anonymous,
                opening.at.as_millis(),
                integer(id.0)
            ])?;
        let row = Row { row_id, epoch: 1, head: 0, due: None, key_id: Some(id) };
        self.memory.remember(key, row);
        Ok(row)
    }

    /// A key that no conversation has. The file notes, one time for all that are spare now, that it may be in use.
    pub(super) fn take_key(&mut self) -> rusqlite::Result<Result<KeyNumber, StoreError>> {
        let id = match self.memory.sealing.take_spare() {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        if id > self.memory.keys_to {
            let to = self.memory.sealing.highest_spare().map_or(id, |highest| highest.max(id));
            installation::raise_keys_to(self.connection, to)?;
            self.memory.keys_to = to;
        }
        Ok(Ok(id))
    }

    /// The conversation's key; it gets one now if an earlier version has left it without.
    pub(super) fn ensure_key(
        &mut self,
        key: ConversationKey,
        row: Row,
    ) -> rusqlite::Result<Result<(Row, KeyNumber), StoreError>> {
        if let Some(id) = row.key_id {
            return Ok(Ok((row, id)));
        }
        let id = match self.take_key()? {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        self.connection
            .prepare_cached("UPDATE conversations SET key_id = ?2 WHERE row_id = ?1")?
            .execute(params![row.row_id, integer(id.0)])?;
        let row = Row { key_id: Some(id), ..row };
        self.memory.remember(key, row);
        Ok(Ok((row, id)))
    }

    /// A new owner.
    pub(super) fn set_epoch(&mut self, key: ConversationKey, row: Row, epoch: Epoch) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE conversations SET epoch = ?2 WHERE row_id = ?1")?
            .execute(params![row.row_id, integer(epoch)])?;
        self.memory.remember(key, Row { epoch, ..row });
        Ok(())
    }

    /// A new newest event.
    pub(super) fn set_head(
        &mut self,
        key: ConversationKey,
        row: Row,
        head: Seq,
        last_at: Timestamp,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE conversations SET head = ?2, last_at = ?3 WHERE row_id = ?1")?
            .execute(params![row.row_id, integer(head), last_at.as_millis()])?;
        self.memory.remember(key, Row { head, ..row });
        Ok(())
    }
}

/// A number as SQLite keeps it. One past its range becomes its largest, which no row has.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that was stored by [`integer`].
pub(super) fn natural(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
