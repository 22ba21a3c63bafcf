//! Sites shared out among the nodes that share a store.
//! Invariant: a site is learned where its record says, which is changed by compare-and-set alone; a node that is gone
//! leaves it due, and whoever goes on has the same job. Where no other node is known of, nothing of this happens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use engine_crawl::{JobProgress, Kept, Post, Site, start_url};
use engine_store::StoreError;
use schema::wire::JobView;
use schema::{JobId, NodeId, TenantId};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use url::Url;

use super::job::{Job, begun};
use super::{Learning, LearningError};

/// How often a job tells how far it has come, and sees whether it is to end.
const TELL_EVERY: Duration = Duration::from_millis(1_500);
/// How often it is looked whether a job elsewhere has ended.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Pages passed over, and sorts of parts left out, that are told while a job runs.
const TOLD_MAX: usize = 10;
/// How long a site waits for the node whose turn it is, before any takes it.
const TURN_LASTS: Duration = Duration::from_secs(120);
/// Times that a wish is written again when the job was faster.
const TRIES: usize = 5;

/// What a node knows of those with whom it shares the store. It may be wrong for a while: that costs time, nothing else.
pub trait Others: Send + Sync + 'static {
    /// This one.
    fn own(&self) -> NodeId;

    /// Those that live, as far as is known, with this one.
    fn living(&self) -> watch::Receiver<Arc<[NodeId]>>;

    /// The node whose turn it is to do what has this hash; the same on all nodes that know the same. None when it is
    /// anybody's.
    fn owner_of(&self, hash: u64) -> Option<NodeId>;
}

impl Learning {
    /// From now on sites are shared out with these nodes. To be called once, before the schedule runs; false when it
    /// was called before.
    pub fn share(&self, nodes: Arc<dyn Others>) -> bool {
        self.inner.nodes.set(nodes).is_ok()
    }

    /// Those that live, to see when one is gone. None where no other node is known of.
    pub(super) fn others(&self) -> Option<watch::Receiver<Arc<[NodeId]>>> {
        self.inner.nodes.get().map(|nodes| nodes.living())
    }

    pub(super) fn has_others(&self) -> bool {
        self.inner.nodes.get().is_some()
    }

    /// Where a site is being learned, or was until its node was gone.
    pub(super) fn post(&self, site: &Site) -> Option<Post> {
        site.at.filter(|_| self.has_others())
    }

    pub(super) fn own_post(&self, job: &Job) -> Option<Post> {
        let view = job.view();
        self.inner.nodes.get().map(|nodes| Post { node: nodes.own(), job: view.id, since: view.started_at })
    }

    /// Whether a due site is this node's to learn, so long after it came due.
    pub(super) fn is_ours(&self, tenant: TenantId, url: &str, late: Duration) -> bool {
        let Some(nodes) = self.inner.nodes.get() else { return true };
        let digest = Sha256::new().chain_update(tenant.as_bytes()).chain_update(url).finalize();
        let hash = digest.iter().take(8).fold(0, |hash: u64, byte| hash << 8 | u64::from(*byte));
        late >= TURN_LASTS || nodes.owner_of(hash).is_none_or(|owner| owner == nodes.own())
    }

    /// Whether a site is at a post of another node that lives.
    fn is_elsewhere(&self, site: &Site) -> bool {
        let (Some(nodes), Some(post)) = (self.inner.nodes.get(), site.at) else { return false };
        post.node != nodes.own() && nodes.living().borrow().contains(&post.node)
    }

    /// Refuses what would be a tenant's second job, on whatever node.
    pub(super) async fn check_others(&self, tenant: TenantId) -> Result<(), LearningError> {
        if !self.has_others() {
            return Ok(());
        }
        let sites = self.inner.sites.list(tenant).await?;
        if sites.iter().any(|site| self.is_elsewhere(site)) { Err(LearningError::Running) } else { Ok(()) }
    }

    /// A job that has a site's post on another node, or had it on one that is gone.
    pub(super) async fn job_elsewhere(
        &self,
        tenant: TenantId,
        sites: &[Site],
        id: JobId,
    ) -> Result<Option<JobView>, StoreError> {
        match sites.iter().find_map(|site| Some((site, self.post(site).filter(|post| post.job == id)?))) {
            Some((site, post)) => self.progress(tenant, site, &post).await.map(Some),
            None => Ok(None),
        }
    }

    /// Leaves a post of this node's that none of its jobs has: its end could not be written.
    pub(super) async fn leave_lost_post(&self, tenant: TenantId, site: &Site) -> Result<(), LearningError> {
        let Some(nodes) = self.inner.nodes.get() else { return Ok(()) };
        if site.at.is_none_or(|post| post.node != nodes.own()) {
            return Ok(());
        }
        let url = start_url(&site.url).map_err(LearningError::Url)?;
        // Held, so that no job takes it meanwhile; a job that runs has the tenant's place.
        let Ok(_place) = self.reserve(tenant, &url) else { return Ok(()) };
        match self.inner.sites.get(tenant, &site.url).await? {
            Some(mut kept) if kept.site.at == site.at => {
                kept.site.at = None;
                Ok(self.inner.sites.put(tenant, &mut kept).await?)
            }
            _ => Ok(()),
        }
    }

    /// How far a job has come that has a site's post.
    pub(super) async fn progress(&self, tenant: TenantId, site: &Site, post: &Post) -> Result<JobView, StoreError> {
        let told = self.inner.sites.progress(tenant, &site.url).await?;
        let told = told.map(|(_, progress)| progress).filter(|progress| progress.post.job == post.job);
        Ok(told.map_or_else(|| begun(post.job, &site.url, post.since), |progress| progress.view))
    }

    /// Tells other nodes how far a job has come, and ends it when one of them wants that or has taken the site over.
    pub(super) async fn tell_progress(&self, tenant: TenantId, job: &Job, post: Option<Post>) -> Infallible {
        let Some(post) = post else { return std::future::pending().await };
        let (url, mut told) = (job.view().url, None);
        loop {
            match self.tell(tenant, &url, job, &post, &told).await {
                Ok(Some(view)) => told = Some(view),
                Ok(None) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => tracing::debug!(%tenant, %error, "how far a job has come is told later"),
            }
            sleep(TELL_EVERY).await;
        }
    }

    /// What was told, if anything was.
    async fn tell(
        &self,
        tenant: TenantId,
        url: &str,
        job: &Job,
        post: &Post,
        told: &Option<JobView>,
    ) -> Result<Option<JobView>, StoreError> {
        let sites = &self.inner.sites;
        let found = sites.progress(tenant, url).await?;
        let (version, stop) = match found {
            Some((version, progress)) if progress.post == *post => (version, progress.stop),
            None if told.is_none() => (0, false),
            // Told by one before, or by one that has taken this job to be gone, or removed with the site: the site's
            // record knows which.
            other => match sites.get(tenant, url).await? {
                Some(kept) if kept.site.at == Some(*post) => (other.map_or(0, |(version, _)| version), false),
                _ => {
                    job.stop();
                    return Ok(None);
                }
            },
        };
        if stop {
            job.stop();
        }
        let mut view = job.view_in_place();
        view.pages_skipped.truncate(TOLD_MAX);
        view.left_out.truncate(TOLD_MAX);
        if told.as_ref() == Some(&view) {
            return Ok(None);
        }
        sites.put_progress(tenant, url, version, &JobProgress { post: *post, view: view.clone(), stop }).await?;
        Ok(Some(view))
    }

    /// Nothing more is told of a site's job, which has ended.
    pub(super) async fn end_progress(&self, tenant: TenantId, site: &Site) {
        let Some(post) = site.at else { return };
        if let Err(error) = self.inner.sites.end_progress(tenant, &site.url, &post).await {
            tracing::debug!(%tenant, %error, "what was told of a job that has ended is left for the next one");
        }
    }

    /// A site at this node's post, once the job of another has ended.
    pub(super) async fn take_from_others(&self, tenant: TenantId, url: &Url, job: &Job) -> Result<Kept, LearningError> {
        let sites = &self.inner.sites;
        let until = Instant::now() + Self::STOP_MAX;
        let mut asked = None;
        loop {
            let mut kept = sites.get(tenant, url.as_str()).await?.ok_or(LearningError::NotFound)?;
            if !self.has_others() {
                return Ok(kept);
            }
            match kept.site.at.filter(|_| self.is_elsewhere(&kept.site)) {
                None => {
                    kept.site.at = self.own_post(job);
                    match sites.put(tenant, &mut kept).await {
                        Ok(()) => return Ok(kept),
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                // Each that is met is asked once; one that did not hear it is gone, or has ended.
                Some(post) if asked != Some(post) => {
                    self.wish_end(tenant, url, &post).await?;
                    asked = Some(post);
                }
                Some(_) => {}
            }
            if Instant::now() > until {
                return Err(LearningError::Running);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks the node at a site's post to end its job.
    async fn wish_end(&self, tenant: TenantId, url: &Url, post: &Post) -> Result<(), StoreError> {
        let sites = &self.inner.sites;
        let mut conflict = StoreError::Conflict { found: 0 };
        for _ in 0..TRIES {
            let found = sites.progress(tenant, url.as_str()).await?;
            let version = found.as_ref().map_or(0, |(version, _)| *version);
            let told = found.map(|(_, progress)| progress).filter(|progress| progress.post == *post);
            let view = told.map_or_else(|| begun(post.job, url.as_str(), post.since), |progress| progress.view);
            let wish = JobProgress { post: *post, view, stop: true };
            match sites.put_progress(tenant, url.as_str(), version, &wish).await {
                Err(error @ StoreError::Conflict { .. }) => conflict = error,
                put => return put.map(drop),
            }
        }
        Err(conflict)
    }
}
