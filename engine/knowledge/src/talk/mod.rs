//! What the built-in answerer hears and says that is not in the documents.

mod phrases;
mod small_talk;

pub(super) use phrases::Phrase;
pub(super) use small_talk::{Said, hear};
