//! What blocks: opening, building, learning and forgetting, on a thread made for it.
//! Invariant: the stamp is raised before documents change and after, and an index bears the stamp
//! it was made from; one that bears another is built again. So no crash in between can leave an
//! index that looks right and is not.

use std::sync::Arc;

use schema::wire::{DocumentView, Learned};
use schema::{TenantId, Timestamp};
use tokio::runtime::Handle;
use tracing::{info, warn};

use super::chunk::{Piece, pieces};
use super::index::{self, Entry, TenantIndex, Writer};
use super::records::{self, Body, Facts, Kept, PAGE_RECORDS};
use super::{Document, KnowledgeError, metrics as names};
use crate::store::{Record, RecordName, Records, Scope, StoreError};

/// One tenant's documents, for a thread that may wait.
pub(super) struct Work {
    pub(super) tenant: TenantId,
    pub(super) records: Arc<dyn Records>,
    pub(super) runtime: Handle,
}

/// A document that is new or says something else than before.
struct Change<'a> {
    document: &'a Document,
    id: String,
    sha256: String,
    pieces: Vec<Piece>,
}

impl Work {
    /// Opens the index, building it again where it does not match the store. `None` when the
    /// tenant never taught anything and `create` is not asked for.
    pub(super) fn open(&self, dir: &std::path::Path, create: bool) -> Result<Option<TenantIndex>, KnowledgeError> {
        let stamp = self.stamp()?;
        if stamp == 0 && !create && !dir.exists() {
            return Ok(None);
        }
        let index = match TenantIndex::open(dir) {
            Some(index) => index,
            None => TenantIndex::create(dir)?,
        };
        self.build_if_stale(&index, stamp)?;
        Ok(Some(index))
    }

    /// Learns what changed; one commit for all.
    pub(super) fn learn(
        &self,
        index: &TenantIndex,
        documents: &[Document],
        now: Timestamp,
    ) -> Result<Vec<Learned>, KnowledgeError> {
        let before = self.stamp()?;
        self.build_if_stale(index, before)?;
        let mut learned = Vec::with_capacity(documents.len());
        let mut session: Option<(Writer<'_>, u64)> = None;
        let mut outcome = Ok(());
        for document in documents {
            let done = self.known(document).and_then(|known| {
                if let Some(passages) = known {
                    learned.push(Learned { source: document.source.clone(), passages, changed: false });
                    return Ok(());
                }
                let (writer, _) = match &mut session {
                    Some(session) => session,
                    none => none.insert(self.begin(index)?),
                };
                let passages = self.learn_one(writer, document, now)?;
                learned.push(Learned { source: document.source.clone(), passages, changed: true });
                Ok(())
            });
            if done.is_err() {
                outcome = done;
                break;
            }
        }
        if let Some((writer, begun)) = session {
            self.end(writer, begun, outcome.is_ok())?;
        }
        outcome.map(|()| learned)
    }

    /// Forgets documents; says how many were known.
    pub(super) fn forget(&self, index: &TenantIndex, sources: &[String]) -> Result<usize, KnowledgeError> {
        let before = self.stamp()?;
        self.build_if_stale(index, before)?;
        let mut known = Vec::new();
        for source in sources {
            let id = records::sha256(source);
            let name = records::document(self.tenant, id.clone());
            if self.wait(self.records.get(name.clone()))?.is_some() {
                known.push((id, name));
            }
        }
        if known.is_empty() {
            return Ok(0);
        }
        let (writer, begun) = self.begin(index)?;
        let outcome = known.iter().try_for_each(|(id, name)| {
            self.delete(name)?;
            writer.forget(id);
            Ok(())
        });
        self.end(writer, begun, outcome.is_ok())?;
        outcome.map(|()| known.len())
    }

    /// The documents after one record, as they lie in the store, and the record to go on after. One at a time:
    /// each may be as large as a document may be.
    pub(super) fn page(
        &self,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<DocumentView>, Option<String>), KnowledgeError> {
        let mut views = Vec::new();
        while views.len() < limit {
            let scope = Scope::Tenant(self.tenant);
            let found = self.wait(self.records.scan(scope, records::DOCUMENT, after, 1))?;
            let Some(record) = found.into_iter().next() else { return Ok((views, None)) };
            views.push(DocumentView::from(records::read::<Facts>(&record.body)?));
            after = Some(record.id);
        }
        Ok((views, after))
    }

    /// Every document, by name.
    pub(super) fn list(&self) -> Result<Vec<DocumentView>, KnowledgeError> {
        let mut views = Vec::new();
        self.each_document(|record| {
            views.push(DocumentView::from(records::read::<Facts>(&record.body)?));
            Ok(())
        })?;
        views.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(views)
    }

    /// Removes all documents and the index. The stamp goes last: until then a crash leaves an
    /// index that is built again from what is left.
    pub(super) fn drop_tenant(&self, dir: &std::path::Path) -> Result<(), KnowledgeError> {
        let stamp = records::stamp(self.tenant);
        let records = &self.records;
        self.wait(records::again_on_conflict(|| {
            let (records, name) = (records.clone(), stamp.clone());
            Box::pin(async move {
                let version = records.get(name.clone()).await?.map_or(0, |record| record.version);
                records.put(name, version, b"{}".to_vec()).await
            })
        }))?;
        let mut names = Vec::new();
        self.each_document(|record| {
            names.push(records::document(self.tenant, record.id.clone()));
            Ok(())
        })?;
        for name in &names {
            self.delete(name)?;
        }
        index::remove(dir)?;
        self.delete(&stamp)
    }

    fn stamp(&self) -> Result<u64, KnowledgeError> {
        let record = self.wait(self.records.get(records::stamp(self.tenant)))?;
        Ok(record.map_or(0, |record| record.version))
    }

    fn build_if_stale(&self, index: &TenantIndex, stamp: u64) -> Result<(), KnowledgeError> {
        if index.stamp()? == stamp {
            return Ok(());
        }
        let writer = index.writer()?;
        writer.clear()?;
        let mut documents = 0u64;
        self.each_document(|record| {
            match records::read::<Kept>(&record.body) {
                Ok(kept) => {
                    documents += 1;
                    let pieces = pieces(&kept.source, &kept.text);
                    writer.learn(&Entry { id: &record.id, source: &kept.source, pieces: &pieces })
                }
                // One unreadable record must not take all others from the assistant.
                Err(error) => {
                    warn!(tenant = %self.tenant, record = record.id, %error, "document skipped");
                    Ok(())
                }
            }
        })?;
        writer.commit(stamp)?;
        metrics::counter!(names::REBUILDS).increment(1);
        info!(tenant = %self.tenant, documents, "index built from the store");
        Ok(())
    }

    /// How many passages the document gave, if exactly this text is known.
    fn known(&self, document: &Document) -> Result<Option<usize>, KnowledgeError> {
        let name = records::document(self.tenant, records::sha256(&document.source));
        let Some(record) = self.wait(self.records.get(name))? else { return Ok(None) };
        let facts: Facts = records::read(&record.body)?;
        if facts.sha256 != records::sha256(document.text.as_str()) {
            return Ok(None);
        }
        if facts.left_out != document.left_out {
            self.note_left_out(&record, &facts, document)?;
        }
        Ok(Some(facts.passages))
    }

    /// What a page has besides its text may change alone; the index knows nothing of that.
    fn note_left_out(&self, record: &Record, facts: &Facts, document: &Document) -> Result<(), KnowledgeError> {
        let body = body(document, &facts.sha256, facts.learned_at, facts.passages)?;
        let name = records::document(self.tenant, record.id.clone());
        match self.wait(self.records.put(name, record.version, body)) {
            // Somebody else has just learned it: theirs is newer.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Announces a change of the documents: gives the writer, and the stamp it raised.
    fn begin<'a>(&self, index: &'a TenantIndex) -> Result<(Writer<'a>, u64), KnowledgeError> {
        let stamp = index.stamp()?;
        // A conflict means that another node learns for this tenant: its change comes first, and
        // the caller's next attempt begins by building the index again.
        let begun = self.wait(self.records.put(records::stamp(self.tenant), stamp, b"{}".to_vec()))?;
        Ok((index.writer()?, begun))
    }

    fn end(&self, writer: Writer<'_>, begun: u64, complete: bool) -> Result<(), KnowledgeError> {
        if !complete {
            // What was learned is searchable; the old stamp has the index built again next time.
            return writer.commit(begun - 1);
        }
        // Where the second raising fails the index bears a stamp the store has left or is about to
        // leave, and is built again: nothing to tell the caller, whose documents are stored.
        let ended = self.wait(self.records.put(records::stamp(self.tenant), begun, b"{}".to_vec()));
        writer.commit(ended.unwrap_or(begun - 1))
    }

    fn learn_one(
        &self,
        writer: &Writer<'_>,
        document: &Document,
        learned_at: Timestamp,
    ) -> Result<usize, KnowledgeError> {
        let text = document.text.as_str();
        let change = Change {
            document,
            id: records::sha256(&document.source),
            sha256: records::sha256(text),
            pieces: pieces(&document.source, text),
        };
        self.store(&change, learned_at)?;
        writer.learn(&Entry { id: &change.id, source: &document.source, pieces: &change.pieces })?;
        metrics::counter!(names::DOCUMENTS).increment(1);
        metrics::counter!(names::PASSAGES).increment(change.pieces.len() as u64);
        Ok(change.pieces.len())
    }

    fn store(&self, change: &Change<'_>, learned_at: Timestamp) -> Result<(), KnowledgeError> {
        let body = body(change.document, &change.sha256, learned_at, change.pieces.len())?;
        let name = records::document(self.tenant, change.id.clone());
        self.wait(records::again_on_conflict(|| {
            let (records, name, body) = (self.records.clone(), name.clone(), body.clone());
            Box::pin(async move {
                let version = records.get(name.clone()).await?.map_or(0, |record| record.version);
                records.put(name, version, body).await
            })
        }))?;
        Ok(())
    }

    fn delete(&self, name: &RecordName) -> Result<(), KnowledgeError> {
        Ok(self.wait(records::again_on_conflict(|| {
            let (records, name) = (self.records.clone(), name.clone());
            Box::pin(async move {
                match records.get(name.clone()).await? {
                    Some(record) => records.delete(name, record.version).await,
                    None => Ok(()),
                }
            })
        }))?)
    }

    fn each_document(
        &self,
        mut visit: impl FnMut(&Record) -> Result<(), KnowledgeError>,
    ) -> Result<(), KnowledgeError> {
        let mut after = None;
        loop {
            let scope = Scope::Tenant(self.tenant);
            let page = self.wait(self.records.scan(scope, records::DOCUMENT, after, PAGE_RECORDS))?;
            for record in &page {
                visit(record)?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE_RECORDS => after = Some(last.id.clone()),
                _ => return Ok(()),
            }
        }
    }

    fn wait<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.runtime.block_on(answer)
    }
}

/// A document's record.
fn body(document: &Document, sha256: &str, learned_at: Timestamp, passages: usize) -> Result<Vec<u8>, KnowledgeError> {
    let Document { source, text, left_out } = document;
    let body = Body { source, sha256, learned_at, bytes: text.bytes(), passages, text: text.as_str(), left_out };
    serde_json::to_vec(&body).map_err(|error| KnowledgeError::Index(error.to_string()))
}
