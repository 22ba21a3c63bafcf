//! Documents as the store keeps them: the truth from which every index can be built again.

use std::sync::Arc;

use engine_store::{RecordName, Records, Scope, StoreError};
use futures_util::future::BoxFuture;
use schema::limits::SOURCE_CHARS_MAX;
use schema::wire::{DocumentView, LeftOut};
use schema::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::document::Document;
use super::error::KnowledgeError;

/// Records read at a time; none of them holds a text.
pub(super) const PAGE_RECORDS: usize = 100;
/// The kind of a record that says what is known of a document …
pub(super) const DOCUMENT: &str = "document";
/// … and of the one that holds its text. Apart, so that a list of documents reads no texts.
pub(super) const TEXT: &str = "document_text";
/// The kind of the record whose version counts changes of a tenant's documents, and which says who is at it.
const STAMP: &str = "knowledge";

/// A state of a tenant's documents: how often they were announced to change, and since when that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) version: u64,
    /// Told apart from that of a record that was removed and made anew.
    pub(super) origin: String,
}

impl Stamp {
    pub(super) fn written(&self) -> String {
        format!("{} {}", self.version, self.origin)
    }

    /// None of what is no stamp.
    pub(super) fn read(written: &str) -> Option<Self> {
        let (version, origin) = written.split_once(' ')?;
        Some(Self { version: version.parse().ok()?, origin: origin.into() })
    }
}

/// What is known of a document.
#[derive(Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) source: String,
    /// Of its text.
    pub(super) sha256: String,
    pub(super) learned_at: Timestamp,
    pub(super) bytes: usize,
    pub(super) passages: usize,
    /// What its text's record is called, after the document's id. Records of older versions say nothing: theirs is
    /// called as the document is. A text is never changed, so facts and text always belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text_id: Option<String>,
    /// What of the page was not learned, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left_out: Vec<LeftOut>,
}

/// What a record of an older version may have beside the facts: one whose text could not be moved.
#[derive(Deserialize)]
pub(super) struct WithText {
    #[serde(default)]
    pub(super) text: Option<String>,
}

impl Facts {
    pub(super) fn body(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}

impl From<Facts> for DocumentView {
    fn from(facts: Facts) -> Self {
        Self { source: facts.source, passages: facts.passages, bytes: facts.bytes, learned_at: facts.learned_at }
    }
}

/// Refuses what no record can hold.
pub(super) fn check(document: &Document) -> Result<(), KnowledgeError> {
    let source = &document.source;
    let too_long = source.chars().nth(SOURCE_CHARS_MAX).is_some();
    if source.trim().is_empty() || too_long || source.chars().any(char::is_control) {
        return Err(KnowledgeError::Source);
    }
    let bytes = document.text.bytes();
    if bytes > schema::limits::DOCUMENT_BYTES_MAX {
        return Err(KnowledgeError::TooLarge { source_name: source.clone(), bytes });
    }
    Ok(())
}

pub(super) fn document(tenant: TenantId, id: String) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: DOCUMENT, id }
}

/// A document's text, by the document's id and what its facts call the text.
pub(super) fn text(tenant: TenantId, document: &str, text_id: Option<&str>) -> RecordName {
    let id = text_id.map_or_else(|| document.to_owned(), |text_id| format!("{document}.{text_id}"));
    RecordName { scope: Scope::Tenant(tenant), kind: TEXT, id }
}

/// Whether a text's record is one of a document's.
pub(super) fn is_text_of(text: &str, document: &str) -> bool {
    text.strip_prefix(document).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(super) fn stamp(tenant: TenantId) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: STAMP, id: "stamp".into() }
}

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, KnowledgeError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt(format!("a document's record: {error}")).into())
}

/// Removes a record; false when there was none.
pub(super) async fn delete(records: &Arc<dyn Records>, name: RecordName) -> Result<bool, StoreError> {
    again_on_conflict(|| {
        let (records, name) = (records.clone(), name.clone());
        Box::pin(async move {
            match records.get(name.clone()).await? {
                Some(record) => records.delete(name, record.version).await.map(|()| true),
                None => Ok(false),
            }
        })
    })
    .await
}

/// Compare-and-set, again a few times when somebody else was faster.
async fn again_on_conflict<'a, T>(
    mut attempt: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<T, StoreError> {
    const TRIES: usize = 4;
    let mut conflict = StoreError::Conflict { found: 0 };
    for _ in 0..TRIES {
        match attempt().await {
            Err(error @ StoreError::Conflict { .. }) => conflict = error,
            done => return done,
        }
    }
    Err(conflict)
}
