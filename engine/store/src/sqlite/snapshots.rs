//! Snapshots in the embedded store: a row beside its conversation's, gone with it in the same transaction.
//! A write of one takes its place among all others, so that it is durable no sooner than its events.

use rusqlite::{Connection, OptionalExtension, params};
use schema::{ConversationKey, Epoch, Seq, limits};

use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Rows, integer, natural};
use crate::{Snapshot, StoreError};

// One that nobody can have written by this program's bounds is not brought into memory.
const FIND: &str = "SELECT snapshots.head, snapshots.body FROM conversations
    JOIN snapshots ON snapshots.conversation = conversations.row_id
    WHERE conversations.tenant = ?1 AND conversations.id = ?2 AND length(snapshots.body) <= ?3";

/// A reading of a snapshot.
pub(super) struct SnapshotRead {
    pub(super) key: ConversationKey,
}

impl Read for SnapshotRead {
    type Output = Option<Snapshot>;

    fn run(&self, connection: &Connection) -> Result<Option<Snapshot>, ReadError> {
        let ConversationKey { tenant, conversation } = &self.key;
        let most = integer(limits::SNAPSHOT_BYTES as u64);
        let found = connection
            .prepare_cached(FIND)?
            .query_row(params![tenant.as_bytes(), conversation.as_bytes(), most], |row| {
                Ok(Snapshot { head: natural(row.get(0)?), bytes: row.get(1)? })
            })
            .optional()?;
        Ok(found)
    }
}

/// A snapshot on its way.
pub(super) struct SnapshotWrite {
    pub(super) key: ConversationKey,
    pub(super) epoch: Epoch,
    pub(super) head: Seq,
    pub(super) bytes: Vec<u8>,
}

impl Write for SnapshotWrite {
    type Output = bool;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<bool, StoreError>> {
        let Some(row) = rows.find(self.key)? else { return Ok(Err(StoreError::NotFound)) };
        if row.epoch != self.epoch || row.head < self.head {
            return Ok(Err(StoreError::Fenced));
        }
        // One that claims more than the log has is damage, and no newer one.
        let kept = rows
            .connection
            .prepare_cached(
                "INSERT INTO snapshots (conversation, head, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (conversation) DO UPDATE SET head = excluded.head, body = excluded.body
                 WHERE snapshots.head <= excluded.head OR snapshots.head > ?4",
            )?
            .execute(params![row.row_id, integer(self.head), self.bytes, integer(row.head)])?;
        Ok(Ok(kept > 0))
    }

    fn cost(&self) -> (usize, usize) {
        (1, self.bytes.len())
    }
}

/// Removes the snapshot of a conversation that is being erased.
pub(super) fn remove(connection: &Connection, row_id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM snapshots WHERE conversation = ?1")?.execute([row_id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use schema::{ContactId, ConversationId, TenantId, Timestamp};

    use super::*;
    use crate::Opening;
    use crate::sqlite::migrate;
    use crate::sqlite::rows::Memory;

    #[test]
    fn one_that_claims_more_than_the_log_has_does_not_keep_others_out() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        let mut memory = Memory::default();
        let mut rows = Rows { connection: &connection, memory: &mut memory };
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let at = Timestamp::from_millis(0);
        let row = rows.open(key, &Opening { contact: ContactId::generate(), is_anonymous: true, at }).unwrap();
        rows.set_head(key, row, 9, at).unwrap();
        // Each row: the head of the one that is there, whatever wrote it, and whether one of event 7 takes its place.
        for (found, taken) in [(6, true), (7, true), (8, false), (9, false), (10, true)] {
            connection
                .execute("INSERT OR REPLACE INTO snapshots (conversation, head, body) VALUES (1, ?1, x'00')", [found])
                .unwrap();
            let write = SnapshotWrite { key, epoch: 1, head: 7, bytes: b"seven".to_vec() };
            assert_eq!(write.apply(&mut rows).unwrap(), Ok(taken), "{found}");
            let kept = SnapshotRead { key }.run(&connection).unwrap().unwrap();
            assert_eq!(kept.head, if taken { 7 } else { u64::try_from(found).unwrap() }, "{found}");
        }
        connection
            .execute("UPDATE snapshots SET body = zeroblob(?1)", [integer(limits::SNAPSHOT_BYTES as u64 + 1)])
            .unwrap();
        assert_eq!(SnapshotRead { key }.run(&connection).unwrap(), None, "what is too large is not read");
    }

    #[test]
    fn finding_one_walks_an_index_to_one_row() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {FIND}")).unwrap();
        let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
        assert!(steps.len() == 2, "{steps:?}");
        assert!(steps[0].contains("conversations_by_id") && steps[1].contains("INTEGER PRIMARY KEY"), "{steps:?}");
    }
}
