//! A document to learn.

use schema::wire::LeftOut;

use super::chunk;

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
