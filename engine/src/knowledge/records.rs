//! Documents as the store keeps them: the truth from which every index can be built again.

use futures_util::future::BoxFuture;
use schema::wire::{DocumentView, LeftOut};
use schema::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Document, KnowledgeError};
use crate::store::{RecordName, Scope, StoreError};

/// A source's name, in characters.
pub(super) const SOURCE_CHARS_MAX: usize = 1_024;
/// Records read at a time: each may be as large as a document.
pub(super) const PAGE_RECORDS: usize = 8;
/// The kind of a document's record.
pub(super) const DOCUMENT: &str = "document";
/// The kind of the record whose version counts changes of a tenant's documents.
const STAMP: &str = "knowledge";

/// A document's record, as written.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    pub(super) source: &'a str,
    pub(super) sha256: &'a str,
    pub(super) learned_at: Timestamp,
    pub(super) bytes: usize,
    pub(super) passages: usize,
    pub(super) text: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) left_out: &'a [LeftOut],
}

/// What is read where the text is not needed: it is skipped, not copied.
#[derive(Deserialize)]
pub(super) struct Facts {
    source: String,
    pub(super) sha256: String,
    pub(super) learned_at: Timestamp,
    bytes: usize,
    pub(super) passages: usize,
    #[serde(default)]
    pub(super) left_out: Vec<LeftOut>,
}

/// What is read to build an index.
#[derive(Deserialize)]
pub(super) struct Kept {
    pub(super) source: String,
    pub(super) text: String,
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

pub(super) fn stamp(tenant: TenantId) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: STAMP, id: "stamp".into() }
}

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, KnowledgeError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt(format!("a document's record: {error}")).into())
}

/// Compare-and-set, again a few times when somebody else was faster.
pub(super) async fn again_on_conflict<'a, T>(
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
