//! The commands that a conversation takes, and the reports of its turn.

use std::time::Duration;

use schema::{
    AgentName, Channel, ContactId, End, ErrorCode, Failover, FloorPolicy, HandoffReason, Locale, Passage, Price, Ref,
    Text, Turn, Usage,
};

use super::effect::Timer;

/// A wish put to a conversation; it may be refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Begin. The first command of a new conversation, and of no other.
    Open {
        /// Whom it is with.
        contact: ContactId,
        /// How they came.
        channel: Channel,
        /// In which language their page or app is, where it said so.
        locale: Option<Locale>,
    },
    /// The actor has just been built from the log.
    Wake,
    /// The due index says that there is something to do: do what still is, once.
    Due,
    /// Somebody says something.
    Say {
        /// Who.
        speaker: Speaker,
        /// Their own id for it, against doubles.
        r#ref: Ref,
        /// What.
        text: Text,
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
    Close,
    /// The running turn has something to report.
    Progress {
        /// Which turn.
        turn: Turn,
        /// Which attempt at it; reports of earlier attempts are dropped.
        attempt: u32,
        /// What.
        progress: Progress,
    },
    /// A timer armed earlier has run out.
    Elapsed(Timer),
    /// The node goes away: end the running reply, keep all of it.
    Interrupt,
    /// Everything that was said goes for good, and nothing comes after it. The running reply is stopped; the log is
    /// the store's to erase.
    Erase,
}

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The person the business serves.
    Contact,
    /// A human agent who has taken over.
    Agent(AgentName),
}

/// A report of a running turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// These passages stand before the model.
    Found(Vec<Passage>),
    /// A model is being asked.
    Asking {
        /// `provider/model`.
        model: String,
        /// What its tokens cost, where known.
        price: Option<Price>,
        /// Estimate of what it reads, in tokens.
        input_tokens: u64,
    },
    /// A model was passed over before it began.
    FailedOver(Failover),
    /// The providers' own count so far, for all models asked in this attempt.
    Usage(Usage),
    /// Words.
    Text {
        /// The piece.
        text: Text,
        /// Estimate of what the model wrote for it, in tokens.
        tokens: u64,
    },
    /// The last bytes of those words were a thought that had not said so: they are no part of the reply.
    Unsaid {
        /// How many.
        bytes: usize,
    },
    /// The reply says that it does not know.
    Unanswered,
    /// The contact wants a person.
    HandoffRequested(HandoffReason),
    /// The reply ended; nothing follows.
    Ended {
        /// How.
        end: End,
        /// Why, when not well.
        error: Option<ErrorCode>,
        /// When the provider may be asked again.
        retry_after: Option<Duration>,
        /// Tokens of all models asked in this attempt, and their cost in millionths of a US dollar
        /// where there are prices; absent when the reply was cut from outside.
        spent: Option<(Usage, Option<u64>)>,
    },
}

/// What the tenant's profile says about turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Who may speak when.
    pub floor: FloorPolicy,
    /// The profile's version, kept with each reply.
    pub profile_version: u64,
    /// The node goes away: no turn begins any more, and what is asked stays open for the next wake.
    pub closing: bool,
}
