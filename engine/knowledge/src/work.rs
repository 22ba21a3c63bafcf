//! Blocking work: opening, building, learning and forgetting, on a thread made for it.
//! Invariant: the stamp is raised before documents change and after, and an index bears the stamp
//! it was made from; one that bears another is built again. So no crash in between can leave an
//! index that looks right and is not.

use std::collections::HashSet;
use std::sync::Arc;

use engine_store::{Record, RecordName, Records, Scope, StoreError};
use futures_util::future::try_join_all;
use schema::wire::{DocumentView, Learned};
use schema::{TenantId, Timestamp};
use tokio::runtime::Handle;
use tracing::{info, warn};

use super::chunk::{Piece, pieces};
use super::index::{self, Entry, TenantIndex, Unopened, Writer};
use super::records::{self, Facts, PAGE_RECORDS, WithText};
use super::{Document, KnowledgeError, metrics as names};

/// One tenant's documents, for a thread that may wait.
pub(super) struct Work {
    pub(super) tenant: TenantId,
    pub(super) records: Arc<dyn Records>,
    pub(super) runtime: Handle,
}

/// Documents that are stored at once, and their bytes: the disk is waited for once for all of them.
const BATCH_DOCUMENTS: usize = 16;
const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// A document that is new or says something else than before.
struct Change<'a> {
    document: &'a Document,
    id: String,
    sha256: String,
    pieces: Vec<Piece>,
}

impl<'a> Change<'a> {
    fn of(document: &'a Document) -> Self {
        let text = document.text.as_str();
        Self {
            document,
            id: records::sha256(&document.source),
            sha256: records::sha256(text),
            pieces: pieces(&document.source, text),
        }
    }
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
            Ok(index) => index,
            Err(Unopened::Failed(error)) => return Err(error),
            Err(cause) => {
                if stamp > 0 || !matches!(cause, Unopened::Absent) {
                    warn!(tenant = %self.tenant, %cause, "index is built anew");
                }
                TenantIndex::create(dir)?
            }
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
        let mut rest = documents;
        while outcome.is_ok() && !rest.is_empty() {
            let (batch, after) = rest.split_at(batch(rest));
            rest = after;
            outcome = self.learn_batch(index, &mut session, batch, now).map(|done| learned.extend(done));
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
            if self.wait(self.records.get(records::document(self.tenant, id.clone())))?.is_some() {
                known.push(id);
            } else {
                // What a learner left that was cut short.
                self.delete(records::text(self.tenant, id))?;
            }
        }
        if known.is_empty() {
            return Ok(0);
        }
        let (writer, begun) = self.begin(index)?;
        let outcome = known.iter().try_for_each(|id| {
            // The facts first: a text that is left alone is known to nobody, and goes when its document is
            // learned or forgotten again. Facts that are left alone would say that it is known.
            self.delete(records::document(self.tenant, id.clone()))?;
            self.delete(records::text(self.tenant, id.clone()))?;
            writer.forget(id);
            Ok(())
        });
        self.end(writer, begun, outcome.is_ok())?;
        outcome.map(|()| known.len())
    }

    /// The documents after one record, as they lie in the store, and the record to go on after. Reads no texts.
    pub(super) fn page(
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
        self.wait(records::put(&self.records, stamp.clone(), b"{}".to_vec()))?;
        // The facts first, as where one is forgotten; then their texts, and what a learner left that was cut short.
        for (kind, name) in [(records::DOCUMENT, records::document as fn(_, _) -> _), (records::TEXT, records::text)] {
            let page = if kind == records::TEXT { 1 } else { PAGE_RECORDS };
            loop {
                let found = self.wait(self.records.scan(Scope::Tenant(self.tenant), kind, None, page))?;
                if found.is_empty() {
                    break;
                }
                for record in found {
                    self.delete(name(self.tenant, record.id))?;
                }
            }
        }
        index::remove(dir)?;
        self.delete(stamp)
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
            match self.kept(record) {
                Ok(Some((Facts { source, .. }, text))) => {
                    documents += 1;
                    writer.learn(&Entry { id: &record.id, source: &source, pieces: &pieces(&source, &text) })
                }
                Ok(None) => {
                    warn!(tenant = %self.tenant, record = record.id, "document without a text skipped");
                    Ok(())
                }
                // One unreadable record must not take all others from the assistant.
                Err(KnowledgeError::Store(error @ StoreError::Corrupt(_))) => {
                    warn!(tenant = %self.tenant, record = record.id, %error, "document skipped");
                    Ok(())
                }
                Err(error) => Err(error),
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
        let moved = records::read::<WithText>(&record.body)?.text.is_none();
        if !moved || facts.sha256 != records::sha256(document.text.as_str()) {
            return Ok(None);
        }
        // The facts alone do not tell: whoever changed it last may have been cut short between its two records.
        let text = self.wait(self.records.get(records::text(self.tenant, record.id.clone())))?;
        if text.is_none_or(|text| text.body != document.text.as_str().as_bytes()) {
            return Ok(None);
        }
        let passages = facts.passages;
        if facts.left_out != document.left_out {
            self.note_left_out(&record, &Facts { left_out: document.left_out.clone(), ..facts })?;
        }
        Ok(Some(passages))
    }

    /// What a page has besides its text may change alone; the index knows nothing of that.
    fn note_left_out(&self, record: &Record, facts: &Facts) -> Result<(), KnowledgeError> {
        let name = records::document(self.tenant, record.id.clone());
        match self.wait(self.records.put(name, record.version, facts.body()?)) {
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

    /// Learns those of a few documents that are new or changed.
    fn learn_batch<'a>(
        &self,
        index: &'a TenantIndex,
        session: &mut Option<(Writer<'a>, u64)>,
        documents: &[Document],
        learned_at: Timestamp,
    ) -> Result<Vec<Learned>, KnowledgeError> {
        let known = documents.iter().map(|document| self.known(document)).collect::<Result<Vec<_>, _>>()?;
        let new = documents.iter().zip(&known).filter(|(_, known)| known.is_none());
        let changes: Vec<Change<'_>> = new.map(|(document, _)| Change::of(document)).collect();
        if !changes.is_empty() {
            let (writer, _) = match session {
                Some(session) => session,
                none => none.insert(self.begin(index)?),
            };
            self.wait(try_join_all(changes.iter().map(|change| self.store(change, learned_at))))?;
            for Change { document, id, pieces, .. } in &changes {
                writer.learn(&Entry { id, source: &document.source, pieces })?;
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

    /// The text first: facts without it would say that it is known.
    async fn store(&self, change: &Change<'_>, learned_at: Timestamp) -> Result<(), StoreError> {
        let text = &change.document.text;
        let facts = Facts {
            source: change.document.source.clone(),
            sha256: change.sha256.clone(),
            learned_at,
            bytes: text.bytes(),
            passages: change.pieces.len(),
            left_out: change.document.left_out.clone(),
        };
        let name = records::text(self.tenant, change.id.clone());
        records::put(&self.records, name, text.as_str().into()).await?;
        records::put(&self.records, records::document(self.tenant, change.id.clone()), facts.body()?).await
    }

    /// A document's facts and text; none when it was not learned, or is being forgotten.
    pub(super) fn whole(&self, source: &str) -> Result<Option<(Facts, String)>, KnowledgeError> {
        let name = records::document(self.tenant, records::sha256(source));
        self.wait(self.records.get(name))?.map_or(Ok(None), |record| self.kept(&record))
    }

    /// What is kept of a document; none where its text is not.
    fn kept(&self, record: &Record) -> Result<Option<(Facts, String)>, KnowledgeError> {
        let facts: Facts = records::read(&record.body)?;
        let text = match self.wait(self.records.get(records::text(self.tenant, record.id.clone())))? {
            Some(text) => {
                let text = String::from_utf8(text.body);
                Some(text.map_err(|_| StoreError::Corrupt("a document's text is not UTF-8".into()))?)
            }
            None => records::read::<WithText>(&record.body)?.text,
        };
        Ok(text.map(|text| (facts, text)))
    }

    fn delete(&self, name: RecordName) -> Result<(), KnowledgeError> {
        self.wait(records::delete(&self.records, name))?;
        Ok(())
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
