//! Days as allowances count them: UTC, from midnight to midnight.

use std::time::Duration;

use schema::Timestamp;
use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A day, counted from 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Day(i64);

impl Day {
    /// The day of a moment.
    pub(super) const fn of(now: Timestamp) -> Self {
        Self(now.as_millis().div_euclid(DAY_MS))
    }

    /// How much of it is left.
    pub(super) fn left(self, now: Timestamp) -> Duration {
        Timestamp::from_millis((self.0 + 1).saturating_mul(DAY_MS)).since(now)
    }
}
