//! The machine's clock. What conversations call now is told by those who ask; this one says in which hour a row stands,
//! and which writers have been silent for long.

use std::time::SystemTime;

use schema::Timestamp;

/// Now, by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "no moment of a conversation is taken from it")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
