//! Pauses of whoever tries again: they grow, and are not the same for everybody.

use std::time::Duration;

/// The first pause of a loop that goes on for as long as the node runs; it doubles each time.
const LOOP_MIN: Duration = Duration::from_millis(100);
const LOOP_MAX: Duration = Duration::from_secs(5);

/// How long to wait after a failure: twice as long as the time before, within bounds.
pub(crate) struct Pause {
    next: Duration,
    shortest: Duration,
    longest: Duration,
    jitter: fn() -> f64,
}

impl Pause {
    /// For a loop that goes on for as long as the node runs. `jitter` gives numbers from 0 to 1 that spread them.
    pub(crate) const fn new(jitter: fn() -> f64) -> Self {
        Self::between(LOOP_MIN, LOOP_MAX, jitter)
    }

    /// Begins with the shortest, and is never longer than the longest.
    pub(crate) const fn between(shortest: Duration, longest: Duration, jitter: fn() -> f64) -> Self {
        Self { next: shortest, shortest, longest, jitter }
    }

    /// It went well.
    pub(crate) const fn reset(&mut self) {
        self.next = self.shortest;
    }

    /// How long the next one is: half of its measure at least. The one after it is longer.
    pub(crate) fn length(&mut self) -> Duration {
        let length = self.next.mul_f64(0.5 + (self.jitter)() / 2.0);
        self.next = (self.next * 2).min(self.longest);
        length
    }

    /// Waits before the next try.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.length()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_anew() {
        let second = Duration::from_secs(1);
        let mut pause = Pause::between(second, 5 * second, || 1.0);
        let lengths: Vec<u64> = (0..5).map(|_| pause.length().as_secs()).collect();
        assert_eq!(lengths, [1, 2, 4, 5, 5]);
        pause.reset();
        assert_eq!(pause.length(), second);
        assert_eq!(Pause::between(second, second, || 0.0).length(), second / 2);
    }
}
