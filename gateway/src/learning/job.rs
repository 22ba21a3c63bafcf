//! One learning of one site, from its first page to its last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_crawl::{Bounds, Kept, Learner, Site, SiteError, Walked, Web};
use engine_store::StoreError;
use schema::wire::{JobState, JobView, LearnedCounts};
use schema::{JobId, TenantId, Timestamp};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::account::{Account, put_own};
use super::{Learning, Place};

/// Times a site is begun without an end before it is left alone.
const ATTEMPTS_MAX: u32 = 3;
/// An hour, and what is added at most to each, so that sites do not come due together.
const HOUR: Duration = Duration::from_secs(3_600);
const JITTER_PERCENT: u32 = 5;

/// A job that has read nothing yet.
pub(super) fn begun(id: JobId, url: &str, now: Timestamp) -> JobView {
    JobView {
        id,
        url: url.to_owned(),
        state: JobState::Running,
        started_at: now,
        ended_at: None,
        pages_read: 0,
        pages_waiting: 0,
        pages_skipped: Vec::new(),
        pages_skipped_total: 0,
        learned: LearnedCounts::default(),
        limits: Vec::new(),
        left_out: Vec::new(),
        left_out_total: 0,
        error: None,
    }
}

/// A job that runs.
pub(super) struct Job {
    url: Url,
    state: Mutex<State>,
    stop: CancellationToken,
    ended: CancellationToken,
}

struct State {
    view: JobView,
}

impl Job {
    pub(super) fn new(url: &Url, now: Timestamp, stop: CancellationToken) -> Self {
        let state = Mutex::new(State { view: begun(JobId::generate(), url.as_str(), now) });
        Self { url: url.clone(), state, stop, ended: CancellationToken::new() }
    }

    pub(super) fn id(&self) -> JobId {
        self.state().view.id
    }

    /// It goes on with a job that another node began.
    pub(super) fn go_on_with(&self, id: JobId) {
        self.state().view.id = id;
    }

    pub(super) fn view(&self) -> JobView {
        self.state().view.clone()
    }

    /// The same as long as it has the tenant's place: it runs. Its outcome is not kept yet and nothing
    /// else could begin, and whoever is told that a job is over relies on both.
    pub(super) fn view_in_place(&self) -> JobView {
        JobView { state: JobState::Running, ended_at: None, error: None, ..self.view() }
    }

    /// How it ended, if it has.
    pub(super) fn outcome(&self) -> Option<JobView> {
        Some(self.view()).filter(|view| view.state != JobState::Running)
    }

    pub(super) fn is_of(&self, url: &Url) -> bool {
        self.url == *url
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    fn show(&self, outcome: &Walked) {
        outcome.show(&mut self.state().view);
    }

    fn close(&self, result: &Result<(), SiteError>, cut: bool, now: Timestamp) {
        let mut state = self.state();
        state.view.ended_at = Some(now);
        state.view.state = if result.is_ok() { JobState::Done } else { JobState::Failed };
        state.view.error = match result {
            Ok(()) => {
                cut.then(|| "it ended before all pages were read: time was up, or too many were passed over".to_owned())
            }
            Err(error) => Some(error.to_string()),
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Runs the job to its end, whoever goes away meanwhile.
    pub(super) fn launch(self, kept: Kept) {
        let inner = Arc::clone(&self.learning.inner);
        let run = async move { self.learning.run(self.tenant, &self.job, kept).await };
        inner.tasks.spawn_on(run, &inner.runtime);
    }
}

impl Learning {
    async fn run(&self, tenant: TenantId, job: &Job, mut kept: Kept) {
        let (url, attempts) = (kept.site.url.clone(), kept.site.attempts);
        kept.site.attempts += 1;
        kept.site.at = self.own_post(job);
        let post = kept.site.at;
        // Who loses this race leaves the site to whoever has won it.
        if let Err(error) = self.inner.sites.put(tenant, &mut kept).await {
            tracing::warn!(%tenant, job = %job.view().id, %error, "a site is not learned now");
            // Its outcome is then told by that one.
            if !matches!(error, StoreError::Conflict { .. }) {
                self.jobs().unwritten = true;
                job.close(&Err(SiteError::Stopped), false, self.inner.clock.now());
            }
            return;
        }
        let mut outcome = Walked::default();
        let result = if attempts >= ATTEMPTS_MAX {
            Err(SiteError::Abandoned)
        } else {
            tokio::select! {
                result = self.walk(tenant, job, &mut kept, &mut outcome) => result,
                never = self.tell_progress(tenant, job, post) => match never {},
            }
        };
        let drained = self.inner.stop.is_cancelled() && matches!(result, Err(SiteError::Stopped));
        let now = self.inner.clock.now();
        job.close(&result, outcome.cut, now);
        let site = &mut kept.site;
        // A job that broke off may have stored pages that it does not know of; all are written down.
        if result.is_ok() {
            site.pages = outcome.pages;
        }
        site.attempts = if drained { attempts } else { 0 };
        if !drained {
            // What a drain has stopped stays due.
            site.due_at = site.every_hours.map(|hours| now.plus(jittered(HOUR * hours)));
            site.last = Some(job.view());
            // Else another node goes on with it, once this one is gone.
            site.at = None;
        }
        let due = site.due_at;
        let view = job.view();
        match put_own(&self.inner.sites, tenant, &mut kept, post).await {
            Ok(()) => {
                self.plan(tenant, &url, due);
                if !drained {
                    self.end_progress(tenant, &Site { at: post, ..kept.site }).await;
                }
            }
            Err(error) => {
                tracing::warn!(%tenant, job = %view.id, %error, "a learned site's record cannot be written");
                self.jobs().unwritten = true;
            }
        }
        let took = now.since(view.started_at).as_secs();
        let (read, skipped) = (view.pages_read, view.pages_skipped_total);
        tracing::info!(%tenant, job = %view.id, state = ?view.state, read, skipped, took, "a site was walked through");
    }

    async fn walk(&self, tenant: TenantId, job: &Job, kept: &mut Kept, outcome: &mut Walked) -> Result<(), SiteError> {
        let inner = &self.inner;
        let known = kept.site.pages.clone();
        outcome.pages.clone_from(&known);
        let web = Web::new(inner.private).map_err(SiteError::Setup)?;
        let now = || inner.clock.now();
        let account = Arc::new(Account::new(tenant, inner.sites.clone(), kept.clone()));
        let noting = Arc::clone(&account);
        let knowledge = inner.knowledge.noting(Arc::new(move |pages| {
            let account = Arc::clone(&noting);
            Box::pin(async move { account.note(pages).await })
        }));
        let learner =
            Learner { knowledge: &knowledge, tenant, fetch: &web, reader: &inner.reader, stop: &job.stop, now: &now };
        let Site { pages_max, depth_max, queries_max, .. } = kept.site;
        let bounds = Bounds { pages_max, depth_max, queries_max, ..Bounds::default() };
        let result = learner.learn(&job.url, bounds, &known, outcome, |outcome| job.show(outcome)).await;
        *kept = account.kept().await;
        result
    }
}

/// A little longer, so that sites do not come due together.
fn jittered(pause: Duration) -> Duration {
    let percent = u32::from(super::schedule::random_byte()) * JITTER_PERCENT / 255;
    pause + pause * percent / 100
}
