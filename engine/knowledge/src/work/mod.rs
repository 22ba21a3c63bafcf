//! Blocking work: opening, building, learning and forgetting, on a thread made for it.
//! Invariant: documents change within a stint, which raises the stamp before and after, and an index bears the stamp
//! it was made from; one that bears another is brought up to date. So no crash in between, and no other node, can
//! leave an index that looks right and is not.

mod catching_up;
mod stint;
mod storing;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use engine_store::{Records, Scope, StoreError};
use futures_util::future::try_join_all;
use schema::wire::{DocumentView, Learned};
use schema::{TenantId, Timestamp};
use tokio::runtime::Handle;
use tracing::warn;

use crate::index::{self, Entry, TenantIndex, Unopened, Writer};
use crate::records::{self, Facts, PAGE_RECORDS};
use crate::{Document, KnowledgeError, metrics as names};

use stint::Stint;
pub(crate) use stint::Unended;
use storing::Change;

/// Tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Is told whose knowledge this node has changed. It must not wait for anything.
pub type Tell = Arc<dyn Fn(TenantId) + Send + Sync>;

/// One tenant's documents, for a thread that may wait.
pub(crate) struct Work {
    pub(crate) tenant: TenantId,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) runtime: Handle,
    pub(crate) now: Now,
    pub(crate) unended: Arc<Unended>,
    pub(crate) tell: Arc<OnceLock<Tell>>,
}

/// Documents that are stored or read at once, and their bytes: the store is waited for once for all of them.
pub(crate) const BATCH_DOCUMENTS: usize = 16;
pub(crate) const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// A stint with the writer of its index.
type Open<'a> = (Writer<'a>, Stint);

impl Work {
    /// Opens the index, bringing it up to date where it does not match the store. `None` when the
    /// tenant never taught anything and `create` is not asked for.
    pub(crate) fn open(&self, dir: &std::path::Path, create: bool) -> Result<Option<TenantIndex>, KnowledgeError> {
        let stamp = self.stamp()?;
        if stamp.version == 0 && !create {
            // What is gone from the store is not to be kept here.
            index::remove(dir)?;
            return Ok(None);
        }
        let index = match TenantIndex::open(dir) {
            Ok(index) => index,
            Err(Unopened::Failed(error)) => return Err(error),
            Err(cause) => {
                if stamp.version > 0 || !matches!(cause, Unopened::Absent) {
                    warn!(tenant = %self.tenant, %cause, "index is built anew");
                }
                TenantIndex::create(dir)?
            }
        };
        self.catch_up(&index)?;
        Ok(Some(index))
    }

    /// Learns what changed; one commit for all.
    pub(crate) fn learn(
        &self,
        index: &TenantIndex,
        documents: &[Document],
        learned_at: Timestamp,
    ) -> Result<Vec<Learned>, KnowledgeError> {
        self.catch_up(index)?;
        let mut learned = Vec::with_capacity(documents.len());
        let mut open: Option<Open<'_>> = None;
        let mut outcome = Ok(());
        let mut rest = documents;
        while outcome.is_ok() && !rest.is_empty() {
            let (batch, after) = rest.split_at(batch(rest));
            rest = after;
            outcome = self.learn_batch(index, &mut open, batch, learned_at).map(|done| learned.extend(done));
        }
        if let Some((writer, stint)) = open {
            self.end(writer, &stint, outcome.is_ok())?;
        }
        outcome.map(|()| learned)
    }

    /// Forgets documents; says how many were known.
    pub(crate) fn forget(&self, index: &TenantIndex, sources: &[String]) -> Result<usize, KnowledgeError> {
        self.catch_up(index)?;
        let mut stored = Vec::new();
        for id in sources.iter().map(|source| records::sha256(source)) {
            if self.is_stored(&id)? {
                stored.push(id);
            }
        }
        if stored.is_empty() {
            return Ok(0);
        }
        let (writer, mut stint) = self.begin(index)?;
        let mut known = 0;
        let outcome = stored.iter().try_for_each(|id| {
            self.touch(&mut stint)?;
            known += usize::from(self.remove(id)?);
            writer.forget(id);
            Ok(())
        });
        self.end(writer, &stint, outcome.is_ok())?;
        outcome.map(|()| known)
    }

    /// The documents after one record, as they lie in the store, and the record to go on after. Reads no texts.
    pub(crate) fn page(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<DocumentView>, Option<String>), KnowledgeError> {
        let limit = limit.min(PAGE_RECORDS);
        let found = self.wait(self.records.scan(Scope::Tenant(self.tenant), records::DOCUMENT, after, limit))?;
        let after = found.last().filter(|_| found.len() == limit).map(|record| record.id.clone());
        let views = found.iter().map(|record| Ok(DocumentView::from(records::read::<Facts>(&record.body)?)));
        Ok((views.collect::<Result<_, KnowledgeError>>()?, after))
    }

    /// Every document, by name.
    pub(crate) fn list(&self) -> Result<Vec<DocumentView>, KnowledgeError> {
        let mut views = Vec::new();
        self.each_page(|page| {
            for record in page {
                views.push(DocumentView::from(records::read::<Facts>(&record.body)?));
            }
            Ok(())
        })?;
        views.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(views)
    }

    /// Tells whoever wants to know that this node has changed the tenant's documents.
    pub(crate) fn tell(&self) {
        if let Some(tell) = self.tell.get() {
            tell(self.tenant);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Learns those of a few documents that are new or changed.
    fn learn_batch<'a>(
        &self,
        index: &'a TenantIndex,
        open: &mut Option<Open<'a>>,
        documents: &[Document],
        learned_at: Timestamp,
    ) -> Result<Vec<Learned>, KnowledgeError> {
        let known = documents.iter().map(|document| self.known(document)).collect::<Result<Vec<_>, _>>()?;
        let new = documents.iter().zip(&known).filter(|(_, known)| known.is_none());
        let changes: Vec<Change<'_>> = new.map(|(document, _)| Change::of(document)).collect();
        if !changes.is_empty() {
            let (writer, stint) = match open {
                Some(open) => open,
                none => none.insert(self.begin(index)?),
            };
            self.touch(stint)?;
            let stored = changes.iter().map(|change| self.store(change, learned_at));
            let texts = self.runtime.block_on(try_join_all(stored))?;
            if !self.is_alone(stint)? {
                for (change, text_id) in changes.iter().zip(&texts) {
                    self.make_sure(change, text_id, learned_at)?;
                }
            }
            for Change { document, id, sha256, pieces } in &changes {
                writer.learn(&Entry { id, source: &document.source, sha256, pieces })?;
                metrics::counter!(names::DOCUMENTS).increment(1);
                metrics::counter!(names::PASSAGES).increment(pieces.len() as u64);
            }
        }
        let mut changed = changes.iter();
        let learned = documents.iter().zip(known).map(|(document, known)| Learned {
            source: document.source.clone(),
            passages: known.or_else(|| Some(changed.next()?.pieces.len())).unwrap_or(0),
            changed: known.is_none(),
        });
        Ok(learned.collect())
    }

    pub(crate) fn wait<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.runtime.block_on(answer)
    }
}

/// How many of some documents, one or more, are stored at once. None stands there twice: the second is to see what
/// the first has said.
fn batch(documents: &[Document]) -> usize {
    let (mut sources, mut bytes) = (HashSet::new(), 0);
    for (count, document) in documents.iter().take(BATCH_DOCUMENTS).enumerate() {
        bytes += document.text.bytes();
        if !sources.insert(&document.source) || (count > 0 && bytes > BATCH_BYTES) {
            return count;
        }
    }
    documents.len().min(BATCH_DOCUMENTS)
}
