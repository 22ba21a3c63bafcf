//! The embedded store: one SQLite file, one thread that writes, a few that read.
//! Invariant: an answer means that a sync has happened; many writers share one sync.

mod checkpoint;
mod connect;
mod contact_names;
mod contact_records;
mod contact_removals;
#[cfg(test)]
mod contacts_tests;
mod damage;
mod due;
mod ending;
mod erase;
mod event_bodies;
mod failure;
mod installation;
mod job;
mod keeper;
#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod keys_trouble_tests;
mod lasting;
mod log_reads;
mod log_writes;
mod migrate;
#[cfg(test)]
mod migrate_tests;
mod old_events;
mod projection_reads;
mod projection_rows;
mod projection_writes;
mod queue;
#[cfg(test)]
mod queue_tests;
mod queues;
mod reader;
mod records;
mod rewrite;
#[cfg(test)]
mod rewrite_tests;
mod rows;
#[cfg(test)]
mod scratch;
mod sealing;
mod seals;
mod snapshots;
mod stats;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod unreadable;
mod writer;

use std::time::Duration;

use crate::metrics;

pub use stats::StoreStats;
pub use store::{SqliteOptions, SqliteStore};

/// How long a connection waits for another one of ours, for example while the log is recovered.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
