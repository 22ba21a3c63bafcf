//! Snapshots in the embedded store: a row beside its conversation's, gone with it in the same transaction.
//! A write of one takes its place among all others, so that it is durable no sooner than its events. All of it is
//! sealed under the conversation's key.

use std::sync::Arc;

use engine_privacy::{KeyNumber, OVERHEAD_BYTES};
use rusqlite::{Connection, OptionalExtension, params};
use schema::{ConversationKey, Epoch, Seq, limits};

use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Rows, integer, natural};
use super::sealing::{Sealable, Sealing};
use crate::sealed::snapshot::label;
use crate::{Snapshot, StoreError};

// One that nobody can have written by this program's bounds is not brought into memory.
const FIND: &str = "SELECT snapshots.head, snapshots.body, conversations.key_id FROM conversations
    JOIN snapshots ON snapshots.conversation = conversations.row_id
    WHERE conversations.tenant = ?1 AND conversations.id = ?2 AND length(snapshots.body) <= ?3";

/// A reading of a snapshot.
pub(super) struct SnapshotRead {
    pub(super) key: ConversationKey,
    pub(super) sealing: Arc<Sealing>,
}

impl Read for SnapshotRead {
    type Output = Option<Snapshot>;

    fn run(&self, connection: &Connection) -> Result<Option<Snapshot>, ReadError> {
        let ConversationKey { tenant, conversation } = &self.key;
        let most = integer((limits::SNAPSHOT_BYTES + OVERHEAD_BYTES) as u64);
        let found = connection
            .prepare_cached(FIND)?
            .query_row(params![tenant.as_bytes(), conversation.as_bytes(), most], |row| {
                Ok((natural(row.get(0)?), row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<i64>>(2)?))
            })
            .optional()?;
        let Some((head, sealed, Some(id))) = found else { return Ok(None) };
        let Some(cipher) = self.sealing.cipher(KeyNumber(natural(id)))? else { return Ok(None) };
        // One that cannot be opened is damaged, and no snapshot: the log is read in its place.
        Ok(cipher.open(&label(self.key, head), &sealed).ok().map(|bytes| Snapshot { head, bytes }))
    }
}

/// A snapshot on its way.
pub(super) struct SnapshotWrite {
    key: ConversationKey,
    epoch: Epoch,
    head: Seq,
    body: Sealable,
}

impl SnapshotWrite {
    /// Seals the snapshot.
    pub(super) fn new(
        sealing: &Sealing,
        key: ConversationKey,
        epoch: Epoch,
        head: Seq,
        bytes: Vec<u8>,
    ) -> Result<Self, StoreError> {
        let body = Sealable::new(sealing, label(key, head), bytes)?;
        Ok(Self { key, epoch, head, body })
    }
}

impl Write for SnapshotWrite {
    type Output = bool;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<bool, StoreError>> {
        let Some(row) = rows.find(self.key)? else { return Ok(Err(StoreError::NotFound)) };
        if row.epoch != self.epoch || row.head < self.head {
            return Ok(Err(StoreError::Fenced));
        }
        let (row, id) = match rows.ensure_key(self.key, row)? {
            Ok(with_key) => with_key,
            Err(error) => return Ok(Err(error)),
        };
        let body = match self.body.under(&rows.memory.sealing, id) {
            Ok(body) => body,
            Err(error) => return Ok(Err(error)),
        };
        // One that claims more than the log has is damage, and no newer one.
        let kept = rows
            .connection
            .prepare_cached(
                "INSERT INTO snapshots (conversation, head, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (conversation) DO UPDATE SET head = excluded.head, body = excluded.body
                 WHERE snapshots.head <= excluded.head OR snapshots.head > ?4",
            )?
            .execute(params![row.row_id, integer(self.head), body, integer(row.head)])?;
        Ok(Ok(kept > 0))
    }

    fn cost(&self) -> (usize, usize) {
        (1, self.body.bytes())
    }
}

/// Removes the snapshot of a conversation that is being erased.
pub(super) fn remove(connection: &Connection, row_id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM snapshots WHERE conversation = ?1")?.execute([row_id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use engine_privacy::{Installation, MemoryKeys};
    use schema::{ContactId, ConversationId, TenantId, Timestamp};

    use super::*;
    use crate::Opening;
    use crate::sqlite::migrate;
    use crate::sqlite::rows::Memory;

    #[test]
    fn one_that_claims_more_than_the_log_has_does_not_keep_others_out() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        let sealing = Arc::new(Sealing::new(Arc::new(MemoryKeys::new(Installation([1; 16])))));
        let mut memory = Memory::new(Arc::clone(&sealing));
        let mut rows = Rows { connection: &connection, memory: &mut memory };
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let at = Timestamp::from_millis(0);
        let id = sealing.take_spare().unwrap();
        let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at };
        let row = rows.open(key, &opening, id).unwrap();
        rows.set_head(key, row, 9, at).unwrap();
        let read = || SnapshotRead { key, sealing: Arc::clone(&sealing) }.run(&connection).unwrap();
        // Each row: the head of the one that is there, whatever wrote it, and whether one of event 7 takes its place.
        for (found, taken) in [(6_u64, true), (7, true), (8, false), (9, false), (10, true)] {
            let body = sealing.seal(id, &label(key, found), b"found").unwrap();
            connection
                .execute(
                    "INSERT OR REPLACE INTO snapshots (conversation, head, body) VALUES (1, ?1, ?2)",
                    params![integer(found), body],
                )
                .unwrap();
            let write = SnapshotWrite::new(&sealing, key, 1, 7, b"seven".to_vec()).unwrap();
            assert_eq!(write.apply(&mut rows).unwrap(), Ok(taken), "{found}");
            let (head, bytes) = if taken { (7, &b"seven"[..]) } else { (found, &b"found"[..]) };
            assert_eq!(read(), Some(Snapshot { head, bytes: bytes.to_vec() }), "{found}");
        }
        connection.execute("UPDATE snapshots SET head = head - 1", []).unwrap();
        assert_eq!(read(), None, "what was sealed for another event is no snapshot");
        let most = integer((limits::SNAPSHOT_BYTES + OVERHEAD_BYTES) as u64);
        connection.execute("UPDATE snapshots SET body = zeroblob(?1)", [most + 1]).unwrap();
        assert_eq!(read(), None, "what is too large is not read");
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
