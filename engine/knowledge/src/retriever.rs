//! The port by which turns get their passages.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schema::{Passage, TenantId};

use super::query::Query;
use super::{Knowledge, KnowledgeError};

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
