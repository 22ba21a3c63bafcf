//! The store of many nodes: ScyllaDB or Apache Cassandra, with the same statements on both.
//! Invariant: what decides who owns a conversation and what is in its log is written under a condition in the partition
//! that it is about, and by nothing else; everything beside it is found wrong by looking there, and then put right.

mod agenda;
mod appends;
mod buckets;
mod claims;
mod clock;
mod connect;
mod core;
mod due_write;
mod erase;
mod failure;
mod keys;
mod list;
mod log_reads;
mod measures;
mod migrate;
mod nodes;
mod of_contacts;
mod places;
mod reckoning;
mod record_intents;
mod record_keys;
mod record_rows;
mod record_tidying;
mod records;
mod rounds;
mod rows;
mod schedule;
mod seals;
mod segments;
mod session;
mod snapshots;
mod statements;
mod store;
mod tables;
mod tls_words;
mod touched;
mod unspoken;
#[cfg(test)]
mod words_tests;
mod writers;

pub use connect::CqlOptions;
pub use reckoning::StoreClock;
pub use store::{CqlStore, Written};
