//! Text and its shape, written as Markdown: plain text, tables, raised and lowered signs.
//! Invariant: nothing here knows a file format; the time taken grows with the text only.

pub mod grid;
pub mod heads;
pub mod markdown;
pub mod plain;
pub mod raised;
