//! The port by which turns get their passages.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schema::{Passage, TenantId};

use super::{Knowledge, KnowledgeError};

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The contact's newest words.
    pub question: String,
    /// What they said before, oldest first: a question may lean on it.
    pub before: Vec<String>,
}

impl From<&str> for Query {
    fn from(question: &str) -> Self {
        Self { question: question.into(), before: Vec::new() }
    }
}

impl From<&String> for Query {
    fn from(question: &String) -> Self {
        question.as_str().into()
    }
}

/// Finds passages of a tenant's documents.
pub trait Retriever: Send + Sync + 'static {
    /// Passages for a question, best first, numbered from 1; none when nothing fits.
    fn search(
        &self,
        tenant: TenantId,
        query: Query,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>>;
}

impl Retriever for Knowledge {
    fn search(
        &self,
        tenant: TenantId,
        query: Query,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        let knowledge = self.clone();
        async move { Self::search(&knowledge, tenant, query, limit).await }.boxed()
    }
}
