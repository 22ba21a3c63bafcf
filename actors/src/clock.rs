//! The time, read in one place so that tests can set it.

use std::time::UNIX_EPOCH;

use schema::Timestamp;

/// Gives the wall-clock time that is written into events.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in milliseconds since 1970. It may go back when the machine's clock is set.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
