//! Ends sessions whose right has ended as soon as their tenant changes: nobody has to ask for it, and
//! sessions are not asked one by one whether they still may.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use actors::System;
use schema::TenantId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{sleep, timeout};

use super::presence::Presence;
use crate::auth::AuthError;
use crate::http::EdgeParts;

/// Between two looks at sessions: a tenant that is changed without end costs no more than this.
const PAUSE: Duration = Duration::from_millis(50);
/// When the store is asked again how a tenant stands.
const AGAIN: Duration = Duration::from_millis(250);

/// Runs for as long as the node. One for all its threads.
pub(crate) async fn follow(
    presence: Arc<Presence>,
    system: Arc<System>,
    parts: Arc<EdgeParts>,
    mut changes: Receiver<TenantId>,
) {
    let mut changed: HashSet<TenantId> = HashSet::new();
    loop {
        let next = if changed.is_empty() { Ok(changes.recv().await) } else { timeout(AGAIN, changes.recv()).await };
        match next {
            Ok(Ok(tenant)) => drop(changed.insert(tenant)),
            Ok(Err(RecvError::Lagged(_))) => changed.extend(presence.tenants()),
            Ok(Err(RecvError::Closed)) => return,
            Err(_) => {}
        }
        loop {
            match changes.try_recv() {
                Ok(tenant) => drop(changed.insert(tenant)),
                Err(TryRecvError::Lagged(_)) => changed.extend(presence.tenants()),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        for tenant in mem::take(&mut changed) {
            if let Err(error) = look(&presence, &system, &parts, tenant).await {
                tracing::warn!(%tenant, %error, "it is not known yet whose sessions have to end");
                changed.insert(tenant);
            }
        }
        sleep(PAUSE).await;
    }
}

async fn look(presence: &Presence, system: &System, parts: &EdgeParts, id: TenantId) -> Result<(), AuthError> {
    // One that this node has not met has no session here.
    let Some(tenant) = system.known_tenant(id) else { return Ok(()) };
    let standing = parts.authority.standing(id, system.clock().now()).await?;
    presence.review(&tenant, standing.as_deref());
    Ok(())
}
