//! Membership as conversations, and the learning of sites, need it.

use std::sync::Arc;

use actors::Peers;
use engine_cluster::Cluster;
use schema::NodeId;
use tokio::sync::watch;

use crate::learning;

/// What the node knows of others, for its conversations and its sites.
pub(super) struct Members(pub(super) Arc<Cluster>);

impl Peers for Members {
    fn me(&self) -> NodeId {
        self.0.me().id
    }

    fn living(&self) -> watch::Receiver<actors::Living> {
        self.0.ids()
    }

    fn owns(&self) -> bool {
        self.0.me().owns
    }

    fn owner_of(&self, hash: u64, among: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        self.0.owner_of(hash, among)
    }
}

impl learning::Others for Members {
    fn own(&self) -> NodeId {
        self.0.me().id
    }

    fn living(&self) -> watch::Receiver<Arc<[NodeId]>> {
        self.0.ids()
    }

    fn owner_of(&self, hash: u64) -> Option<NodeId> {
        self.0.owner_of(hash, &|_| true)
    }
}
