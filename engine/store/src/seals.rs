//! The port for words that stand apart from their conversation's log: sealed under its key, so that they go with it.
//! Invariant: what was sealed can be read for as long as its conversation is there, and by nobody afterwards.

use schema::{ConversationKey, Seq};

use crate::Pending;

/// Sealing under conversations' keys, for documents that quote conversations ([`Records`](crate::Records)).
pub trait Seals: Send + Sync + 'static {
    /// The notes, sealed, in their order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`](crate::StoreError::NotFound) when there is no such conversation.
    fn seal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Vec<Note>>;

    /// What was sealed, in its order; none when the conversation was erased.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`](crate::StoreError::Corrupt) when one of them was not sealed for this conversation and
    /// this event.
    fn unseal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Option<Vec<Note>>>;

    /// To be called once documents in the clear were replaced by sealed ones: the store sees that nothing of what they
    /// said is left in its files. Answered when that is noted; it is done by and by, and gone on with after a crash.
    fn rewrite(&self) -> Pending<()>;
}

/// Words about an event, in the clear or sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// The event.
    pub seq: Seq,
    /// The words.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Note({}, {} bytes)", self.seq, self.bytes.len())
    }
}
