//! The embedded store: one SQLite file, one thread that writes, a few that read.
//! Invariant: an answer means that a sync has happened; many writers share one sync.

mod checkpoint;
mod connect;
#[cfg(test)]
mod contacts_tests;
mod damage;
mod due;
mod erase;
mod failure;
mod job;
mod log_reads;
mod log_writes;
mod migrate;
mod projection_reads;
mod projection_writes;
mod queue;
#[cfg(test)]
mod queue_tests;
mod reader;
mod records;
mod rows;
#[cfg(test)]
mod scratch;
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
