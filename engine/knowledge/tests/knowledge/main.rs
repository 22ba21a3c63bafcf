//! Knowledge from outside: what it finds and answers, what survives, how fast it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly, its helpers too")]

mod learning;
mod nodes;
mod quality;
mod records;
mod speed;
mod wired;

use std::path::PathBuf;

use engine_knowledge::Document;

/// The document sets and questions that all knowledge tests share.
fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/knowledge")
}

fn fixture(source: &str) -> Document {
    let text = std::fs::read_to_string(fixtures().join(source)).expect(source);
    Document::new(source, text)
}

fn document(source: &str, text: &str) -> Document {
    Document::new(source, text)
}
