//! A conversation between two incarnations, when the store need not be asked for it.

use engine_conversation::Conversation;
use schema::{Epoch, Seq};

use super::entry::Entry;
use super::ring::Ring;

/// A conversation that runs nowhere and can be started without asking the store: just opened, or
/// on its way to another thread. Whoever holds it owns the conversation under its epoch.
pub(crate) struct Prepared {
    pub(crate) epoch: Epoch,
    pub(crate) machine: Conversation,
    /// The last event in the snapshot that the store has; 0 without one.
    pub(crate) snapshot: Seq,
    /// The newest events, for those who will listen.
    pub(crate) ring: Ring,
    /// When it is due, as the store knows it.
    pub(crate) entry: Entry,
}
