//! Learns sites again when they are due, and goes on with jobs that a stop cut off.

use std::time::Duration;

use engine_crawl::start_url;
use schema::{TenantId, Timestamp};

use super::{Learning, LearningError};
use crate::auth::{TenantError, Tenants};

/// The first look, once the node serves.
const FIRST_AFTER: Duration = Duration::from_secs(1);
/// Between two looks, more or less.
const EVERY: Duration = Duration::from_secs(60);
/// Looks after which all records are read again: another node may have changed them.
const LOOKS_PER_READING: u32 = 60;

impl Learning {
    /// Runs until the node drains.
    pub async fn schedule(self, tenants: &Tenants) {
        let mut looks = 0;
        let mut pause = FIRST_AFTER;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.inner.stop.cancelled() => return,
            }
            if looks % LOOKS_PER_READING == 0
                && let Err(error) = self.read_all(tenants).await
            {
                tracing::warn!(records = "sites", %error, "the sites that are to be learned again cannot be read");
            }
            looks += 1;
            self.begin_due(tenants).await;
            pause = EVERY * (192 + u32::from(random_byte()) / 2) / 256;
        }
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
            }
        }
        Ok(())
    }

    async fn begin_due(&self, tenants: &Tenants) {
        let now = self.inner.clock.now();
        let due: Vec<(TenantId, String)> = {
            let jobs = self.jobs();
            jobs.due.iter().take_while(|(at, ..)| *at <= now).map(|(_, tenant, url)| (*tenant, url.clone())).collect()
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
