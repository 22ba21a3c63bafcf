//! How the node stands among others, for whoever asks whether it is well.

use engine_cluster::Cluster;
use schema::wire::ClusterState;

/// How many it sees, and by what.
pub(crate) fn state(cluster: &Cluster) -> ClusterState {
    let living = cluster.living().borrow().clone();
    ClusterState { sight: living.sight.name().into(), members: living.members.len() }
}
