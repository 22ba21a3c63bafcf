//! How tenants stand in the store.

use engine::store::{RecordName, Records, Scope, StoreError};
use schema::{Profile, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// What is known of a tenant besides its profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRecord {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether its keys and tokens are refused.
    #[serde(default)]
    pub disabled: bool,
}

impl TenantRecord {
    /// Where the record stands.
    #[must_use]
    pub fn record_name(id: TenantId) -> RecordName {
        RecordName { scope: Scope::Node, kind: "tenant", id: id.to_string() }
    }

    /// Where the tenant's profile stands.
    #[must_use]
    pub fn profile_name(id: TenantId) -> RecordName {
        RecordName { scope: Scope::Tenant(id), kind: "profile", id: "profile".into() }
    }
}

/// A tenant's record and profile; version 0 is the profile nobody has written yet.
pub(super) async fn load<R: Records + ?Sized>(
    store: &R,
    id: TenantId,
) -> Result<(TenantRecord, u64, Profile), StoreError> {
    let record = store.get(TenantRecord::record_name(id)).await?.ok_or(StoreError::NotFound)?;
    let tenant = read(&record.body)?;
    match store.get(TenantRecord::profile_name(id)).await? {
        Some(record) => Ok((tenant, record.version, read(&record.body)?)),
        None => Ok((tenant, 0, Profile::default())),
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt(error.to_string()))
}
