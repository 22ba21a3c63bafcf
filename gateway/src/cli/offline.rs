//! The data directory itself, while no node runs. It is locked for as long as this lives.

use std::sync::Arc;

use actors::{Clock, SystemClock};
use engine::config::Config;
use engine::knowledge::{Document, Knowledge, KnowledgeError};
use engine::store::sqlite::{SqliteOptions, SqliteStore};
use futures_util::FutureExt;
use schema::TenantId;
use schema::wire::{DocumentIn, KeyMade, Learned, TenantView};
use secrecy::{ExposeSecret, SecretString};

use super::backend::{Answer, Backend};
use super::error::CliError;
use crate::auth::{ApiKeys, TenantBody, Tenants};
use crate::datadir::DataDir;

/// Store, tenants and documents, without a node around them.
pub(super) struct Offline {
    tenants: Tenants,
    knowledge: Knowledge,
    /// Whose documents are learned.
    tenant: Option<TenantId>,
    clock: SystemClock,
    _data: DataDir,
}

impl Offline {
    /// For the demo tenant's documents, or those of the tenant whose key is configured.
    pub(super) async fn for_tenant(config: &Config) -> Result<Self, CliError> {
        let mut offline = Self::open(config)?;
        let demo = offline.tenants.ensure_demo(config.api_key.as_ref(), offline.clock.now()).await?;
        offline.tenant = Some(demo.tenant);
        Ok(offline)
    }

    /// For tenants.
    #[allow(clippy::unused_async, reason = "the same shape as for a tenant")]
    pub(super) async fn for_operator(config: &Config) -> Result<Self, CliError> {
        Self::open(config)
    }

    fn open(config: &Config) -> Result<Self, CliError> {
        let data = DataDir::open(&config.data)?;
        let store = SqliteStore::open(&data.store_file(), SqliteOptions::default())
            .map_err(|error| CliError::Failed(format!("the store cannot be opened: {error}")))?;
        let store = Arc::new(store);
        let keys = Arc::new(ApiKeys::new(store.clone(), data.pepper()));
        let tenants = Tenants::new(store.clone(), keys, data.demo_file());
        let knowledge = Knowledge::open(data.path(), store);
        Ok(Self { tenants, knowledge, tenant: None, clock: SystemClock, _data: data })
    }
}

impl Backend for Offline {
    fn learn(&self, document: DocumentIn) -> Answer<'_, Learned> {
        async move {
            let tenant = self.tenant.ok_or_else(|| CliError::Failed("no tenant to learn for".into()))?;
            let document = Document { source: document.source, text: document.text };
            let learned = self.knowledge.learn(tenant, vec![document], self.clock.now()).await;
            let learned = learned.map_err(|error: KnowledgeError| CliError::Failed(error.to_string()))?;
            learned.into_iter().next().ok_or_else(|| CliError::Failed("nothing was learned".into()))
        }
        .boxed()
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantView>> {
        async move { Ok(self.tenants.list().await?) }.boxed()
    }

    fn create_tenant(&self, name: String) -> Answer<'_, KeyMade> {
        async move { Ok(made(self.tenants.create(&name, self.clock.now()).await?)) }.boxed()
    }

    fn rotate_key(&self, tenant: TenantId) -> Answer<'_, KeyMade> {
        async move { Ok(made(self.tenants.rotate_key(tenant, self.clock.now()).await?)) }.boxed()
    }

    fn set_disabled(&self, tenant: TenantId, disabled: bool) -> Answer<'_, TenantView> {
        async move { Ok(self.tenants.set_disabled(tenant, disabled).await?) }.boxed()
    }
}

fn made((tenant, key): (TenantBody, SecretString)) -> KeyMade {
    KeyMade { tenant: tenant.id, name: tenant.name, api_key: key.expose_secret().to_owned() }
}
