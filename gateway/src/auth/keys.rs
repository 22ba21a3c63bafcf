//! API keys: found by keyed hash, compared in constant time, remembered for a moment.
//! Invariant: a key that was taken away opens nothing [`REMEMBERED_FOR`] later, on any node.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::store::{Records, StoreError};
use schema::{TenantId, Timestamp};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::error::{AuthError, TenantError};
use super::principal::{Kind, Principal};
use super::records::{self, FORMAT, KeyBody, KeyId, TenantBody};
use super::secret::{self, Key};

/// How long what the store says about keys and tenants is believed.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Entries of each memory; when it is full it starts anew.
const REMEMBERED_MAX: usize = 4_096;
/// No key is longer, in bytes; a longer one is not even hashed.
const KEY_BYTES_MAX: usize = 256;
/// Shorter keys of one's own making are refused, in bytes.
const KEY_BYTES_MIN: usize = 8;

/// The installation's API keys.
pub struct ApiKeys {
    records: Arc<dyn Records>,
    pepper: Key,
    owners: Memory<[u8; 32], TenantId>,
    tenants: Memory<TenantId, Arc<TenantBody>>,
}

impl ApiKeys {
    /// Keys in `records`, hashed under `pepper`.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, pepper: Key) -> Self {
        Self { records, pepper, owners: Memory::default(), tenants: Memory::default() }
    }

    /// Who shows this key.
    ///
    /// # Errors
    /// [`AuthError::Unauthorized`] for a key that is none, [`AuthError::Disabled`] for a tenant
    /// that is disabled, or what the store says.
    pub async fn check(&self, presented: &str, now: Timestamp) -> Result<Principal, AuthError> {
        if presented.len() > KEY_BYTES_MAX || secret::mistyped(presented) {
            return Err(AuthError::Unauthorized);
        }
        let digest = *self.digest(presented).expose_secret();
        let key = KeyId::of(&digest);
        let tenant = match self.owners.get(&digest, now) {
            Some(tenant) => tenant,
            None => {
                let tenant = self.owner(&digest).await?.ok_or(AuthError::Unauthorized)?;
                self.owners.put(digest, tenant, now);
                tenant
            }
        };
        let body = self.tenant(tenant, now).await?.ok_or(AuthError::Unauthorized)?;
        if !body.keys.contains(&key) {
            return Err(AuthError::Unauthorized);
        }
        if body.disabled { Err(AuthError::Disabled) } else { Ok(Principal { tenant, kind: Kind::ApiKey { key } }) }
    }

    /// Whether a tenant is there and not disabled: what holds for its visitors.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn check_tenant(&self, tenant: TenantId, now: Timestamp) -> Result<(), AuthError> {
        match self.tenant(tenant, now).await? {
            None => Err(AuthError::Unauthorized),
            Some(body) if body.disabled => Err(AuthError::Disabled),
            Some(_) => Ok(()),
        }
    }

    /// Stores a key for a tenant; it opens nothing until the tenant's record names it. Storing it
    /// again is fine.
    pub(super) async fn add(&self, tenant: TenantId, key: &str, now: Timestamp) -> Result<KeyId, TenantError> {
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) || secret::mistyped(key) {
            return Err(TenantError::Key);
        }
        let digest = *self.digest(key).expose_secret();
        let id = KeyId::of(&digest);
        let last4 = key.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        let body = KeyBody { format: FORMAT, tenant, digest: records::hex(&digest), last4, created_at: now };
        match records::save(&*self.records, records::key_name(id), 0, &body).await {
            Ok(_) => Ok(id),
            Err(StoreError::Conflict { .. }) if self.owner(&digest).await? == Some(tenant) => Ok(id),
            Err(StoreError::Conflict { .. }) => Err(TenantError::Key),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a key's record; its tenant's record no longer names it.
    pub(super) async fn remove(&self, id: KeyId) -> Result<(), StoreError> {
        let name = records::key_name(id);
        match self.records.get(name.clone()).await? {
            Some(record) => self.records.delete(name, record.version).await,
            None => Ok(()),
        }
    }

    /// A tenant was changed on this node: what is remembered of it no longer holds.
    pub(super) fn forget(&self, tenant: TenantId) {
        self.tenants.remove(&tenant);
    }

    fn digest(&self, key: &str) -> Key {
        secret::mac(&self.pepper, key.as_bytes())
    }

    async fn owner(&self, digest: &[u8; 32]) -> Result<Option<TenantId>, StoreError> {
        let name = records::key_name(KeyId::of(digest));
        let Some((_, body)) = records::load::<KeyBody>(&*self.records, name).await? else { return Ok(None) };
        let stored: [u8; 32] =
            records::unhex(&body.digest).ok_or_else(|| StoreError::Corrupt("an API key's digest is not one".into()))?;
        Ok(bool::from(stored.ct_eq(digest)).then_some(body.tenant))
    }

    async fn tenant(&self, id: TenantId, now: Timestamp) -> Result<Option<Arc<TenantBody>>, StoreError> {
        if let Some(body) = self.tenants.get(&id, now) {
            return Ok(Some(body));
        }
        let found = records::load::<TenantBody>(&*self.records, records::tenant_name(id)).await?;
        Ok(found.map(|(_, body)| {
            let body = Arc::new(body);
            self.tenants.put(id, body.clone(), now);
            body
        }))
    }
}

/// What was read lately. Only what was found: nobody fills it by guessing.
struct Memory<K, V> {
    entries: Mutex<HashMap<K, (Timestamp, V)>>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not keep an entry alive.
        let fresh = |read_at: Timestamp| read_at <= now && now.since(read_at) < REMEMBERED_FOR;
        entries.get(key).filter(|(read_at, _)| fresh(*read_at)).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= REMEMBERED_MAX && !entries.contains_key(&key) {
            entries.clear();
        }
        entries.insert(key, (now, value));
    }

    fn remove(&self, key: &K) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_short_and_small() {
        let memory = Memory::<usize, usize>::default();
        let at = Timestamp::from_millis;
        memory.put(1, 10, at(100_000));
        for (now, found) in [(100_000, true), (104_999, true), (105_000, false), (99_999, false)] {
            assert_eq!(memory.get(&1, at(now)).is_some(), found, "{now}");
        }
        for key in 0..3 * REMEMBERED_MAX {
            memory.put(key, key, at(0));
        }
        assert!(memory.entries.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
