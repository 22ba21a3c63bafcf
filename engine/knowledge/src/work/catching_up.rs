//! An index brought to what the store holds: built from nothing, or by what other nodes have changed.
//! Invariant: the stamp is read before the documents are, and a text is read only where the index holds another or
//! none; so the cost is the list of documents and what is different.

use std::collections::HashMap;
use std::time::Instant;

use engine_store::{Record, Scope, StoreError};
use futures_util::future::join_all;
use tracing::{info, warn};

use super::{BATCH_BYTES, BATCH_DOCUMENTS, Work};
use crate::chunk::pieces;
use crate::index::{Entry, TenantIndex, Writer};
use crate::records::{self, Facts, PAGE_RECORDS};
use crate::{KnowledgeError, metrics as names};

/// An index on its way to another state of the store.
struct CatchingUp<'a> {
    work: &'a Work,
    index: &'a TenantIndex,
    /// None until there is something to write.
    writer: Option<Writer<'a>>,
    /// What the index holds and the store has not been seen to.
    held: HashMap<String, String>,
    /// The index is built from nothing.
    anew: bool,
    learned: u64,
}

impl Work {
    /// Brings the index up to date; says whether it was not.
    pub(crate) fn catch_up(&self, index: &TenantIndex) -> Result<bool, KnowledgeError> {
        let stamp = self.stamp()?;
        let before = index.stamp();
        if before == stamp {
            return Ok(false);
        }
        let begun = Instant::now();
        let (anew, held) = (before.version == 0, index.held()?);
        let mut catching_up = CatchingUp { work: self, index, writer: None, held, anew, learned: 0 };
        self.each_page(|page| catching_up.take(page))?;
        let learned = catching_up.learned;
        let CatchingUp { mut writer, held: gone, .. } = catching_up;
        if writer.is_none() && (anew || !gone.is_empty()) {
            writer = Some(index.writer()?);
        }
        let forgotten = gone.len();
        match writer {
            Some(writer) => {
                gone.keys().for_each(|id| writer.forget(id));
                writer.commit(&stamp)?;
            }
            // Nothing is different: once the index is opened again, that is found out again.
            None => index.note(&stamp),
        }
        if anew {
            metrics::counter!(names::REBUILDS).increment(1);
            info!(tenant = %self.tenant, documents = learned, "index built from the store");
        } else {
            metrics::counter!(names::CATCH_UPS).increment(1);
            metrics::histogram!(names::CATCH_UP_SECONDS).record(begun.elapsed());
            tracing::debug!(tenant = %self.tenant, learned, forgotten, "index brought up to date");
        }
        Ok(true)
    }

    /// All documents' facts, page by page.
    pub(crate) fn each_page(
        &self,
        mut visit: impl FnMut(Vec<Record>) -> Result<(), KnowledgeError>,
    ) -> Result<(), KnowledgeError> {
        let mut after = None;
        loop {
            let scope = Scope::Tenant(self.tenant);
            let page = self.wait(self.records.scan(scope, records::DOCUMENT, after, PAGE_RECORDS))?;
            after = page.last().filter(|_| page.len() == PAGE_RECORDS).map(|last| last.id.clone());
            visit(page)?;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl CatchingUp<'_> {
    /// Takes in what is different on one page of documents.
    fn take(&mut self, page: Vec<Record>) -> Result<(), KnowledgeError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for record in page {
            let Ok(facts) = records::read::<Facts>(&record.body) else {
                // One unreadable record must not take all others from the assistant.
                warn!(tenant = %self.work.tenant, record = record.id, "unreadable document skipped");
                continue;
            };
            let held = self.held.get(&record.id);
            if held == Some(&facts.sha256) {
                self.held.remove(&record.id);
                continue;
            }
            // A document without a passage leaves no trace in an index.
            if held.is_none() && facts.passages == 0 && !self.anew {
                continue;
            }
            bytes += facts.bytes;
            batch.push(record);
            if batch.len() == BATCH_DOCUMENTS || bytes > BATCH_BYTES {
                self.learn(std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        self.learn(batch)
    }

    /// Learns documents from the store; what has no text there is not taken out of what the index holds too much.
    fn learn(&mut self, batch: Vec<Record>) -> Result<(), KnowledgeError> {
        let work = self.work;
        let ids: Vec<String> = batch.iter().map(|record| record.id.clone()).collect();
        let kept = work.runtime.block_on(join_all(batch.into_iter().map(|record| work.kept(record))));
        for (id, kept) in ids.into_iter().zip(kept) {
            match kept {
                Ok(Some((Facts { source, .. }, text))) => {
                    self.held.remove(&id);
                    self.learned += 1;
                    let (sha256, pieces) = (records::sha256(&text), pieces(&source, &text));
                    let entry = Entry { id: &id, source: &source, sha256: &sha256, pieces: &pieces };
                    self.writer()?.learn(&entry)?;
                }
                Ok(None) => warn!(tenant = %work.tenant, record = id, "document without a text skipped"),
                Err(KnowledgeError::Store(error @ StoreError::Corrupt(_))) => {
                    warn!(tenant = %work.tenant, record = id, %error, "document skipped");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn writer(&mut self) -> Result<&Writer<'_>, KnowledgeError> {
        if self.writer.is_none() {
            self.writer = Some(self.index.writer()?);
        }
        self.writer.as_ref().ok_or_else(|| KnowledgeError::Index("it has no writer".into()))
    }
}
