//! The data directory itself, or the cluster, while this node does not run. The directory is locked for as long as this lives.

use std::path::Path;
use std::sync::Arc;

use actors::{Clock, TenantRecord};
use bytes::Bytes;
use engine_config::Config;
use engine_documents::Reader;
use engine_knowledge::Knowledge;
use engine_model::install_crypto_provider;
use futures_util::FutureExt;
use schema::wire::{DocumentView, JobView, KeyMade, Learned, PlanPut, PlanView, SiteIn, TenantView};
use schema::{JobId, TenantId};
use secrecy::{ExposeSecret, SecretString};

use super::backend::{Answer, Backend};
use super::error::CliError;
use crate::auth::{ApiKeys, Tenants};
use crate::error::ApiError;
use crate::learning::{Learning, LearningError};
use crate::stores::{self, Closing, Folder, Opened};

/// The data directory of a configuration that names none, as `default.toml` has it.
const DATA_DEFAULT: &str = "./data";

/// Store, tenants and documents, without a node around them.
pub(super) struct Offline {
    tenants: Tenants,
    knowledge: Knowledge,
    learning: Learning,
    /// Whose documents are learned.
    tenant: Option<TenantId>,
    clock: Arc<dyn Clock>,
    /// Holds the data directory; the store is closed when the last who has it goes.
    _closing: Closing,
}

impl Offline {
    /// For the demo tenant's documents, or those of the tenant whose key is configured.
    pub(super) async fn for_tenant(config: &Config, private: bool) -> Result<Self, CliError> {
        // What is learned before the first start waits for it there.
        let mut offline = Self::open(config, Folder::New, private).await?;
        let demo = offline.tenants.ensure_demo(config.api_key.as_ref(), offline.clock.now()).await?;
        offline.tenant = Some(demo.tenant);
        Ok(offline)
    }

    /// For tenants.
    pub(super) async fn for_operator(config: &Config) -> Result<Self, CliError> {
        // Where no directory was named the command may stand in the wrong one.
        let named = config.data != Path::new(DATA_DEFAULT);
        Self::open(config, if named { Folder::New } else { Folder::Existing }, false).await
    }

    async fn open(config: &Config, directory: Folder, private: bool) -> Result<Self, CliError> {
        // A cluster may be spoken to by TLS.
        install_crypto_provider();
        let Opened { store, clock, path, demo_file, demo_key, pepper, closing, .. } =
            stores::open(config, directory).await?;
        let keys = Arc::new(ApiKeys::new(store.clone(), pepper));
        let tenants = Tenants::new(store.clone(), keys, demo_file).with_demo_key(demo_key);
        let knowledge = Knowledge::open(&path, store.clone());
        let (reader, private) = (Reader::new(None), private || config.learning.private_hosts);
        let learning = Learning::new(knowledge.clone(), store, reader, Arc::clone(&clock), private);
        Ok(Self { tenants, knowledge, learning, tenant: None, clock, _closing: closing })
    }

    fn tenant(&self) -> Result<TenantId, CliError> {
        self.tenant.ok_or_else(|| CliError::Failed("no tenant to learn for".into()))
    }
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
