//! Why a site as a whole could not be learned.

use engine_knowledge::KnowledgeError;

/// Why a site as a whole could not be learned.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error("the site cannot be reached: {0}")]
    Away(String),
    #[error("the site's rules for robots cannot be read: {0}")]
    Rules(String),
    #[error("the site's rules for robots exclude its first page")]
    Robots,
    #[error("the first page cannot be read: {0}")]
    Start(String),
    #[error("no page of it could be read")]
    Nothing,
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    #[error(
        "{refused} of the {known} pages that are known are refused, empty, say the same or lead to one page: none of them \
         was forgotten; if they are gone for good, forget the site and learn it anew"
    )]
    Walled { refused: usize, known: usize },
    #[error("it was stopped")]
    Stopped,
    #[error("it was begun several times and never came to its end")]
    Abandoned,
    #[error("HTTP cannot be set up: {0}")]
    Setup(String),
}
