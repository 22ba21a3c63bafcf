//! Some nodes that are remembered, within bounds.

use std::collections::BTreeSet;

use schema::NodeId;

/// So many are remembered; of more the oldest go first, as ids are drawn in the order of time.
const REMEMBERED_MAX: usize = 256;

/// Nodes of which something is remembered.
#[derive(Default)]
pub(super) struct Recent(BTreeSet<NodeId>);

impl Recent {
    pub(super) fn remember(&mut self, node: NodeId) {
        while self.0.len() >= REMEMBERED_MAX && !self.0.contains(&node) {
            self.0.pop_first();
        }
        self.0.insert(node);
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.0.contains(&node)
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.0.remove(&node);
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = NodeId> + use<> {
        std::mem::take(&mut self.0).into_iter()
    }
}
