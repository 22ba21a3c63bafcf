//! What conversations have to do without being asked gets done: the index of what is due is looked through, and
//! whoever is due is woken and told.
//! Invariant: an entry is taken away or moved by its conversation alone, once it has done what was due; whatever is
//! lost on the way there is found again by the next look.

mod attend;
mod hastening;
mod remembered;
mod scanner;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_store::DueEntry;
use schema::limits;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

pub(crate) use attend::Attendant;
pub(crate) use scanner::Scanner;

/// The first pause after the store, or the node, did not take what was due; it doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What the scanner and the worker threads share: who is due and waits for a thread, and how many may be at it.
///
/// The scanner puts entries in and waits where there is no room; the attendants take them in turn, each with a permit
/// until its conversation has answered. Nothing in here is durable and nothing has to be: an entry stands in the
/// index until its own conversation has moved it, and the next look finds it again.
pub(crate) struct DueWork {
    waiting: mpsc::Sender<DueEntry>,
    /// Workers take turns.
    taken: tokio::sync::Mutex<mpsc::Receiver<DueEntry>>,
    at_once: Arc<Semaphore>,
    pause: Mutex<Pause>,
}

/// A pause for all, while nothing succeeds.
#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    length: Duration,
}

impl DueWork {
    /// Nobody is due yet; `at_once` conversations may be at it at the same time.
    pub(crate) fn new(at_once: usize) -> Self {
        let (waiting, taken) = mpsc::channel(limits::DUE_WAITING_MAX);
        let at_once = Arc::new(Semaphore::new(at_once.max(1)));
        Self { waiting, taken: tokio::sync::Mutex::new(taken), at_once, pause: Mutex::default() }
    }

    /// The store or the node did not take it: nobody is sent for a while. `jitter` is between 0 and 1.
    fn failed(&self, jitter: f64) {
        let mut pause = self.pause();
        let now = Instant::now();
        // Those that were on their way together failed together.
        if pause.until.is_none_or(|until| until <= now) {
            pause.length = (pause.length * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            pause.until = Some(now + pause.length.mul_f64(0.5 + jitter / 2.0));
        }
    }

    fn succeeded(&self) {
        *self.pause() = Pause::default();
    }

    /// What is left of the pause.
    fn pause_left(&self) -> Duration {
        self.pause().until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    fn pause(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_nothing_succeeds_pauses_grow_and_end_with_the_first_success() {
        let work = DueWork::new(1);
        assert_eq!(work.pause_left(), Duration::ZERO);
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            work.failed(1.0);
            let until = work.pause().until;
            work.failed(1.0);
            let pause = work.pause().length;
            assert_eq!(work.pause().until, until, "failed together");
            assert!(pause > last || pause == PAUSE_MAX, "{pause:?} after {last:?}");
            last = pause;
            work.pause().until = Some(Instant::now());
        }
        assert_eq!(last, PAUSE_MAX);
        work.failed(0.0);
        work.succeeded();
        assert_eq!(work.pause_left(), Duration::ZERO);
        assert_eq!(work.pause_left(), Duration::ZERO);
        work.failed(1.0);
        assert_eq!(work.pause().length, PAUSE_MIN);
    }
}
