//! API keys: found by keyed hash, compared in constant time, remembered for a moment.
//! Invariant: a key that was taken away opens nothing any more here, and nothing
//! [`actors::REMEMBERED_FOR`] later on any other node.

use std::sync::Arc;

use actors::{KeyId, Memory, TenantRecord, record_body};
use engine_store::{Records, StoreError};
use schema::limits::{API_KEY_BYTES_MAX, API_KEY_BYTES_MIN};
use schema::{TenantId, Timestamp};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::error::{AuthError, TenantError};
use super::principal::{Holder, Kind};
use super::records::{self, FORMAT, KeyBody};
use super::standing::admits;
use crate::secret::{self, Key};

/// The installation's API keys.
pub struct ApiKeys {
    records: Arc<dyn Records>,
    pepper: Key,
    owners: Memory<[u8; 32], TenantId>,
    tenants: Memory<TenantId, Arc<TenantRecord>>,
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
    pub async fn check(&self, presented: &str, now: Timestamp) -> Result<Holder, AuthError> {
        if presented.len() > API_KEY_BYTES_MAX || secret::mistyped(presented) {
            return Err(AuthError::Unauthorized);
        }
        let digest = *self.digest(presented).expose_secret();
        let key = KeyId::of(&digest);
        let tenant = match self.owners.get(&digest, now) {
            Some(tenant) => tenant,
            None => {
                let look = self.owners.look();
                let tenant = self.owner(&digest).await?.ok_or(AuthError::Unauthorized)?;
                self.owners.put(digest, tenant, now, look);
                tenant
            }
        };
        let body = self.tenant(tenant, now).await?.ok_or(AuthError::Unauthorized)?;
        let kind = Kind::ApiKey { key, generation: body.generation };
        admits(&body, &kind)?;
        Ok(Holder { tenant, kind })
    }

    /// Stores a key for a tenant; it opens nothing until the tenant's record names it. Storing it
    /// again is fine.
    pub(super) async fn add(&self, tenant: TenantId, key: &str, now: Timestamp) -> Result<KeyId, TenantError> {
        if !(API_KEY_BYTES_MIN..=API_KEY_BYTES_MAX).contains(&key.len()) || secret::mistyped(key) {
            return Err(TenantError::Key);
        }
        let digest = *self.digest(key).expose_secret();
        let id = KeyId::of(&digest);
        let last4 = key.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        let body = KeyBody { format: FORMAT, tenant, digest: hex::encode(digest), last4, created_at: now };
        match record_body::save(&*self.records, records::api_key(id), 0, &body).await {
            Ok(_) => Ok(id),
            Err(StoreError::Conflict { .. }) if self.owner(&digest).await? == Some(tenant) => Ok(id),
            Err(StoreError::Conflict { .. }) => Err(TenantError::Key),
            Err(error) => Err(error.into()),
        }
    }

    /// The name that a key has, whether anybody has it or not.
    pub(super) fn id(&self, key: &str) -> KeyId {
        KeyId::of(self.digest(key).expose_secret())
    }

    /// Removes a key's record; its tenant's record no longer names it.
    pub(super) async fn remove(&self, id: KeyId) -> Result<(), StoreError> {
        let name = records::api_key(id);
        match self.records.get(name.clone()).await? {
            Some(record) => self.records.delete(name, record.version).await,
            None => Ok(()),
        }
    }

    /// A tenant was changed: what is remembered of it no longer holds.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.tenants.forget(&tenant);
    }

    fn digest(&self, key: &str) -> Key {
        secret::mac(&self.pepper, key.as_bytes())
    }

    async fn owner(&self, digest: &[u8; 32]) -> Result<Option<TenantId>, StoreError> {
        let name = records::api_key(KeyId::of(digest));
        let Some((_, body)) = record_body::load::<KeyBody, _>(&*self.records, name).await? else { return Ok(None) };
        let mut stored = [0; 32];
        hex::decode_to_slice(&body.digest, &mut stored)
            .map_err(|_| StoreError::Corrupt("an API key's digest is not one".into()))?;
        Ok(bool::from(stored.ct_eq(digest)).then_some(body.tenant))
    }

    /// A tenant as it stands; none when there is none.
    ///
    /// # Errors
    /// What the store says.
    pub async fn tenant(&self, id: TenantId, now: Timestamp) -> Result<Option<Arc<TenantRecord>>, StoreError> {
        if let Some(body) = self.tenants.get(&id, now) {
            return Ok(Some(body));
        }
        let look = self.tenants.look();
        let found = TenantRecord::load(&*self.records, id).await?;
        Ok(found.map(|(_, body)| {
            let body = Arc::new(body);
            self.tenants.put(id, body.clone(), now, look);
            body
        }))
    }
}
