//! Learns sites again when they are due, and goes on with jobs that a stop cut off.

use std::future::pending;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use engine_crawl::start_url;
use schema::{NodeId, TenantId, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Learning, LearningError};
use crate::auth::{TenantError, Tenants};
use crate::metrics::SITES_TAKEN_OVER;

/// The first look, once the node serves.
const FIRST_AFTER: Duration = Duration::from_secs(1);
/// Between two looks, more or less.
const EVERY: Duration = Duration::from_secs(60);
/// Looks after which all records are read again, whatever has happened.
const LOOKS_PER_READING: u32 = 60;

impl Learning {
    /// Runs until the node drains.
    pub async fn schedule(self, tenants: &Tenants) {
        let (mut looks, mut wants_reading, mut may_read) = (0, false, Instant::now());
        let mut next = Instant::now() + FIRST_AFTER;
        let mut others = self.others();
        loop {
            tokio::select! {
                () = sleep_until(next) => {}
                // Whoever is gone may have left a job: what there is of all tenants is read at once, if not lately.
                () = changed(&mut others) => {
                    wants_reading = true;
                    next = next.min(may_read.max(Instant::now()));
                    continue;
                }
                () = self.inner.stop.cancelled() => return,
            }
            wants_reading |= looks % LOOKS_PER_READING == 0 || mem::take(&mut self.jobs().unwritten);
            let read = wants_reading && Instant::now() >= may_read;
            self.look(tenants, read).await;
            if read {
                (wants_reading, may_read) = (false, Instant::now() + EVERY / 2);
            }
            looks += 1;
            next = Instant::now() + EVERY * (192 + u32::from(random_byte()) / 2) / 256;
        }
    }

    /// Begins what is due, by the records as they are or as they were read last.
    pub(super) async fn look(&self, tenants: &Tenants, read: bool) {
        if read && let Err(error) = self.read_all(tenants).await {
            tracing::warn!(records = "sites", %error, "the sites that are to be learned again cannot be read");
        }
        self.begin_due(tenants).await;
    }

    /// Remembers when a site is to be learned next.
    pub(super) fn plan(&self, tenant: TenantId, url: &str, due: Option<Timestamp>) {
        let mut jobs = self.jobs();
        jobs.due.retain(|(_, owner, site)| *owner != tenant || site != url);
        if let Some(due) = due {
            jobs.due.insert((due, tenant, url.to_owned()));
        }
    }

    async fn read_all(&self, tenants: &Tenants) -> Result<(), TenantError> {
        for tenant in tenants.list().await? {
            for site in self.inner.sites.list(tenant.id).await? {
                self.plan(tenant.id, &site.url, site.due_at);
                if let Err(error) = self.leave_lost_post(tenant.id, &site).await {
                    tracing::warn!(tenant = %tenant.id, %error, "a site whose job has ended cannot be left");
                }
            }
        }
        Ok(())
    }

    async fn begin_due(&self, tenants: &Tenants) {
        let now = self.inner.clock.now();
        let due: Vec<(TenantId, String)> = {
            let jobs = self.jobs();
            let due = jobs.due.iter().take_while(|(at, ..)| *at <= now);
            let due = due.filter(|(at, tenant, url)| self.is_ours(*tenant, url, now.since(*at)));
            due.map(|(_, tenant, url)| (*tenant, url.clone())).collect()
        };
        for (tenant, url) in due {
            match self.begin_again(tenants, tenant, &url).await {
                Ok(()) => {}
                // Its turn comes at another look.
                Err(LearningError::Running | LearningError::Full | LearningError::Draining) => {}
                Err(error) => {
                    // Its address may have a secret in it; its host has none.
                    let site = start_url(&url).ok();
                    let site = site.as_ref().and_then(|url| url.host_str());
                    tracing::warn!(%tenant, site, %error, "a site cannot be learned again");
                    self.plan(tenant, &url, None);
                }
            }
        }
    }

    async fn begin_again(&self, tenants: &Tenants, tenant: TenantId, url: &str) -> Result<(), LearningError> {
        if tenants.view(tenant).await.is_ok_and(|view| view.disabled) {
            return Ok(());
        }
        let start = start_url(url).map_err(LearningError::Url)?;
        let place = self.reserve(tenant, &start)?;
        match self.inner.sites.get(tenant, url).await? {
            Some(kept) if kept.site.due_at.is_some_and(|due| due <= self.inner.clock.now()) => {
                self.check_others(tenant).await?;
                if let Some(post) = self.post(&kept.site) {
                    metrics::counter!(SITES_TAKEN_OVER).increment(1);
                    tracing::info!(%tenant, job = %post.job, node = %post.node, "a job whose node is gone goes on here");
                    place.job.go_on_with(post.job);
                }
                self.plan(tenant, url, None);
                place.launch(kept);
            }
            kept => self.plan(tenant, url, kept.and_then(|kept| kept.site.due_at)),
        }
        Ok(())
    }
}

/// Spreads things over time; nothing depends on it.
pub(super) fn random_byte() -> u8 {
    let mut byte = [128];
    // Without chance there is less spread, and nothing else.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

/// Waits until other nodes live than before: for ever where none is known of.
async fn changed(others: &mut Option<watch::Receiver<Arc<[NodeId]>>>) {
    let Some(living) = others else { return pending().await };
    if living.changed().await.is_err() {
        *others = None;
        pending::<()>().await;
    }
}
