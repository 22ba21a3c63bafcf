//! Which pages a site has given, written down while it is learned.
//! Invariant: an address stands in the site's record before its page is stored; one too many is harmless, as
//! whoever forgets the site's pages forgets what was never stored as well.

use std::collections::HashSet;

use engine_crawl::{Kept, Sites};
use engine_knowledge::KnowledgeError;
use engine_store::StoreError;
use schema::TenantId;
use tokio::sync::Mutex;

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
        match self.sites.put(self.tenant, kept).await {
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
