//! Pauses of whoever tries for as long as the node runs: they grow, and are not the same for everybody.

use std::time::Duration;

/// The first pause; it doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The next pause after a failure.
pub(crate) struct Pause {
    next: Duration,
    jitter: fn() -> f64,
}

impl Pause {
    /// Begins with the shortest. `jitter` gives numbers from 0 to 1 that spread them.
    pub(crate) const fn new(jitter: fn() -> f64) -> Self {
        Self { next: PAUSE_MIN, jitter }
    }

    /// It went well.
    pub(crate) const fn reset(&mut self) {
        self.next = PAUSE_MIN;
    }

    /// Waits before the next try.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next.mul_f64(0.5 + (self.jitter)() / 2.0)).await;
        self.next = (self.next * 2).min(PAUSE_MAX);
    }
}
