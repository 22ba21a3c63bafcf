//! The tenants' knowledge: learn, forget, list, search. Everything that blocks runs on threads
//! made for it; a search reads what was committed last and never waits for a learner.

mod follow;
mod opening;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use engine_store::Records;
use engine_turns::{Crowded, Turns};
use futures_util::future::BoxFuture;
use schema::wire::{DocumentMarkdown, DocumentPage, DocumentView, Learned};
use schema::{Passage, TenantId, Timestamp};
use tokio::runtime::Handle;
use tracing::warn;

use crate::index::TenantIndex;
use crate::query::Query;
use crate::ranking::{self, Found};
use crate::shelf::{Shelf, Slot};
use crate::weights::Weights;
pub use crate::work::{Now, Tell};
use crate::work::{Unended, Work};
use crate::{Document, KnowledgeError, index, metrics as names, reading, records};

/// Indexes held open when nothing else is said.
const OPEN_MAX: usize = 64;
/// Passages one search may be asked for.
const LIMIT_MAX: usize = 50;
/// Searches that may wait for their turn.
const SEARCHES_WAITING_MAX: usize = 2_048;
/// Tenants that may learn at once: each takes 15 MB.
const LEARNERS_MAX: usize = 2;
/// Calls that may wait to learn or forget.
const LEARNERS_WAITING_MAX: usize = 64;
/// Documents that are read at once to be shown, one of a tenant's …
const SHOWN_MAX: usize = 2;
/// … and calls that may wait for it.
const SHOWN_WAITING_MAX: usize = 64;
/// What a call that learns nothing costs a learner, in bytes that it could have learned meanwhile.
const FORGET_COST: usize = 64 * 1024;

/// All tenants' knowledge on this node. Cloning shares it.
#[derive(Clone)]
pub struct Knowledge {
    pub(crate) inner: Arc<Inner>,
    /// Is told of sources before they are learned.
    ahead: Option<Ahead>,
}

/// Notes sources; unless it succeeds they are not learned.
pub type Ahead = Arc<dyn Fn(Vec<String>) -> BoxFuture<'static, Result<(), KnowledgeError>> + Send + Sync>;

pub(crate) struct Inner {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) shelf: Shelf,
    searching: Turns,
    pub(crate) learning: Turns,
    showing: Turns,
    now: Now,
    unended: Arc<Unended>,
    pub(crate) tell: Arc<OnceLock<Tell>>,
    pub(crate) rounds: AtomicUsize,
}

impl Knowledge {
    /// Keeps indexes under `<data>/knowledge/`, and documents in the store. Opens nothing yet:
    /// an index is opened, and where needed built from the store, when its tenant first asks.
    #[must_use]
    pub fn open(data: &Path, records: Arc<dyn Records>) -> Self {
        Self::with_open_max(data, records, OPEN_MAX)
    }

    /// The same, holding at most `open_max` indexes open that are not at work.
    #[must_use]
    pub fn with_open_max(data: &Path, records: Arc<dyn Records>, open_max: usize) -> Self {
        Self::with_clock(data, records, open_max, Arc::new(system_time))
    }

    /// The same by another clock, by which work that other nodes left is told from work that goes on.
    #[must_use]
    pub fn with_clock(data: &Path, records: Arc<dyn Records>, open_max: usize, now: Now) -> Self {
        // Half of the cores: a search is one wait of a few milliseconds before a reply, and more of them at
        // once would be many waits within the replies that run.
        let searchers = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let root: PathBuf = data.join("knowledge");
        let inner = Inner {
            records,
            shelf: Shelf::new(root, open_max.max(1)),
            searching: Turns::new(searchers, searchers, SEARCHES_WAITING_MAX),
            // One at a time of each tenant by the slot's own lock.
            learning: Turns::new(LEARNERS_MAX, LEARNERS_MAX, LEARNERS_WAITING_MAX),
            showing: Turns::new(SHOWN_MAX, 1, SHOWN_WAITING_MAX),
            now,
            unended: Arc::default(),
            tell: Arc::default(),
            rounds: AtomicUsize::new(0),
        };
        Self { inner: Arc::new(inner), ahead: None }
    }

    /// The same, for a learner who keeps account of what it has learned: `ahead` is told of sources before anything
    /// of them is stored, so that no crash leaves a document of which the account says nothing.
    #[must_use]
    pub fn noting(&self, ahead: Ahead) -> Self {
        Self { ahead: Some(ahead), ..self.clone() }
    }

    /// Learns documents, in their order, each in place of what its source said before. What has
    /// not changed costs no work. One commit for all; what was begun is finished even when the
    /// future is dropped.
    ///
    /// # Errors
    /// [`KnowledgeError::TooLarge`] or [`KnowledgeError::Source`], or what noting them ahead failed with, before
    /// anything is learned; otherwise the documents before the one that failed are learned.
    pub async fn learn(
        &self,
        tenant: TenantId,
        documents: Vec<Document>,
        now: Timestamp,
    ) -> Result<Vec<Learned>, KnowledgeError> {
        documents.iter().try_for_each(records::check).map_err(|error| failed("learn", error))?;
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(ahead) = &self.ahead {
            ahead(documents.iter().map(|document| document.source.clone()).collect()).await?;
        }
        let begun = Instant::now();
        let bytes: usize = documents.iter().map(|document| document.text.bytes()).sum();
        let learned = self.alone(tenant, "learn", bytes, move |work, index| work.learn(index, &documents, now)).await;
        metrics::histogram!(names::LEARN_SECONDS).record(begun.elapsed());
        learned
    }

    /// Forgets a document; false when it was not known.
    ///
    /// # Errors
    /// When store or index fail.
    pub async fn forget(&self, tenant: TenantId, source: String) -> Result<bool, KnowledgeError> {
        Ok(self.forget_all(tenant, vec![source]).await? > 0)
    }

    /// Forgets documents; says how many of them were known. One commit for all.
    ///
    /// # Errors
    /// When store or index fail; then some may be forgotten.
    pub async fn forget_all(&self, tenant: TenantId, sources: Vec<String>) -> Result<usize, KnowledgeError> {
        if sources.is_empty() {
            return Ok(0);
        }
        self.alone(tenant, "forget", FORGET_COST, move |work, index| work.forget(index, &sources)).await
    }

    /// What the tenant's assistant has learned, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<DocumentView>, KnowledgeError> {
        let work = self.work(tenant);
        blocking(move || work.list()).await.map_err(|error| failed("list", error))
    }

    /// A page of what the tenant's assistant has learned, in an order of its own, and what to go on after
    /// when there may be more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<DocumentView>, Option<String>), KnowledgeError> {
        let work = self.work(tenant);
        blocking(move || work.page(after, limit)).await.map_err(|error| failed("list", error))
    }

    /// A document as it was learned: what is known of it, and up to `limit` of its passages behind number
    /// `after`. None when it was not learned.
    ///
    /// # Errors
    /// [`KnowledgeError::Busy`] when too many wait; or when the store fails.
    pub async fn document(
        &self,
        tenant: TenantId,
        source: String,
        after: usize,
        limit: usize,
    ) -> Result<Option<DocumentPage>, KnowledgeError> {
        self.show(tenant, move |work| reading::page(work, &source, after, limit)).await
    }

    /// A piece of a document's text, from a byte on. None when it was not learned.
    ///
    /// # Errors
    /// As [`Knowledge::document`].
    pub async fn markdown(
        &self,
        tenant: TenantId,
        source: String,
        after: usize,
    ) -> Result<Option<DocumentMarkdown>, KnowledgeError> {
        self.show(tenant, move |work| reading::markdown(work, &source, after)).await
    }

    /// The passages that bear on a question, best first, numbered from 1. Any text is a question;
    /// there is no query language. Empty when nothing does.
    ///
    /// # Errors
    /// [`KnowledgeError::Busy`] when too many wait, or the index is being built; otherwise when store or index fail.
    pub async fn search(
        &self,
        tenant: TenantId,
        query: impl Into<Query>,
        limit: usize,
    ) -> Result<Vec<Passage>, KnowledgeError> {
        Ok(self.find(tenant, query, limit, Weights::USED).await?.into_iter().map(|found| found.passage).collect())
    }

    /// The same by other weights, with how well each passage fits.
    ///
    /// # Errors
    /// As [`Knowledge::search`].
    pub async fn find(
        &self,
        tenant: TenantId,
        query: impl Into<Query>,
        limit: usize,
        weights: Weights,
    ) -> Result<Vec<Found>, KnowledgeError> {
        let begun = Instant::now();
        let found = self.find_now(tenant, query.into(), limit.min(LIMIT_MAX), weights).await;
        metrics::histogram!(names::SEARCH_SECONDS).record(begun.elapsed());
        if found.as_ref().is_ok_and(Vec::is_empty) {
            metrics::counter!(names::EMPTY_SEARCHES).increment(1);
        }
        found.map_err(|error| failed("search", error))
    }

    /// Closes a tenant's index if nobody uses it, so that the next search sees what other nodes
    /// have learned since.
    pub fn put_away(&self, tenant: TenantId) {
        self.inner.shelf.put_away(tenant);
    }

    async fn show<T: Send + 'static>(
        &self,
        tenant: TenantId,
        read: impl FnOnce(&Work) -> Result<T, KnowledgeError> + Send + 'static,
    ) -> Result<T, KnowledgeError> {
        let shown = async {
            let turn = self.inner.showing.enter(tenant)?.turn(1).await;
            let work = self.work(tenant);
            blocking(move || {
                let _held = turn;
                read(&work)
            })
            .await
        };
        shown.await.map_err(|error| failed("show", error))
    }

    async fn find_now(
        &self,
        tenant: TenantId,
        query: Query,
        limit: usize,
        weights: Weights,
    ) -> Result<Vec<Found>, KnowledgeError> {
        if limit == 0 || !ranking::asks_something(&query) {
            return Ok(Vec::new());
        }
        let place = self.inner.searching.enter(tenant)?;
        let slot = self.inner.shelf.slot(tenant);
        self.open_to_search(&slot).await?;
        let turn = place.turn(1).await;
        let found = blocking({
            let slot = slot.clone();
            move || {
                let _held = turn;
                slot.index.get().map_or_else(|| Ok(Vec::new()), |index| ranking::find(index, &query, limit, &weights))
            }
        });
        let found = found.await;
        // Any other error says nothing of the index.
        if let Err(KnowledgeError::Index(cause)) = &found {
            self.condemn(&slot, cause);
        }
        found
    }

    /// A search failed on an index that opened well: it is built again when next opened.
    fn condemn(&self, slot: &Slot, cause: &str) {
        // A learner at work keeps it: the next failing search tries again.
        let Ok(_alone) = slot.learning.try_lock() else { return };
        warn!(tenant = %slot.tenant, cause, "index is to be built anew: a search failed");
        if let Err(error) = index::condemn(&slot.dir) {
            warn!(tenant = %slot.tenant, %error, "damaged index");
        }
        slot.retire();
    }

    /// Runs a change of one tenant's documents when no other is running.
    async fn alone<T: Send + 'static>(
        &self,
        tenant: TenantId,
        operation: &'static str,
        cost: usize,
        change: impl FnOnce(&Work, &TenantIndex) -> Result<T, KnowledgeError> + Send + 'static,
    ) -> Result<T, KnowledgeError> {
        let changed = async {
            let place = self.inner.learning.enter(tenant)?;
            let (slot, learning) = self.slot_alone(tenant).await;
            let turn = place.turn(cost as u64).await;
            self.open_slot(&slot, true).await?;
            let work = self.work(tenant);
            blocking(move || {
                let _held = (turn, learning);
                let Some(index) = slot.index.get() else {
                    return Err(KnowledgeError::Index("it was not opened".into()));
                };
                change(&work, index)
            })
            .await
        };
        changed.await.map_err(|error| failed(operation, error))
    }

    /// The tenant's slot with its learner's lock.
    async fn slot_alone(&self, tenant: TenantId) -> (Arc<Slot>, tokio::sync::OwnedMutexGuard<()>) {
        loop {
            let slot = self.inner.shelf.slot(tenant);
            let learning = slot.learning.clone().lock_owned().await;
            if !slot.is_retired() {
                return (slot, learning);
            }
        }
    }

    /// Opens the slot's index, once for all who ask, and builds it where it has to be: for who has a turn to learn.
    /// Without `create`, a tenant that never taught anything gets none.
    pub(crate) async fn open_slot(&self, slot: &Arc<Slot>, create: bool) -> Result<(), KnowledgeError> {
        if slot.index.get().is_some() {
            return Ok(());
        }
        let opening = slot.opening.clone().lock_owned().await;
        // A retired slot's folder belongs to its successor.
        if slot.index.get().is_some() || slot.is_retired() {
            return Ok(());
        }
        let (work, slot) = (self.work(slot.tenant), slot.clone());
        blocking(move || {
            let _held = opening;
            if let Some(index) = work.open(&slot.dir, create)? {
                // The lock is ours, so nobody else has set it.
                let _ = slot.index.set(index);
            }
            Ok(())
        })
        .await?;
        self.inner.shelf.report();
        Ok(())
    }

    pub(crate) fn work(&self, tenant: TenantId) -> Work {
        let Inner { records, now, unended, tell, .. } = &*self.inner;
        let (records, now, unended, tell) = (records.clone(), now.clone(), unended.clone(), tell.clone());
        Work { tenant, records, runtime: Handle::current(), now, unended, tell }
    }
}

#[expect(clippy::disallowed_methods, reason = "for callers without a clock of their own, where no other node is")]
fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KnowledgeError> + Send + 'static,
) -> Result<T, KnowledgeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(KnowledgeError::Index(format!("its thread ended early: {error}"))),
    }
}

impl From<Crowded> for KnowledgeError {
    fn from(Crowded: Crowded) -> Self {
        Self::Busy
    }
}

pub(crate) fn failed(operation: &'static str, error: KnowledgeError) -> KnowledgeError {
    metrics::counter!(names::ERRORS, "operation" => operation).increment(1);
    error
}
