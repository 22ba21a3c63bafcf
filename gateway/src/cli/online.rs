//! The running node, over HTTP.

use bytes::Bytes;
use schema::wire::{
    DocumentList, DocumentView, JobStarted, JobView, KeyMade, Learned, SiteIn, TenantIn, TenantList, TenantView,
};
use schema::{JobId, TenantId};
use url::form_urlencoded::byte_serialize;

use super::backend::{Answer, Backend};
use super::client::Client;

pub(super) struct Online {
    client: Client,
}

impl Online {
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Backend for Online {
    fn learn_file(&self, source: String, bytes: Bytes) -> Answer<'_, Learned> {
        let path = with("/v1/knowledge/files", &source);
        Box::pin(async move { self.client.post_bytes(&path, bytes).await })
    }

    fn documents(&self) -> Answer<'_, Vec<DocumentView>> {
        Box::pin(async { Ok(self.client.get::<DocumentList>("/v1/knowledge").await?.documents) })
    }

    fn forget(&self, source: String) -> Answer<'_, bool> {
        let path = with("/v1/knowledge", &source);
        Box::pin(async move { self.client.delete(&path).await })
    }

    fn learn_site(&self, site: SiteIn) -> Answer<'_, JobId> {
        Box::pin(async move { Ok(self.client.post::<_, JobStarted>("/v1/knowledge/sites", &site).await?.job) })
    }

    fn job(&self, job: JobId) -> Answer<'_, JobView> {
        Box::pin(async move { self.client.get(&format!("/v1/knowledge/jobs/{job}")).await })
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantView>> {
        Box::pin(async { Ok(self.client.get::<TenantList>("/v1/admin/tenants").await?.tenants) })
    }

    fn create_tenant(&self, name: String) -> Answer<'_, KeyMade> {
        Box::pin(async { self.client.post("/v1/admin/tenants", &TenantIn { name }).await })
    }

    fn rotate_key(&self, tenant: TenantId) -> Answer<'_, KeyMade> {
        Box::pin(async move { self.client.post_empty(&format!("/v1/admin/tenants/{tenant}/rotate-key")).await })
    }

    fn set_disabled(&self, tenant: TenantId, disabled: bool) -> Answer<'_, TenantView> {
        let verb = if disabled { "disable" } else { "enable" };
        Box::pin(async move { self.client.post_empty(&format!("/v1/admin/tenants/{tenant}/{verb}")).await })
    }
}

/// A path with the name of a document.
fn with(path: &str, source: &str) -> String {
    format!("{path}?source={}", byte_serialize(source.as_bytes()).collect::<String>())
}
