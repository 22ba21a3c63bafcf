//! How tenants and API keys are stored. Invariant: a key is valid while its tenant's record names
//! it; so one compare-and-set on that record changes keys, and left-over key records open nothing.

use std::fmt;

use engine::store::{Record, RecordName, Records, Scope, StoreError};
use schema::{Contact, DEFAULT_PLAN, TenantId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::AuthError;
use super::principal::{Kind, MadeBy, Visitor};

/// The format of the bodies below.
pub(super) const FORMAT: u32 = 1;

const TENANT: &str = "tenant";
const TENANT_NAME: &str = "tenant_name";
const API_KEY: &str = "api_key";
const PROFILE: &str = "profile";
/// See [`super::logouts`].
pub(super) const LOGOUT: &str = "logout";
/// Records read at once in a listing.
const PAGE: usize = 100;

/// A tenant, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantBody {
    /// Of this body.
    pub format: u32,
    /// The tenant.
    pub id: TenantId,
    /// Its name, unique in the installation.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether its keys and tokens are refused.
    pub disabled: bool,
    /// Its valid API keys.
    pub keys: Vec<KeyId>,
    /// Its plan's name.
    #[serde(default = "default_plan")]
    pub plan: String,
    /// Counts how often they were replaced: what one generation has made ends with it.
    #[serde(default)]
    pub generation: Generation,
    /// Keys that were replaced because they were not to be trusted any more, the newest last: no start takes
    /// one of them from the configuration.
    #[serde(default)]
    pub retired: Vec<KeyId>,
}

impl TenantBody {
    /// Retired keys that are remembered.
    const RETIRED_MAX: usize = 32;

    /// Remembers its keys as not to be trusted any more.
    pub(super) fn retire_keys(&mut self) {
        self.retired.extend(self.keys.iter().copied());
        let surplus = self.retired.len().saturating_sub(Self::RETIRED_MAX);
        self.retired.drain(..surplus);
    }
}

/// The plan of tenants that were made before there were plans.
fn default_plan() -> String {
    DEFAULT_PLAN.into()
}

/// A tenant's API keys from one replacement to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The one that takes its place.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl TenantBody {
    /// Whether somebody of this tenant may still do what they were let in for.
    ///
    /// # Errors
    /// [`AuthError::Disabled`]; [`AuthError::Unauthorized`] for a key that was taken away,
    /// [`AuthError::Rotated`] for a token that such a key has made.
    pub fn admits(&self, kind: &Kind) -> Result<(), AuthError> {
        match kind {
            Kind::ApiKey { key, .. } if !self.keys.contains(key) => Err(AuthError::Unauthorized),
            _ if self.disabled => Err(AuthError::Disabled),
            Kind::Visitor(Visitor { by: MadeBy::Key(generation), .. }) if *generation != self.generation => {
                Err(AuthError::Rotated)
            }
            _ => Ok(()),
        }
    }
}

/// An API key, as stored: enough to recognise it, not enough to use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeyBody {
    pub(super) format: u32,
    pub(super) tenant: TenantId,
    /// HMAC-SHA-256 under the node's pepper, in hexadecimal.
    pub(super) digest: String,
    /// What people may know a key by.
    pub(super) last4: String,
    pub(super) created_at: Timestamp,
}

/// The name of an API key: the first half of its keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// The name of the key with this keyed hash.
    pub(super) fn of(digest: &[u8; 32]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let mut id = [0; 16];
        let read = hex::decode_to_slice(text.as_bytes(), &mut id);
        read.map(|()| Self(id)).map_err(|_| serde::de::Error::custom("a key's name has 32 hexadecimal digits"))
    }
}

pub(super) fn tenant_name(id: TenantId) -> RecordName {
    RecordName { scope: Scope::Node, kind: TENANT, id: id.to_string() }
}

/// The record that keeps a tenant's name its own; its body is the tenant's id.
pub(super) fn name_name(name: &str) -> RecordName {
    RecordName { scope: Scope::Node, kind: TENANT_NAME, id: name.into() }
}

pub(super) fn key_name(id: KeyId) -> RecordName {
    RecordName { scope: Scope::Node, kind: API_KEY, id: id.to_string() }
}

/// The record of a contact that was logged out; its id is the contact.
pub(super) fn logout_name(tenant: TenantId, contact: &Contact) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: LOGOUT, id: contact.as_str().into() }
}

pub(super) fn profile_name(id: TenantId) -> RecordName {
    RecordName { scope: Scope::Tenant(id), kind: PROFILE, id: PROFILE.into() }
}

/// A body and its version, if the record exists.
pub(super) async fn load<T: DeserializeOwned>(
    records: &dyn Records,
    name: RecordName,
) -> Result<Option<(u64, T)>, StoreError> {
    let kind = name.kind;
    records.get(name).await?.map(|record| read(kind, &record)).transpose()
}

/// Writes a body over the version it was made from; gives the new version.
pub(super) async fn save<T: Serialize>(
    records: &dyn Records,
    name: RecordName,
    expected: u64,
    body: &T,
) -> Result<u64, StoreError> {
    let body = serde_json::to_vec(body).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    records.put(name, expected, body).await
}

/// Every tenant, oldest first.
pub(super) async fn all_tenants(records: &dyn Records) -> Result<Vec<TenantBody>, StoreError> {
    let mut tenants: Vec<TenantBody> = Vec::new();
    loop {
        let after = tenants.last().map(|last| last.id.to_string());
        let page = tenants_after(records, after, PAGE).await?;
        let full = page.len() == PAGE;
        tenants.extend(page);
        if !full {
            return Ok(tenants);
        }
    }
}

/// So many tenants after the one with this id, oldest first.
pub(super) async fn tenants_after(
    records: &dyn Records,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<TenantBody>, StoreError> {
    let page = records.scan(Scope::Node, TENANT, after, limit).await?;
    page.iter().map(|record| Ok(read(TENANT, record)?.1)).collect()
}

pub(super) fn read<T: DeserializeOwned>(kind: &str, record: &Record) -> Result<(u64, T), StoreError> {
    match serde_json::from_slice(&record.body) {
        Ok(body) => Ok((record.version, body)),
        Err(error) => Err(StoreError::Corrupt(format!("a record of kind {kind}: {error}"))),
    }
}
