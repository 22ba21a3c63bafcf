//! The state folded from the log: the only state that survives.
//! Invariant: it changes by `fold` alone, so that replaying the log gives the state that lived it.

use schema::wire::Status;
use schema::{
    AgentName, Author, Channel, ContactId, Event, Fact, HandoffReason, Locale, Ownership, Seq, Timestamp, Turn, limits,
};
use serde::{Deserialize, Serialize};

use super::refs::{Refs, Sender};
use super::said::Said;
use super::transcript::{Line, Transcript};

/// A conversation as folded from its events. Its form as JSON is what snapshots hold: who changes it, or what
/// folding makes of an event, raises [`SNAPSHOT_VERSION`](super::SNAPSHOT_VERSION).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The newest event; 0 before the first.
    pub head: Seq,
    /// Whom it is with.
    pub contact: Option<ContactId>,
    /// How they came.
    pub channel: Channel,
    /// In which language their page or app is, where it said so.
    pub locale: Option<Locale>,
    /// Whether it goes on.
    pub status: Status,
    /// Who answers.
    pub owner: Owner,
    /// Counts takings and hand-backs.
    pub ownership: Ownership,
    /// Why the contact waits for a person; none once a human agent has written or handed back.
    pub handoff: Option<HandoffReason>,
    /// Turns begun so far.
    pub turns: Turn,
    /// The turn that began and has not ended.
    pub unfinished: Option<Unfinished>,
    /// Replies in a row that a crash or restart cut off.
    pub interrupted: u32,
    /// The contact's newest message.
    pub asked: Seq,
    /// The contact's newest message that somebody has answered.
    pub answered: Seq,
    /// When somebody last spoke.
    pub last_at: Timestamp,
    /// The recent talk.
    pub transcript: Transcript,
    pub(super) refs: Refs,
}

/// Who answers the contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Owner {
    /// The model's side.
    #[default]
    Assistant,
    /// A human agent; the assistant is silent.
    Human {
        /// Their name.
        agent: AgentName,
    },
}

/// A turn without its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfinished {
    /// Which turn.
    pub turn: Turn,
    /// The contact's newest message when it began.
    pub answers: Seq,
    /// When it began.
    pub started_at: Timestamp,
    /// What the checkpoints hold of it.
    pub said: Said,
}

impl State {
    /// Takes in the next event of the log.
    pub fn fold(&mut self, event: &Event) {
        self.head = event.seq;
        match &event.fact {
            Fact::Opened { contact, channel, locale } => {
                self.contact = Some(*contact);
                self.channel = *channel;
                self.locale.clone_from(locale);
                self.last_at = event.at;
            }
            Fact::Message { text, r#ref, agent, reply } => {
                self.last_at = event.at;
                if let Some(r#ref) = r#ref {
                    let sender = Sender { author: event.author, agent: agent.as_ref() };
                    self.refs.learn(sender, r#ref, text, event.seq);
                }
                let cut = reply.as_ref().is_some_and(|reply| reply.end != schema::End::Completed);
                let line = Line {
                    seq: event.seq,
                    at: event.at,
                    author: event.author,
                    text: text.clone(),
                    cut,
                    begins_late: false,
                };
                match reply {
                    Some(reply) => {
                        self.unfinished = None;
                        self.answered = self.answered.max(reply.answers);
                        let crashed = reply.made.error.as_deref() == Some(schema::ErrorCode::Interrupted.name());
                        self.interrupted = if crashed { self.interrupted + 1 } else { 0 };
                        self.transcript.answer(line, reply.answers, reply.made.passages.clone());
                    }
                    None if event.author == Author::Contact => {
                        self.asked = event.seq;
                        self.transcript.ask(line);
                    }
                    None => {
                        self.handoff = None;
                        self.answered = self.asked;
                        self.transcript.answer(line, self.asked, Vec::new());
                    }
                }
            }
            Fact::TurnStarted { turn } => {
                self.turns = *turn;
                self.unfinished =
                    Some(Unfinished { turn: *turn, answers: self.asked, started_at: event.at, said: Said::default() });
            }
            Fact::Checkpoint { text, unsaid, .. } => {
                let Some(Unfinished { said, .. }) = &mut self.unfinished else { return };
                if said.text().len() + text.bytes() <= limits::REPLY_BYTES_MAX {
                    said.push(text.as_str(), text.chars());
                }
                if let Some(from) = unsaid {
                    said.take_back_from(*from);
                }
            }
            Fact::TakenOver { agent, ownership } => {
                self.owner = Owner::Human { agent: agent.clone() };
                self.ownership = *ownership;
            }
            Fact::HandedBack { ownership, .. } => {
                self.owner = Owner::Assistant;
                self.ownership = *ownership;
                self.handoff = None;
            }
            Fact::HandoffRequested { reason } => self.handoff = Some(*reason),
            Fact::Closed { .. } => self.status = Status::Closed,
            Fact::Reopened {} => self.status = Status::Open,
        }
    }
}
