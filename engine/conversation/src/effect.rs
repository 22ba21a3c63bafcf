//! What a conversation asks its actor to do, in order.

use std::time::Duration;

use schema::{AgentName, ErrorCode, Event, Seq, Text, Timestamp, Turn};

/// One thing to do. What follows an `Append` and is seen by someone waits until it is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Store this event, then push it to all who listen.
    Append(Event),
    /// Answer the command.
    Reply(Result<Outcome, Refusal>),
    /// Push a piece of the running reply.
    Delta {
        /// Which turn.
        turn: Turn,
        /// Where it begins, in characters.
        offset: usize,
        /// The piece.
        text: Text,
    },
    /// Start an attempt at a turn; the transcript ends with the question.
    Ask {
        /// Which turn.
        turn: Turn,
        /// Which attempt: 1, 2 …
        attempt: u32,
    },
    /// Stop the attempt that runs, if one does.
    Stop,
    /// Send [`Command::Elapsed`](super::Command::Elapsed) after a while. A crash forgets it: what must happen is
    /// due (see [`Conversation::due`](super::Conversation::due)) as well.
    Arm {
        /// Which timer.
        timer: Timer,
        /// How long from now.
        after: Duration,
    },
}

/// What a timer is for. A timer that no longer fits the state is ignored when it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The rest of a burst did not come; names the moment its last message did.
    Burst(Timestamp),
}

/// What came of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The event that holds it, where there is one.
    pub seq: Option<Seq>,
    /// The turn it concerned, where there is one.
    pub turn: Option<Turn>,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: &'static str,
    /// The agent who has the conversation, where that is the reason.
    pub held_by: Option<AgentName>,
}

impl Refusal {
    pub(super) const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message, held_by: None }
    }
}
