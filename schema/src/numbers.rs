//! The numbers that a conversation's parts and changes have.

/// An event's number in its conversation: 1, 2, 3 … without gaps. 0 means "before the first".
pub type Seq = u64;
/// A turn's number in its conversation: 1, 2, 3 …
pub type Turn = u32;
/// The fencing number of a conversation's owner: raised by every claim, checked at every append.
pub type Epoch = u64;
/// Counts how often a conversation was taken over or handed back; output decided under an older count is dropped.
pub type Ownership = u32;
