//! The sites a tenant had learned, as records: what to read, when again, which pages came of it.

use std::sync::Arc;

use engine_store::{RecordName, Records, Scope, StoreError};
use schema::wire::{JobView, SiteView};
use schema::{JobId, NodeId, TenantId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The kind of a site's record …
const SITE: &str = "site";
/// … and of the one that tells how far its job has come.
const PROGRESS: &str = "site_job";
/// Sites read at once; a tenant has fewer.
const LIST_MAX: usize = 2 * schema::limits::SITES_MAX;
/// Times that what others change meanwhile is removed.
const TRIES: usize = 5;

/// A site, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Of this body.
    pub format: u32,
    /// Where it begins.
    pub url: String,
    /// Pages to learn.
    pub pages_max: usize,
    /// Links from the first page to the last.
    pub depth_max: usize,
    /// Pages of one path that differ in their query only.
    #[serde(default = "queries_default")]
    pub queries_max: usize,
    /// How often it is learned again.
    pub every_hours: Option<u32>,
    /// When it is to be learned next; stays in the past until that is done.
    pub due_at: Option<Timestamp>,
    /// Times it was begun since it was last ended.
    pub attempts: u32,
    /// Addresses of its pages that are known.
    pub pages: Vec<String>,
    /// The last job that ended.
    pub last: Option<JobView>,
    /// Where it is being learned. None where it is not, and where no other node is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Post>,
}

/// Who learns a site, of nodes that share a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The node.
    pub node: NodeId,
    /// Its job; another node that goes on with it has the same.
    pub job: JobId,
    /// Since when.
    pub since: Timestamp,
}

/// Of records from before it could be asked for.
const fn queries_default() -> usize {
    schema::limits::SITE_QUERIES_DEFAULT
}

impl Site {
    /// As the owner sees it.
    #[must_use]
    pub fn view(self) -> SiteView {
        SiteView {
            url: self.url,
            pages_max: self.pages_max,
            depth_max: self.depth_max,
            queries_max: self.queries_max,
            every_hours: self.every_hours,
            next_at: self.due_at,
            pages: self.pages.len(),
            last: self.last,
        }
    }
}

/// A site with the version it was read at.
#[derive(Clone, Debug)]
pub struct Kept {
    /// 0 for one that is not stored.
    pub version: u64,
    /// What is stored.
    pub site: Site,
}

/// How far a job has come, as the node that runs it tells all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProgress {
    /// Whose it is.
    pub post: Post,
    /// What it has come to.
    pub view: JobView,
    /// Another node wants it to end.
    #[serde(default)]
    pub stop: bool,
}

/// All tenants' sites. Cloning shares the store.
#[derive(Clone)]
pub struct Sites {
    records: Arc<dyn Records>,
}

impl Sites {
    /// Sites in this store.
    #[must_use]
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records }
    }

    /// One of a tenant's sites.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, tenant: TenantId, url: &str) -> Result<Option<Kept>, StoreError> {
        match self.records.get(name(tenant, url)).await? {
            Some(record) => Ok(Some(Kept { version: record.version, site: read(&record.body)? })),
            None => Ok(None),
        }
    }

    /// Writes a site if it is still at its version, which is then the new one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else has changed it.
    pub async fn put(&self, tenant: TenantId, kept: &mut Kept) -> Result<(), StoreError> {
        let body = serde_json::to_vec(&kept.site).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        kept.version = self.records.put(name(tenant, &kept.site.url), kept.version, body).await?;
        Ok(())
    }

    /// Removes a site that is still at its version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else has changed it.
    pub async fn delete(&self, tenant: TenantId, kept: &Kept) -> Result<(), StoreError> {
        self.records.delete(name(tenant, &kept.site.url), kept.version).await
    }

    /// How far a site's job has come, with the version of that.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn progress(&self, tenant: TenantId, url: &str) -> Result<Option<(u64, JobProgress)>, StoreError> {
        match self.records.get(progress_name(tenant, url)).await? {
            Some(record) => Ok(Some((record.version, read(&record.body)?))),
            None => Ok(None),
        }
    }

    /// Tells how far it has come, if what was told last is at this version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else has told something.
    pub async fn put_progress(
        &self,
        tenant: TenantId,
        url: &str,
        version: u64,
        progress: &JobProgress,
    ) -> Result<u64, StoreError> {
        let body = serde_json::to_vec(progress).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.records.put(progress_name(tenant, url), version, body).await
    }

    /// Tells nothing more of a post's job; what was told of another stays.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_progress(&self, tenant: TenantId, url: &str, post: &Post) -> Result<(), StoreError> {
        match self.progress(tenant, url).await? {
            Some((version, progress)) if progress.post == *post => {
                self.records.delete(progress_name(tenant, url), version).await
            }
            _ => Ok(()),
        }
    }

    /// Removes what was told of a site's jobs, whosever they are.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when others go on telling; or when the store fails.
    pub async fn forget_progress(&self, tenant: TenantId, url: &str) -> Result<(), StoreError> {
        let mut conflict = StoreError::Conflict { found: 0 };
        for _ in 0..TRIES {
            let Some(record) = self.records.get(progress_name(tenant, url)).await? else { return Ok(()) };
            match self.records.delete(progress_name(tenant, url), record.version).await {
                Err(error @ StoreError::Conflict { .. }) => conflict = error,
                deleted => return deleted,
            }
        }
        Err(conflict)
    }

    /// A tenant's sites, by address.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<Site>, StoreError> {
        let records = self.records.scan(Scope::Tenant(tenant), SITE, None, LIST_MAX).await?;
        let mut sites = records.iter().map(|record| read(&record.body)).collect::<Result<Vec<Site>, _>>()?;
        sites.sort_by(|a, b| a.url.cmp(&b.url));
        Ok(sites)
    }
}

fn progress_name(tenant: TenantId, url: &str) -> RecordName {
    RecordName { kind: PROGRESS, ..name(tenant, url) }
}

fn name(tenant: TenantId, url: &str) -> RecordName {
    let id = Sha256::digest(url.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    RecordName { scope: Scope::Tenant(tenant), kind: SITE, id }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt(format!("a site's record: {error}")))
}
