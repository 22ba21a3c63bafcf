//! Rewriting the file once nothing in it is in the clear any more. What SQLite overwrites (`secure_delete`) are freed
//! pages and cells; a page that is rebuilt keeps copies of what it held between its cells, and the write-ahead log of a
//! process that was killed keeps whole pages.
//! Invariant: the mark is written only after the rewritten file is durable and the log's file is empty. Whatever stops
//! it before, the next start rewrites the file.

use std::path::Path;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::job::{Fate, Job, Write};
use super::rows::{Rows, integer};
use crate::{Projection, StoreError};

/// Rows of the list looked at in one piece.
const PIECE_ROWS: usize = 1_000;
/// Room beside what the file takes twice: once as it is put together, once in the log.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;

/// Takes the words out of rows of the list that another version has folded, and which are made anew. Gives the last one
/// that was looked at; none at the end.
pub(super) struct StripWrite {
    pub(super) after: i64,
}

impl Write for StripWrite {
    type Output = Option<i64>;

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<Option<i64>, StoreError>> {
        let last = rows
            .connection
            .prepare_cached(
                "SELECT max(conversation) FROM (SELECT conversation FROM conversation_rows
                 WHERE conversation > ?1 ORDER BY conversation LIMIT ?2)",
            )?
            .query_row(params![self.after, integer(PIECE_ROWS as u64)], |row| row.get::<_, Option<i64>>(0))?;
        let Some(last) = last else { return Ok(Ok(None)) };
        rows.connection
            .prepare_cached(
                "UPDATE conversation_rows SET body = '{}', sealed = NULL
                 WHERE conversation > ?1 AND conversation <= ?2 AND version <> ?3 AND body <> '{}'",
            )?
            .execute(params![self.after, last, Projection::Conversations.version()])?;
        Ok(Ok(Some(last)))
    }

    fn cost(&self) -> (usize, usize) {
        (PIECE_ROWS, 0)
    }
}

/// Notes that something in the clear was replaced: the file is to be rewritten.
pub(super) struct WantedWrite;

impl Write for WantedWrite {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        rows.connection.execute("UPDATE installation SET wiped = 0 WHERE wiped = 1", []).map(|_| Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// The file rewritten, on its way through the writer: between two transactions, as it is one of its own.
pub(super) struct Wipe(Option<oneshot::Sender<Result<(), StoreError>>>);

impl Wipe {
    pub(super) fn asked() -> (Box<dyn Job>, oneshot::Receiver<Result<(), StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self(Some(reply))), answer)
    }
}

impl Job for Wipe {
    fn apply(&mut self, _: &mut Rows<'_>) -> rusqlite::Result<()> {
        Ok(())
    }

    fn cost(&self) -> (usize, usize) {
        (0, 0)
    }

    fn wipes(&mut self) -> Option<oneshot::Sender<Result<(), StoreError>>> {
        self.0.take()
    }

    fn finish(self: Box<Self>, _: &Fate) {}
}

/// Rewrites the file, unless that was done, or it cannot be now.
pub(super) fn wipe(connection: &Connection, path: &Path) -> rusqlite::Result<Result<(), StoreError>> {
    let (sealed_to, wiped): (i64, i64) =
        connection.query_row("SELECT sealed_to, wiped FROM installation", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // What is not sealed yet would be in the clear afterwards, too.
    if wiped > 0 || sealed_to < i64::MAX {
        return Ok(Ok(()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let needed = u64::try_from(pages.saturating_mul(page_bytes)).unwrap_or(0).saturating_mul(2) + ROOM_BYTES;
    if let Some(room) = room(folder).filter(|room| *room < needed) {
        let (needed, room) = (needed >> 20, room >> 20);
        let why = format!(
            "rewriting the database takes {needed} MiB of room in {}, and there are {room}: make room there",
            folder.display()
        );
        return Ok(Err(StoreError::Unavailable(why)));
    }
    tracing::info!(
        mib = (pages.saturating_mul(page_bytes)) >> 20,
        "rewriting the database: old words are between what it holds"
    );
    // Beside the file, and not in memory: the file may be larger than that. Nobody else of this process uses such files.
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "temp_store_directory", folder.to_string_lossy())?;
    let rewritten = connection.execute_batch("VACUUM");
    connection.pragma_update(None, "temp_store_directory", "")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    rewritten?;
    let log: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(1))?;
    if log > 0 {
        return Ok(Err(StoreError::Unavailable(
            "somebody reads from the database's log, which is to be emptied".into(),
        )));
    }
    connection.execute("UPDATE installation SET wiped = 1", [])?;
    tracing::info!("the database is rewritten: nothing is left in the clear between what it holds");
    Ok(Ok(()))
}

/// How many bytes a folder's file system takes; none when it does not say.
fn room(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|found| found.f_bavail.saturating_mul(found.f_frsize))
}
