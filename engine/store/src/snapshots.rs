//! Snapshots: for each conversation one cache of what its log says, written by its owner.
//! Invariant: none stands on events that the log has not, and none outlives its conversation. All of them may be
//! lost at any time: whoever reads one can read the log instead.

use schema::{ConversationKey, Epoch, Seq};

use crate::Pending;

/// What a log says up to an event, in bytes that the store does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last event that is in it.
    pub head: Seq,
    /// Its owner's form, at most [`limits::SNAPSHOT_BYTES`](schema::limits::SNAPSHOT_BYTES).
    pub bytes: Vec<u8>,
}

/// The conversations' snapshots.
pub trait Snapshots: Send + Sync + 'static {
    /// The one that is kept, if there is one. It may be an older one than was written last, it may be another
    /// program's, and the disk may have mixed it up: look whether it is what it should be.
    fn snapshot(&self, key: ConversationKey) -> Pending<Option<Snapshot>>;

    /// Keeps a snapshot of the events up to `head` in place of the one before. True when it is kept; false when it
    /// is older than the one that is, or larger than [`limits::SNAPSHOT_BYTES`](schema::limits::SNAPSHOT_BYTES).
    /// It may be lost afterwards: nobody need wait for a disk. One too large is not looked at any further.
    ///
    /// # Errors
    /// [`StoreError::Fenced`](crate::StoreError::Fenced) when another owner has claimed the conversation, or the log
    /// has not come to `head`: a snapshot must not overtake its events;
    /// [`StoreError::NotFound`](crate::StoreError::NotFound) when there is no such conversation;
    /// any other when it is not kept, or perhaps.
    fn set_snapshot(&self, key: ConversationKey, epoch: Epoch, head: Seq, bytes: Vec<u8>) -> Pending<bool>;
}
