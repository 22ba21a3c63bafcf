//! Tenants: made, listed, disabled, given new keys and new profiles, each by compare-and-set.

use std::path::PathBuf;
use std::sync::Arc;

use actors::{Generation, ProfileRecord, TenantRecord, record_body};
use engine_store::{Records, StoreError};
use schema::wire::TenantView;
use schema::{DEFAULT_PLAN, Profile, TenantId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use super::error::TenantError;
use super::keys::ApiKeys;
use super::plans::Plans;
use super::records;
use crate::private_file;
use crate::secret::generate_api_key;

/// The name of the tenant that is there from the first start.
pub const DEMO: &str = "demo";

/// Characters of a tenant's name.
const NAME_CHARS_MAX: usize = schema::limits::TENANT_NAME_CHARS_MAX;
/// A key of one's own making that is shorter than this can be guessed, in bytes.
const KEY_BYTES_STRONG: usize = 20;
/// Tenants read at once for a listing of all.
const PAGE: usize = 100;
/// Others may change the same tenant meanwhile; more often than this is a fault.
const ATTEMPTS_MAX: usize = 5;

/// The installation's tenants.
pub struct Tenants {
    records: Arc<dyn Records>,
    keys: Arc<ApiKeys>,
    plans: Plans,
    demo_file: PathBuf,
    /// The demo tenant's key where none is in its file; none: a random one.
    demo_key: Option<SecretString>,
}

/// Why a tenant's key changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The configuration names another one.
    Configured,
    /// The old one is not to be trusted any more.
    Rotated,
}

/// The demo tenant.
pub struct Demo {
    /// The demo tenant's id.
    pub tenant: TenantId,
    /// The API key that opens it now.
    pub key: SecretString,
    /// Whether it was made just now.
    pub created: bool,
}

impl Tenants {
    /// Tenants in `records`; the demo tenant's generated key is kept in `demo_file`.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, keys: Arc<ApiKeys>, demo_file: PathBuf) -> Self {
        let plans = Plans::new(Arc::clone(&records));
        Self { records, keys, plans, demo_file, demo_key: None }
    }

    /// The same with a first key for the demo tenant, which other nodes give it too.
    #[must_use]
    pub fn with_demo_key(self, demo_key: Option<SecretString>) -> Self {
        Self { demo_key, ..self }
    }

    /// Makes a tenant with the default plan, and its first key. What a crash left half made is finished by
    /// calling again.
    ///
    /// # Errors
    /// [`TenantError::NameTaken`], [`TenantError::Name`], [`TenantError::NameIsId`], or what the store says.
    pub async fn create(&self, name: &str, now: Timestamp) -> Result<(TenantRecord, SecretString), TenantError> {
        self.create_on(name, DEFAULT_PLAN, now).await
    }

    /// The same with another plan.
    ///
    /// # Errors
    /// As [`Tenants::create`], and [`TenantError::NoPlan`].
    pub async fn create_on(
        &self,
        name: &str,
        plan: &str,
        now: Timestamp,
    ) -> Result<(TenantRecord, SecretString), TenantError> {
        let plan = self.plans.find(plan).await?.name;
        let key = generate_api_key().map_err(TenantError::Random)?;
        let body = self.create_with(name, plan, key.expose_secret(), now).await?;
        Ok((body, key))
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<TenantView>, TenantError> {
        let mut views = Vec::new();
        let mut after = None;
        loop {
            let (page, next) = self.page(after, PAGE).await?;
            views.extend(page);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(views),
            }
        }
    }

    /// So many of them after one, oldest first, and which to go on after when there may be more.
    ///
    /// # Errors
    /// What the store says.
    pub async fn page(
        &self,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<(Vec<TenantView>, Option<TenantId>), TenantError> {
        let mut views = Vec::new();
        for body in TenantRecord::list_after(&*self.records, after, limit).await? {
            views.push(self.view_of(body).await?);
        }
        let next = if views.len() < limit { None } else { views.last().map(|view| view.id) };
        Ok((views, next))
    }

    /// The one with this name or id.
    ///
    /// # Errors
    /// [`TenantError::NotFound`], or what the store says.
    pub async fn find(&self, name_or_id: &str) -> Result<TenantRecord, TenantError> {
        let id = match name_or_id.parse() {
            Ok(id) => Some(id),
            Err(_) => self.named(name_or_id).await?,
        };
        Ok(self.load(id.ok_or(TenantError::NotFound)?).await?.1)
    }

    /// One of them, with its profile.
    ///
    /// # Errors
    /// [`TenantError::NotFound`], or what the store says.
    pub async fn view(&self, id: TenantId) -> Result<TenantView, TenantError> {
        let (_, body) = self.load(id).await?;
        self.view_of(body).await
    }

    /// Gives a tenant a new key. The old ones, and the tokens that they have made, open nothing from now
    /// on here, and within five seconds elsewhere. Whoever shares its sessions is to be told.
    ///
    /// # Errors
    /// [`TenantError::NotFound`], or what the store says.
    pub async fn rotate_key(&self, id: TenantId, now: Timestamp) -> Result<(TenantRecord, SecretString), TenantError> {
        let (_, body) = self.load(id).await?;
        let key = generate_api_key().map_err(TenantError::Random)?;
        if body.name == DEMO {
            // First the file: a crash in between leaves a key that the next start makes valid.
            self.keep_demo_key(&key).await?;
        }
        let body = self.set_key(id, key.expose_secret(), Why::Rotated, now).await?;
        Ok((body, key))
    }

    /// Refuses a tenant's keys and tokens, or takes them again.
    ///
    /// # Errors
    /// [`TenantError::NotFound`], or what the store says.
    pub async fn set_disabled(&self, id: TenantId, disabled: bool) -> Result<TenantView, TenantError> {
        let (_, body) = self.change(id, |body| body.disabled = disabled).await?;
        self.view_of(body).await
    }

    /// A tenant's profile and its version.
    ///
    /// # Errors
    /// [`TenantError::NotFound`], or what the store says.
    pub async fn profile(&self, id: TenantId) -> Result<(u64, Profile), TenantError> {
        ProfileRecord::load(&*self.records, id).await?.ok_or(TenantError::NotFound)
    }

    /// Gives a tenant another plan. What its profile asks for beyond that stays written there and does not
    /// hold.
    ///
    /// # Errors
    /// [`TenantError::NotFound`], [`TenantError::NoPlan`], or what the store says.
    pub async fn set_plan(&self, id: TenantId, plan: &str) -> Result<TenantView, TenantError> {
        let plan = self.plans.find(plan).await?.name;
        let (_, body) = self.change(id, |body| body.plan.clone_from(&plan)).await?;
        self.view_of(body).await
    }

    /// The plans that tenants have.
    #[must_use]
    pub const fn plans(&self) -> &Plans {
        &self.plans
    }

    /// The demo tenant, made at the first start. Its key is `api_key`, or else the one in its
    /// file, or else a new one, which goes into the file.
    ///
    /// # Errors
    /// [`TenantError::Key`] when `api_key` is another tenant's, [`TenantError::KeyFile`], or what
    /// the store says.
    pub async fn ensure_demo(&self, api_key: Option<&SecretString>, now: Timestamp) -> Result<Demo, TenantError> {
        let key = match api_key {
            Some(key) => {
                if key.expose_secret().len() < KEY_BYTES_STRONG {
                    warn!(
                        setting = "api_key",
                        bytes_recommended = KEY_BYTES_STRONG,
                        "the configured api_key is short enough to be guessed"
                    );
                }
                key.clone()
            }
            None => self.demo_key().await?,
        };
        let plain = key.expose_secret();
        match self.named(DEMO).await? {
            Some(tenant) if self.exists(tenant).await? => {
                if self.load(tenant).await?.1.retired.contains(&self.keys.id(plain)) {
                    if api_key.is_none() && self.demo_key.is_some() {
                        let file = self.demo_file.display();
                        warn!(%tenant, %file, "this key was replaced at another node: copy the file from there");
                        return Ok(Demo { tenant, key, created: false });
                    }
                    warn!(
                        %tenant,
                        setting = "api_key",
                        "the configured api_key was replaced by `tertulia tenant rotate-key` and opens nothing any more: \
                         take it out of the configuration"
                    );
                } else {
                    self.set_key(tenant, plain, Why::Configured, now).await?;
                }
                Ok(Demo { tenant, key, created: false })
            }
            _ => {
                let tenant = self.create_with(DEMO, DEFAULT_PLAN.into(), plain, now).await?.id;
                Ok(Demo { tenant, key, created: true })
            }
        }
    }

    async fn create_with(
        &self,
        name: &str,
        plan: String,
        key: &str,
        now: Timestamp,
    ) -> Result<TenantRecord, TenantError> {
        let name = &schema::visible(name, NAME_CHARS_MAX).map_err(TenantError::Name)?;
        if name.starts_with(TenantId::PREFIX) {
            return Err(TenantError::NameIsId);
        }
        let id = self.reserve(name).await?;
        match ProfileRecord::save(&*self.records, id, 0, &Profile::default()).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        // The name may have been reserved for a tenant that was lost with newer data: what its keys made stays dead.
        let generation = new_generation()?;
        let keys = vec![self.keys.add(id, key, now).await?];
        let body = TenantRecord { keys, plan, generation, ..TenantRecord::new(id, name, now) };
        match body.save(&*self.records, 0).await {
            Ok(_) => Ok(body),
            Err(StoreError::Conflict { .. }) => Err(TenantError::NameTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// The id for a new tenant of this name: reserved now, or by an attempt that did not finish.
    async fn reserve(&self, name: &str) -> Result<TenantId, TenantError> {
        let id = TenantId::generate();
        match record_body::save(&*self.records, records::reserved(name), 0, &id).await {
            Ok(_) => Ok(id),
            Err(StoreError::Conflict { .. }) => match self.named(name).await? {
                Some(id) if !self.exists(id).await? => Ok(id),
                _ => Err(TenantError::NameTaken),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Makes this the tenant's only key.
    async fn set_key(&self, id: TenantId, key: &str, why: Why, now: Timestamp) -> Result<TenantRecord, TenantError> {
        let generation = new_generation()?;
        let new = self.keys.add(id, key, now).await?;
        let replace = |body: &mut TenantRecord| {
            if body.keys != [new] {
                if why == Why::Rotated {
                    body.retire_keys();
                }
                body.keys = vec![new];
                body.generation = generation;
            }
        };
        let (old, body) = self.change(id, replace).await?;
        for old in old.keys.into_iter().filter(|old| *old != new) {
            // It is no longer named by its tenant, so it is dead already; this tidies up.
            if let Err(error) = self.keys.remove(old).await {
                warn!(tenant = %id, key = %old, %error, "an old key's record is left over");
            }
        }
        Ok(body)
    }

    /// Changes a tenant's record, however often others do meanwhile; gives it before and after.
    async fn change(
        &self,
        id: TenantId,
        change: impl Fn(&mut TenantRecord),
    ) -> Result<(TenantRecord, TenantRecord), TenantError> {
        for _ in 0..ATTEMPTS_MAX {
            let (version, before) = self.load(id).await?;
            let mut after = before.clone();
            change(&mut after);
            if after == before {
                return Ok((before, after));
            }
            match after.save(&*self.records, version).await {
                Ok(_) => {
                    self.keys.forget(id);
                    return Ok((before, after));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn load(&self, id: TenantId) -> Result<(u64, TenantRecord), TenantError> {
        TenantRecord::load(&*self.records, id).await?.ok_or(TenantError::NotFound)
    }

    async fn exists(&self, id: TenantId) -> Result<bool, TenantError> {
        Ok(self.records.get(TenantRecord::record_name(id)).await?.is_some())
    }

    async fn named(&self, name: &str) -> Result<Option<TenantId>, TenantError> {
        Ok(record_body::load(&*self.records, records::reserved(name)).await?.map(|(_, id)| id))
    }

    async fn view_of(&self, body: TenantRecord) -> Result<TenantView, TenantError> {
        let (version, profile) = self.profile(body.id).await?;
        let plan = self.plans.find(&body.plan).await?;
        Ok(TenantView {
            id: body.id,
            name: body.name,
            version,
            disabled: body.disabled,
            profile,
            plan,
            public_url: None,
        })
    }

    async fn demo_key(&self) -> Result<SecretString, TenantError> {
        if let Some(key) = private_file::read_line(&self.demo_file).map_err(TenantError::KeyFile)? {
            return Ok(key);
        }
        let key = match &self.demo_key {
            Some(key) => key.clone(),
            None => generate_api_key().map_err(TenantError::Random)?,
        };
        self.keep_demo_key(&key).await?;
        Ok(key)
    }

    async fn keep_demo_key(&self, key: &SecretString) -> Result<(), TenantError> {
        let (file, key) = (self.demo_file.clone(), key.clone());
        let written = tokio::task::spawn_blocking(move || private_file::write_line(&file, &key)).await;
        written.map_err(std::io::Error::other).and_then(|written| written).map_err(TenantError::KeyFile)
    }
}

fn new_generation() -> Result<Generation, TenantError> {
    getrandom::u64().map(Generation::of).map_err(|error| TenantError::Random(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests;
