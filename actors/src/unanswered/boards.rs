//! The tenants' boards held in memory, each under a lock of its own, and how they are written down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine_store::{RecordName, Scope, SharedStore, StoreError};
use engine_unanswered::{Board, Change, Group};
use futures_util::future::join_all;
use schema::{TenantId, limits};

const KIND: &str = "unanswered";
/// Groups read at a time.
const PAGE_RECORDS: usize = 100;

/// A tenant's board, once it was read.
#[derive(Default)]
pub(super) struct Kept(Option<Loaded>);

#[derive(Default)]
struct Loaded {
    board: Board,
    /// Of the records, by key.
    versions: HashMap<String, u64>,
}

/// The boards in memory; those that nobody has used for longest go first.
#[derive(Default)]
pub(super) struct Boards(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    by_tenant: HashMap<TenantId, (Arc<tokio::sync::Mutex<Kept>>, u64)>,
    uses: u64,
}

impl Boards {
    /// The tenant's place; for as long as it is held, everybody has the same one.
    pub(super) fn slot(&self, tenant: TenantId) -> Arc<tokio::sync::Mutex<Kept>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.uses += 1;
        let used = slots.uses;
        let (slot, last) = slots.by_tenant.entry(tenant).or_default();
        *last = used;
        let slot = Arc::clone(slot);
        while slots.by_tenant.len() > limits::UNANSWERED_OPEN_MAX {
            // Clones are made under this lock only, so one reference means that nobody has it.
            let idle = slots.by_tenant.iter().filter(|(_, (slot, _))| Arc::strong_count(slot) == 1);
            let Some(oldest) = idle.min_by_key(|(_, (_, used))| *used).map(|(tenant, _)| *tenant) else { break };
            slots.by_tenant.remove(&oldest);
        }
        slot
    }
}

impl Kept {
    /// The board, read from the store if need be.
    pub(super) async fn board(&mut self, store: &SharedStore, tenant: TenantId) -> Result<&mut Board, StoreError> {
        if self.0.is_none() {
            self.0 = Some(load(store, tenant).await?);
        }
        Ok(&mut self.0.get_or_insert_default().board)
    }

    /// Writes down what has changed, the last change of each group. After a failure the store is read again
    /// before the board is used.
    pub(super) async fn write(
        &mut self,
        store: &SharedStore,
        tenant: TenantId,
        changes: Vec<Change>,
    ) -> Result<(), StoreError> {
        let Some(loaded) = &mut self.0 else { return Ok(()) };
        let mut last: HashMap<String, Option<Group>> = HashMap::new();
        for change in changes {
            match change {
                Change::Keep(key, group) => last.insert(key, Some(group)),
                Change::Drop(key) => last.insert(key, None),
            };
        }
        let writes = last.into_iter().map(|(key, group)| {
            let version = loaded.versions.get(&key).copied().unwrap_or_default();
            let name = RecordName { scope: Scope::Tenant(tenant), kind: KIND, id: key.clone() };
            async move {
                let Some(group) = group else { return store.delete(name, version).await.map(|()| (key, None)) };
                let body = serde_json::to_vec(&group).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                store.put(name, version, body).await.map(|version| (key, Some(version)))
            }
        });
        for written in join_all(writes).await {
            match written {
                Ok((key, Some(version))) => drop(loaded.versions.insert(key, version)),
                Ok((key, None)) => drop(loaded.versions.remove(&key)),
                Err(error) => {
                    self.0 = None;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

async fn load(store: &SharedStore, tenant: TenantId) -> Result<Loaded, StoreError> {
    let mut versions = HashMap::new();
    let mut groups: Vec<(String, Group)> = Vec::new();
    let mut after = None;
    loop {
        let page = store.scan(Scope::Tenant(tenant), KIND, after, PAGE_RECORDS).await?;
        let full = page.len() == PAGE_RECORDS;
        after = page.last().map(|record| record.id.clone());
        for record in page {
            let group = serde_json::from_slice(&record.body)
                .map_err(|error| StoreError::Corrupt(format!("an unanswered question's record: {error}")))?;
            versions.insert(record.id.clone(), record.version);
            groups.push((record.id, group));
        }
        if !full {
            return Ok(Loaded { board: Board::from_groups(groups), versions });
        }
    }
}
