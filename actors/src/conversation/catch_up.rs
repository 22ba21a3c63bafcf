//! Reads the log for a session that is behind.

use std::future::Future;
use std::sync::Arc;

use engine_store::{Page, PageBounds, SharedStore, StoreError};
use schema::{ConversationKey, Seq, limits};

use crate::patience::patiently;

/// One conversation's log, as it is read for those who listen.
pub(super) struct LogReader {
    store: SharedStore,
    key: ConversationKey,
    jitter: fn() -> f64,
}

impl LogReader {
    /// `jitter` gives numbers from 0 to 1 that spread the pauses.
    pub(super) const fn new(store: SharedStore, key: ConversationKey, jitter: fn() -> f64) -> Self {
        Self { store, key, jitter }
    }

    /// What follows an event, as much as is sent at once.
    pub(super) fn after(&self, seq: Seq) -> impl Future<Output = Result<Page, StoreError>> + use<> {
        let bounds = PageBounds { bytes: limits::CATCH_UP_BYTES_MAX, ..PageBounds::FULL };
        let (store, key, jitter) = (Arc::clone(&self.store), self.key, self.jitter);
        async move { patiently(jitter, || store.read(key, seq, bounds)).await }
    }
}
