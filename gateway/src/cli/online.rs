//! The running node, over HTTP.

use bytes::Bytes;
use schema::wire::{
    DocumentList, DocumentView, JobStarted, JobView, KeyMade, Learned, PlanChoice, PlanList, PlanPut, PlanView, SiteIn,
    TenantIn, TenantList, TenantView,
};
use schema::{DEFAULT_PLAN, JobId, TenantId};
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
        Box::pin(async {
            let mut all = Vec::new();
            let mut path = "/v1/knowledge".to_owned();
            loop {
                let DocumentList { documents, next } = self.client.get(&path).await?;
                all.extend(documents);
                match next {
                    Some(next) => path = format!("/v1/knowledge?after={}", escaped(&next)),
                    None => break,
                }
            }
            all.sort_by(|a, b| a.source.cmp(&b.source));
            Ok(all)
        })
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
        Box::pin(async {
            let mut all = Vec::new();
            let mut path = "/v1/admin/tenants".to_owned();
            loop {
                let TenantList { tenants, next } = self.client.get(&path).await?;
                all.extend(tenants);
                match next {
                    Some(next) => path = format!("/v1/admin/tenants?after={next}"),
                    None => return Ok(all),
                }
            }
        })
    }

    fn create_tenant(&self, name: String, plan: String) -> Answer<'_, KeyMade> {
        let asked = TenantIn { name, plan: Some(plan).filter(|plan| plan != DEFAULT_PLAN) };
        Box::pin(async move { self.client.post("/v1/admin/tenants", &asked).await })
    }

    fn set_plan(&self, tenant: TenantId, plan: String) -> Answer<'_, TenantView> {
        let path = format!("/v1/admin/tenants/{tenant}/plan");
        Box::pin(async move { self.client.put(&path, &PlanChoice { plan }).await })
    }

    fn plans(&self) -> Answer<'_, Vec<PlanView>> {
        Box::pin(async { Ok(self.client.get::<PlanList>("/v1/admin/plans").await?.plans) })
    }

    fn put_plan(&self, name: String, put: PlanPut) -> Answer<'_, PlanView> {
        // As one segment of the path, whatever was typed: the node says what is wrong with it.
        let name: String = byte_serialize(name.as_bytes()).collect();
        Box::pin(async move { self.client.put(&format!("/v1/admin/plans/{name}"), &put).await })
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
    format!("{path}?source={}", escaped(source))
}

fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
