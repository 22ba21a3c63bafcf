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

/// The port by which turns get their passages.
pub trait Retriever: Send + Sync + 'static {
    /// Passages for a question, best first, numbered from 1; none when nothing fits.
    fn search(
        &self,
        tenant: TenantId,
        question: String,
        limit: usize,
    ) -> futures_util::future::BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>>;
}
