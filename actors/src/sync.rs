//! The lock of what all threads share. `tests/concurrency` puts a scheduler's in this place, to try the
//! directory under many orders of its threads.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
