//! Learning that takes its time: files that are taken apart, sites that are walked through.
//! Invariant: one job a tenant, few on a node; documents on their way in are held within bounds; a job outlives the request that began it, and what a
//! drain or a crash leaves undone is due at the next start.

mod account;
mod error;
mod job;
mod nodes;
mod room;
mod schedule;
#[cfg(test)]
mod tests;

pub use error::LearningError;
pub use nodes::Others;
pub use room::Hold;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use actors::Clock;
use bytes::Bytes;
use engine_crawl::{Kept, Site, Sites, Web, start_url};
use engine_documents::{Kind, Reader, Unreadable, by_sort};
use engine_knowledge::{Document, Knowledge};
use engine_store::{Records, StoreError};
use schema::limits::{
    SITE_DEPTH_DEFAULT, SITE_DEPTH_MAX, SITE_HOURS_MAX, SITE_PAGES_DEFAULT, SITE_PAGES_MAX, SITE_QUERIES_DEFAULT,
    SITE_QUERIES_MAX, SITES_MAX,
};
use schema::wire::{JobView, Learned, SiteIn, SiteView};
use schema::{JobId, TenantId, Text, Timestamp};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use job::Job;
use room::Room;

/// Jobs of all tenants at once.
const JOBS_MAX: usize = 16;
/// Jobs that are remembered after their end; a site's last one is also in its record.
const ENDED_MAX: usize = 256;
/// Format of a site's record.
const FORMAT: u32 = 2;

/// What learns for all tenants. Cloning shares it.
#[derive(Clone)]
pub struct Learning {
    inner: Arc<Inner>,
}

struct Inner {
    knowledge: Knowledge,
    sites: Sites,
    reader: Reader,
    clock: Arc<dyn Clock>,
    /// Whether sites in private networks may be learned.
    private: bool,
    /// Where jobs run: not on the threads that serve conversations.
    runtime: Handle,
    jobs: Mutex<Jobs>,
    /// Those with whom sites are shared out, if there are others.
    nodes: OnceLock<Arc<dyn Others>>,
    room: Room,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Jobs {
    running: HashMap<TenantId, Arc<Job>>,
    ended: VecDeque<(TenantId, JobView)>,
    /// Sites that are to be learned again, by when.
    due: BTreeSet<(Timestamp, TenantId, String)>,
    /// The end of a job could not be written: what its record says is to be read again.
    unwritten: bool,
}

impl Learning {
    /// Longest wait for a job that was told to stop, and so for a drain.
    pub const STOP_MAX: Duration = Duration::from_secs(30);

    /// To be called on the runtime on which jobs are to run.
    #[must_use]
    pub fn new(
        knowledge: Knowledge,
        records: Arc<dyn Records>,
        reader: Reader,
        clock: Arc<dyn Clock>,
        private: bool,
    ) -> Self {
        let inner = Inner {
            knowledge,
            sites: Sites::new(records),
            reader,
            clock,
            private,
            runtime: Handle::current(),
            jobs: Mutex::default(),
            nodes: OnceLock::new(),
            room: Room::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Room for one document on its way in, to be taken as it comes and held until it is learned.
    #[must_use]
    pub fn hold(&self, tenant: TenantId) -> Hold {
        self.inner.room.hold(tenant)
    }

    /// Learns a file of any kind that can be read.
    ///
    /// # Errors
    /// Why it cannot be learned.
    pub async fn learn_file(
        &self,
        tenant: TenantId,
        source: String,
        media_type: Option<&str>,
        bytes: Bytes,
    ) -> Result<Learned, LearningError> {
        let inner = &self.inner;
        let kind = Kind::of(media_type, &source, &bytes).ok_or(Unreadable::UnknownKind)?;
        let page = inner.reader.read(tenant, kind, None, bytes).await?;
        if page.markdown.trim().is_empty() {
            return Err(Unreadable::Empty.into());
        }
        let left_out = by_sort(&page.left_out);
        let document = Document { source, text: Text::from(page.markdown), left_out };
        let learned = inner.knowledge.learn(tenant, vec![document], inner.clock.now()).await?;
        learned.into_iter().next().ok_or(LearningError::Lost)
    }

    /// Begins to learn a site, and keeps it with its schedule.
    ///
    /// # Errors
    /// When it cannot be learned, or not now.
    pub async fn learn_site(&self, tenant: TenantId, asked: SiteIn) -> Result<JobId, LearningError> {
        let url = self.check(&asked)?;
        let place = self.reserve(tenant, &url)?;
        let kept = self.keep(tenant, &url, &asked, &place.job).await?;
        let id = place.job.id();
        place.launch(kept);
        Ok(id)
    }

    /// A job of the tenant's: one that runs, one that ended lately, or a site's last one.
    ///
    /// # Errors
    /// [`LearningError::NotFound`]; or when the store fails.
    pub async fn job(&self, tenant: TenantId, id: JobId) -> Result<JobView, LearningError> {
        let running = self.jobs().running.get(&tenant).filter(|job| job.id() == id).map(|job| job.view_in_place());
        if let Some(view) = running {
            return Ok(view);
        }
        let remembered = || {
            let jobs = self.jobs();
            let ended = jobs.ended.iter().find(|(owner, view)| *owner == tenant && view.id == id);
            ended.map(|(_, view)| view.clone())
        };
        if !self.has_others()
            && let Some(view) = remembered()
        {
            return Ok(view);
        }
        let sites = self.inner.sites.list(tenant).await?;
        // Records know more than what is remembered here: another node may have gone on with it.
        if let Some(view) = self.job_elsewhere(tenant, &sites, id).await? {
            return Ok(view);
        }
        let last = sites.into_iter().filter_map(|site| site.last).find(|view| view.id == id);
        last.or_else(remembered).ok_or(LearningError::NotFound)
    }

    /// The tenant's sites.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sites(&self, tenant: TenantId) -> Result<Vec<SiteView>, LearningError> {
        let mut views: Vec<SiteView> = Vec::new();
        for site in self.inner.sites.list(tenant).await? {
            let running = match self.post(&site) {
                Some(post) => Some(self.progress(tenant, &site, &post).await?),
                None => None,
            };
            let view = site.view();
            views.push(SiteView { last: running.or(view.last), ..view });
        }
        let running = self.jobs().running.get(&tenant).map(|job| job.view_in_place());
        if let Some(running) = running
            && let Some(view) = views.iter_mut().find(|view| view.url == running.url)
        {
            view.last = Some(running);
        }
        Ok(views)
    }

    /// Forgets a site with all its pages; a job that learns it ends first.
    ///
    /// # Errors
    /// [`LearningError::NotFound`]; or when store or index fail, and it can be called again.
    pub async fn forget_site(&self, tenant: TenantId, url: &str) -> Result<(), LearningError> {
        let url = start_url(url).map_err(LearningError::Url)?;
        let running = self.jobs().running.get(&tenant).filter(|job| job.is_of(&url)).cloned();
        if let Some(job) = running {
            job.stop();
            tokio::time::timeout(Self::STOP_MAX, job.ended()).await.map_err(|_| LearningError::Running)?;
        }
        // Held, so that nobody begins to learn it meanwhile.
        let place = self.reserve(tenant, &url)?;
        let forgotten = self.forget_at(tenant, &url, &place).await;
        if !matches!(forgotten, Ok(()) | Err(LearningError::NotFound)) {
            // It may be at a post of this node's, which is left when its record is read again.
            self.jobs().unwritten = true;
        }
        forgotten
    }

    async fn forget_at(&self, tenant: TenantId, url: &Url, place: &Place) -> Result<(), LearningError> {
        let kept = self.take_from_others(tenant, url, &place.job).await?;
        let others = self.inner.sites.list(tenant).await?;
        let shared = |page: &String| others.iter().any(|site| site.url != kept.site.url && site.pages.contains(page));
        let pages = kept.site.pages.iter().filter(|page| !shared(page)).cloned().collect();
        self.inner.knowledge.forget_all(tenant, pages).await?;
        // While the site is there it can be called again: behind it nobody would look for what was told of its jobs.
        self.inner.sites.forget_progress(tenant, url.as_str()).await?;
        self.inner.sites.delete(tenant, &kept).await?;
        self.jobs().due.retain(|(_, owner, site)| *owner != tenant || site != url.as_str());
        Ok(())
    }

    /// Ends all jobs in good order; what they leave undone is due at the next start.
    pub async fn drain(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        if tokio::time::timeout(Self::STOP_MAX, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!(
                jobs = self.inner.tasks.len(),
                seconds = Self::STOP_MAX.as_secs(),
                "jobs that learn sites did not end in time"
            );
        }
    }

    fn check(&self, asked: &SiteIn) -> Result<Url, LearningError> {
        let url = start_url(&asked.url).map_err(LearningError::Url)?;
        Web::check(&url, self.inner.private).map_err(LearningError::Address)?;
        for (name, value, least, most) in [
            ("pages_max", asked.pages_max, 1, SITE_PAGES_MAX),
            ("depth_max", asked.depth_max, 0, SITE_DEPTH_MAX),
            ("queries_max", asked.queries_max, 1, SITE_QUERIES_MAX),
            ("every_hours", asked.every_hours.map(|hours| hours as usize), 1, SITE_HOURS_MAX as usize),
        ] {
            if value.is_some_and(|value| value < least || value > most) {
                return Err(LearningError::Bound { name, least, most });
            }
        }
        Ok(url)
    }

    /// The site's record as asked for, due now.
    async fn keep(&self, tenant: TenantId, url: &Url, asked: &SiteIn, job: &Job) -> Result<Kept, LearningError> {
        let sites = &self.inner.sites;
        self.check_others(tenant).await?;
        let mut kept = match sites.get(tenant, url.as_str()).await? {
            Some(kept) => kept,
            None if sites.list(tenant).await?.len() >= SITES_MAX => return Err(LearningError::TooMany),
            None => Kept {
                version: 0,
                site: Site {
                    format: FORMAT,
                    url: url.as_str().to_owned(),
                    pages_max: SITE_PAGES_DEFAULT,
                    depth_max: SITE_DEPTH_DEFAULT,
                    queries_max: SITE_QUERIES_DEFAULT,
                    every_hours: None,
                    due_at: None,
                    attempts: 0,
                    pages: Vec::new(),
                    last: None,
                    at: None,
                },
            },
        };
        kept.site.pages_max = asked.pages_max.unwrap_or(SITE_PAGES_DEFAULT);
        kept.site.depth_max = asked.depth_max.unwrap_or(SITE_DEPTH_DEFAULT);
        kept.site.queries_max = asked.queries_max.unwrap_or(SITE_QUERIES_DEFAULT);
        kept.site.every_hours = asked.every_hours;
        kept.site.due_at = Some(self.inner.clock.now());
        kept.site.attempts = 0;
        kept.site.format = FORMAT;
        kept.site.at = self.own_post(job);
        match sites.put(tenant, &mut kept).await {
            // Another node was faster.
            Err(StoreError::Conflict { .. }) if kept.site.at.is_some() => return Err(LearningError::Running),
            put => put?,
        }
        Ok(kept)
    }

    /// The tenant's only place for a job.
    fn reserve(&self, tenant: TenantId, url: &Url) -> Result<Place, LearningError> {
        let mut jobs = self.jobs();
        if self.inner.stop.is_cancelled() {
            return Err(LearningError::Draining);
        }
        if jobs.running.contains_key(&tenant) {
            return Err(LearningError::Running);
        }
        if jobs.running.len() >= JOBS_MAX {
            return Err(LearningError::Full);
        }
        let job = Arc::new(Job::new(url, self.inner.clock.now(), self.inner.stop.child_token()));
        jobs.running.insert(tenant, Arc::clone(&job));
        Ok(Place { learning: self.clone(), tenant, job })
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.inner.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tenant's place for a job. It is given back when dropped: when the job is over, when it
/// panicked, or when whoever wanted to begin one went away.
struct Place {
    learning: Learning,
    tenant: TenantId,
    job: Arc<Job>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut jobs = self.learning.jobs();
        jobs.running.remove(&self.tenant);
        if let Some(view) = self.job.outcome() {
            if jobs.ended.len() >= ENDED_MAX {
                jobs.ended.pop_front();
            }
            jobs.ended.push_back((self.tenant, view));
        }
        self.job.end();
    }
}
