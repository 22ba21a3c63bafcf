//! Rows of the list, and logs, that cannot be read. A row costs its own words, never the list; a log costs its own
//! conversation. Each is told once; rows are counted each time that somebody has met one.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use schema::ConversationKey;

use crate::metrics::ROWS_UNREADABLE;

/// Conversations that are remembered as told. Where there are more, the log has said enough.
const TOLD_MAX: usize = 1_024;

/// Those that were told.
#[derive(Default)]
pub(super) struct Unreadable {
    rows: Mutex<HashSet<ConversationKey>>,
    logs: Mutex<HashSet<ConversationKey>>,
}

impl Unreadable {
    /// A row was met that cannot be read. `why` does not quote it.
    pub(super) fn met(&self, key: ConversationKey, why: &dyn Display) {
        metrics::counter!(ROWS_UNREADABLE).increment(1);
        if is_news(&self.rows, key) {
            let ConversationKey { tenant, conversation } = key;
            tracing::warn!(%conversation, %tenant, %why, "a row of the list cannot be read and is shown without its words");
        }
    }

    /// A log was met that cannot be read. `why` does not quote it.
    pub(super) fn met_log(&self, key: ConversationKey, why: &dyn Display) {
        if is_news(&self.logs, key) {
            let ConversationKey { tenant, conversation } = key;
            tracing::warn!(%conversation, %tenant, %why, "a conversation's log cannot be read, and the conversation cannot go on");
        }
    }
}

fn is_news(told: &Mutex<HashSet<ConversationKey>>, key: ConversationKey) -> bool {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    told.len() < TOLD_MAX && told.insert(key)
}
