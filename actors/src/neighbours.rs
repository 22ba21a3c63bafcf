//! What the system has to do with other nodes. Invariant: where the node is alone nothing of it happens.

use std::sync::Arc;
use std::time::Duration;

use schema::{ConversationKey, NodeId};

use crate::failure::Failure;
use crate::link::Link;
use crate::peers::Switchboard;
use crate::system::System;

/// How often links are looked at that take nothing.
const LINKS_LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

impl System {
    /// A link to another node stands; an older one to the same node is ended. None where the node is alone.
    #[must_use]
    pub fn linked(&self, node: NodeId) -> Option<Link> {
        self.service().map(|service| Link::up(Arc::clone(service), node))
    }

    /// Other nodes may have held this one for dead: it looks whether what it has is still its own. On an actix thread.
    pub fn doubt(&self) {
        if let Some(service) = self.service() {
            service.doubt(None);
        }
    }

    /// Lets a conversation out of quarantine, wherever it is; false if it was not in it.
    ///
    /// # Errors
    /// Why the store could not be read, or its owner not be asked.
    pub async fn release(&self, key: ConversationKey) -> Result<bool, Failure> {
        if self.conversations().release(key) {
            return Ok(true);
        }
        match self.service() {
            Some(service) => service.release_elsewhere(key).await,
            None => Ok(false),
        }
    }

    /// Follows membership, gives up links that take nothing, and tells who was held for dead, until the node closes.
    pub(crate) async fn watch_peers(&self) {
        let Some(board) = self.board() else { return };
        let mut changes = board.changes();
        let mut living = changes.borrow_and_update().clone();
        while !self.phase().is_closing() {
            // Membership ends with its node.
            let look = tokio::time::sleep(LINKS_LOOKED_AT_EVERY);
            tokio::select! {
                biased;
                Ok(()) = changes.changed() => {
                    let now = changes.borrow_and_update().clone();
                    board.members_changed(&living, &now);
                    living = now;
                }
                () = look => {
                    board.cut_stalled();
                    board.tell_robbed();
                }
            }
        }
    }

    pub(crate) fn board(&self) -> Option<&Arc<Switchboard>> {
        self.service().map(|service| &service.board)
    }

    /// Whether conversations can be had, here or at another node; a node that owns nothing may know of none.
    #[must_use]
    pub fn has_taker(&self) -> bool {
        self.board().is_none_or(|board| board.has_taker())
    }
}
