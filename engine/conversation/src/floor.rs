//! Who has the floor now. It lives in memory only: after a crash the log's unfinished turn is
//! all that is left of it.

use std::fmt;

use schema::{Failover, Passage, Price, Seq, Timestamp, Turn, Usage};

use super::said::Said;

/// Whose go it is. Each state carries only what is true in it. Its `Debug` shows how much was said and not
/// what.
#[derive(Clone, Default, PartialEq)]
pub enum Floor {
    /// Nobody's.
    #[default]
    Idle,
    /// The contact's: they sent a short message, and more may come.
    Listening {
        /// When the first of them came.
        since: Timestamp,
        /// When the last of them came.
        latest: Timestamp,
    },
    /// A model was asked and has not begun.
    Thinking(Box<Running>),
    /// The reply is coming in.
    Speaking {
        /// The turn.
        running: Box<Running>,
        /// What was said so far.
        said: Said,
        /// From the start of the turn to the first words, in milliseconds.
        first_token_ms: u64,
        /// Where the log's checkpoints end: bytes, characters, and when.
        stored: Stored,
    },
}

/// How much of a running reply the log has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stored {
    pub(super) bytes: usize,
    pub(super) chars: usize,
    pub(super) at: Timestamp,
}

/// A turn that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Which turn.
    pub turn: Turn,
    /// Which attempt at it.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// The contact's last message it answers.
    pub answers: Seq,
    /// Who is asked; empty before the first.
    pub model: String,
    /// The profile in force when it began.
    pub profile_version: u64,
    pub(super) price: Option<Price>,
    pub(super) passages: Vec<Passage>,
    pub(super) unanswered: bool,
    pub(super) failovers: Vec<Failover>,
    pub(super) tally: Tally,
}

/// What a turn has used, counted or estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Attempts that are over.
    spent: Usage,
    spent_microusd: Option<u64>,
    /// The current attempt, by the providers' count so far.
    counted: Usage,
    /// The current attempt, by our estimate.
    input_estimate: u64,
    output_estimate: u64,
}

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("Idle"),
            Self::Listening { since, latest } => {
                f.debug_struct("Listening").field("since", since).field("latest", latest).finish()
            }
            Self::Thinking(running) => f.debug_tuple("Thinking").field(running).finish(),
            Self::Speaking { running, said, first_token_ms, stored } => {
                let mut speaking = f.debug_struct("Speaking");
                speaking.field("running", running).field("said", said);
                speaking.field("first_token_ms", first_token_ms).field("stored", stored).finish()
            }
        }
    }
}

impl Floor {
    /// The turn that runs.
    #[must_use]
    pub fn running(&self) -> Option<&Running> {
        match self {
            Self::Thinking(running) | Self::Speaking { running, .. } => Some(running),
            Self::Idle | Self::Listening { .. } => None,
        }
    }

    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match self {
            Self::Thinking(running) | Self::Speaking { running, .. } => Some(running),
            Self::Idle | Self::Listening { .. } => None,
        }
    }

    /// What the running reply said so far, with its length in characters.
    #[must_use]
    pub fn said(&self) -> Option<(Turn, &str, usize)> {
        match self {
            Self::Speaking { running, said, .. } => Some((running.turn, said.text(), said.chars())),
            _ => None,
        }
    }

    /// The name on the wire, for a conversation the assistant owns.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Listening { .. } => "listening",
            Self::Thinking(_) => "thinking",
            Self::Speaking { .. } => "speaking",
        }
    }
}

impl Tally {
    pub(super) const fn asking(&mut self, input_tokens: u64) {
        self.input_estimate = self.input_estimate.saturating_add(input_tokens);
    }

    pub(super) const fn count(&mut self, usage: Usage) {
        self.counted = usage;
    }

    pub(super) const fn wrote(&mut self, tokens: u64) {
        self.output_estimate = self.output_estimate.saturating_add(tokens);
    }

    /// Closes the current attempt: with its final account, or, when it was cut from outside, with
    /// the larger of count and estimate.
    pub(super) fn settle(&mut self, price: Option<Price>, account: Option<(Usage, Option<u64>)>) {
        let (usage, microusd) = account.unwrap_or_else(|| {
            let mut usage = self.counted;
            usage.input_tokens = usage.input_tokens.max(self.input_estimate);
            usage.output_tokens = usage.output_tokens.max(self.output_estimate);
            usage.estimated = usage.input_tokens > 0 || usage.output_tokens > 0;
            (usage, price.map(|price| price.cost_microusd(&usage)))
        });
        self.spent = self.spent.plus(&usage);
        self.spent_microusd = match (self.spent_microusd, microusd) {
            (Some(before), Some(now)) => Some(before.saturating_add(now)),
            (before, now) => before.or(now),
        };
        self.counted = Usage::default();
        self.input_estimate = 0;
        self.output_estimate = 0;
    }

    pub(super) const fn spent(&self) -> (Usage, Option<u64>) {
        (self.spent, self.spent_microusd)
    }
}
