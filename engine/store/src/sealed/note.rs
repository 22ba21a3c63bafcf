//! The place of a note that is sealed: an event of a conversation.

use engine_privacy::{Kind, Label};
use schema::{ConversationKey, Seq};

/// The form of what is sealed: bytes that whoever had them sealed reads.
const FORMAT: u8 = 1;

/// Where a note on an event belongs.
pub(crate) const fn label(key: ConversationKey, seq: Seq) -> Label {
    Label { key, seq, kind: Kind::Note, format: FORMAT }
}
