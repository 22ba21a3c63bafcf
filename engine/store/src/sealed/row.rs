//! The place of the words in a row of the list: the last event that it tells of.

use engine_privacy::{Kind, Label};
use schema::{ConversationKey, Seq};

/// The form of a row's sealed words: JSON.
const FORMAT: u8 = 1;

/// Where the words of a row that tells of the events up to `head` belong.
pub(crate) const fn label(key: ConversationKey, head: Seq) -> Label {
    Label { key, seq: head, kind: Kind::Row, format: FORMAT }
}
