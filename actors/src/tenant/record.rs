//! How tenants stand in the store.

use engine_store::{RecordName, Records, Scope, StoreError};
use schema::wire::PlanView;
use schema::{DEFAULT_PLAN, Plan, Profile, TenantId, Timestamp};
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
    /// Its plan's name.
    #[serde(default = "default_plan")]
    pub plan: String,
}

/// A plan, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// Of this body.
    pub format: u32,
    /// What it says.
    pub plan: Plan,
}

impl PlanRecord {
    /// The format of the body above.
    pub const FORMAT: u32 = 1;
    /// The kind of these records.
    pub const KIND: &str = "plan";

    /// Where the record of a plan stands.
    #[must_use]
    pub fn record_name(plan: &str) -> RecordName {
        RecordName { scope: Scope::Node, kind: Self::KIND, id: plan.into() }
    }
}

fn default_plan() -> String {
    DEFAULT_PLAN.into()
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

/// A tenant's record, profile and plan; version 0 is the profile or plan nobody has written yet.
pub(super) async fn load<R: Records + ?Sized>(
    store: &R,
    id: TenantId,
) -> Result<(TenantRecord, u64, Profile, PlanView), StoreError> {
    let record = store.get(TenantRecord::record_name(id)).await?.ok_or(StoreError::NotFound)?;
    let tenant: TenantRecord = read(&record.body)?;
    let (version, profile) = match store.get(TenantRecord::profile_name(id)).await? {
        Some(record) => (record.version, read(&record.body)?),
        None => (0, Profile::default()),
    };
    let plan = match store.get(PlanRecord::record_name(&tenant.plan)).await? {
        Some(record) => PlanView {
            name: tenant.plan.clone(),
            version: record.version,
            plan: read::<PlanRecord>(&record.body)?.plan,
        },
        None => PlanView { name: tenant.plan.clone(), ..PlanView::default() },
    };
    Ok((tenant, version, profile, plan))
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt(error.to_string()))
}
