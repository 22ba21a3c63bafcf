//! Which of what is due this node attends to, where several look at the same index.
//! Invariant: nothing waits for a node for long: what is overdue is anybody's.

use std::sync::Arc;

use engine_store::DueEntry;
use schema::{Timestamp, limits};

use crate::peers::Switchboard;
use crate::supervision::Conversations;

/// A node's share: what it has awake, and of the rest what falls to it.
pub(crate) struct Share {
    pub(crate) board: Arc<Switchboard>,
    pub(crate) conversations: Arc<Conversations>,
}

impl Share {
    /// Whether this node is to attend to an entry now.
    pub(super) fn has(&self, entry: DueEntry, now: Timestamp) -> bool {
        if !self.board.owns() {
            return false;
        }
        match self.conversations.running(entry.key) {
            // Its owner finds it as well.
            Some(handle) if handle.is_relay() => false,
            Some(_) => true,
            None => self.board.attends_to(entry.key) || now.since(entry.at) >= limits::OTHERS_DUE_AFTER,
        }
    }
}
