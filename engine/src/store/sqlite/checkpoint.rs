//! When the write-ahead log is copied into the database: after answers, never before them.
//! Invariant: no durability hangs on it; it bounds the log's size and the next start's time.

use std::time::Instant;

use rusqlite::Connection;

use crate::store::metrics::CHECKPOINT_SECONDS;

/// Pages not yet copied that make a checkpoint due even under load (64 MiB).
const DUE_PAGES: i64 = 8_000;
/// Pages that make one worth its two syncs when nothing else is to do.
const IDLE_PAGES: i64 = 500;
/// A log of so many pages, copied or not, waits for readers to let go, and starts over.
const RESTART_PAGES: i64 = 4 * DUE_PAGES;

/// What is known of the log.
#[derive(Default)]
pub(super) struct Checkpoints {
    waiting: i64,
}

impl Checkpoints {
    pub(super) fn worth_it_when_idle(&self) -> bool {
        self.waiting >= IDLE_PAGES
    }

    pub(super) fn after_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let log = self.look(connection, "PRAGMA wal_checkpoint(NOOP)")?;
        match self.waiting {
            DUE_PAGES.. if log >= RESTART_PAGES => self.copy(connection, "PRAGMA wal_checkpoint(RESTART)"),
            DUE_PAGES.. => self.copy(connection, "PRAGMA wal_checkpoint(PASSIVE)"),
            _ => Ok(()),
        }
    }

    pub(super) fn when_idle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.copy(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        // A reader may hold some back: what is left counts from here, so that idling stays idle.
        self.waiting = 0;
        Ok(())
    }

    /// Leaves an empty log, so that the database is one file.
    pub(super) fn at_end(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.copy(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
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
