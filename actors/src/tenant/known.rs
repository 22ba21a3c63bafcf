//! The tenants this node has met, each loaded once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine_store::{SharedStore, StoreError};
use schema::wire::PlanView;
use schema::{ErrorCode, TenantId};
use tokio::sync::broadcast;

use super::actor::Tenant;
use super::told::Told;
use crate::clock::Clock;
use crate::failure::Failure;

/// Changes of settings that may wait for one who listens; past it one is told that it missed some.
const CHANGES_MAX: usize = 256;

/// Those of the installation that this node has met, by id.
pub(crate) struct KnownTenants {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    changes: broadcast::Sender<TenantId>,
    told: Arc<Told>,
    known: Mutex<HashMap<TenantId, Arc<Tenant>>>,
}

impl KnownTenants {
    pub(crate) fn new(store: SharedStore, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            changes: broadcast::Sender::new(CHANGES_MAX),
            told: Arc::default(),
            known: Mutex::default(),
        }
    }

    /// A tenant, loaded if this node has not met it.
    pub(crate) async fn get(&self, id: TenantId) -> Result<Arc<Tenant>, Failure> {
        if let Some(tenant) = self.known(id) {
            return Ok(tenant);
        }
        let loaded = Tenant::load(&self.store, &self.clock, &self.changes, &self.told, id).await;
        let loaded = loaded.map_err(|error| match error {
            StoreError::NotFound => Failure::new(ErrorCode::NotFound, "there is no such tenant"),
            error => Failure::store(&error),
        })?;
        // Two may have loaded it at once: the first stays.
        let tenant = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(id).or_insert(loaded))
        };
        tenant.catch_up();
        Ok(tenant)
    }

    /// A plan was stored: it holds for all who have it as soon as this returns.
    pub(crate) fn plan_changed(&self, plan: &PlanView) {
        self.told.tell(plan);
        self.all().iter().for_each(|tenant| tenant.hear(plan));
    }

    /// Tells each change of a tenant's settings.
    pub(crate) fn changes(&self) -> broadcast::Receiver<TenantId> {
        self.changes.subscribe()
    }

    /// A tenant this node has met.
    pub(crate) fn known(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All tenants this node has met.
    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
