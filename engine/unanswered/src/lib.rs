//! Questions that a tenant's assistant did not answer, or answered wrongly: grouped, counted, bounded.
//! Invariant: what is kept of a conversation goes with it; nothing else of what was said in it is left.

mod board;
mod group;
mod likeness;
mod question;

pub use board::{Board, Change};
pub use group::{Group, Place};
pub use likeness::{key_of, likeness};
pub use question::{Asked, asked};
