//! The frames that the server sends on a socket. Invariant: durable and ephemeral never share a type.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ErrorFace;
use crate::{Author, ConversationId, Event, Ref, Seq, SessionId, Text, Turn};

/// One frame from the server. A client skips types it does not know.
///
/// Its `Debug` shows nothing that was said, and of an answer only that there is one.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The first frame of every socket.
    Hello {
        /// This socket's name, for support.
        session: SessionId,
        /// How often the server pings, in milliseconds.
        ping_ms: u64,
    },
    /// The answer to a frame with a `ref`: `ok` or `error`.
    Reply {
        /// The `ref` of the client's frame.
        r#ref: Ref,
        /// The result, by the type of the client's frame; `{}` when there is nothing to tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ok: Option<Value>,
        /// Why the frame was refused; then nothing was done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorFace>,
    },
    /// A fact of a joined conversation, stored before it is sent.
    Event {
        /// The conversation whose event it is.
        conversation: ConversationId,
        /// The event, as it is stored.
        event: Event,
    },
    /// A piece of the reply that runs.
    Delta(Delta),
    /// Somebody is typing or has read. Never stored.
    Signal(Signal),
    /// A frame without a usable `ref` was wrong; or, with a conversation, that one cannot be heard
    /// for now: join it again later.
    Error {
        /// The conversation that cannot be heard; absent when the error concerns a frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        /// The failure, as in a `reply`.
        error: ErrorFace,
    },
    /// The socket is about to be closed by the server.
    GoingAway {
        /// When to come back, in milliseconds from now; spread, so that not all come at once.
        retry_after_ms: u64,
    },
}

impl fmt::Debug for ServerFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { session, ping_ms } => {
                f.debug_struct("Hello").field("session", session).field("ping_ms", ping_ms).finish()
            }
            Self::Reply { r#ref, ok, error } => {
                let mut reply = f.debug_struct("Reply");
                reply.field("ref", r#ref).field("ok", &ok.is_some()).field("error", error).finish()
            }
            Self::Event { conversation, event } => {
                f.debug_struct("Event").field("conversation", conversation).field("event", event).finish()
            }
            Self::Delta(delta) => delta.fmt(f),
            Self::Signal(signal) => signal.fmt(f),
            Self::Error { conversation, error } => {
                f.debug_struct("Error").field("conversation", conversation).field("error", error).finish()
            }
            Self::GoingAway { retry_after_ms } => {
                f.debug_struct("GoingAway").field("retry_after_ms", retry_after_ms).finish()
            }
        }
    }
}

/// A piece of an unfinished reply; the finished one comes as an event and is authoritative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delta {
    /// The conversation whose reply runs.
    pub conversation: ConversationId,
    /// The turn whose reply runs.
    pub turn: Turn,
    /// Where in the reply it begins, in Unicode characters.
    pub offset: usize,
    /// The text from `offset` on.
    pub text: Text,
}

/// A sign of life that is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// The conversation in which it was given.
    pub conversation: ConversationId,
    /// The side that gave it: `contact` or `human`.
    pub author: Author,
    /// What it tells.
    #[serde(flatten)]
    pub kind: SignalKind,
}

/// What a signal tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum SignalKind {
    /// The person began or stopped typing.
    Typing {
        /// True when the person began to type, false when they stopped.
        on: bool,
    },
    /// The person has seen everything up to an event.
    Read {
        /// The newest event that the person has seen.
        seq: Seq,
    },
}
