//! A conversation's folded state as bytes: what it wakes from instead of the whole of its log.
//! Invariant: a snapshot is a cache. It gives the very state that its events give when they are folded, or
//! nothing: what is not this version's, not this conversation's or not whole is no snapshot, and the log is
//! read in its place.

use schema::{ConversationId, ConversationKey, Seq, TenantId, limits};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::{Conversation, Floor, State};

/// The form of what is encoded, and the rules by which it was folded. Raised with either of them, so that what an
/// older program, or a newer one, has left is not taken for what this one would have folded.
pub const SNAPSHOT_VERSION: u32 = 3;

/// For good, like those of the refs.
const DIGEST_KEYS: (u64, u64) = (0x7465_7274_756c_6961, 0x736e_6170);

/// The first line; the state follows as JSON to the end.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    tenant: TenantId,
    conversation: ConversationId,
    head: Seq,
    /// Of the bytes that follow the line.
    digest: u64,
}

impl Conversation {
    /// What the log says up to its head, as bytes; who has the floor is not in it. `None` when it is larger than
    /// [`limits::SNAPSHOT_BYTES`], or the conversation was erased.
    #[must_use]
    pub fn snapshot(&self, key: ConversationKey) -> Option<Vec<u8>> {
        if self.erased {
            return None;
        }
        let state = serde_json::to_vec(&self.state).ok()?;
        let ConversationKey { tenant, conversation } = key;
        let (head, digest) = (self.state.head, digest(&state));
        let header = Header { version: SNAPSHOT_VERSION, tenant, conversation, head, digest };
        let mut bytes = serde_json::to_vec(&header).ok()?;
        bytes.push(b'\n');
        bytes.extend(state);
        (bytes.len() <= limits::SNAPSHOT_BYTES).then_some(bytes)
    }

    /// The conversation of which [`Conversation::snapshot`] made these bytes, as if its events had been folded:
    /// go on with those after its head. `None` for anything else.
    #[must_use]
    pub fn from_snapshot(key: ConversationKey, bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (header, state) = (bytes.get(..end)?, bytes.get(end + 1..)?);
        let header: Header = serde_json::from_slice(header).ok()?;
        let is_ours = header.version == SNAPSHOT_VERSION
            && (header.tenant, header.conversation) == (key.tenant, key.conversation)
            && header.digest == digest(state);
        let state: State = is_ours.then(|| serde_json::from_slice(state).ok()).flatten()?;
        (state.head == header.head).then_some(Self { state, floor: Floor::Idle, erased: false })
    }
}

/// Against torn and mixed bytes, not against forgers: whoever can write snapshots can write logs.
fn digest(bytes: &[u8]) -> u64 {
    SipHasher13::new_with_keys(DIGEST_KEYS.0, DIGEST_KEYS.1).hash(bytes)
}
