//! Erasing a conversation. A short one goes at once; a long one is first made nobody's, and its events
//! go piece by piece between other writes, so that nobody waits behind them.
//! Invariant: a conversation's row number is free only when no event and no snapshot has it, or a new conversation
//! would find them; an event's is never free again, or whoever reads in the order of arrival would pass over an event.

use engine_privacy::KeyNumber;
use rusqlite::{Connection, OptionalExtension, params};
use schema::{ConversationId, ConversationKey, Seq, TenantId, limits};

use super::ending;
use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Row, Rows, integer, natural};
use super::snapshots;
use crate::StoreError;

/// A conversation with more events than this is erased piece by piece.
const AT_ONCE_MAX: Seq = 64;
/// Whose an event is that only holds its place in the order: no conversation has this number.
const NOBODYS: i64 = 0;

/// An erasure on its way.
pub(super) struct EraseWrite {
    pub(super) key: ConversationKey,
    pub(super) head: Option<Seq>,
}

impl Write for EraseWrite {
    /// The keys that have to end: one that is noted in the same transaction, so that a crash does not forget it, or
    /// those that were noted when it was removed, and which have not ended yet.
    type Output = Vec<KeyNumber>;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<Vec<KeyNumber>, StoreError>> {
        let Some(row) = rows.find(self.key)? else {
            let noted = ending::of(rows.connection, self.key)?;
            return Ok(if noted.is_empty() { Err(StoreError::NotFound) } else { Ok(noted) });
        };
        if self.head.is_some_and(|head| head != row.head) {
            return Ok(Err(StoreError::Fenced));
        }
        rows.set_due(self.key, row, None)?;
        snapshots::remove(rows.connection, row.row_id)?;
        if let Some(id) = row.key_id {
            ending::note(rows.connection, id, row.row_id)?;
        }
        if row.head <= AT_ONCE_MAX {
            remove(rows.connection, row)?;
            rows.memory.erased = true;
        } else {
            abandon(rows.connection, row)?;
            rows.memory.remains = true;
        }
        rows.memory.remove(self.key);
        Ok(Ok(row.key_id.into_iter().collect()))
    }

    fn cost(&self) -> (usize, usize) {
        (limits::COMMIT_EVENTS_MAX / 4, 0)
    }
}

fn remove(connection: &Connection, row: Row) -> rusqlite::Result<()> {
    unlist(connection, row)?;
    keep_order(connection, row.row_id)?;
    connection.prepare_cached("DELETE FROM events WHERE conversation = ?1")?.execute([row.row_id])?;
    connection.prepare_cached("DELETE FROM conversations WHERE row_id = ?1")?.execute([row.row_id])?;
    Ok(())
}

// No tenant has an empty id, so nothing finds it again but `clear`.
fn abandon(connection: &Connection, row: Row) -> rusqlite::Result<()> {
    unlist(connection, row)?;
    connection
        .prepare_cached(
            "UPDATE conversations SET tenant = x'', id = CAST(row_id AS BLOB), contact = '', key_id = NULL
             WHERE row_id = ?1",
        )?
        .execute([row.row_id])?;
    Ok(())
}

// What projections have of it goes in the same transaction, so that it is in no list from then on.
fn unlist(connection: &Connection, row: Row) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM conversation_rows WHERE conversation = ?1")?.execute([row.row_id])?;
    Ok(())
}

/// Events of a conversation are about to go. Should the newest event of all be among them, SQLite would give its
/// `row_id` to the next one, and who reads the log in its order has passed that place. So an event of nobody's
/// holds the place, the only one of its kind.
fn keep_order(connection: &Connection, conversation: i64) -> rusqlite::Result<()> {
    let held = connection
        .prepare_cached(
            "INSERT INTO events (conversation, seq, w_epoch, format, body)
             SELECT ?2, row_id, 0, 0, '' FROM (SELECT row_id, conversation FROM events ORDER BY row_id DESC LIMIT 1)
             WHERE conversation = ?1",
        )?
        .execute([conversation, NOBODYS])?;
    if held > 0 {
        let newest = connection.last_insert_rowid();
        connection
            .prepare_cached("DELETE FROM events WHERE conversation = ?1 AND row_id <> ?2")?
            .execute([NOBODYS, newest])?;
    }
    Ok(())
}

/// Removes a piece of what was abandoned, in a transaction of its own. False when nothing is left.
pub(super) fn clear(connection: &Connection) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached("SELECT row_id FROM conversations WHERE tenant = x'' LIMIT 1")?
        .query_row([], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(row_id) = found else { return Ok(false) };
    let transaction = connection.unchecked_transaction()?;
    keep_order(connection, row_id)?;
    let removed = connection
        .prepare_cached(
            "DELETE FROM events WHERE row_id IN (SELECT row_id FROM events WHERE conversation = ?1 LIMIT ?2)",
        )?
        .execute(params![row_id, integer(limits::COMMIT_EVENTS_MAX as u64)])?;
    if removed < limits::COMMIT_EVENTS_MAX {
        connection.prepare_cached("DELETE FROM conversations WHERE row_id = ?1")?.execute([row_id])?;
    }
    transaction.commit()?;
    Ok(true)
}

/// A conversation and its key.
pub(super) struct Keyed {
    pub(super) row_id: i64,
    pub(super) key: ConversationKey,
    pub(super) id: KeyNumber,
}

/// The next conversations that have keys.
pub(super) struct KeyedRead {
    pub(super) after: i64,
    pub(super) limit: usize,
}

impl Read for KeyedRead {
    type Output = Vec<Keyed>;

    fn run(&self, connection: &Connection) -> Result<Vec<Keyed>, ReadError> {
        let mut statement = connection.prepare_cached(
            "SELECT row_id, tenant, id, key_id FROM conversations
             WHERE row_id > ?1 AND key_id IS NOT NULL AND tenant <> x'' ORDER BY row_id LIMIT ?2",
        )?;
        let found = statement.query_map(params![self.after, integer(self.limit as u64)], |row| {
            let key = ConversationKey {
                tenant: TenantId::from_bytes(row.get(1)?),
                conversation: ConversationId::from_bytes(row.get(2)?),
            };
            Ok(Keyed { row_id: row.get(0)?, key, id: KeyNumber(natural(row.get(3)?)) })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
