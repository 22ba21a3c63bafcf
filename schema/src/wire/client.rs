//! The frames that a client sends on a socket.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentName, ConversationId, Locale, Position, Ref, Seq, Text, Turn, limits};

/// One frame from a client. Frames with a `ref` are answered by exactly one `reply` with it.
///
/// Its `Debug` shows neither what was said nor the token.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// Shows who is speaking: the first frame of a socket that brought no key or token; later, to renew a token.
    Auth {
        /// Comes back in the reply.
        r#ref: Ref,
        /// A visitor's or an agent's token, or an API key.
        token: String,
    },
    /// Listen to a conversation, from a position on.
    Join {
        /// Comes back in the reply.
        r#ref: Ref,
        /// The conversation to join; left out, a new one is opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        /// The client's position; left out, everything is sent.
        #[serde(default)]
        after: Position,
        /// Language of the contact's page or app; read only when a new conversation is opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locale: Option<Locale>,
    },
    /// Stop listening to a conversation.
    Leave {
        /// Comes back in the reply.
        r#ref: Ref,
        /// A conversation that this socket has joined.
        conversation: ConversationId,
    },
    /// Say something. Sent twice with the same `ref`, it is stored once and answered twice.
    Say {
        /// Comes back in the reply, and tells a message sent twice from a second one.
        r#ref: Ref,
        /// A conversation that this socket has joined.
        conversation: ConversationId,
        /// The message.
        #[schemars(length(max = limits::TEXT_BYTES_MAX), regex(pattern = r"\S"))]
        text: Text,
        /// A human agent's name, when it is their message and not the contact's. With an API key; an agent's token
        /// names them already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
    },
    /// Stop the running reply.
    Cancel {
        /// Comes back in the reply.
        r#ref: Ref,
        /// A conversation that this socket has joined.
        conversation: ConversationId,
        /// Stops the reply only if it belongs to this turn; left out, any reply that runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<Turn>,
    },
    /// A human agent takes the conversation over. With an API key or an agent's token.
    Take {
        /// Comes back in the reply.
        r#ref: Ref,
        /// A conversation that this socket has joined.
        conversation: ConversationId,
        /// The human agent's name; with an agent's token it may be left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
    },
    /// The human agent lets the assistant answer again. With an API key or an agent's token.
    HandBack {
        /// Comes back in the reply.
        r#ref: Ref,
        /// A conversation that this socket has joined.
        conversation: ConversationId,
        /// The human agent's name; with an agent's token it may be left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
    },
    /// End the conversation until somebody speaks in it again. With an API key or an agent's token.
    Close {
        /// Comes back in the reply.
        r#ref: Ref,
        /// A conversation that this socket has joined.
        conversation: ConversationId,
    },
    /// The person is typing, or has stopped. Not stored, not answered.
    Typing {
        /// A conversation that this socket has joined.
        conversation: ConversationId,
        /// True when the person began to type, false when they stopped.
        on: bool,
    },
    /// The person has seen everything up to an event. Not answered.
    Read {
        /// A conversation that this socket has joined.
        conversation: ConversationId,
        /// The newest event that the person has seen.
        seq: Seq,
    },
    /// Are you there? Answered like any frame with a `ref`.
    Ping {
        /// Comes back in the reply.
        r#ref: Ref,
    },
}

impl fmt::Debug for ClientFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auth { r#ref, .. } => f.debug_struct("Auth").field("ref", r#ref).finish_non_exhaustive(),
            Self::Join { r#ref, conversation, after, locale } => {
                let mut join = f.debug_struct("Join");
                join.field("ref", r#ref).field("conversation", conversation).field("after", after);
                join.field("locale", locale).finish()
            }
            Self::Leave { r#ref, conversation } => {
                f.debug_struct("Leave").field("ref", r#ref).field("conversation", conversation).finish()
            }
            Self::Say { r#ref, conversation, text, agent } => {
                let mut say = f.debug_struct("Say");
                say.field("ref", r#ref).field("conversation", conversation);
                say.field("text", text).field("agent", agent).finish()
            }
            Self::Cancel { r#ref, conversation, turn } => {
                let mut cancel = f.debug_struct("Cancel");
                cancel.field("ref", r#ref).field("conversation", conversation).field("turn", turn).finish()
            }
            Self::Take { r#ref, conversation, agent } => {
                let mut take = f.debug_struct("Take");
                take.field("ref", r#ref).field("conversation", conversation).field("agent", agent).finish()
            }
            Self::HandBack { r#ref, conversation, agent } => {
                let mut back = f.debug_struct("HandBack");
                back.field("ref", r#ref).field("conversation", conversation).field("agent", agent).finish()
            }
            Self::Close { r#ref, conversation } => {
                f.debug_struct("Close").field("ref", r#ref).field("conversation", conversation).finish()
            }
            Self::Typing { conversation, on } => {
                f.debug_struct("Typing").field("conversation", conversation).field("on", on).finish()
            }
            Self::Read { conversation, seq } => {
                f.debug_struct("Read").field("conversation", conversation).field("seq", seq).finish()
            }
            Self::Ping { r#ref } => f.debug_struct("Ping").field("ref", r#ref).finish(),
        }
    }
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
            (r#"{"type":"join","ref":"1","locale":"es-MX"}"#.to_string(), true),
            (r#"{"type":"join","ref":"1","locale":"Spanish, please"}"#.to_string(), false),
            (format!(r#"{{"type":"join","ref":"1","conversation":"{conversation}","after":12}}"#), true),
            (format!(r#"{{"type":"join","ref":"1","conversation":"{conversation}","after":"12:1:7"}}"#), true),
            (format!(r#"{{"type":"say","ref":"a","conversation":"{conversation}","text":"hi"}}"#), true),
            (format!(r#"{{"type":"say","conversation":"{conversation}","text":"hi"}}"#), false),
            (format!(r#"{{"type":"say","ref":"","conversation":"{conversation}","text":"hi"}}"#), false),
            (format!(r#"{{"type":"take","ref":"a","conversation":"{conversation}","agent":"Zoe"}}"#), true),
            (format!(r#"{{"type":"take","ref":"a","conversation":"{conversation}"}}"#), true),
            (format!(r#"{{"type":"hand_back","ref":"a","conversation":"{conversation}"}}"#), true),
            (format!(r#"{{"type":"close","ref":"a","conversation":"{conversation}"}}"#), true),
            (format!(r#"{{"type":"close","conversation":"{conversation}"}}"#), false),
            (r#"{"type":"ping","ref":"1","extra":1}"#.to_string(), false),
            (r#"{"type":"shout","ref":"1"}"#.to_string(), false),
            ("[]".to_string(), false),
        ] {
            let frame = serde_json::from_str::<ClientFrame>(&json);
            assert_eq!(frame.is_ok(), ok, "{json}: {frame:?}");
        }
    }
}
