//! What conversations have to do without being asked gets done: the index of what is due is looked through, and
//! whoever is due is woken and told.
//! Invariant: an entry is taken away or moved by its conversation alone, once it has done what was due; whatever is
//! lost on the way there is found again by a later look.

mod attend;
mod hastening;
mod held;
mod remembered;
mod scanner;
mod share;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_store::DueEntry;
use schema::{TenantId, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use held::HeldTenants;

use crate::pause::Pause;

pub(crate) use attend::Attendant;
pub(crate) use hastening::Hastener;
pub(crate) use scanner::Scanner;
pub(crate) use share::Share;

/// The first pause after the store did not take what was due …
const STANDSTILL_MIN: Duration = Duration::from_millis(500);
/// … and the longest, with each further failure.
const STANDSTILL_MAX: Duration = Duration::from_secs(30);

/// What the scanner and the worker threads share: who is due and waits for a thread, and how many may be at it.
///
/// The scanner puts entries in and waits where there is no room; the attendants take them in turn, each with a permit
/// until its conversation has answered. Nothing in here is durable and nothing has to be: an entry stands in the
/// index until its own conversation has moved it, and the next look finds it again.
pub(crate) struct DueWork {
    waiting: mpsc::Sender<Errand>,
    /// Workers take turns.
    taken: tokio::sync::Mutex<mpsc::Receiver<Errand>>,
    at_once: Arc<Semaphore>,
    /// How many of them may be such as could not be done before: others have room beside them.
    again: Arc<Semaphore>,
    standstill: Mutex<Standstill>,
    held: Mutex<HeldTenants>,
}

/// An entry on its way to a worker.
struct Errand {
    entry: DueEntry,
    /// Its place among those that are sent again; the first time it needs none. Given back when it was attended to.
    _again: Option<OwnedSemaphorePermit>,
}

/// A pause for all, while nothing succeeds.
struct Standstill {
    until: Option<Instant>,
    pause: Pause,
}

impl DueWork {
    /// Nobody is due yet; `at_once` conversations may be at it at the same time. `jitter` gives numbers from 0 to 1
    /// that spread pauses.
    pub(crate) fn new(at_once: usize, jitter: fn() -> f64) -> Self {
        let (waiting, taken) = mpsc::channel(limits::DUE_WAITING_MAX);
        Self {
            waiting,
            taken: tokio::sync::Mutex::new(taken),
            at_once: Arc::new(Semaphore::new(at_once.max(1))),
            again: Arc::new(Semaphore::new((at_once / 2).max(1))),
            standstill: Mutex::new(Standstill {
                until: None,
                pause: Pause::between(STANDSTILL_MIN, STANDSTILL_MAX, jitter),
            }),
            held: Mutex::default(),
        }
    }

    /// The store did not take it: nobody is sent for a while.
    fn failed(&self) {
        let mut standstill = self.standstill();
        let now = Instant::now();
        // Those that were on their way together failed together.
        if standstill.until.is_none_or(|until| until <= now) {
            standstill.until = Some(now + standstill.pause.length());
        }
    }

    fn succeeded(&self) {
        let mut standstill = self.standstill();
        standstill.until = None;
        standstill.pause.reset();
    }

    /// What is left of the pause.
    fn pause_left(&self) -> Duration {
        self.standstill().until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Nothing can be done for a tenant: what else is due for it waits.
    fn hold(&self, tenant: TenantId) {
        self.held().hold(tenant, Instant::now());
    }

    fn held(&self) -> MutexGuard<'_, HeldTenants> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standstill(&self) -> MutexGuard<'_, Standstill> {
        self.standstill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_nothing_succeeds_pauses_grow_and_end_with_the_first_success() {
        let work = DueWork::new(1, || 1.0);
        assert_eq!(work.pause_left(), Duration::ZERO);
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            work.failed();
            let until = work.standstill().until;
            let pause = work.pause_left();
            work.failed();
            assert_eq!(work.standstill().until, until, "failed together");
            assert!(pause > last || pause > STANDSTILL_MAX / 2, "{pause:?} after {last:?}");
            last = pause;
            work.standstill().until = Some(Instant::now());
        }
        assert!(last <= STANDSTILL_MAX);
        work.failed();
        work.succeeded();
        assert_eq!(work.pause_left(), Duration::ZERO);
        work.failed();
        assert!(work.pause_left() <= STANDSTILL_MIN);
    }
}
