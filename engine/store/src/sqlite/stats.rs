//! A store's counters, for tests, benchmarks and the admin page.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions that the disk has.
    pub commits: u64,
    /// Writes answered by them: claims, appends, record changes.
    pub writes: u64,
    /// The most writes that shared one.
    pub batch_max: u64,
    /// Times the database was opened anew after the disk had refused.
    pub reopened: u64,
}

/// The same, while they count.
#[derive(Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    writes: AtomicU64,
    batch_max: AtomicU64,
    reopened: AtomicU64,
}

impl Counters {
    pub(super) fn committed(&self, writes: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        self.batch_max.fetch_max(writes as u64, Ordering::Relaxed);
    }

    pub(super) fn reopened(&self) {
        self.reopened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> StoreStats {
        StoreStats {
            commits: self.commits.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            batch_max: self.batch_max.load(Ordering::Relaxed),
            reopened: self.reopened.load(Ordering::Relaxed),
        }
    }
}
