//! Admits as much work as the node's threads keep up with. Work beyond that is refused
//! before anything is stored, so that what was admitted keeps its pace.
//!
//! A thread that never pauses comes late to everything. Each worker thread measures in what part of a window it
//! was busy (waiting for a core that others use counts too). The busiest decides: too much of it lowers
//! the bound on the work in progress at once; while there is time left and the bound is in use, it rises,
//! the slower the less is left. TCP finds its share of a line in this way (Jacobson, 1988).
//! Invariant: at the bound a tenant with less than its even share of the work is still admitted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schema::limits;
use tokio::runtime::Handle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::metrics::{ADMISSION_REFUSED, WORK, WORK_MAX, WORKER_BUSY};

/// How often a thread looks how busy it was.
const WINDOW: Duration = Duration::from_millis(200);
/// The part of a window that it may be busy. The more, the more replies run at once, and the longer each
/// of their words waits (`loadtest/bench` has both).
const BUSY_MAX: f64 = 0.75;
/// What remains of the bound after a window that was busier.
const LESS: f64 = 0.85;
/// What is added to it after one that was not: this part of it for each part of the window that was left.
const MORE: f64 = 0.2;

/// The node's bound, and the work in progress: replies that run, and messages on their way to the disk.
///
/// One for the node. Whoever begins work holds a [`Work`], and it is over when that is dropped, by whatever way, so
/// that a crash cannot leave work behind that nobody does. Asking ([`Admission::admits`]) and beginning are two steps
/// without a lock: at the bound a few more than it says may get in, which the next window corrects.
pub(crate) struct Admission {
    work: Counter,
    tenants: Counter,
    max: AtomicUsize,
    state: Mutex<State>,
}

type Counter = Arc<AtomicUsize>;

struct State {
    bound: Bound,
    /// When it was last changed.
    at: Option<Instant>,
    /// The busiest thread since then.
    busiest: f64,
}

/// The bound itself, and the least that it may be. Pure.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    max: f64,
    min: f64,
}

/// A tenant's part of the work in progress.
#[derive(Default)]
pub(crate) struct Share(Counter);

#[cfg(test)]
impl Share {
    pub(crate) fn work(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Something in progress, until dropped.
pub(crate) struct Work {
    all: Counter,
    tenants: Counter,
    share: Counter,
}

impl Admission {
    /// At the least `min` is admitted, however busy the threads are.
    pub(crate) fn new(threads: usize, min: usize) -> Self {
        let first = (limits::WORK_FIRST * threads).max(min);
        metrics::gauge!(WORK_MAX).set(first as f64);
        let bound = Bound { max: first as f64, min: min as f64 };
        Self {
            work: Counter::default(),
            tenants: Counter::default(),
            max: AtomicUsize::new(first),
            state: Mutex::new(State { bound, at: None, busiest: 0.0 }),
        }
    }

    /// Whether a tenant may begin something more.
    pub(crate) fn admits(&self, share: &Share) -> bool {
        let max = self.max.load(Ordering::Relaxed);
        if self.work.load(Ordering::Relaxed) < max {
            return true;
        }
        let own = share.0.load(Ordering::Relaxed);
        // It would be one tenant more, if it has nothing yet.
        let tenants = self.tenants.load(Ordering::Relaxed) + usize::from(own == 0);
        let admitted = tenants > 1 && own < max / tenants;
        if !admitted {
            metrics::counter!(ADMISSION_REFUSED).increment(1);
        }
        admitted
    }

    /// Something has begun.
    pub(crate) fn begin(&self, share: &Share) -> Work {
        self.work.fetch_add(1, Ordering::Relaxed);
        if share.0.fetch_add(1, Ordering::Relaxed) == 0 {
            self.tenants.fetch_add(1, Ordering::Relaxed);
        }
        Work { all: Arc::clone(&self.work), tenants: Arc::clone(&self.tenants), share: Arc::clone(&share.0) }
    }

    /// Looks how busy the current thread is, as long as it runs. For a thread with a runtime of its own.
    pub(crate) async fn watch(&self) {
        let ratio = metrics::histogram!(WORKER_BUSY);
        let runtime = Handle::current().metrics();
        let busy = || runtime.worker_total_busy_duration(0);
        let (mut before, mut since) = (busy(), Instant::now());
        let mut ticks = interval_at(since + WINDOW, WINDOW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (after, now) = (busy(), Instant::now());
            let share = after.saturating_sub(before).as_secs_f64() / (now - since).as_secs_f64();
            ratio.record(share);
            self.note(share, now);
            (before, since) = (after, now);
        }
    }

    /// A window of one thread is over.
    fn note(&self, busy: f64, now: Instant) {
        let work = self.work.load(Ordering::Relaxed);
        metrics::gauge!(WORK).set(work as f64);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busiest = state.busiest.max(busy);
        // Many threads look; the bound changes once a window.
        if state.at.is_some_and(|at| now.duration_since(at) < WINDOW) {
            return;
        }
        state.at = Some(now);
        state.bound = state.bound.after(state.busiest, work);
        state.busiest = 0.0;
        self.max.store(state.bound.max as usize, Ordering::Relaxed);
        metrics::gauge!(WORK_MAX).set(state.bound.max);
    }
}

impl Bound {
    fn after(self, busy: f64, work: usize) -> Self {
        let left = BUSY_MAX - busy;
        let max = if left < 0.0 {
            (self.max * LESS).max(self.min)
        } else if (work as f64) < self.max * LESS {
            // A bound that nobody comes near says nothing: raised now, it would let in a burst later.
            self.max
        } else {
            self.max * (1.0 + left * MORE)
        };
        Self { max, ..self }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
        if self.share.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.tenants.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_EASE: f64 = 0.4;
    const BUSY: f64 = 0.97;

    fn begin(admission: &Admission, share: &Share, count: usize) -> Vec<Work> {
        (0..count).map(|_| admission.begin(share)).collect()
    }

    #[test]
    fn the_bound_falls_while_busy_and_rises_while_it_is_used_at_ease() {
        let bound = |max| Bound { max, min: 64.0 };
        assert_eq!(bound(1_000.0).after(BUSY, 1_000), bound(850.0));
        assert_eq!(bound(70.0).after(BUSY, 0), bound(64.0), "something else may keep the thread busy");
        assert_eq!(bound(1_000.0).after(AT_EASE, 500), bound(1_000.0), "it is not in use");
        let (more, less) = (bound(1_000.0).after(AT_EASE, 950).max, bound(1_000.0).after(BUSY_MAX - 0.01, 950).max);
        assert!(more > 1_050.0 && less < 1_010.0 && less > 1_000.0, "{more} {less}");
    }

    #[test]
    fn many_threads_change_it_once_a_window_and_the_busiest_decides() {
        let admission = Admission::new(2, 64);
        let share = Share::default();
        let max = || admission.max.load(Ordering::Relaxed);
        let _work = begin(&admission, &share, 1_000);
        let (start, first) = (Instant::now(), max());
        (0..8).for_each(|_| admission.note(BUSY, start));
        let once = max();
        assert_eq!(once, (first as f64 * LESS) as usize);
        admission.note(AT_EASE, start + WINDOW);
        let twice = max();
        assert!(twice < once, "seven of the first were busy since");
        admission.note(BUSY, start + WINDOW * 3 / 2);
        assert_eq!(max(), twice);
        admission.note(AT_EASE, start + WINDOW * 2);
        assert!(max() < twice);
        let least = max();
        admission.note(AT_EASE, start + WINDOW * 3);
        assert!(max() > least);
    }

    #[test]
    fn at_the_bound_a_tenant_with_less_than_its_share_is_admitted() {
        let admission = Admission::new(2, 64);
        let max = admission.max.load(Ordering::Relaxed);
        let (noisy, quiet) = (Share::default(), Share::default());
        let mut noise = begin(&admission, &noisy, max - 1);
        assert!(admission.admits(&noisy));
        noise.extend(begin(&admission, &noisy, 1));
        assert!(!admission.admits(&noisy), "alone, it has the whole of it");
        let mut work = Vec::new();
        while admission.admits(&quiet) {
            work.push(admission.begin(&quiet));
        }
        assert_eq!(work.len(), max / 2);
        assert!(!admission.admits(&noisy));
        drop(noise);
        assert!(admission.admits(&noisy) && admission.admits(&quiet));
        drop(work);
        assert_eq!((admission.work.load(Ordering::Relaxed), admission.tenants.load(Ordering::Relaxed)), (0, 0));
    }
}
