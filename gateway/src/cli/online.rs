//! The running node, over HTTP.

use schema::TenantId;
use schema::wire::{DocumentIn, KeyMade, Learned, TenantIn, TenantList, TenantView};

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
    fn learn(&self, document: DocumentIn) -> Answer<'_, Learned> {
        Box::pin(async move { self.client.post("/v1/knowledge", &document).await })
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
