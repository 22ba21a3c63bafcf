//! A session that wants to listen to a conversation, and what it is told about what it missed.

use std::sync::Arc;

use schema::{ConversationId, Seq, SessionId};
use serde_json::{Value, json};

use crate::frames::Format;
use crate::outbox::Outbox;
use crate::reply::Answer;

/// Whose eyes a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The contact's: of what stood before a model they see what the reply cites.
    Contact,
    /// The tenant's team.
    Team,
}

/// A session that wants to listen.
pub struct Listener {
    /// The session's id: a session that joins again takes the place it had.
    pub session: SessionId,
    /// Where its frames go.
    pub outbox: Arc<Outbox>,
    /// The frames it reads: a socket's, or an event stream's.
    pub format: Format,
    /// What it is shown.
    pub audience: Audience,
}

/// What a session that joined is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The conversation that was joined.
    pub conversation: ConversationId,
    /// Its newest durable event.
    pub head: Seq,
    /// From where it is sent events.
    pub from: JoinFrom,
}

/// Whether a session gets all it missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinFrom {
    /// At the position that was asked for: nothing is missed.
    Position,
    /// It missed too much: events begin after this one, the rest is in the listing.
    Newest(Seq),
}

impl Answer for Joined {
    fn to_json(&self) -> Value {
        match self.from {
            JoinFrom::Position => json!({"conversation": self.conversation, "head": self.head, "complete": true}),
            JoinFrom::Newest(after) => {
                json!({"conversation": self.conversation, "head": self.head, "complete": false, "after": after})
            }
        }
    }
}
