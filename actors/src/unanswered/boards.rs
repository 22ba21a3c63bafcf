//! The tenants' boards held in memory, each under a lock of its own, and how they are written down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine_store::{RecordName, Scope, SharedStore, StoreError};
use engine_unanswered::{Board, Change, Group};
use futures_util::future::join_all;
use schema::{TenantId, limits};

use super::stored;

pub(super) const KIND: &str = "unanswered";
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

impl Boards {
    /// What is remembered of a tenant's board holds no longer: whoever comes next reads it anew.
    pub(super) async fn forget(&self, tenant: TenantId) {
        let slot = {
            let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.by_tenant.get(&tenant).map(|(slot, _)| Arc::clone(slot))
        };
        if let Some(slot) = slot {
            *slot.lock().await = Kept::default();
        }
    }

    /// The tenants whose boards are remembered.
    pub(super) fn tenants(&self) -> Vec<TenantId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_tenant.keys().copied().collect()
    }
}

impl Kept {
    /// The board, read from the store if need be.
    pub(super) async fn board(&mut self, store: &SharedStore, tenant: TenantId) -> Result<&mut Board, StoreError> {
        if self.0.is_none() {
            let (loaded, in_the_clear) = load(store, tenant).await?;
            self.0 = Some(loaded);
            self.write(store, tenant, in_the_clear).await?;
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
                match stored::write_group(store, tenant, &group).await? {
                    Some(body) => store.put(name, version, body).await.map(|version| (key, Some(version))),
                    // All its conversations are gone; whoever erased them forgets the group as well.
                    None => store.delete(name, version).await.map(|()| (key, None)),
                }
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

/// The board, and what an earlier version has left in the clear on it.
async fn load(store: &SharedStore, tenant: TenantId) -> Result<(Loaded, Vec<Change>), StoreError> {
    let mut versions = HashMap::new();
    let mut groups: Vec<(String, Group)> = Vec::new();
    let mut in_the_clear = Vec::new();
    let mut after = None;
    loop {
        let page = store.scan(Scope::Tenant(tenant), KIND, after, PAGE_RECORDS).await?;
        let full = page.len() == PAGE_RECORDS;
        after = page.last().map(|record| record.id.clone());
        let (names, bodies): (Vec<_>, Vec<_>) =
            page.into_iter().map(|record| ((record.id, record.version), record.body)).unzip();
        for ((id, version), (group, is_clear)) in
            names.into_iter().zip(stored::read_groups(store, tenant, &bodies).await?)
        {
            versions.insert(id.clone(), version);
            if is_clear {
                in_the_clear.push(Change::Keep(id.clone(), group.clone()));
            }
            groups.push((id, group));
        }
        if !full {
            return Ok((Loaded { board: Board::from_groups(groups), versions }, in_the_clear));
        }
    }
}
