//! Where `learn` and `tenant` do their work: at the running node, or in its data directory.

use bytes::Bytes;
use engine_config::Config;
use futures_util::future::BoxFuture;
use schema::wire::{DocumentView, JobView, KeyMade, Learned, PlanPut, PlanView, SiteIn, TenantView};
use schema::{JobId, TenantId};

use super::client;
use super::error::CliError;
use super::offline::Offline;
use super::online::Online;

/// What comes of a call.
pub(super) type Answer<'a, T> = BoxFuture<'a, Result<T, CliError>>;

/// The work of the commands that also run without a node.
pub(super) trait Backend {
    /// Learns one file for the tenant whose key is shown.
    fn learn_file(&self, source: String, bytes: Bytes) -> Answer<'_, Learned>;

    /// What that tenant's assistant has learned.
    fn documents(&self) -> Answer<'_, Vec<DocumentView>>;

    /// Forgets one document; false when it was not known.
    fn forget(&self, source: String) -> Answer<'_, bool>;

    /// Begins to learn a site.
    fn learn_site(&self, site: SiteIn) -> Answer<'_, JobId>;

    /// How that stands.
    fn job(&self, job: JobId) -> Answer<'_, JobView>;

    /// All tenants, oldest first.
    fn tenants(&self) -> Answer<'_, Vec<TenantView>>;

    /// Makes a tenant and its key.
    fn create_tenant(&self, name: String, plan: String) -> Answer<'_, KeyMade>;

    /// Gives a tenant another plan.
    fn set_plan(&self, tenant: TenantId, plan: String) -> Answer<'_, TenantView>;

    /// All plans, by name.
    fn plans(&self) -> Answer<'_, Vec<PlanView>>;

    /// Makes or replaces a plan.
    fn put_plan(&self, name: String, put: PlanPut) -> Answer<'_, PlanView>;

    /// Gives a tenant a new key.
    fn rotate_key(&self, tenant: TenantId) -> Answer<'_, KeyMade>;

    /// Refuses a tenant's keys, or takes them again.
    fn set_disabled(&self, tenant: TenantId, disabled: bool) -> Answer<'_, TenantView>;
}

/// For a tenant's own work: shows its API key. `private` lets sites be in private networks, which a
/// running node decides for itself.
pub(super) async fn for_tenant(config: &Config, private: bool) -> Result<Box<dyn Backend>, CliError> {
    if client::answers(config).await? {
        if private {
            let how = "start it with TERTULIA_LEARNING__PRIVATE_HOSTS=true";
            return Err(CliError::Usage(format!("a running node decides this itself: {how}")));
        }
        return Ok(Box::new(Online::new(client::Client::for_tenant(config)?)));
    }
    Ok(Box::new(Offline::for_tenant(config, private).await?))
}

/// For the operator's work: shows the admin key, or has the data directory.
pub(super) async fn for_operator(config: &Config) -> Result<Box<dyn Backend>, CliError> {
    if client::answers(config).await? {
        return Ok(Box::new(Online::new(client::Client::for_operator(config)?)));
    }
    Ok(Box::new(Offline::for_operator(config).await?))
}
