//! All randomness of a run, from its seed.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A source of chance; a clone draws from the same source.
#[derive(Clone)]
pub(super) struct Chance(Arc<Mutex<StdRng>>);

thread_local! {
    /// For what the system asks by a plain function.
    static SYSTEM: RefCell<Option<Chance>> = const { RefCell::new(None) };
    /// Share of commands whose handler panics.
    static PANICS: Cell<f64> = const { Cell::new(0.0) };
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A source of its own, so that one part's draws do not shift another's.
    pub(super) fn fork(&self) -> Self {
        Self::new(self.draw(0..=u64::MAX))
    }

    /// Gives the system's own draws (jitter, planted panics) to this source, on this thread.
    pub(super) fn for_system(self) {
        SYSTEM.set(Some(self));
    }

    pub(super) fn draw(&self, range: RangeInclusive<u64>) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random_range(range)
    }

    pub(super) fn index(&self, length: usize) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..length.max(1))
    }

    /// Whether something of this probability happens now.
    pub(super) fn happens(&self, share: f64) -> bool {
        share > 0.0 && self.0.lock().unwrap_or_else(PoisonError::into_inner).random_bool(share.min(1.0))
    }

    pub(super) fn millis(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.draw(range))
    }

    /// Mostly short, now and then long: what makes two things cross.
    pub(super) fn delay(&self, usual: u64) -> Duration {
        let most = if self.happens(0.05) { usual * 20 } else { usual };
        self.millis(0..=most)
    }
}

/// From now on this share of commands panics, on this thread.
pub(super) fn set_panics(share: f64) {
    PANICS.set(share);
}

/// Whether a handler panics now.
pub(super) fn panics() -> bool {
    let share = PANICS.get();
    share > 0.0 && system_draw() < share
}

/// The system's own draw: a number from 0 to 1.
pub(super) fn system_draw() -> f64 {
    let source = SYSTEM.with_borrow(Clone::clone);
    source.map_or(0.5, |chance| chance.draw(0..=1_000_000) as f64 / 1_000_000.0)
}
