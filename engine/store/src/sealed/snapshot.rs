//! The place of a snapshot that is sealed: its last event.

use engine_privacy::{Kind, Label};
use schema::{ConversationKey, Seq};

/// The form of what is sealed: bytes that only the conversation reads.
const FORMAT: u8 = 1;

/// Where a snapshot of the events up to `head` belongs.
pub(crate) const fn label(key: ConversationKey, head: Seq) -> Label {
    Label { key, seq: head, kind: Kind::Snapshot, format: FORMAT }
}
