//! What threads wait for each other with. `tests/concurrency` puts a scheduler's in this place, to try the
//! queue under many orders of its threads.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
