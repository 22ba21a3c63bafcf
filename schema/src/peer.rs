//! The frames between the nodes of one installation. Invariant: what a relay is told about a conversation names the
//! epoch of the owner that says it, so that what a stale owner says is told from what counts.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{ErrorFace, SignalKind};
use crate::{
    AgentName, Author, ContactId, ConversationKey, Epoch, Event, Locale, NodeId, Ref, Seq, Text, Timestamp, Turn,
};

/// What both ends of a link have to speak: raised when a frame changes its meaning.
pub const PEER_VERSION: u32 = 1;

/// One frame between two nodes. Both sides send all of them; what a node does not know it skips.
///
/// Its `Debug` shows nothing that was said.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PeerFrame {
    /// The first frame of each side.
    Hello {
        /// [`PEER_VERSION`] of the sender.
        version: u32,
        /// Who it is.
        node: NodeId,
    },
    /// A question to the conversation's owner; one [`PeerFrame::Answer`] follows.
    Ask {
        /// The asker's own number for it.
        id: u64,
        /// About which conversation.
        key: ConversationKey,
        /// What.
        what: PeerAsk,
    },
    /// What came of a question: `ok` or `error`.
    Answer {
        /// The number of the question.
        id: u64,
        /// The result, by what was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ok: Option<Value>,
        /// Why it was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorFace>,
        /// Something was sent to the store for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        decided: bool,
    },
    /// The sender's relay follows the conversation no longer.
    Leave {
        /// Which conversation.
        key: ConversationKey,
    },
    /// A durable event, from the owner.
    Event {
        /// Whose event it is.
        key: ConversationKey,
        /// The owner's fencing number.
        epoch: Epoch,
        /// The event, as it is stored.
        event: Event,
    },
    /// A piece of the running reply, from the owner.
    Delta {
        /// In which conversation.
        key: ConversationKey,
        /// The owner's fencing number.
        epoch: Epoch,
        /// Which reply.
        turn: Turn,
        /// Where the piece begins, in characters.
        offset: usize,
        /// The piece.
        text: Text,
    },
    /// A sign of life of a participant: from the relay on whose node it was given, or from the owner.
    Signal {
        /// In which conversation.
        key: ConversationKey,
        /// The owner's fencing number, as far as the sender knows it.
        epoch: Epoch,
        /// The side that gave it.
        author: Author,
        /// What it tells.
        kind: SignalKind,
    },
    /// The owner's conversation has ended; nothing follows for this relay. It needs no epoch: a relay that has joined
    /// anew was answered behind it on the same link.
    Ended {
        /// Which conversation.
        key: ConversationKey,
        /// Why nothing more is heard of it.
        why: ErrorFace,
    },
    /// The receiver was held for dead: what it owns may have been claimed from it.
    Doubt {},
    /// It has heard so, and looks.
    Doubted {},
    /// Something that a later version says.
    #[serde(other)]
    Unknown,
}

/// What one node asks another about a conversation that it takes for its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum PeerAsk {
    /// Whether it runs there; answered with a [`Stand`].
    Awake {},
    /// The same, and where it does, the asker's relay follows it from its head on.
    Join {
        /// Wake it if it runs nowhere: the asker owns nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        wake: bool,
    },
    /// Create it, as the asker owns nothing; answered with its head.
    Open {
        /// Whose it is.
        contact: ContactId,
        /// Whether nothing is known of them.
        is_anonymous: bool,
        /// When.
        at: Timestamp,
        /// What their page says of its language.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locale: Option<Locale>,
    },
    /// A wish of a participant.
    Command {
        /// Which.
        command: PeerCommand,
    },
    /// How it stands; answered with a [`ConversationView`](crate::wire::ConversationView).
    View {},
    /// Let it out of quarantine, if it is there; answered with a [`Stand`].
    Release {},
    /// Erase it, if it runs there; answered with a [`Stand`].
    Erase {
        /// It is one of many, whose keys are ended together.
        of_many: bool,
    },
}

/// A participant's wish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum PeerCommand {
    /// Somebody says something.
    Say {
        /// The agent who does; none: the contact.
        agent: Option<AgentName>,
        /// Their own id for it.
        r#ref: Ref,
        /// What.
        text: Text,
        /// A visitor does, within a visitor's budgets.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        visitor: bool,
    },
    /// Stop the running reply.
    Cancel {
        /// Only if this turn runs.
        turn: Option<Turn>,
    },
    /// A human agent takes over.
    Take {
        /// Their name.
        agent: AgentName,
    },
    /// The human agent lets the assistant answer again.
    HandBack {
        /// Their name.
        agent: AgentName,
    },
    /// End the conversation for now.
    Close {},
}

/// How a conversation stands at the node that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Stand {
    /// It runs nowhere there, and nothing is kept of it: whoever asks may claim it.
    Resting {},
    /// It runs.
    Awake {},
    /// It runs, and the asker's relay follows it.
    Followed {
        /// The owner's fencing number.
        epoch: Epoch,
        /// Events after this one will come, and the text so far of a reply that runs.
        head: Seq,
        /// Whom it is with.
        contact: ContactId,
    },
    /// It is erased.
    Gone {},
    /// It was in quarantine there, and is no more.
    Released {},
}

impl fmt::Debug for PeerFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { version, node } => f.debug_struct("Hello").field("v", version).field("node", node).finish(),
            Self::Ask { id, key, what } => {
                f.debug_struct("Ask").field("id", id).field("key", key).field("what", what).finish()
            }
            Self::Answer { id, ok, error, decided } => {
                let mut answer = f.debug_struct("Answer");
                answer.field("id", id).field("ok", &ok.is_some()).field("error", error).field("decided", decided);
                answer.finish()
            }
            Self::Leave { key } => f.debug_struct("Leave").field("key", key).finish(),
            Self::Event { key, epoch, event } => {
                f.debug_struct("Event").field("key", key).field("epoch", epoch).field("event", event).finish()
            }
            Self::Delta { key, epoch, turn, offset, text } => {
                let mut delta = f.debug_struct("Delta");
                delta.field("key", key).field("epoch", epoch).field("turn", turn).field("offset", offset);
                delta.field("text", text).finish()
            }
            Self::Signal { key, author, kind, .. } => {
                f.debug_struct("Signal").field("key", key).field("author", author).field("kind", kind).finish()
            }
            Self::Ended { key, why } => f.debug_struct("Ended").field("key", key).field("why", &why.code).finish(),
            Self::Doubt {} => f.write_str("Doubt"),
            Self::Doubted {} => f.write_str("Doubted"),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ConversationId, Fact, TenantId, Timestamp};

    #[test]
    fn frames_read_back_and_show_no_words() {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let canary = "canary";
        let say = PeerCommand::Say { agent: None, r#ref: canary.parse().unwrap(), text: canary.into(), visitor: false };
        let fact = Fact::Message { text: canary.into(), r#ref: None, agent: None, reply: None };
        let event = Event { seq: 3, at: Timestamp::default(), author: Author::Contact, fact };
        for frame in [
            PeerFrame::Hello { version: PEER_VERSION, node: NodeId::generate() },
            PeerFrame::Ask { id: 1, key, what: PeerAsk::Join { wake: false } },
            PeerFrame::Ask { id: 2, key, what: PeerAsk::Join { wake: true } },
            PeerFrame::Ask { id: 2, key, what: PeerAsk::Command { command: say } },
            PeerFrame::Answer { id: 2, ok: Some(json!({"said": canary})), error: None, decided: true },
            PeerFrame::Leave { key },
            PeerFrame::Event { key, epoch: 2, event },
            PeerFrame::Delta { key, epoch: 2, turn: 1, offset: 4, text: canary.into() },
            PeerFrame::Signal { key, epoch: 2, author: Author::Human, kind: SignalKind::Typing { on: true } },
            PeerFrame::Doubt {},
            PeerFrame::Doubted {},
        ] {
            let text = serde_json::to_string(&frame).unwrap();
            assert_eq!(serde_json::from_str::<PeerFrame>(&text).unwrap(), frame, "{text}");
            assert!(!format!("{frame:?}").contains(canary), "{frame:?}");
        }
    }

    #[test]
    fn what_a_later_version_says_is_skipped() {
        let later = json!({"type": "sings", "song": 3}).to_string();
        assert_eq!(serde_json::from_str::<PeerFrame>(&later).unwrap(), PeerFrame::Unknown);
    }
}
