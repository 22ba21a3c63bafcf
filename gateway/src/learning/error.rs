//! Why a document or site is not learned, or not now.

use engine_crawl::FetchError;
use engine_documents::Unreadable;
use engine_knowledge::KnowledgeError;
use engine_store::StoreError;
use schema::limits::SITES_MAX;

/// Why something is not learned, or not now.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    #[error("{0}")]
    Url(&'static str),
    #[error("this site is not learned: {0}")]
    Address(FetchError),
    #[error("`{name}` is from {least} to {most}")]
    Bound {
        /// The field of the request.
        name: &'static str,
        /// Its smallest value.
        least: usize,
        /// Its largest value.
        most: usize,
    },
    #[error("a tenant has at most {SITES_MAX} sites; forget one first")]
    TooMany,
    #[error("a site of this tenant is being learned already")]
    Running,
    #[error("the node is learning as much as it can")]
    Full,
    #[error("the node is shutting down")]
    Draining,
    #[error("there is no such site or job")]
    NotFound,
    #[error("nothing was learned")]
    Lost,
    #[error("this document cannot be learned: {0}")]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
}
