//! Who else has a conversation, and how it stands there: asked in one way by all who need to know.

use engine_store::{SharedStore, StoreError};
use schema::peer::{PeerAsk, Stand};
use schema::{ConversationKey, NodeId};

use super::{Step, Switchboard, step};
use crate::failure::Failure;

impl Switchboard {
    /// The other node that lives and may have a conversation awake; none where there is no such conversation, too.
    ///
    /// # Errors
    /// When the store does not say who has claimed it: then somebody may have.
    pub(crate) async fn elsewhere(
        &self,
        store: &SharedStore,
        key: ConversationKey,
    ) -> Result<Option<NodeId>, StoreError> {
        let node = match store.owner(key).await {
            Ok(owner) => owner.node,
            Err(StoreError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(match step(node, self.me(), self.owns(), |node| self.is_alive(node)) {
            Step::Ask(node) => Some(node),
            Step::Claim | Step::Entrust => None,
        })
    }

    /// What a node answers that is asked how a conversation stands there.
    ///
    /// # Errors
    /// What it refuses it with; `restarting` where it does not answer, or not in a way that is understood here.
    pub(crate) async fn stand(&self, node: NodeId, key: ConversationKey, what: PeerAsk) -> Result<Stand, Failure> {
        let asked = self.ask(node, key, what).await;
        let answer = asked.map_err(|_| Failure::unreachable())?.result?;
        serde_json::from_value(answer).map_err(|_| Failure::restarting())
    }
}
