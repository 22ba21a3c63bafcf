//! When a tenant's policy becomes stricter, things may be due sooner than the entries of its conversations say. That
//! all of them are to look again is written down before the policy is.
//! Invariant: the intention is durable before the policy is, and is taken back only when every entry was moved: a
//! crash in between costs looks and forgets nothing.

use engine_store::{Record, RecordName, Scope, SharedStore, StoreError};
use schema::{FloorPolicy, TenantId};
use serde::{Deserialize, Serialize};

const KIND: &str = "hasten";

/// That a tenant's conversations are to look again.
#[derive(Serialize, Deserialize)]
pub(crate) struct Intention {
    pub(crate) tenant: TenantId,
    /// Also those that had nothing to do until now.
    pub(crate) missing: bool,
}

/// Whether anything may be due sooner under the new policy.
pub(crate) const fn is_sooner(new: &FloorPolicy, old: &FloorPolicy) -> bool {
    match (new.close_after_hours, old.close_after_hours) {
        (0, _) => false,
        (_, 0) => true,
        (new, old) => new < old,
    }
}

/// Writes down that a tenant's conversations are to look again; to be durable before the policy that replaces
/// `old` is.
///
/// # Errors
/// Why it could not be written.
pub(crate) async fn intend(store: &SharedStore, tenant: TenantId, old: &FloorPolicy) -> Result<(), StoreError> {
    let name = name(tenant);
    loop {
        let (version, before) = match store.get(name.clone()).await? {
            Some(record) => (record.version, read(&record).is_some_and(|intention| intention.missing)),
            None => (0, false),
        };
        let intention = Intention { tenant, missing: before || old.close_after_hours == 0 };
        let body = serde_json::to_vec(&intention).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        match store.put(name.clone(), version, body).await {
            // Another one has written it, or it was carried out just now.
            Err(StoreError::Conflict { .. }) => {}
            written => return written.map(drop),
        }
    }
}

/// Intentions that stand, behind the record with this id, oldest tenant first; at most so many.
pub(crate) async fn standing(
    store: &SharedStore,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<Record>, StoreError> {
    store.scan(Scope::Node, KIND, after, limit).await
}

/// The version of a tenant's intention, if one stands.
pub(crate) async fn version(store: &SharedStore, tenant: TenantId) -> Result<Option<u64>, StoreError> {
    Ok(store.get(name(tenant)).await?.map(|record| record.version))
}

/// What an intention says; none when it cannot be read.
pub(crate) fn read(record: &Record) -> Option<Intention> {
    serde_json::from_slice(&record.body).ok()
}

/// Takes an intention back, unless it was written anew meanwhile: then once more, later.
pub(crate) async fn take_back(store: &SharedStore, tenant: TenantId, version: u64) -> Result<(), StoreError> {
    match store.delete(name(tenant), version).await {
        Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn name(tenant: TenantId) -> RecordName {
    RecordName { scope: Scope::Node, kind: KIND, id: tenant.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stricter_policy_makes_anything_due_sooner() {
        for (new, old, sooner) in
            [(72, 72, false), (1, 72, true), (72, 1, false), (0, 72, false), (72, 0, true), (0, 0, false)]
        {
            let policy = |hours| FloorPolicy { close_after_hours: hours, ..FloorPolicy::default() };
            assert_eq!(is_sooner(&policy(new), &policy(old)), sooner, "{old} to {new} hours");
        }
    }
}
