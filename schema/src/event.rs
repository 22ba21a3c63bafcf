//! A fact of a conversation: appended once, numbered, never changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentName, ContactId, Locale, Ownership, Passage, Reached, Ref, Seq, Text, Timestamp, Turn};

/// One entry of a conversation's log, as stored and as sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// 1, 2, 3 … without gaps.
    pub seq: Seq,
    /// The moment at which the machine decided it, which is before it was durable.
    pub at: Timestamp,
    /// The side whose doing it is.
    pub author: Author,
    /// What happened, by its type.
    #[serde(flatten)]
    pub fact: Fact,
}

/// The side whose doing an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The person the business serves.
    Contact,
    /// The assistant: what a model or the built-in answerer said.
    Assistant,
    /// A human agent of the tenant.
    Human,
    /// The node itself.
    System,
}

/// The way in by which a conversation came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A page, an app or any program that speaks the public protocol.
    #[default]
    Web,
}

/// What happened: the part of an event that depends on its type.
/// The machine decides it, the store keeps it, and nothing changes it afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Fact {
    /// The conversation began. The first event of every log, and of its beginning only.
    Opened {
        /// The contact with whom the conversation is.
        contact: ContactId,
        /// The channel by which the contact came.
        #[serde(default)]
        channel: Channel,
        /// Language of the contact's page or app, where it said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locale: Option<Locale>,
    },
    /// Somebody said something. A reply of the assistant also says of which turn and how it ended.
    Message {
        /// The words; empty for a reply that never began.
        text: Text,
        /// The sender's own id for it.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        r#ref: Option<Ref>,
        /// The human agent's name, when a human wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
        /// How a reply came about; absent on what people say.
        #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
        reply: Option<Box<Reply>>,
    },
    /// The assistant took the floor. Exactly one reply with the same turn follows.
    TurnStarted {
        /// The turn's number; it also stands in the reply that ends the turn.
        turn: Turn,
    },
    /// A piece of a long reply, kept so that a crash loses little of it. The finished reply
    /// repeats it: readers may skip this.
    Checkpoint {
        /// The turn that runs.
        turn: Turn,
        /// Where in the reply the piece begins, in characters.
        offset: usize,
        /// Its length in characters, where the text is left out: a listener that has had it as deltas is
        /// not sent it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chars: Option<usize>,
        /// The piece of the reply.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        text: Text,
        /// Where a thought begins, in characters: from there to the end of this piece nothing is part of the
        /// reply. A model may be found to have thought aloud only when it has said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unsaid: Option<usize>,
    },
    /// A human agent took the conversation; the assistant is silent from here on.
    TakenOver {
        /// The agent's name.
        agent: AgentName,
        /// The ownership number from here on: one more than before.
        ownership: Ownership,
    },
    /// The human agent gave the conversation back to the assistant.
    HandedBack {
        /// The agent's name.
        agent: AgentName,
        /// The ownership number from here on: one more than before.
        ownership: Ownership,
    },
    /// The contact wants a person. Until one of the team has answered, or has given the conversation back to the
    /// assistant, it is not said again.
    HandoffRequested {
        /// How the wish was noticed.
        reason: HandoffReason,
    },
    /// The conversation ended for now; a new message reopens it.
    Closed {
        /// Why it ended.
        reason: CloseReason,
    },
    /// Somebody spoke in a closed conversation.
    Reopened {},
}

/// Why a conversation was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// A caller of the API closed it.
    Asked,
    /// Nobody spoke for as long as the profile allows.
    Idle,
}

/// Why a conversation is to be given to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandoffReason {
    /// The contact asked for one.
    Asked,
    /// The contact complained.
    Complaint,
}

impl HandoffReason {
    /// The name on the wire and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Complaint => "complaint",
        }
    }
}

/// The part of a reply that is not its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The turn that this reply ends.
    pub turn: Turn,
    /// How the turn ended.
    pub end: End,
    /// The last of the contact's messages it answers.
    pub answers: Seq,
    /// The model, passages, timings and cost of the reply.
    pub made: Made,
}

/// How a reply ended. Every turn has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The model said all it had to say.
    Completed,
    /// A length limit cut it.
    Length,
    /// The provider withheld it.
    Filtered,
    /// Somebody stopped it, spoke over it or took over.
    Cancelled,
    /// The stream broke off: what is there is part of an answer.
    Incomplete,
    /// No model answered.
    Failed,
}

impl End {
    /// The name on the wire and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Length => "length",
            Self::Filtered => "filtered",
            Self::Cancelled => "cancelled",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

/// How a reply was made: enough to run it again elsewhere and compare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// `provider/model`, or `builtin`; empty when none was reached.
    pub model: String,
    /// The tenant profile's version in force.
    pub profile_version: u64,
    /// The passages of the tenant's documents that the model was given, as they were then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passages: Vec<Passage>,
    /// True when it says that it does not know, of all that was asked or of a part.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
    /// From the start of the turn to its first words; absent when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// From the start of the turn to its end.
    pub total_ms: u64,
    /// Tokens, by the provider's count or our estimate.
    pub usage: Usage,
    /// Millionths of a US dollar by the configured prices; absent when the model has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_microusd: Option<u64>,
    /// Models that were tried before and did not begin to answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failovers: Vec<Failover>,
    /// Why it failed or broke off, as a code of the error table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seconds after which the provider said it may be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// A model that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failover {
    /// The model's full name, `provider/model`.
    pub model: String,
    /// Why, as a code of the error table.
    pub error: String,
}

/// Tokens of one turn, all attempts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Read by the model, cached ones included.
    pub input_tokens: u64,
    /// Written by the model, hidden thinking included.
    pub output_tokens: u64,
    /// Of the input, served from the provider's prefix cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Of the input, written to that cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// True when any of these is our estimate, because the provider's count never came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Usage {
    /// Both together; estimated when either is.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            estimated: self.estimated || other.estimated,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Event {
    /// A checkpoint without its text, for a listener that has had it as deltas, and what such a listener
    /// has reached; nothing for other events.
    #[must_use]
    pub fn without_text(&self) -> Option<(Self, Reached)> {
        let Fact::Checkpoint { turn, offset, text, unsaid, .. } = &self.fact else { return None };
        let (turn, offset, chars, unsaid) = (*turn, *offset, text.chars(), *unsaid);
        let fact = Fact::Checkpoint { turn, offset, chars: Some(chars), text: Text::default(), unsaid };
        Some((Self { fact, ..*self }, Reached { turn, offset: offset + chars }))
    }

    /// The event as the contact sees it, where that is less than the log has: of what stood before the model
    /// only the passages that the reply cites.
    #[must_use]
    pub fn for_contact(&self) -> Option<Self> {
        let Fact::Message { text, reply: Some(reply), .. } = &self.fact else { return None };
        let passages = &reply.made.passages;
        let cited = crate::cited(text.as_str(), passages.iter().map(|passage| passage.n));
        if cited.len() == passages.len() {
            return None;
        }
        let mut shown = self.clone();
        if let Fact::Message { reply: Some(reply), .. } = &mut shown.fact {
            reply.made.passages.retain(|passage| cited.contains(&passage.n));
        }
        Some(shown)
    }
}

impl Fact {
    /// The name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Message { .. } => "message",
            Self::TurnStarted { .. } => "turn_started",
            Self::Checkpoint { .. } => "checkpoint",
            Self::TakenOver { .. } => "taken_over",
            Self::HandedBack { .. } => "handed_back",
            Self::HandoffRequested { .. } => "handoff_requested",
            Self::Closed { .. } => "closed",
            Self::Reopened {} => "reopened",
        }
    }

    /// What was said in it, passages before the model included, in UTF-8 bytes: most of what it weighs.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Message { text, reply, .. } => {
                let passages = reply.as_ref().map(|reply| reply.made.passages.iter());
                text.bytes() + passages.map_or(0, |passages| passages.map(|passage| passage.text.bytes()).sum())
            }
            Self::Checkpoint { text, .. } => text.bytes(),
            Self::Opened { .. }
            | Self::TurnStarted { .. }
            | Self::TakenOver { .. }
            | Self::HandedBack { .. }
            | Self::HandoffRequested { .. }
            | Self::Closed { .. }
            | Self::Reopened {} => 0,
        }
    }

    /// The client's own id for it, where it has one.
    #[must_use]
    pub const fn client_ref(&self) -> Option<&Ref> {
        match self {
            Self::Message { r#ref, .. } => r#ref.as_ref(),
            _ => None,
        }
    }
}
