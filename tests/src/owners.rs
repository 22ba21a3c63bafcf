//! Which node has the conversations of which other one, so that who asks one of them can wait for both.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

static OWNERS: LazyLock<Mutex<HashMap<SocketAddr, SocketAddr>>> = LazyLock::new(Mutex::default);

fn owners() -> MutexGuard<'static, HashMap<SocketAddr, SocketAddr>> {
    OWNERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the node that listens at `node` is one whose conversations the one at `owner` has; with none it has them
/// itself. Another node may have listened there before.
pub(crate) fn tell(node: SocketAddr, owner: Option<SocketAddr>) {
    match owner {
        Some(owner) => owners().insert(node, owner),
        None => owners().remove(&node),
    };
}

/// Where the node listens that has the conversations of the one at this address; none where that has them itself.
pub(crate) fn owner_of(node: SocketAddr) -> Option<SocketAddr> {
    owners().get(&node).copied()
}
