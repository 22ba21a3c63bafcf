//! When a node that cannot be reached is dialled again.
//! Invariant: the pauses grow, and two nodes do not dial in step.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// The pauses of one dialer.
pub(super) struct Pace {
    next: Duration,
    jitter: fn() -> f64,
}

impl Pace {
    /// `jitter` gives numbers from 0 to 1 that spread the pauses.
    pub(super) const fn new(jitter: fn() -> f64) -> Self {
        Self { next: SHORTEST, jitter }
    }

    /// A link stood.
    pub(super) const fn reset(&mut self) {
        self.next = SHORTEST;
    }

    /// How long to wait now: half of its measure at least. The next one is longer.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + (self.jitter)() / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_anew() {
        let mut pace = Pace::new(|| 1.0);
        let pauses: Vec<u128> = (0..8).map(|_| pace.pause().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
        pace.reset();
        assert_eq!(pace.pause(), SHORTEST);
        assert_eq!(Pace::new(|| 0.0).pause(), SHORTEST / 2);
    }
}
