//! Documents in the store: a text, and the facts that name it, changed by several nodes at once.
//! Invariant: a text is written once under a name of its own, and facts are changed by compare-and-set from what
//! they said before. So facts never stand beside a text of which they do not tell.

use engine_store::{Record, RecordName, Scope, StoreError};
use schema::Timestamp;

use super::{Work, stint};
use crate::chunk::{Piece, pieces};
use crate::records::{self, Facts, WithText};
use crate::{Document, KnowledgeError};

/// Times that one document is tried again when another node changes the same one.
const TRIES: usize = 8;
/// The version of a record that was written once.
const FIRST: u64 = 1;
/// Texts of one document that are removed before it is looked at again.
const TEXTS_MAX: usize = 64;

/// A document that is new or says something else than before.
pub(crate) struct Change<'a> {
    pub(crate) document: &'a Document,
    pub(crate) id: String,
    pub(crate) sha256: String,
    pub(crate) pieces: Vec<Piece>,
}

impl<'a> Change<'a> {
    pub(crate) fn of(document: &'a Document) -> Self {
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
    /// How many passages the document gave, if exactly this text is known.
    pub(crate) fn known(&self, document: &Document) -> Result<Option<usize>, KnowledgeError> {
        let name = records::document(self.tenant, records::sha256(&document.source));
        let Some(record) = self.wait(self.records.get(name))? else { return Ok(None) };
        let facts: Facts = records::read(&record.body)?;
        let moved = records::read::<WithText>(&record.body)?.text.is_none();
        if !moved || facts.sha256 != records::sha256(document.text.as_str()) {
            return Ok(None);
        }
        // The facts alone do not tell: their text may be gone, or be of an older version's learner that was cut short
        // between its two records.
        let name = records::text(self.tenant, &record.id, facts.text_id.as_deref());
        let text = self.wait(self.records.get(name))?;
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

    /// Stores a document in place of what it said before; gives the name of its text.
    pub(crate) async fn store(&self, change: &Change<'_>, learned_at: Timestamp) -> Result<String, KnowledgeError> {
        let text = &change.document.text;
        let name = records::document(self.tenant, change.id.clone());
        for _ in 0..TRIES {
            let before = self.records.get(name.clone()).await?;
            let version = before.as_ref().map_or(0, |record| record.version);
            let text_id = stint::random()?;
            let text_name = records::text(self.tenant, &change.id, Some(&text_id));
            // The text first: facts without it would say that it is known.
            self.records.put(text_name.clone(), 0, text.as_str().into()).await?;
            let facts = Facts {
                source: change.document.source.clone(),
                sha256: change.sha256.clone(),
                learned_at,
                bytes: text.bytes(),
                passages: change.pieces.len(),
                text_id: Some(text_id.clone()),
                left_out: change.document.left_out.clone(),
            };
            match self.records.put(name.clone(), version, facts.body()?).await {
                Ok(_) => {
                    if let Some(before) = before {
                        // Nobody names that text any more, and nobody ever will.
                        let before_id = records::read::<Facts>(&before.body).ok().and_then(|facts| facts.text_id);
                        let old = records::text(self.tenant, &change.id, before_id.as_deref());
                        records::delete(&self.records, old).await?;
                    }
                    return Ok(text_id);
                }
                // Another node was faster: what it wrote comes before this.
                Err(StoreError::Conflict { .. }) => drop(records::delete(&self.records, text_name).await?),
                Err(error) => return Err(error.into()),
            }
        }
        Err(KnowledgeError::Busy)
    }

    /// Another node that forgets the document may remove its new text, which it has seen before the facts named it.
    /// Written again, the text is not the one that was seen; and one that went before is stored again.
    pub(crate) fn make_sure(&self, change: &Change<'_>, text_id: &str, now: Timestamp) -> Result<(), KnowledgeError> {
        let (body, mut text_id) = (change.document.text.as_str().as_bytes(), text_id.to_owned());
        for _ in 0..TRIES {
            let text = records::text(self.tenant, &change.id, Some(&text_id));
            match self.wait(self.records.put(text, FIRST, body.to_vec())) {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let facts = self.wait(self.records.get(records::document(self.tenant, change.id.clone())))?;
            let facts = facts.map(|facts| records::read::<Facts>(&facts.body)).transpose()?;
            // It was changed or forgotten since: that came after.
            if facts.is_none_or(|facts| facts.text_id.as_ref() != Some(&text_id)) {
                return Ok(());
            }
            text_id = self.runtime.block_on(self.store(change, now))?;
        }
        Err(KnowledgeError::Busy)
    }

    /// Whether anything of a document is in the store: also a text that a learner left that was cut short.
    pub(crate) fn is_stored(&self, id: &str) -> Result<bool, KnowledgeError> {
        let facts = self.wait(self.records.get(records::document(self.tenant, id.to_owned())))?;
        Ok(facts.is_some() || self.text_of(id)?.is_some())
    }

    /// Removes all that is stored of a document; says whether it was known.
    pub(crate) fn remove(&self, id: &str) -> Result<bool, KnowledgeError> {
        let facts = records::document(self.tenant, id.to_owned());
        let mut known = false;
        for _ in 0..TRIES {
            // The facts first: a text that is left alone is known to nobody, and goes when its document is forgotten
            // again. Facts that are left alone would say that it is known.
            known |= self.wait(records::delete(&self.records, facts.clone()))?;
            let mut left = TEXTS_MAX;
            while left > 0 {
                left -= 1;
                let Some((text, version)) = self.text_of(id)? else { break };
                // Facts that name it now are another node's, which has learned the document meanwhile.
                if self.wait(self.records.get(facts.clone()))?.is_some() {
                    break;
                }
                match self.wait(self.records.delete(text, version)) {
                    Ok(()) | Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            // A node that learned it meanwhile may have lost its text just now.
            if left > 0 && self.wait(self.records.get(facts.clone()))?.is_none() {
                return Ok(known);
            }
        }
        Err(KnowledgeError::Busy)
    }

    /// A text of a document and its version, whether facts name it or not.
    fn text_of(&self, id: &str) -> Result<Option<(RecordName, u64)>, KnowledgeError> {
        let old = records::text(self.tenant, id, None);
        if let Some(record) = self.wait(self.records.get(old.clone()))? {
            return Ok(Some((old, record.version)));
        }
        let scope = Scope::Tenant(self.tenant);
        let next = self.wait(self.records.scan(scope, records::TEXT, Some(id.to_owned()), 1))?;
        let next = next.into_iter().next().filter(|record| records::is_text_of(&record.id, id));
        Ok(next.map(|record| (RecordName { scope, kind: records::TEXT, id: record.id }, record.version)))
    }

    /// A document's facts and text; none when it was not learned, or is being forgotten.
    pub(crate) fn whole(&self, source: &str) -> Result<Option<(Facts, String)>, KnowledgeError> {
        let name = records::document(self.tenant, records::sha256(source));
        self.wait(self.records.get(name))?.map_or(Ok(None), |record| self.runtime.block_on(self.kept(record)))
    }

    /// What is kept of a document; none where its text is not.
    pub(crate) async fn kept(&self, mut record: Record) -> Result<Option<(Facts, String)>, KnowledgeError> {
        for _ in 0..TRIES {
            let facts: Facts = records::read(&record.body)?;
            let text = records::text(self.tenant, &record.id, facts.text_id.as_deref());
            if let Some(text) = self.records.get(text).await? {
                let text = String::from_utf8(text.body);
                let text = text.map_err(|_| StoreError::Corrupt("a document's text is not UTF-8".into()))?;
                return Ok(Some((facts, text)));
            }
            if let Some(text) = records::read::<WithText>(&record.body)?.text {
                return Ok(Some((facts, text)));
            }
            // Where it was changed since, that text went, and there is another.
            match self.records.get(records::document(self.tenant, record.id.clone())).await? {
                Some(now) if now.version != record.version => record = now,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}
