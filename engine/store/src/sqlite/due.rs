//! The due index as a table: who is due, and changes of an entry without an append.

use engine_privacy::KeyNumber;
use rusqlite::{Connection, params};
use schema::{ConversationId, ConversationKey, TenantId, Timestamp};

use super::job::Write;
use super::reader::{Read, ReadError};
use super::rows::{Row, Rows, integer, natural};
use crate::{DueEntry, DueQuery, Hasten, Hastened, Reschedule, StoreError};

impl Rows<'_> {
    /// Has a conversation's entry stand at `due`, or nowhere. Nothing is written where it does already.
    pub(super) fn set_due(&mut self, key: ConversationKey, row: Row, due: Option<Timestamp>) -> rusqlite::Result<()> {
        if row.due == due {
            return Ok(());
        }
        match due {
            Some(at) => self
                .connection
                .prepare_cached(
                    "INSERT INTO due (conversation, at, tenant, id) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (conversation) DO UPDATE SET at = excluded.at",
                )?
                .execute(params![row.row_id, at.as_millis(), key.tenant.as_bytes(), key.conversation.as_bytes()])?,
            None => self.connection.prepare_cached("DELETE FROM due WHERE conversation = ?1")?.execute([row.row_id])?,
        };
        self.memory.remember(key, Row { due, ..row });
        Ok(())
    }
}

const DUE: &str = "SELECT at, tenant, id FROM due WHERE at < ?1 AND (at, tenant, id) > (?2, ?3, ?4)
    ORDER BY at, tenant, id LIMIT ?5";

/// Who is due.
pub(super) struct DueRead(pub(super) DueQuery);

impl Read for DueRead {
    type Output = Vec<DueEntry>;

    fn run(&self, connection: &Connection) -> Result<Vec<DueEntry>, ReadError> {
        let DueQuery { before, after, limit } = &self.0;
        let (at, tenant, id) = match after {
            Some(DueEntry { at, key }) => {
                (at.as_millis(), key.tenant.as_bytes().to_vec(), key.conversation.as_bytes().to_vec())
            }
            None => (i64::MIN, Vec::new(), Vec::new()),
        };
        let mut statement = connection.prepare_cached(DUE)?;
        let limit = integer(*limit as u64);
        let found = statement.query_map(params![before.as_millis(), at, tenant, id, limit], |row| {
            let key = ConversationKey {
                tenant: TenantId::from_bytes(row.get(1)?),
                conversation: ConversationId::from_bytes(row.get(2)?),
            };
            Ok(DueEntry { at: Timestamp::from_millis(row.get(0)?), key })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

/// An entry's change without an append.
pub(super) struct RescheduleWrite(pub(super) Reschedule);

impl Write for RescheduleWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let Reschedule { key, epoch, head, at } = self.0;
        let Some(row) = rows.find(key)? else { return Ok(Err(StoreError::NotFound)) };
        if row.epoch != epoch || row.head != head {
            return Ok(Err(StoreError::Fenced));
        }
        rows.set_due(key, row, at)?;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 64)
    }
}

const THEIRS: &str = "SELECT conversations.id, row_id, epoch, head, at, key_id
    FROM conversations LEFT JOIN due ON conversation = row_id
    WHERE conversations.tenant = ?1 AND conversations.id > ?2 ORDER BY conversations.id LIMIT ?3";

/// A piece of a tenant's conversations that look again.
pub(super) struct HastenWrite(pub(super) Hasten);

impl Write for HastenWrite {
    type Output = Option<Hastened>;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<Option<Hastened>, StoreError>> {
        let hasten = &self.0;
        let after = hasten.after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
        let theirs = {
            let mut statement = rows.connection.prepare_cached(THEIRS)?;
            let limit = integer(hasten.limit as u64);
            let found = statement.query_map(params![hasten.tenant.as_bytes(), after, limit], |row| {
                let due = row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis);
                let (epoch, head) = (natural(row.get(2)?), natural(row.get(3)?));
                let key_id = row.get::<_, Option<i64>>(5)?.map(|id| KeyNumber(natural(id)));
                Ok((ConversationId::from_bytes(row.get(0)?), Row { row_id: row.get(1)?, epoch, head, due, key_id }))
            })?;
            found.collect::<rusqlite::Result<Vec<_>>>()?
        };
        let mut moved = 0;
        for (conversation, row) in &theirs {
            // One that was never opened has nothing to do.
            if let Some(target) = hasten.moves(moved, row.due).filter(|_| row.head > 0) {
                let key = ConversationKey { tenant: hasten.tenant, conversation: *conversation };
                rows.set_due(key, *row, Some(target))?;
                moved += 1;
            }
        }
        Ok(Ok(theirs.last().map(|(last, _)| Hastened { last: *last, moved })))
    }

    fn cost(&self) -> (usize, usize) {
        (self.0.limit, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate;

    #[test]
    fn who_is_due_is_answered_by_the_index_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut connection, migrate::STEPS).unwrap();
        for (sql, wanted) in [
            (DUE, &["SEARCH due USING COVERING INDEX due_by_moment ((at,tenant,id)>"][..]),
            (THEIRS, &["SEARCH conversations USING INDEX conversations_by_id", "SEARCH due USING INTEGER PRIMARY KEY"]),
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
            let walks = steps.len() == wanted.len() && steps.iter().zip(wanted).all(|(step, part)| step.contains(part));
            assert!(walks, "{steps:?}");
        }
    }
}
