//! A part of the schema's step 7: conversations and their first events get the ids that took the place of contacts'
//! names. One row at a time, since one statement over all of them would keep each page that it changes in memory.

use rusqlite::{Connection, OptionalExtension, params};

/// Conversations read at a time …
const PIECE: i64 = 1_000;
/// … and after how many of them a line in the log says how far it has come.
const TOLD_EVERY: usize = 100_000;

const NEXT: &str = "SELECT conversations.row_id, named.id, named.is_anonymous FROM conversations
    CROSS JOIN named ON named.tenant = conversations.tenant AND named.name = conversations.contact
    WHERE conversations.row_id > ?1 ORDER BY conversations.row_id LIMIT ?2";
const CONVERSATION: &str = "UPDATE conversations SET contact = ?2, anonymous = ?3 WHERE row_id = ?1";
const LISTED: &str = "UPDATE conversation_rows SET contact = ?2 WHERE conversation = ?1";
const FIRST_EVENT: &str = "SELECT row_id FROM events WHERE conversation = ?1 AND seq = 1
    AND CASE WHEN json_valid(body) THEN json_extract(body, '$.type') = 'opened' ELSE 0 END";
const EVENT: &str = "UPDATE events SET body = json_set(body, '$.contact', ?2) WHERE row_id = ?1";

/// Puts the ids of `named` where names stood. Inside the step's transaction.
pub(super) fn replace(connection: &Connection) -> rusqlite::Result<()> {
    let last: i64 = connection.query_row("SELECT coalesce(max(row_id), 0) FROM conversations", [], |row| row.get(0))?;
    if last == 0 {
        return Ok(());
    }
    tracing::info!(last, "conversations get their contacts' ids");
    let mut next = connection.prepare(NEXT)?;
    let mut conversation = connection.prepare(CONVERSATION)?;
    let mut listed = connection.prepare(LISTED)?;
    let mut first_event = connection.prepare(FIRST_EVENT)?;
    let mut event = connection.prepare(EVENT)?;
    let (mut at, mut done) = (i64::MIN, 0_usize);
    loop {
        let piece = next.query_map(params![at, PIECE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let piece: Vec<(i64, String, bool)> = piece.collect::<rusqlite::Result<_>>()?;
        let Some((reached, ..)) = piece.last() else { break };
        at = *reached;
        for (row_id, contact, is_anonymous) in &piece {
            conversation.execute(params![row_id, contact, is_anonymous])?;
            listed.execute(params![row_id, contact])?;
            let opened: Option<i64> = first_event.query_row([row_id], |row| row.get(0)).optional()?;
            if let Some(opened) = opened {
                event.execute(params![opened, contact])?;
            }
            done += 1;
            if done.is_multiple_of(TOLD_EVERY) {
                tracing::info!(done, at = row_id, last, "conversations are getting their contacts' ids");
            }
        }
    }
    tracing::info!(done, "all conversations have their contacts' ids");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate::{STEPS, migrate};

    #[test]
    fn each_row_is_found_by_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STEPS[..7]).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE named (tenant BLOB NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL,
                   is_anonymous INTEGER NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID",
            )
            .unwrap();
        for (sql, steps) in [(NEXT, 2), (CONVERSATION, 1), (LISTED, 1), (FIRST_EVENT, 1), (EVENT, 1)] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let found = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
            assert!(found.len() == steps && found.iter().all(|step| step.starts_with("SEARCH")), "{sql}: {found:?}");
        }
    }
}
