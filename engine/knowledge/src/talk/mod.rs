//! Small talk and set phrases: what the built-in answerer understands and says without documents.

mod phrases;
mod small_talk;

pub(super) use phrases::Phrase;
pub(super) use small_talk::{Said, hear};
