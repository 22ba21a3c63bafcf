//! The one thread that writes: takes what waits, commits it with one sync, then answers all of it.
//! Invariant: after a failed commit the connection is never used again; it is opened anew and the
//! disk shown to take writes before the next change is tried.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::checkpoint::Checkpoints;
use super::connect::{OpenError, open_writer, settle};
use super::damage::Damage;
use super::job::{Fate, Job};
use super::queue::{BatchLimits, Queue, Taken};
use super::rows::{Memory, Rows};
use super::sealing::Sealing;
use super::stats::Counters;
use super::{erase, failure, rewrite};
use crate::StoreError;
use crate::metrics::{BATCH_WRITES, COMMIT_SECONDS};

/// After the disk refused, how long writes are answered `Unavailable` before it is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How long nothing must come before the write-ahead log is tidied up.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// What the writer's thread owns.
pub(super) struct Writer {
    path: PathBuf,
    queue: Arc<Queue<Box<dyn Job>>>,
    counters: Arc<Counters>,
    limits: BatchLimits,
    database: Database,
    checkpoints: Checkpoints,
    damage: Damage,
    sealing: Arc<Sealing>,
}

/// Whether there is a connection to work with.
enum Database {
    Open { connection: Connection, memory: Memory },
    Failed { why: String, retry_at: Instant },
}

/// How a transaction failed.
enum Failure {
    /// A row contradicts a statement. Nothing was done; the connection is fine.
    Contradiction(String),
    /// Nothing was done.
    NotDone(String),
    /// The disk may or may not have it.
    Unknown(String),
}

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        connection: Connection,
        queue: Arc<Queue<Box<dyn Job>>>,
        counters: Arc<Counters>,
        limits: BatchLimits,
        damage: Damage,
        sealing: Arc<Sealing>,
    ) -> Self {
        let database = Database::Open { connection, memory: Memory::new(Arc::clone(&sealing)) };
        Self { path, queue, counters, limits, database, checkpoints: Checkpoints::default(), damage, sealing }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(&mut self) {
        // A panic between batches drops what was in hand, which its callers see as `Unknown`.
        while catch_unwind(AssertUnwindSafe(|| self.work())).is_err() {
            self.fail("the writer panicked".into());
        }
    }

    fn work(&mut self) {
        loop {
            let taken = if self.has_remains() {
                self.queue.take_within(Duration::ZERO)
            } else if self.checkpoints.worth_it_when_idle() {
                self.queue.take_within(IDLE_AFTER)
            } else {
                self.queue.take()
            };
            match taken {
                Taken::Item(first) => {
                    let mut batch = vec![first];
                    self.queue.drain_into(&mut batch, self.limits, |job| job.cost());
                    let asked: Vec<_> = batch.iter_mut().filter_map(|job| job.rewrites()).collect();
                    self.serve(batch);
                    // Behind the answers, as it takes a while.
                    asked.into_iter().for_each(|reply| drop(reply.send(self.rewrite())));
                    self.clear_remains();
                    self.checkpoint(Checkpoints::after_commit);
                }
                Taken::Idle if self.has_remains() => {
                    self.clear_remains();
                    self.checkpoint(Checkpoints::after_commit);
                }
                Taken::Idle => self.checkpoint(Checkpoints::when_idle),
                Taken::Closed => return self.checkpoint(Checkpoints::at_end),
            }
        }
    }

    fn serve(&mut self, mut batch: Vec<Box<dyn Job>>) {
        self.reopen_if_due();
        let Database::Open { connection, memory } = &mut self.database else {
            let Database::Failed { why, .. } = &self.database else { return };
            return finish(batch, &Fate::NotDone(self.refusal(why.clone())));
        };
        let begun = Instant::now();
        // A panic may come from anywhere in it, the commit included.
        let done = catch_unwind(AssertUnwindSafe(|| transact(connection, memory, &mut batch, &self.damage)))
            .unwrap_or_else(|_| Err(Failure::Unknown("the writer panicked".into())));
        match done {
            Ok(()) => {
                metrics::histogram!(COMMIT_SECONDS).record(begun.elapsed());
                #[expect(clippy::cast_precision_loss, reason = "a batch has hundreds at most")]
                metrics::histogram!(BATCH_WRITES).record(batch.len() as f64);
                self.counters.committed(batch.len());
                finish(batch, &Fate::Committed);
            }
            // One damaged conversation must not fail the others that happened to come with it.
            Err(Failure::Contradiction(_)) if batch.len() > 1 => {
                for job in batch {
                    self.serve(vec![job]);
                }
            }
            Err(Failure::Contradiction(why)) => finish(batch, &Fate::NotDone(StoreError::Corrupt(why))),
            Err(Failure::NotDone(why)) => {
                self.fail(why.clone());
                finish(batch, &Fate::NotDone(self.refusal(why)));
            }
            Err(Failure::Unknown(why)) => {
                self.fail(why.clone());
                finish(batch, &Fate::Unknown(why));
            }
        }
    }

    fn reopen_if_due(&mut self) {
        let Database::Failed { retry_at, .. } = &self.database else { return };
        if Instant::now() < *retry_at {
            return;
        }
        let unopened = |error: OpenError| {
            if error.is_damage() {
                self.damage.met(error.to_string());
            }
            error.to_string()
        };
        let opened = open_writer(&self.path).map_err(unopened).and_then(|connection| {
            let unsettled = |error: rusqlite::Error| {
                self.damage.look(&error);
                failure::words(&error)
            };
            settle(&connection).map_err(unsettled).map(|()| connection)
        });
        match opened {
            Ok(connection) => {
                tracing::warn!(path = %self.path.display(), "store writes again after a failure");
                self.counters.reopened();
                self.database = Database::Open { connection, memory: Memory::new(Arc::clone(&self.sealing)) };
            }
            Err(why) => self.database = Database::Failed { why, retry_at: Instant::now() + RETRY_AFTER },
        }
    }

    /// What is answered for what was not done.
    fn refusal(&self, why: String) -> StoreError {
        self.damage.error().unwrap_or(StoreError::Unavailable(why))
    }

    // The first write after a failure tries again at once; only a second refusal brings a pause.
    fn fail(&mut self, why: String) {
        tracing::error!(path = %self.path.display(), %why, "store cannot write");
        self.database = Database::Failed { why, retry_at: Instant::now() };
    }

    fn has_remains(&self) -> bool {
        matches!(&self.database, Database::Open { memory, .. } if memory.remains)
    }

    /// Removes one piece of what was erased: after each batch, so that it ends under load too.
    fn clear_remains(&mut self) {
        let Database::Open { connection, memory } = &mut self.database else { return };
        if !memory.remains {
            return;
        }
        match erase::clear(connection) {
            Ok(more) => {
                memory.remains = more;
                memory.erased = true;
            }
            Err(error) => {
                self.damage.look(&error);
                self.fail(format!("removing what was erased: {}", failure::words(&error)));
            }
        }
    }

    fn rewrite(&mut self) -> Result<(), StoreError> {
        let connection = match &self.database {
            Database::Open { connection, .. } => connection,
            Database::Failed { why, .. } => return Err(self.refusal(why.clone())),
        };
        rewrite::rewrite(connection, &self.path).unwrap_or_else(|error| {
            self.damage.look(&error);
            let why = failure::words(&error);
            self.fail(format!("rewriting it: {why}"));
            Err(self.refusal(why))
        })
    }

    fn checkpoint(&mut self, run: fn(&mut Checkpoints, &Connection) -> rusqlite::Result<()>) {
        let Database::Open { connection, memory } = &mut self.database else { return };
        // While a piece is left the log gets more to be emptied of.
        if !memory.remains && std::mem::take(&mut memory.erased) {
            self.checkpoints.erased();
        }
        if let Err(error) = run(&mut self.checkpoints, connection) {
            self.damage.look(&error);
            // The log still has everything: nothing acknowledged is at risk.
            self.fail(format!("checkpoint: {}", failure::words(&error)));
        }
    }
}

fn transact(
    connection: &Connection,
    memory: &mut Memory,
    batch: &mut [Box<dyn Job>],
    damage: &Damage,
) -> Result<(), Failure> {
    let applied = apply(connection, memory, batch);
    if let Err(error) = applied {
        damage.look(&error);
        memory.forget();
        let why = failure::words(&error);
        // Fails when SQLite has already rolled back by itself; what counts is that none is open.
        let _ = connection.execute_batch("ROLLBACK");
        let whole = connection.is_autocommit() && failure::is_contradiction(&error);
        return Err(if whole { Failure::Contradiction(why) } else { Failure::NotDone(why) });
    }
    let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
    match committed {
        Ok(_) => {
            memory.make_known();
            Ok(())
        }
        Err(error) => {
            damage.look(&error);
            memory.forget();
            Err(Failure::Unknown(failure::words(&error)))
        }
    }
}

fn apply(connection: &Connection, memory: &mut Memory, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut rows = Rows { connection, memory };
    batch.iter_mut().try_for_each(|job| job.apply(&mut rows))
}

fn finish(batch: Vec<Box<dyn Job>>, fate: &Fate) {
    for job in batch {
        job.finish(fate);
    }
}
