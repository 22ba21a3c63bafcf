//! Which pages a site has given, written down while it is learned.
//! Invariant: an address stands in the site's record before its page is stored; one too many is harmless, as
//! whoever forgets the site's pages forgets what was never stored as well.

use std::collections::HashSet;

use engine_crawl::{Kept, Post, Sites};
use engine_knowledge::KnowledgeError;
use engine_store::StoreError;
use schema::TenantId;
use tokio::sync::Mutex;

/// Times a site is written before its account is given up.
const PUTS_MAX: u32 = 4;

/// The account of one job.
pub(super) struct Account {
    tenant: TenantId,
    sites: Sites,
    state: Mutex<State>,
}

struct State {
    kept: Kept,
    known: HashSet<String>,
}

impl Account {
    pub(super) fn new(tenant: TenantId, sites: Sites, kept: Kept) -> Self {
        let known = kept.site.pages.iter().cloned().collect();
        Self { tenant, sites, state: Mutex::new(State { kept, known }) }
    }

    /// Notes pages that are about to be stored.
    pub(super) async fn note(&self, pages: Vec<String>) -> Result<(), KnowledgeError> {
        let mut state = self.state.lock().await;
        let State { kept, known } = &mut *state;
        let new: Vec<String> = pages.into_iter().filter(|page| !known.contains(page)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let before = kept.site.pages.len();
        kept.site.pages.extend(new.iter().cloned());
        let post = kept.site.at;
        match put_own(&self.sites, self.tenant, kept, post).await {
            Ok(()) => {
                known.extend(new);
                Ok(())
            }
            Err(error) => {
                kept.site.pages.truncate(before);
                // A learner that is told so tries again.
                Err(if matches!(error, StoreError::Busy) { KnowledgeError::Busy } else { error.into() })
            }
        }
    }

    /// The site as it was written down last.
    pub(super) async fn kept(&self) -> Kept {
        self.state.lock().await.kept.clone()
    }
}

/// Writes a site that this node has at its post. Nobody else changes it as long as that is so: where an answer was
/// lost, it is seen what became of the writing, and it is written again.
pub(super) async fn put_own(
    sites: &Sites,
    tenant: TenantId,
    kept: &mut Kept,
    post: Option<Post>,
) -> Result<(), StoreError> {
    let mut tries = PUTS_MAX;
    loop {
        tries -= 1;
        let error = match sites.put(tenant, kept).await {
            Err(error @ (StoreError::Conflict { .. } | StoreError::Unknown(_))) if post.is_some() && tries > 0 => error,
            put => return put,
        };
        match sites.get(tenant, &kept.site.url).await? {
            Some(now) if now.site == kept.site => {
                kept.version = now.version;
                return Ok(());
            }
            Some(now) if now.site.at == post => kept.version = now.version,
            // Another node has taken it over.
            _ => return Err(error),
        }
    }
}
