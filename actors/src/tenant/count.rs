//! Permits: each counts as running for as long as it is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts a running reply for as long as it is held.
pub(crate) struct TurnPermit {
    pub(super) _tenants: Count,
    pub(super) _visitors: Option<Count>,
}

/// Counts an open session for as long as it is held.
pub struct SessionPermit(#[allow(dead_code, reason = "held for its drop")] pub(super) Count);

/// One of a bounded number.
pub(super) struct Count(Arc<AtomicU32>);

impl Count {
    /// One more, if there are less than `max`.
    pub(super) fn up(counter: &Arc<AtomicU32>, max: u32) -> Option<Self> {
        let count = Self(Arc::clone(counter));
        // Counted first, so that two at the last place cannot both get it; dropping it takes it back.
        (counter.fetch_add(1, Ordering::Relaxed) < max).then_some(count)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
