//! The data directory itself, while no node runs. It is locked for as long as this lives.

use std::path::Path;
use std::sync::Arc;

use actors::{Clock, SystemClock, TenantRecord};
use bytes::Bytes;
use engine_config::Config;
use engine_documents::Reader;
use engine_knowledge::Knowledge;
use engine_privacy::FileKeys;
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use futures_util::FutureExt;
use schema::wire::{DocumentView, JobView, KeyMade, Learned, PlanPut, PlanView, SiteIn, TenantView};
use schema::{JobId, TenantId};
use secrecy::{ExposeSecret, SecretString};

use super::backend::{Answer, Backend};
use super::error::CliError;
use crate::auth::{ApiKeys, Tenants};
use crate::datadir::DataDir;
use crate::error::ApiError;
use crate::learning::{Learning, LearningError};

/// The data directory of a configuration that names none, as `default.toml` has it.
const DATA_DEFAULT: &str = "./data";

/// Store, tenants and documents, without a node around them.
pub(super) struct Offline {
    tenants: Tenants,
    knowledge: Knowledge,
    learning: Learning,
    /// Whose documents are learned.
    tenant: Option<TenantId>,
    clock: SystemClock,
    _data: DataDir,
}

impl Offline {
    /// For the demo tenant's documents, or those of the tenant whose key is configured.
    pub(super) async fn for_tenant(config: &Config, private: bool) -> Result<Self, CliError> {
        // What is learned before the first start waits for it there.
        let mut offline =
            Self::open(DataDir::open_beside(&config.data, config.store.keys.as_deref())?, config, private)?;
        let demo = offline.tenants.ensure_demo(config.api_key.as_ref(), offline.clock.now()).await?;
        offline.tenant = Some(demo.tenant);
        Ok(offline)
    }

    /// For tenants.
    #[allow(clippy::unused_async, reason = "the same shape as for a tenant")]
    pub(super) async fn for_operator(config: &Config) -> Result<Self, CliError> {
        // Where no directory was named the command may stand in the wrong one.
        let named = config.data != Path::new(DATA_DEFAULT);
        let data = if named {
            DataDir::open_beside(&config.data, config.store.keys.as_deref())?
        } else {
            DataDir::existing(&config.data)?
        };
        Self::open(data, config, false)
    }

    fn open(data: DataDir, config: &Config, private: bool) -> Result<Self, CliError> {
        let store = Arc::new(open_store(&data, config)?);
        let keys = Arc::new(ApiKeys::new(store.clone(), data.pepper()));
        let tenants = Tenants::new(store.clone(), keys, data.demo_file());
        let knowledge = Knowledge::open(data.path(), store.clone());
        let (reader, private) = (Reader::new(None), private || config.learning.private_hosts);
        let learning = Learning::new(knowledge.clone(), store, reader, Arc::new(SystemClock), private);
        Ok(Self { tenants, knowledge, learning, tenant: None, clock: SystemClock, _data: data })
    }

    fn tenant(&self) -> Result<TenantId, CliError> {
        self.tenant.ok_or_else(|| CliError::Failed("no tenant to learn for".into()))
    }
}

/// The store of a data directory that is locked for this command.
pub(super) fn open_store(data: &DataDir, config: &Config) -> Result<SqliteStore, CliError> {
    let keys_file = data.keys_file(config.store.keys.as_deref());
    let unlock = |wanted| FileKeys::open(&keys_file, wanted).map(|keys| Arc::new(keys) as _);
    let store = SqliteStore::open_with(&data.store_file(), SqliteOptions::default(), unlock)
        .map_err(|error| CliError::Failed(format!("the store cannot be opened: {error}")))?;
    data.store_is_open()?;
    Ok(store)
}

impl Backend for Offline {
    fn learn_file(&self, source: String, bytes: Bytes) -> Answer<'_, Learned> {
        async move { self.learning.learn_file(self.tenant()?, source, None, bytes).await.map_err(refused) }.boxed()
    }

    fn documents(&self) -> Answer<'_, Vec<DocumentView>> {
        async move { self.knowledge.list(self.tenant()?).await.map_err(|error| refused(error.into())) }.boxed()
    }

    fn forget(&self, source: String) -> Answer<'_, bool> {
        async move { self.knowledge.forget(self.tenant()?, source).await.map_err(|error| refused(error.into())) }
            .boxed()
    }

    fn learn_site(&self, site: SiteIn) -> Answer<'_, JobId> {
        async move { self.learning.learn_site(self.tenant()?, site).await.map_err(refused) }.boxed()
    }

    fn job(&self, job: JobId) -> Answer<'_, JobView> {
        async move { self.learning.job(self.tenant()?, job).await.map_err(refused) }.boxed()
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantView>> {
        async move { Ok(self.tenants.list().await?) }.boxed()
    }

    fn create_tenant(&self, name: String, plan: String) -> Answer<'_, KeyMade> {
        async move { Ok(made(self.tenants.create_on(&name, &plan, self.clock.now()).await?)) }.boxed()
    }

    fn set_plan(&self, tenant: TenantId, plan: String) -> Answer<'_, TenantView> {
        async move { Ok(self.tenants.set_plan(tenant, &plan).await?) }.boxed()
    }

    fn plans(&self) -> Answer<'_, Vec<PlanView>> {
        async move { Ok(self.tenants.plans().list().await?) }.boxed()
    }

    fn put_plan(&self, name: String, put: PlanPut) -> Answer<'_, PlanView> {
        async move { Ok(self.tenants.plans().put(&name, put.version, put.plan).await?) }.boxed()
    }

    fn rotate_key(&self, tenant: TenantId) -> Answer<'_, KeyMade> {
        async move { Ok(made(self.tenants.rotate_key(tenant, self.clock.now()).await?)) }.boxed()
    }

    fn set_disabled(&self, tenant: TenantId, disabled: bool) -> Answer<'_, TenantView> {
        async move { Ok(self.tenants.set_disabled(tenant, disabled).await?) }.boxed()
    }
}

fn made((tenant, key): (TenantRecord, SecretString)) -> KeyMade {
    KeyMade { tenant: tenant.id, name: tenant.name, api_key: key.expose_secret().to_owned() }
}

/// The same code and words as a node would answer with.
fn refused(error: LearningError) -> CliError {
    let failure = ApiError::from(error).failure().clone();
    CliError::Refused { code: failure.code, message: failure.message.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_that_nobody_named_is_the_default_one() {
        assert!(engine_config::DEFAULT.contains(&format!("\ndata = {DATA_DEFAULT:?}\n")));
    }
}
