//! Rows of the list that cannot be read. One of them costs its own words, never the list: it is told once, and counted
//! each time that somebody has met it.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use schema::ConversationKey;

use crate::metrics::ROWS_UNREADABLE;

/// Conversations that are remembered as told. Where there are more, the log has said enough.
const TOLD_MAX: usize = 1_024;

/// Those that were told.
#[derive(Default)]
pub(super) struct Unreadable(Mutex<HashSet<ConversationKey>>);

impl Unreadable {
    /// A row was met that cannot be read. `why` does not quote it.
    pub(super) fn met(&self, key: ConversationKey, why: &dyn Display) {
        metrics::counter!(ROWS_UNREADABLE).increment(1);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX && told.insert(key) {
            let ConversationKey { tenant, conversation } = key;
            tracing::warn!(%conversation, %tenant, %why, "a row of the list cannot be read and is shown without its words");
        }
    }
}
