//! Rewriting the file once nothing in it is in the clear any more. What SQLite overwrites (`secure_delete`) are freed
//! pages and cells; a page that is rebuilt keeps copies of what it held between its cells, and the write-ahead log of a
//! process that was killed keeps whole pages.
//! Invariant: the mark says that the file is rewritten only after that is durable, and that it is done only after the
//! log's file was empty. Whatever stops it before, the next start does what is left.

use std::path::Path;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::checkpoint::empty;
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
        rows.connection.execute("UPDATE installation SET rewritten = 0 WHERE rewritten IN (1, 3)", []).map(|_| Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// The file rewritten, on its way through the writer: between two transactions, as it is one of its own.
pub(super) struct Rewrite(Option<oneshot::Sender<Result<(), StoreError>>>);

impl Rewrite {
    pub(super) fn asked() -> (Box<dyn Job>, oneshot::Receiver<Result<(), StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self(Some(reply))), answer)
    }
}

impl Job for Rewrite {
    fn apply(&mut self, _: &mut Rows<'_>) -> rusqlite::Result<()> {
        Ok(())
    }

    fn cost(&self) -> (usize, usize) {
        (0, 0)
    }

    fn rewrites(&mut self) -> Option<oneshot::Sender<Result<(), StoreError>>> {
        self.0.take()
    }

    fn finish(self: Box<Self>, _: &Fate) {}
}

/// What the mark says of a file: it is to be rewritten …
const WANTED: i64 = 0;
/// … or was rewritten, and its log emptied of the old pages …
const DONE: i64 = 1;
/// … or was rewritten, and the log is still to be emptied.
const LOG_LEFT: i64 = 3;

/// Rewrites the file, unless that was done, or it cannot be now. While somebody reads from the log it is not begun, since
/// the log grows by the whole file and could not be emptied; whoever begins to read while it is done only holds up the
/// emptying, which alone is tried again.
pub(super) fn rewrite(connection: &Connection, path: &Path) -> rusqlite::Result<Result<(), StoreError>> {
    let (sealed_to, mark): (i64, i64) =
        connection
            .query_row("SELECT sealed_to, rewritten FROM installation", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // What is not sealed yet would be in the clear afterwards, too.
    if sealed_to < i64::MAX || ![WANTED, LOG_LEFT].contains(&mark) {
        return Ok(Ok(()));
    }
    if mark == WANTED {
        if let Err(error) = enough_room(connection, path)? {
            return Ok(Err(error));
        }
        if !empty(connection)? {
            return Ok(Err(is_read()));
        }
        vacuum(connection, path)?;
        connection.execute("UPDATE installation SET rewritten = ?1", [LOG_LEFT])?;
    }
    if !empty(connection)? {
        return Ok(Err(is_read()));
    }
    connection.execute("UPDATE installation SET rewritten = ?1", [DONE])?;
    tracing::info!("the database is rewritten: nothing is left in the clear between what it holds");
    Ok(Ok(()))
}

fn is_read() -> StoreError {
    StoreError::Unavailable("somebody reads from the database's log, which is to be emptied".into())
}

fn vacuum(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    tracing::info!(mib = file_bytes(connection)? >> 20, "rewriting the database: old words are between what it holds");
    // Beside the file, and not in memory: the file may be larger than that. Nobody else of this process uses such files.
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "temp_store_directory", folder(path).to_string_lossy())?;
    let rewritten = connection.execute_batch("VACUUM");
    connection.pragma_update(None, "temp_store_directory", "")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    rewritten
}

fn enough_room(connection: &Connection, path: &Path) -> rusqlite::Result<Result<(), StoreError>> {
    let (folder, needed) = (folder(path), file_bytes(connection)?.saturating_mul(2) + ROOM_BYTES);
    let Some(room) = room(folder).filter(|room| *room < needed) else { return Ok(Ok(())) };
    let (needed, room) = (needed >> 20, room >> 20);
    let why = format!(
        "rewriting the database takes {needed} MiB of room in {}, and there are {room}: make room there",
        folder.display()
    );
    Ok(Err(StoreError::Unavailable(why)))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn file_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    Ok(u64::try_from(pages.saturating_mul(page_bytes)).unwrap_or(0))
}

/// How many bytes a folder's file system takes; none when it does not say.
fn room(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|found| found.f_bavail.saturating_mul(found.f_frsize))
}
