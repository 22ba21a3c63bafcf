//! The lock of the state that all threads share. `tests/concurrency` puts a scheduler's lock in its place, to try the
//! directory under many orders of its threads.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
