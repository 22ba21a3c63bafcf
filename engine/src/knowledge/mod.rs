//! What a tenant's assistant has learned: passages of documents, found by words.
//! Invariant: every call names its tenant, and an index holds one tenant's passages only.

mod answer;
mod blocks;
mod calendar;
mod cells;
mod choose;
mod chunk;
mod clauses;
pub mod demo;
mod features;
mod gist;
mod html;
mod index;
mod kinds;
mod language;
mod lexicon;
mod library;
mod matching;
mod meanings;
mod measure;
pub mod metrics;
mod opening;
mod parts;
mod question;
mod ranges;
mod ranking;
mod reading;
mod records;
mod retriever;
mod scoring;
mod sentences;
mod shelf;
mod sought;
mod stems;
mod struck;
mod tables;
mod talk;
mod units;
mod values;
mod words;
mod work;

pub use answer::{Builtin, Weighed, weigh};
pub use gist::gist;
pub use library::{Ahead, Knowledge};
pub use ranking::{Found, Weights};
pub use retriever::{Query, Retriever};

use schema::wire::LeftOut;
use tantivy::TantivyError;

use crate::store::StoreError;

/// A document to learn.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its name or address; learning the same source again replaces it.
    pub source: String,
    /// Markdown or plain text.
    pub text: schema::Text,
    /// What of it is not in that text.
    pub left_out: Vec<LeftOut>,
}

impl Document {
    /// A document that is learned whole.
    #[must_use]
    pub fn new(source: impl Into<String>, text: impl Into<schema::Text>) -> Self {
        Self { source: source.into(), text: text.into(), left_out: Vec::new() }
    }

    /// What it is cut into, in its order, numbered from 1.
    #[must_use]
    pub fn passages(&self) -> Vec<schema::Passage> {
        let pieces = chunk::pieces(&self.source, self.text.as_str()).into_iter();
        let passage = |(n, chunk::Piece { heading, text })| {
            let source = self.source.clone();
            schema::Passage { n, source, heading, text: text.into() }
        };
        (1..).zip(pieces).map(passage).collect()
    }
}

/// Why something could not be learned or found.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    #[error("the index cannot be used: {0}")]
    Index(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{source_name}` has {bytes} bytes; a document has at most {max}", max = schema::limits::DOCUMENT_BYTES_MAX)]
    TooLarge {
        /// The document's source.
        source_name: String,
        /// Its size.
        bytes: usize,
    },
    #[error("a document's source has 1 to {max} visible characters", max = schema::limits::SOURCE_CHARS_MAX)]
    Source,
    #[error("too many searches or documents wait already")]
    Busy,
}

impl From<TantivyError> for KnowledgeError {
    /// [`KnowledgeError::Index`] says that an index is damaged, and so leads to its being built anew: nothing that
    /// lies with the machine may become one.
    fn from(error: TantivyError) -> Self {
        if index::lies_with_the_machine(&error) {
            Self::Store(StoreError::Unavailable(error.to_string()))
        } else {
            Self::Index(error.to_string())
        }
    }
}
