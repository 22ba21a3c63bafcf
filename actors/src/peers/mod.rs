//! The other nodes of the installation, as this one's conversations need them: who lives, and the links to them.
//! Invariant: only membership says that a node is dead; that it does not answer says nothing.

mod elsewhere;
mod placing;
mod recent;
mod switchboard;

use std::hash::Hasher as _;
use std::sync::Arc;

use schema::{ConversationKey, NodeId};
use siphasher::sip::SipHasher13;
use tokio::sync::watch;

pub(crate) use placing::{Step, step};
pub(crate) use switchboard::{Answered, Arrival, Deliver, Push, Route, Switchboard, Unsent};

/// The nodes that live, this one among them.
pub type Living = Arc<[NodeId]>;

/// Membership, as whoever keeps it tells it.
///
/// The node is given one when it is built, or none where it is alone. The links are the transport's: it has one to each
/// living node, and gives both its ends to [`System::linked`](crate::System::linked).
pub trait Peers: Send + Sync + 'static {
    /// This node.
    fn me(&self) -> NodeId;

    /// Who lives; it changes when somebody comes, goes or is held for dead.
    fn living(&self) -> watch::Receiver<Living>;

    /// Whether this node takes conversations; one that does not serves those of others alone.
    fn owns(&self) -> bool;

    /// Whose something is that one of the living has to do who own, among those whom `among` takes: the same at every
    /// node that sees the same ones, and it stays where it is when others come and go. None where there is nobody.
    fn owner_of(&self, hash: u64, among: &dyn Fn(NodeId) -> bool) -> Option<NodeId>;
}

/// The same in every version of this program: nodes of two may run beside each other.
fn hash(key: ConversationKey) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(key.tenant.as_bytes());
    hasher.write(key.conversation.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use schema::{ConversationId, TenantId};

    use super::*;

    #[test]
    fn a_conversation_has_the_same_hash_in_every_version() {
        let key = ConversationKey {
            tenant: TenantId::from_bytes([1; 16]),
            conversation: ConversationId::from_bytes([2; 16]),
        };
        assert_eq!(hash(key), 16_364_657_114_033_660_924);
    }
}
