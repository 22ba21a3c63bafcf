//! The locks of the store's threads. `tests/concurrency` puts a scheduler's locks in their place, to try the
//! queue under many orders of its threads.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
