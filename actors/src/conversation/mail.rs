//! The mail that a conversation's actor handles.

use std::time::Instant;

use engine_conversation::{Command, Outcome, Progress, Timer};
use engine_store::{Page, StoreError};
use schema::wire::{ConversationView, SignalKind};
use schema::{Author, Position, Seq, SessionId, Turn};
use tokio::sync::oneshot;

use super::follow::Followed;
use super::listener::{Joined, Listener};
use super::relay_mail::Told;
use super::subscribers::Subscribers;
use super::writer::Written;
use crate::failure::Failure;
use crate::reply::ReplyTo;
use crate::runtime::Message;
use crate::spans::HeldSpan;

/// One message to a conversation.
pub(crate) enum Mail {
    /// Somebody wishes something; `span` is the command's, to be entered where it is handled.
    Command { command: Command, reply: ReplyTo<Outcome>, span: HeldSpan },
    /// A session wants to listen.
    Join { listener: Listener, from: Position, reply: ReplyTo<Joined> },
    /// Another node's relay wants to follow, from the head on.
    Follow { listener: Listener, reply: ReplyTo<Followed> },
    /// A session listens no longer.
    Leave { session: SessionId },
    /// A sign of life of a participant.
    Signal { session: SessionId, author: Author, kind: SignalKind },
    /// Somebody wants to know how it stands.
    View(oneshot::Sender<Result<ConversationView, Failure>>),
    /// Sessions of the incarnation before this one.
    Adopt(Subscribers),
    /// A slow session has room again.
    Drained { session: SessionId },
    /// Nobody has needed it for a while: end, if that is still so.
    Rest,
    /// The conversation is to be erased: end, and give away those who listen.
    End(oneshot::Sender<Subscribers>),
    /// The node drains, and others can take over: end, if no reply runs. True if it did.
    Release(oneshot::Sender<bool>),
    /// Another node has claimed it: end, and let those who listen be led there.
    Lost,
    /// Something for a relay, with the bytes that it came in.
    Told(Told, usize),
    /// Somebody on another thread wants to listen: move there, if nobody is left behind. True if
    /// the conversation can now be started there.
    Move(oneshot::Sender<bool>),
    /// The store has answered a write.
    Stored { written: Written, since: Instant },
    /// The store has answered a snapshot.
    SnapshotKept(Result<bool, StoreError>),
    /// The store has read what comes after an event, for a session that has not had it.
    Missed { session: SessionId, after: Seq, page: Result<Page, StoreError> },
    /// The running turn reports; `at` is when its words arrived.
    Progress { turn: Turn, attempt: u32, progress: Progress, at: Instant },
    /// It was read whose the conversation is, for somebody whose position is none here.
    Looked { is_lost: bool },
    /// A timer has run out.
    Elapsed(Timer),
}

impl Message for Mail {
    fn bytes(&self) -> usize {
        match self {
            Self::Command { command: Command::Say { text, .. }, .. } => text.bytes(),
            Self::Told(_, bytes) => *bytes,
            _ => 0,
        }
    }
}

impl Mail {
    /// Whether somebody wishes something of the conversation, or listens: not it of itself.
    pub(crate) const fn is_asked(&self) -> bool {
        match self {
            Self::Command { command, .. } => !matches!(command, Command::Wake | Command::Due),
            Self::Join { .. } | Self::Follow { .. } | Self::Signal { .. } | Self::View(_) | Self::Adopt(_) => true,
            _ => false,
        }
    }

    /// Answers whoever waits for it.
    pub(crate) fn refuse(self, failure: &Failure) {
        match self {
            Self::Command { reply, .. } => reply.send(Err(failure.clone())),
            Self::Join { reply, .. } => reply.send(Err(failure.clone())),
            Self::Follow { reply, .. } => reply.send(Err(failure.clone())),
            Self::Release(reply) => drop(reply.send(false)),
            Self::View(reply) => drop(reply.send(Err(failure.clone()))),
            _ => {}
        }
    }
}
