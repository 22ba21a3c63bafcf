//! The embedded store: one SQLite file, one thread that writes, a few that read.
//! Invariant: an answer means that a sync has happened; many writers share one sync.

mod checkpoint;
mod connect;
#[cfg(test)]
mod contacts_tests;
mod damage;
mod due;
mod erase;
mod event_bodies;
mod failure;
mod installation;
mod job;
mod keeper;
#[cfg(test)]
mod keys_tests;
mod log_reads;
mod log_writes;
mod migrate;
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
mod writer;

use crate::metrics;

pub use stats::StoreStats;
pub use store::{SqliteOptions, SqliteStore};
