//! Brings a database forward to this program's schema.
//! Invariant: a step and its number are one transaction, so a crash leaves a whole version.

use rusqlite::{Connection, TransactionBehavior};

use super::{contact_names, contact_records};

/// A step from one version of the schema to the next. What it needs of memory does not grow with the file: SQLite keeps
/// the old form of each page that one statement of a transaction changes until that statement ends.
pub(super) struct Step {
    /// What is done before the step's transaction, where statements keep no pages; done again after a crash.
    first: &'static str,
    sql: &'static str,
    /// What no single statement is to do, between `sql` and `last`.
    rows: fn(&Connection) -> rusqlite::Result<()>,
    last: &'static str,
}

impl Step {
    const fn sql(sql: &'static str) -> Self {
        Self { first: "", sql, rows: |_| Ok(()), last: "" }
    }
}

/// Every step there ever was, oldest first. What a step that has been released leaves behind never changes.
pub(super) const STEPS: &[Step] = &[
    Step::sql(include_str!("migrations/0001_log_and_records.sql")),
    Step::sql(include_str!("migrations/0002_erasing.sql")),
    Step::sql(include_str!("migrations/0003_document_texts.sql")),
    Step::sql(include_str!("migrations/0004_due.sql")),
    Step::sql(include_str!("migrations/0005_snapshots.sql")),
    Step {
        first: "DROP INDEX IF EXISTS conversations_by_activity; DROP INDEX IF EXISTS conversations_by_contact",
        ..Step::sql(include_str!("migrations/0006_projections.sql"))
    },
    Step {
        rows: contact_names::replace,
        last: include_str!("migrations/0007_contacts_named.sql"),
        ..Step::sql(include_str!("migrations/0007_contacts.sql"))
    },
    Step::sql(include_str!("migrations/0008_keys.sql")),
    Step::sql(include_str!("migrations/0009_keys_to.sql")),
    Step { rows: contact_records::part, ..Step::sql("") },
    Step::sql(include_str!("migrations/0011_keys_ended.sql")),
    Step::sql(include_str!("migrations/0012_ending_of.sql")),
    Step::sql(include_str!("migrations/0013_rewritten.sql")),
];

/// A file as the first release wrote it. Never edited: it stands for the files in the field.
#[cfg(test)]
pub(super) const VERSION_1: &str = include_str!("migrations/fixtures/v1.sql");

/// Why a database is not at this program's version.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrateError {
    #[error("the database has schema version {found}, this program knows {known} at most: use a newer one")]
    TooNew { found: usize, known: usize },
    #[error("schema step {step} failed: {error}")]
    Step { step: usize, error: rusqlite::Error },
    #[error("the schema version cannot be read: {0}")]
    Version(#[from] rusqlite::Error),
}

/// Applies the steps the database does not have yet, each in its own transaction. Gives their number.
pub(super) fn migrate(connection: &mut Connection, steps: &[Step]) -> Result<usize, MigrateError> {
    let found = known_version(connection, steps)?;
    // Of a new file there is nothing to tell.
    let is_told = 0 < found && found < steps.len();
    if is_told {
        tracing::info!(from = found, to = steps.len(), "bringing the database forward");
    }
    for (index, todo) in steps.iter().enumerate().skip(found) {
        let step = index + 1;
        apply(connection, step, todo).map_err(|error| MigrateError::Step { step, error })?;
        if is_told {
            tracing::info!(version = step, "the database is at the next version");
        }
    }
    Ok(steps.len() - found)
}

/// Whether the database has all these steps; an error when it has more than these.
pub(super) fn is_current(connection: &Connection, steps: &[Step]) -> Result<bool, MigrateError> {
    Ok(known_version(connection, steps)? == steps.len())
}

fn known_version(connection: &Connection, steps: &[Step]) -> Result<usize, MigrateError> {
    let found = version(connection)?;
    if found > steps.len() {
        return Err(MigrateError::TooNew { found, known: steps.len() });
    }
    Ok(found)
}

/// How many steps the database has. 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version as usize)
}

fn apply(connection: &mut Connection, number: usize, step: &Step) -> rusqlite::Result<()> {
    connection.execute_batch(step.first)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(step.sql)?;
    (step.rows)(&transaction)?;
    transaction.execute_batch(step.last)?;
    transaction.execute_batch(&format!("PRAGMA user_version = {number}"))?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_applied_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD y INTEGER"].map(Step::sql);
        assert_eq!(migrate(&mut connection, &steps[..1]).unwrap(), 1);
        assert_eq!(version(&connection).unwrap(), 1);
        assert_eq!(migrate(&mut connection, &steps).unwrap(), 1);
        assert_eq!(migrate(&mut connection, &steps).unwrap(), 0);
        assert_eq!(version(&connection).unwrap(), 2);
        connection.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); nonsense"].map(Step::sql);
        let error = migrate(&mut connection, &steps).unwrap_err();
        assert!(matches!(error, MigrateError::Step { step: 2, .. }), "{error}");
        assert_eq!(version(&connection).unwrap(), 1);
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1, "the half of step 2 is gone");
    }

    #[test]
    fn a_newer_database_is_refused_in_words() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("PRAGMA user_version = {}", STEPS.len() + 1)).unwrap();
        let error = migrate(&mut connection, STEPS).unwrap_err();
        assert!(error.to_string().contains("use a newer one"), "{error}");
    }

    #[test]
    fn a_file_of_version_1_ends_like_a_new_one() {
        let mut old = Connection::open_in_memory().unwrap();
        old.execute_batch(VERSION_1).unwrap();
        assert_eq!(version(&old).unwrap(), 1);
        migrate(&mut old, STEPS).unwrap();
        let mut new = Connection::open_in_memory().unwrap();
        migrate(&mut new, STEPS).unwrap();
        assert_eq!(schema(&old), schema(&new));
    }

    #[test]
    fn documents_give_their_texts_away() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STEPS[..2]).unwrap();
        let insert = "INSERT INTO records (scope, kind, id, version, body) VALUES (x'01', ?1, ?2, 3, CAST(?3 AS BLOB))";
        for (kind, id, body) in [
            ("document", "a", r#"{"source":"a.md","text":"Größe \"5\"\n","passages":1}"#),
            ("document", "nul", r#"{"source":"b.md","text":"a\u0000b"}"#),
            ("document", "bare", r#"{"source":"c.md"}"#),
            ("document", "broken", "{"),
            ("answer", "a", r#"{"text":"kept"}"#),
        ] {
            connection.execute(insert, [kind, id, body]).unwrap();
        }
        migrate(&mut connection, STEPS).unwrap();
        let mut rows =
            connection.prepare("SELECT kind, id, version, CAST(body AS TEXT) FROM records ORDER BY kind, id").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        let rows: Vec<(String, String, i64, String)> = rows.map(Result::unwrap).collect();
        let rows: Vec<_> = rows.iter().map(|(kind, id, version, body)| (&**kind, &**id, *version, &**body)).collect();
        assert_eq!(
            rows,
            [
                ("answer", "a", 3, r#"{"text":"kept"}"#),
                ("document", "a", 3, r#"{"source":"a.md","passages":1}"#),
                ("document", "bare", 3, r#"{"source":"c.md"}"#),
                ("document", "broken", 3, "{"),
                ("document", "nul", 3, r#"{"source":"b.md","text":"a\u0000b"}"#),
                ("document_text", "a", 1, "Größe \"5\"\n"),
            ]
        );
    }

    #[test]
    fn what_a_version_before_the_due_index_left_looks_once_unless_it_has_ended() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STEPS[..3]).unwrap();
        let message = r#"{"seq":2,"type":"message","text":"it says \"type\":\"closed\", and is open"}"#;
        let closed = r#"{"seq":2,"at":"2023-11-14T22:13:20.000Z","author":"system","type":"closed","reason":"idle"}"#;
        for (row, tenant, head, last_at, body) in [
            (1, 7, 2, 1_000, message),
            (2, 7, 2, 9_000, r#"{"seq":2,"type":"turn_started","turn":1}"#),
            (3, 7, 2, 9_500, closed),
            (4, 7, 0, 9_600, ""),
            (5, 0, 2, 9_700, message),
        ] {
            let tenant = if tenant == 0 { vec![] } else { vec![tenant; 16] };
            let insert = "INSERT INTO conversations (row_id, tenant, id, contact, epoch, head, last_at)
                VALUES (?1, ?2, ?3, 'ana', 1, ?4, ?5)";
            let newest = i64::try_from(head).unwrap();
            connection.execute(insert, (row, tenant, [row; 16], newest, last_at)).unwrap();
            let event = "INSERT INTO events (conversation, seq, w_epoch, format, body) VALUES (?1, ?2, 1, 1, ?3)";
            for (seq, body) in [(1, "{}"), (2, body)].into_iter().take(head) {
                connection.execute(event, (row, seq, body)).unwrap();
            }
        }
        migrate(&mut connection, STEPS).unwrap();
        let mut rows = connection
            .prepare("SELECT conversation, at - CAST(unixepoch('subsec') * 1000 AS INTEGER), id FROM due ORDER BY at")
            .unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let rows: Vec<(i64, i64, [u8; 16])> = rows.map(Result::unwrap).collect();
        // The newest first, one after the other; what was closed, never opened or erased has nothing to do.
        assert_eq!(rows.iter().map(|(row, ..)| *row).collect::<Vec<_>>(), [2, 1], "{rows:?}");
        assert_eq!((rows[1].1 - rows[0].1, rows[0].2), (5, [2; 16]));
        assert!(rows.iter().all(|(_, wait, _)| (-60_000..1_000).contains(wait)), "{rows:?}");
    }

    #[test]
    fn snapshots_come_to_a_file_that_had_none_and_change_nothing_else_in_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STEPS[..3]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO conversations VALUES (1, x'01', x'02', 'ana', 3, 1, 5);
                 INSERT INTO events VALUES (1, 1, 1, 3, 1, '{}');",
            )
            .unwrap();
        migrate(&mut connection, STEPS).unwrap();
        let count = |table: &str| -> i64 {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!(["conversations", "events", "snapshots"].map(count), [1, 1, 0]);
    }

    #[test]
    fn the_list_goes_on_showing_what_it_has_shown() {
        // Version 5 is the last one whose list was read from the log's own table.
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(VERSION_1).unwrap();
        migrate(&mut connection, &STEPS[..5]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO conversations (tenant, id, contact, epoch, head, last_at)
                            VALUES (x'', x'09', '', 1, 70, 5)",
            )
            .unwrap();
        migrate(&mut connection, &STEPS[..6]).unwrap();
        let listed = "SELECT hex(id), contact, head, last_at, version FROM conversation_rows";
        let mut rows = connection.prepare(listed).unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
        let rows: Vec<(String, String, i64, i64, i64)> = rows.unwrap().map(Result::unwrap).collect();
        // Neither one that was never opened nor one that is being erased.
        let ana = "018F00000000700080000000000000C1".to_owned();
        assert_eq!(rows, [(ana, "ana".into(), 3, 1_700_000_002_000, 0)]);
    }

    // Spaces and comments aside, what `sqlite_schema` says.
    fn schema(connection: &Connection) -> Vec<String> {
        let mut rows = connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|sql| {
            let sql = sql.unwrap();
            let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
            lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
        })
        .collect()
    }
}
