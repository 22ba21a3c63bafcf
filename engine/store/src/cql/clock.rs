//! The machine's clocks. What conversations call now is told by those who ask; these say in which hour a row stands, and
//! how much time has passed here. Invariant: how long somebody else was silent is never told by comparing their clock
//! with this one.

use std::time::{Duration, Instant, SystemTime};

use schema::Timestamp;

/// Now, by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "no moment of a conversation is taken from it")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A moment on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    steady: Instant,
    clock: Timestamp,
}

impl Here {
    /// Now.
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), clock: now() }
    }

    /// How much has passed from an earlier one to this one. A machine that was suspended knows it by one of its two
    /// clocks.
    pub(super) fn since(self, before: Self) -> Duration {
        self.clock.since(before.clock).max(self.steady.saturating_duration_since(before.steady))
    }

    /// One that is later, in tests.
    #[cfg(test)]
    pub(super) fn plus(self, time: Duration) -> Self {
        Self { steady: self.steady + time, ..self }
    }
}
