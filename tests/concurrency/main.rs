//! What threads of a node share, under many orders of these threads: shuttle's locks stand where the standard
//! library's do, and its scheduler decides who runs next. A schedule that fails is printed, and replayed
//! with `shuttle::replay`. A thread that waits for ever is a deadlock, which shuttle reports.
//! The queue's and the directory's own files are built here, with stand-ins for their neighbours.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../actors/src/directory.rs"]
#[allow(dead_code, reason = "not all of it is tried here")]
mod directory;
#[path = "../../engine/store/src/sqlite/queue.rs"]
#[allow(dead_code, reason = "not all of it is tried here")]
mod queue;

mod directory_schedules;
mod neighbours;
mod queue_schedules;

use neighbours::{conversation, failure, handle, metrics, runtime, supervision, system};

/// What both are built with: see `engine/store/src/sqlite/sync.rs` and `actors/src/sync.rs`.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

const SCHEDULES: usize = 3_000;
/// Changes of thread that a schedule is searched with, where order matters most.
const DEPTH: usize = 4;

/// Any order, and orders with few changes at the worst places.
fn check(test: fn()) {
    shuttle::check_random(test, SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, DEPTH);
}
