//! When the write-ahead log is copied into the database: after answers, never before them.
//! Invariant: no durability hangs on it; it bounds the log's size and the next start's time, and how long what
//! was erased can still be read in the log's file.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::LOCK_PATIENCE;
use crate::metrics::CHECKPOINT_SECONDS;

/// Pages not yet copied that make a checkpoint due even under load (64 MiB).
const DUE_PAGES: i64 = 8_000;
/// Pages that make one worth its two syncs when nothing else is to do.
const IDLE_PAGES: i64 = 500;
/// A log of so many pages, copied or not, starts over if readers let go.
const RESTART_PAGES: i64 = 4 * DUE_PAGES;

/// How long what was erased waits for a moment without work, before the log is emptied between batches.
const EMPTY_AFTER: Duration = Duration::from_secs(2);
/// The wait for readers of the log, between batches: nobody's write is to stand behind it for long.
const READERS_PATIENCE: Duration = Duration::from_millis(20);

/// Tidies up a log that is larger than any that comes of serving, while nobody waits: else the first quiet moment would
/// copy all of it at once. Behind a new version of the schema nobody reads yet.
pub(super) fn after_opening(connection: &Connection, is_new_version: bool) -> rusqlite::Result<()> {
    let mut checkpoints = Checkpoints::default();
    if is_new_version {
        return checkpoints.copy(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
    checkpoints.look(connection, "PRAGMA wal_checkpoint(NOOP)")?;
    if checkpoints.waiting >= DUE_PAGES {
        // An earlier process ended before it could. Others of ours may read, and are not waited for.
        return checkpoints.copy(connection, "PRAGMA wal_checkpoint(PASSIVE)");
    }
    Ok(())
}

/// Empties the log's file. False when somebody reads from it: they are not waited for.
pub(super) fn empty(connection: &Connection) -> rusqlite::Result<bool> {
    let is_held_up = hardly_waiting(connection, || {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))
    });
    is_held_up.map(|is_held_up| !is_held_up)
}

/// Does something for which others may have to let go of the log.
fn hardly_waiting<T>(connection: &Connection, act: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    connection.busy_timeout(READERS_PATIENCE)?;
    let done = act();
    connection.busy_timeout(LOCK_PATIENCE)?;
    done
}

/// What is known of the log.
#[derive(Default)]
pub(super) struct Checkpoints {
    waiting: i64,
    /// The log's file holds what was erased; since then, or since it was tried last to empty it.
    erased: Option<Instant>,
}

impl Checkpoints {
    pub(super) fn worth_it_when_idle(&self) -> bool {
        self.waiting >= IDLE_PAGES || self.erased.is_some()
    }

    /// Something was erased.
    pub(super) fn erased(&mut self) {
        self.erased.get_or_insert_with(Instant::now);
    }

    pub(super) fn after_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let log = self.look(connection, "PRAGMA wal_checkpoint(NOOP)")?;
        if self.erased.is_some_and(|since| since.elapsed() >= EMPTY_AFTER) {
            return self.empty(connection);
        }
        match self.waiting {
            DUE_PAGES.. if log >= RESTART_PAGES => self.restart(connection),
            DUE_PAGES.. => self.copy(connection, "PRAGMA wal_checkpoint(PASSIVE)"),
            _ => Ok(()),
        }
    }

    pub(super) fn when_idle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.erased.is_some() {
            return self.empty(connection);
        }
        self.copy(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        // A reader may hold some back: what is left counts from here, so that idling stays idle.
        self.waiting = 0;
        Ok(())
    }

    /// Leaves an empty log, so that the database is one file.
    pub(super) fn at_end(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.copy(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Has the next write start the log over, if nobody reads from it.
    pub(super) fn restart(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        hardly_waiting(connection, || self.copy(connection, "PRAGMA wal_checkpoint(RESTART)"))
    }

    /// Empties the log's file, unless somebody reads from it: then later.
    fn empty(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let begun = Instant::now();
        let is_empty = empty(connection)?;
        metrics::histogram!(CHECKPOINT_SECONDS).record(begun.elapsed());
        self.look(connection, "PRAGMA wal_checkpoint(NOOP)")?;
        self.erased = (!is_empty).then(Instant::now);
        Ok(())
    }

    fn copy(&mut self, connection: &Connection, pragma: &str) -> rusqlite::Result<()> {
        let begun = Instant::now();
        self.look(connection, pragma)?;
        metrics::histogram!(CHECKPOINT_SECONDS).record(begun.elapsed());
        Ok(())
    }

    // Every form answers with: held up by others, pages in the log, pages of it copied.
    fn look(&mut self, connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
        let (log, copied) = connection
            .prepare_cached(pragma)?
            .query_row([], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
        self.waiting = log - copied;
        Ok(log)
    }
}
