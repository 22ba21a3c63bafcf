//! How tenants stand in the store: the one place that knows these records, for the actors and for the edge.
//! Invariant: one compare-and-set on a tenant's record changes its keys, its plan and whether it is served at all.

use engine_store::{RecordName, Records, Scope, StoreError};
use schema::wire::PlanView;
use schema::{DEFAULT_PLAN, Plan, Profile, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::key::{Generation, KeyId};
use crate::record_body;

/// What is known of a tenant besides its profile, as stored. Made by [`TenantRecord::new`], changed by
/// whoever administers tenants, read by everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRecord {
    /// The format of this body.
    pub format: u32,
    /// The tenant's own id, which is its record's too.
    pub id: TenantId,
    /// Its name, unique in the installation.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether its keys and tokens are refused.
    pub disabled: bool,
    /// Its valid API keys: any other opens nothing, whatever else is stored of it.
    pub keys: Vec<KeyId>,
    /// Its plan's name.
    #[serde(default = "default_plan")]
    pub plan: String,
    /// Another one with each replacement of its keys: what one generation has made ends with it.
    #[serde(default)]
    pub generation: Generation,
    /// Keys that were replaced because they were not to be trusted any more, the newest last: no start takes
    /// one of them from the configuration.
    #[serde(default)]
    pub retired: Vec<KeyId>,
}

/// The plan of tenants that were made before there were plans.
fn default_plan() -> String {
    DEFAULT_PLAN.into()
}

impl TenantRecord {
    const FORMAT: u32 = 1;
    /// The kind of these records.
    pub const KIND: &str = "tenant";
    /// Retired keys that are remembered.
    const RETIRED_MAX: usize = 32;

    /// A tenant without keys, on the default plan.
    #[must_use]
    pub fn new(id: TenantId, name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            format: Self::FORMAT,
            id,
            name: name.into(),
            created_at,
            disabled: false,
            keys: Vec::new(),
            plan: default_plan(),
            generation: Generation::default(),
            retired: Vec::new(),
        }
    }

    /// Remembers its keys as not to be trusted any more.
    pub fn retire_keys(&mut self) {
        self.retired.extend(self.keys.iter().copied());
        let surplus = self.retired.len().saturating_sub(Self::RETIRED_MAX);
        self.retired.drain(..surplus);
    }

    /// Where the record stands.
    #[must_use]
    pub fn record_name(id: TenantId) -> RecordName {
        RecordName { scope: Scope::Node, kind: Self::KIND, id: id.to_string() }
    }

    /// A tenant's record and its version, if there is such a tenant.
    ///
    /// # Errors
    /// The store's.
    pub async fn load<R: Records + ?Sized>(records: &R, id: TenantId) -> Result<Option<(u64, Self)>, StoreError> {
        record_body::load(records, Self::record_name(id)).await
    }

    /// Writes the record over the version it was made from; 0 makes the tenant.
    ///
    /// # Errors
    /// The store's; [`StoreError::Conflict`] when the record is at another version.
    pub async fn save<R: Records + ?Sized>(&self, records: &R, expected: u64) -> Result<u64, StoreError> {
        record_body::save(records, Self::record_name(self.id), expected, self).await
    }

    /// So many tenants after the one with this id, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_after<R: Records + ?Sized>(
        records: &R,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let page = records.scan(Scope::Node, Self::KIND, after.map(|id| id.to_string()), limit).await?;
        page.iter().map(|record| Ok(record_body::read(Self::KIND, record)?.1)).collect()
    }
}

/// A tenant's profile in the store: a record of its own, because the tenant itself may change it.
pub struct ProfileRecord;

impl ProfileRecord {
    /// The kind of these records.
    pub const KIND: &str = "profile";

    /// Where a tenant's profile stands.
    #[must_use]
    pub fn record_name(id: TenantId) -> RecordName {
        RecordName { scope: Scope::Tenant(id), kind: Self::KIND, id: Self::KIND.into() }
    }

    /// A tenant's profile and its version, if one was written.
    ///
    /// # Errors
    /// The store's.
    pub async fn load<R: Records + ?Sized>(records: &R, id: TenantId) -> Result<Option<(u64, Profile)>, StoreError> {
        record_body::load(records, Self::record_name(id)).await
    }

    /// Writes a profile over the version it was made from; gives the new one.
    ///
    /// # Errors
    /// The store's; [`StoreError::Conflict`] when it is at another version.
    pub async fn save<R: Records + ?Sized>(
        records: &R,
        id: TenantId,
        expected: u64,
        profile: &Profile,
    ) -> Result<u64, StoreError> {
        record_body::save(records, Self::record_name(id), expected, profile).await
    }
}

/// A plan, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// The format of this body: [`PlanRecord::FORMAT`] where this program wrote it.
    pub format: u32,
    /// The limits of every tenant that is on it.
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

/// A tenant's record, profile and plan; version 0 is the profile or plan nobody has written yet.
pub(super) async fn load<R: Records + ?Sized>(
    records: &R,
    id: TenantId,
) -> Result<(TenantRecord, u64, Profile, PlanView), StoreError> {
    let (_, tenant) = TenantRecord::load(records, id).await?.ok_or(StoreError::NotFound)?;
    let (version, profile) = ProfileRecord::load(records, id).await?.unwrap_or_default();
    let plan = match record_body::load(records, PlanRecord::record_name(&tenant.plan)).await? {
        Some((version, PlanRecord { plan, .. })) => PlanView { name: tenant.plan.clone(), version, plan },
        None => PlanView { name: tenant.plan.clone(), ..PlanView::default() },
    };
    Ok((tenant, version, profile, plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a node of version 0.1.0 has written it.
    const STORED: &str = r#"{"format":1,"id":"ten_0192b1a0c0de7000800000000000abcd","name":"demo","created_at":"2026-11-28T09:30:00.000Z","disabled":false,"keys":["00112233445566778899aabbccddeeff"],"plan":"pro","generation":3,"retired":["ffeeddccbbaa99887766554433221100"]}"#;

    #[test]
    fn what_is_stored_today_is_read_and_written_as_it_was() {
        let record: TenantRecord = serde_json::from_str(STORED).unwrap();
        assert_eq!((record.name.as_str(), record.plan.as_str(), record.disabled), ("demo", "pro", false));
        assert_eq!(record.keys[0].to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(record.generation, serde_json::from_str("3").unwrap());
        assert_eq!(serde_json::to_string(&record).unwrap(), STORED);
    }

    #[test]
    fn a_generation_is_read_as_it_was_written_and_is_none_that_was_counted() {
        for random in [0, 1, 3, u64::MAX >> 1, u64::MAX] {
            let generation = Generation::of(random);
            let written = serde_json::to_string(&generation).unwrap();
            assert_eq!(serde_json::from_str::<Generation>(&written).unwrap(), generation, "{written}");
            for counted in [0, 1, 3, 1_000_000] {
                assert_ne!(generation, serde_json::from_value(counted.into()).unwrap(), "{random}");
            }
        }
    }

    #[test]
    fn what_was_stored_before_plans_and_generations_is_read_too() {
        let all: serde_json::Value = serde_json::from_str(STORED).unwrap();
        for gone in [&["plan"][..], &["generation", "retired"], &["plan", "generation", "retired"]] {
            let mut older = all.clone();
            gone.iter().for_each(|field| drop(older.as_object_mut().unwrap().remove(*field)));
            let read: TenantRecord = serde_json::from_value(older).unwrap();
            assert_eq!(read.plan, if gone.contains(&"plan") { DEFAULT_PLAN } else { "pro" });
            assert_eq!(read.retired.is_empty(), gone.contains(&"retired"));
        }
    }

    #[test]
    fn keys_that_are_not_names_and_records_that_name_no_keys_are_refused() {
        for (from, to) in [
            ("00112233445566778899aabbccddeeff", "00112233"),
            ("00112233445566778899aabbccddeeff", "+0112233445566778899aabbccddeeff"),
            ("\"keys\":[\"00112233445566778899aabbccddeeff\"],", ""),
            ("\"disabled\":false,", ""),
        ] {
            assert!(serde_json::from_str::<TenantRecord>(&STORED.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn only_the_newest_of_the_retired_keys_are_remembered() {
        let mut record = TenantRecord::new(TenantId::generate(), "acme", Timestamp::default());
        for n in 0..TenantRecord::RETIRED_MAX as u8 + 3 {
            record.keys = vec![KeyId::of(&[n; 32])];
            record.retire_keys();
        }
        assert_eq!(record.retired.len(), TenantRecord::RETIRED_MAX);
        assert_eq!(record.retired[0], KeyId::of(&[3; 32]));
    }
}
