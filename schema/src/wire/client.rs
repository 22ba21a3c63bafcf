//! What a client says on a socket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, Position, Ref, Seq, Text, Turn};

/// One frame from a client. Frames with a `ref` are answered by exactly one `reply` with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// Who is speaking: first on a socket that brought no key or token, later to renew one.
    Auth {
        /// For the reply.
        r#ref: Ref,
        /// A visitor token.
        token: String,
    },
    /// Listen to a conversation, from a position on.
    Join {
        /// For the reply.
        r#ref: Ref,
        /// Which one; left out, a new one is opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        /// The last position this client has; left out, everything is sent.
        #[serde(default)]
        after: Position,
    },
    /// Listen no longer.
    Leave {
        /// For the reply.
        r#ref: Ref,
        /// Which one.
        conversation: ConversationId,
    },
    /// Say something. Sent twice with the same `ref`, it is stored once and answered twice.
    Say {
        /// The key against doubles, and for the reply.
        r#ref: Ref,
        /// Where.
        conversation: ConversationId,
        /// What.
        text: Text,
        /// A human agent's name, when it is their message and not the contact's. API keys only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// Stop the running reply.
    Cancel {
        /// For the reply.
        r#ref: Ref,
        /// Where.
        conversation: ConversationId,
        /// Only if this turn runs; left out, whichever does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<Turn>,
    },
    /// The person is typing, or has stopped. Not stored, not answered.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Whether they are.
        on: bool,
    },
    /// The person has seen everything up to an event. Not answered.
    Read {
        /// Where.
        conversation: ConversationId,
        /// Up to which event.
        seq: Seq,
    },
    /// Are you there? Answered like any frame with a `ref`.
    Ping {
        /// For the reply.
        r#ref: Ref,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_as_documented() {
        let conversation = ConversationId::generate();
        for (json, ok) in [
            (r#"{"type":"ping","ref":"1"}"#.to_string(), true),
            (r#"{"type":"join","ref":"1"}"#.to_string(), true),
            (format!(r#"{{"type":"join","ref":"1","conversation":"{conversation}","after":12}}"#), true),
            (format!(r#"{{"type":"join","ref":"1","conversation":"{conversation}","after":"12:1:7"}}"#), true),
            (format!(r#"{{"type":"say","ref":"a","conversation":"{conversation}","text":"hi"}}"#), true),
            (format!(r#"{{"type":"say","conversation":"{conversation}","text":"hi"}}"#), false),
            (format!(r#"{{"type":"say","ref":"","conversation":"{conversation}","text":"hi"}}"#), false),
            (r#"{"type":"ping","ref":"1","extra":1}"#.to_string(), false),
            (r#"{"type":"shout","ref":"1"}"#.to_string(), false),
            ("[]".to_string(), false),
        ] {
            let frame = serde_json::from_str::<ClientFrame>(&json);
            assert_eq!(frame.is_ok(), ok, "{json}: {frame:?}");
        }
    }
}
