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
use crate::access::Access;
use crate::auth::AuthError;
use crate::metrics::TENANTS_UNREVIEWED;

/// Between two looks at sessions: a tenant that is changed without end costs no more than this.
const PAUSE: Duration = Duration::from_millis(50);
/// When the store is asked again how a tenant stands.
const AGAIN: Duration = Duration::from_millis(250);

/// Runs for as long as the node. One for all its threads.
pub(crate) async fn follow(
    presence: Arc<Presence>,
    system: Arc<System>,
    access: Arc<Access>,
    mut changes: Receiver<TenantId>,
) {
    let mut changed: HashSet<TenantId> = HashSet::new();
    let mut arrears = Arrears::default();
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
        let mut behind = None;
        for tenant in mem::take(&mut changed) {
            if let Err(error) = look(&presence, &system, &access, tenant).await {
                behind = Some((tenant, error));
                changed.insert(tenant);
            }
        }
        metrics::gauge!(TENANTS_UNREVIEWED).set(changed.len() as f64);
        match (arrears.change(changed.len()), behind) {
            (Some(Change::Begin), Some((tenant, error))) => {
                tracing::warn!(%tenant, tenants = changed.len(), %error, "it is not known yet whose sessions have to end");
            }
            (Some(Change::End), _) => tracing::info!("it is known again whose sessions have to end"),
            _ => {}
        }
        sleep(PAUSE).await;
    }
}

/// Whether looks are owed. While the store is away that is told once, not at each try.
#[derive(Default)]
struct Arrears(bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Begin,
    End,
}

impl Arrears {
    /// What is new when so many looks are owed.
    fn change(&mut self, owed: usize) -> Option<Change> {
        let before = mem::replace(&mut self.0, owed > 0);
        match (before, self.0) {
            (false, true) => Some(Change::Begin),
            (true, false) => Some(Change::End),
            _ => None,
        }
    }
}

async fn look(presence: &Presence, system: &System, access: &Access, id: TenantId) -> Result<(), AuthError> {
    // One that this node has not met has no session here.
    let Some(tenant) = system.known_tenant(id) else { return Ok(()) };
    let standing = access.authority.standing(id, system.clock().now()).await?;
    presence.review(&tenant, standing.as_deref());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_stays_away_is_told_once_and_so_is_its_return() {
        let mut arrears = Arrears::default();
        let told = [0, 2, 3, 3, 1, 0, 0, 1].map(|owed| arrears.change(owed));
        let (begin, end) = (Some(Change::Begin), Some(Change::End));
        assert_eq!(told, [None, begin, None, None, None, end, None, begin]);
    }
}
