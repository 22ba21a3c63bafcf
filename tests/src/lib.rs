//! Support for the black-box tests: the parts they share, and nothing that they assert.

pub mod llm;
pub mod source;
