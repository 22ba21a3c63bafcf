//! What a tenant's assistant has learned: passages of documents, found by words.
//! Invariant: every call names its tenant, and an index holds one tenant's passages only.

use schema::wire::{DocumentView, Learned};
use schema::{Passage, TenantId};

/// Why something could not be learned or found.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    #[error("the index cannot be used: {0}")]
    Index(String),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// A document to learn.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its name or address; learning the same source again replaces it.
    pub source: String,
    /// Markdown or plain text.
    pub text: schema::Text,
}

#[doc(hidden)]
pub type Unused = (DocumentView, Learned, Passage, TenantId);
