//! The other nodes of the installation, as this one's conversations need them: who lives, and the links to them.
//! Invariant: only membership says that a node is dead; that it does not answer says nothing.

mod elsewhere;
mod placing;
mod switchboard;

use std::sync::Arc;

use schema::NodeId;
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
