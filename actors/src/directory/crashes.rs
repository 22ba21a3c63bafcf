//! The budget of crashes: how often a conversation may crash in a window, and how long it waits before each
//! restart.

use std::collections::VecDeque;
use std::time::Duration;

use schema::limits;
use tokio::time::Instant;

/// The first pause before a restart; it doubles with each crash in the window.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// One conversation's crashes of late.
#[derive(Clone, Debug, Default)]
pub(super) struct CrashBook(VecDeque<Instant>);

/// What to do about a crash. The directory decides it; whoever keeps the actors alive does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterCrash {
    /// Start again after a pause.
    Restart(Duration),
    /// Leave it to an operator.
    Quarantine,
    /// Leave it: it is being erased.
    Erased,
    /// Leave it: it runs again, or is about to. Those who are given back are to look for it again.
    Succeeded,
}

impl CrashBook {
    /// Books a crash. `jitter` is between 0 and 1 and spreads the pauses.
    pub(super) fn crashed(&mut self, now: Instant, jitter: f64) -> AfterCrash {
        while self.0.front().is_some_and(|crash| now.duration_since(*crash) > limits::CRASH_WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        if self.0.len() > limits::CRASHES_MAX {
            return AfterCrash::Quarantine;
        }
        let doublings = u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX).min(16);
        let pause = BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX);
        AfterCrash::Restart(pause.mul_f64(0.5 + jitter / 2.0))
    }

    /// Whether any crash still counts.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        self.0.back().is_some_and(|crash| now.duration_since(*crash) <= limits::CRASH_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_budget_is_for_a_window() {
        let mut book = CrashBook::default();
        let start = Instant::now();
        let mut last = Duration::ZERO;
        for crash in 0..limits::CRASHES_MAX {
            let AfterCrash::Restart(pause) = book.crashed(start + Duration::from_millis(crash as u64), 1.0) else {
                panic!("quarantined at crash {crash}")
            };
            assert!(pause > last && pause <= BACKOFF_MAX);
            last = pause;
        }
        assert_eq!(book.crashed(start + Duration::from_secs(1), 0.0), AfterCrash::Quarantine);
        let later = start + limits::CRASH_WINDOW * 3;
        assert_eq!(book.crashed(later, 0.0), AfterCrash::Restart(BACKOFF_MIN / 2));
    }
}
