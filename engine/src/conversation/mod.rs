//! The conversation machine: commands in, effects out, state folded from events.
//! Invariant: no clock, no I/O, no actix; it imports `schema` and nothing else.

mod transcript;

pub use transcript::{Exchange, Line, Transcript};
