//! What threads of a node share, under many orders of these threads: shuttle's locks stand where the standard
//! library's do, and its scheduler decides who runs next. A schedule that fails is printed, and replayed
//! with `shuttle::replay`. A thread that waits for ever is a deadlock, which shuttle reports.
//! The queue's and the directory's own files are built here; neither knows its neighbours, and what the directory
//! keeps is a life of our own.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../actors/src/directory/mod.rs"]
#[allow(dead_code, unused_imports, reason = "not all of it is tried here")]
mod directory;
#[path = "../../engine/store/src/sqlite/queue.rs"]
#[allow(dead_code, reason = "not all of it is tried here")]
mod queue;

#[path = "../../actors/src/metrics.rs"]
#[allow(dead_code, unreachable_pub, reason = "the directory counts a few things")]
mod actors_metrics;

mod directory_schedules;
mod life;
mod queue_schedules;

/// What both are built with: see `engine/store/src/sqlite/sync.rs` and `actors/src/sync.rs`.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

/// The names under which both count.
mod metrics {
    pub(crate) use engine_store::metrics::{QUEUE_DEPTH, QUEUE_WAIT_SECONDS};

    pub(crate) use crate::actors_metrics::*;
}

const SCHEDULES: usize = 3_000;
/// Changes of thread that a schedule is searched with, where order matters most.
const DEPTH: usize = 4;

/// Any order, and orders with few changes at the worst places.
fn check(test: fn()) {
    shuttle::check_random(test, SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, DEPTH);
}
