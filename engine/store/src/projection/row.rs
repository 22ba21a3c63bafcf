//! A conversation as the list shows it, folded from its log.
//! Invariant: the same events give the same row, whether they come one by one or all at once; it is bounded
//! however long nobody answers.

use std::collections::VecDeque;

use schema::wire::{ConversationSummary, Status};
use schema::{
    AgentName, Author, Channel, CloseReason, Contact, ContactId, ConversationId, Event, Fact, HandoffReason, Locale,
    Seq, Text, Timestamp, limits,
};
use serde::{Deserialize, Serialize};

/// One conversation's row. Head, contact and the moment of the last event are what adapters look rows up by, and
/// are kept beside what is serialized.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConversationRow {
    /// The newest event that it tells of; 0 before the first.
    #[serde(skip)]
    pub head: Seq,
    /// Whom it is with; none before the conversation was opened.
    #[serde(skip)]
    pub contact: Option<ContactId>,
    /// When somebody last did something in it, by which the list is ordered: what the node does by itself (to close
    /// what is idle, to begin a turn) is no news. It does not go back with a clock, or whoever walks through pages
    /// of the list could meet the conversation twice.
    #[serde(skip)]
    pub last_at: Timestamp,
    channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<Locale>,
    status: Status,
    /// The human agent who has it; none while the assistant answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_words: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handoff: Option<Handoff>,
    /// The contact's messages that nobody has answered: the newest of them, oldest first …
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    open: VecDeque<Open>,
    /// … and how many more there are before these.
    #[serde(skip_serializing_if = "is_zero")]
    older: u32,
    /// Since when the contact waits for an answer to these.
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered_since: Option<Timestamp>,
}

/// The words in a row, which an adapter keeps sealed apart from the rest of it.
#[cfg(any(feature = "sqlite", feature = "cql"))]
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RowTexts {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_words: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentName>,
}

/// A wish for a person that nobody has seen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Handoff {
    reason: HandoffReason,
    /// When it was said; none while the conversation is closed, when nobody waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

/// A message of the contact's without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open(Seq, Timestamp);

impl ConversationRow {
    /// Takes in the next events of the log. Those that it tells of already change nothing.
    pub fn fold<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>) {
        let mut words = None;
        for event in events {
            if event.seq > self.head {
                words = self.take_in(event).or(words);
            }
        }
        // Of many the last ones alone are shown.
        if let Some(words) = words {
            self.last_words = Some(beginning(words.as_str()));
        }
    }

    /// Takes in one event, and gives what the contact says in it.
    fn take_in<'a>(&mut self, event: &'a Event) -> Option<&'a Text> {
        self.head = event.seq;
        if is_news(&event.fact) {
            self.last_at = self.last_at.max(event.at);
        }
        match &event.fact {
            Fact::Opened { contact, channel, locale } => {
                self.contact = Some(*contact);
                self.channel = *channel;
                self.locale.clone_from(locale);
            }
            Fact::Message { text, reply: None, .. } if event.author == Author::Contact => {
                self.ask(event.seq, event.at);
                return Some(text);
            }
            // A reply without a word has answered nothing, however it ended.
            Fact::Message { text, reply: Some(reply), .. } if !text.is_empty() => self.answer(reply.answers),
            Fact::Message { reply: Some(_), .. } => {}
            Fact::Message { reply: None, .. } => {
                self.handoff = None;
                self.answer(event.seq);
            }
            Fact::TakenOver { agent, .. } => self.agent = Some(agent.clone()),
            Fact::HandedBack { .. } => {
                self.agent = None;
                self.handoff = None;
            }
            Fact::HandoffRequested { reason } => {
                self.handoff = Some(Handoff { reason: *reason, since: Some(event.at) });
            }
            Fact::Closed { .. } => self.close(),
            Fact::Reopened {} => self.reopen(event.at),
            Fact::TurnStarted { .. } | Fact::Checkpoint { .. } => {}
        }
        None
    }

    /// As it is sent, with all that the team sees.
    #[must_use]
    pub fn page(self, id: ConversationId) -> ConversationSummary {
        let waiting_since = [self.unanswered_since, self.handoff.and_then(|handoff| handoff.since)];
        let unread = u32::try_from(self.open.len()).unwrap_or(u32::MAX).saturating_add(self.older);
        ConversationSummary {
            id,
            contact: self.contact.map(Contact::from),
            contact_id: self.contact,
            contact_name: None,
            channel: self.channel,
            locale: self.locale,
            status: self.status,
            owner: if self.agent.is_some() { "human" } else { "assistant" }.into(),
            agent: self.agent,
            head: self.head,
            last_at: self.last_at,
            last_words: self.last_words,
            handoff: self.handoff.map(|handoff| handoff.reason),
            waiting_since: waiting_since.into_iter().flatten().min(),
            unread: Some(unread),
        }
    }

    /// Takes the words out of it; none when there are none.
    #[cfg(any(feature = "sqlite", feature = "cql"))]
    pub(crate) fn take_texts(&mut self) -> Option<RowTexts> {
        let texts = RowTexts { last_words: self.last_words.take(), agent: self.agent.take() };
        (texts != RowTexts::default()).then_some(texts)
    }

    /// Puts them back.
    #[cfg(any(feature = "sqlite", feature = "cql"))]
    pub(crate) fn put_texts(&mut self, texts: RowTexts) {
        (self.last_words, self.agent) = (texts.last_words, texts.agent);
    }

    fn ask(&mut self, seq: Seq, at: Timestamp) {
        self.unanswered_since.get_or_insert(at);
        self.open.push_back(Open(seq, at));
        if self.open.len() > limits::OPEN_MESSAGES_MAX {
            self.open.pop_front();
            self.older = self.older.saturating_add(1);
        }
    }

    /// Somebody has answered the contact's messages up to `answers`.
    fn answer(&mut self, answers: Seq) {
        // Those that are not known one by one are older than those that are.
        if self.open.front().is_some_and(|oldest| oldest.0 <= answers) {
            self.older = 0;
            self.open.retain(|open| open.0 > answers);
            self.unanswered_since = self.unanswered_since.and(self.open.front().map(|open| open.1));
        }
    }

    /// Nobody waits in a conversation that is over; what was not answered stays unread.
    fn close(&mut self) {
        self.status = Status::Closed;
        self.unanswered_since = None;
        self.handoff = self.handoff.map(|handoff| Handoff { since: None, ..handoff });
    }

    fn reopen(&mut self, at: Timestamp) {
        self.status = Status::Open;
        self.handoff = self.handoff.map(|handoff| Handoff { since: Some(at), ..handoff });
    }
}

/// Whether somebody did it: the contact, the assistant by its words, one of the team, or who called the API.
const fn is_news(fact: &Fact) -> bool {
    match fact {
        Fact::Opened { .. }
        | Fact::Message { .. }
        | Fact::TakenOver { .. }
        | Fact::HandedBack { .. }
        | Fact::HandoffRequested { .. }
        | Fact::Closed { reason: CloseReason::Asked }
        | Fact::Reopened {} => true,
        Fact::Closed { reason: CloseReason::Idle } | Fact::TurnStarted { .. } | Fact::Checkpoint { .. } => false,
    }
}

/// The beginning of a text in one line, without what cannot be seen as text.
fn beginning(text: &str) -> Text {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let (mut line, mut room) = (String::new(), limits::LAST_WORDS_CHARS_MAX);
    for word in words {
        let gap = usize::from(!line.is_empty());
        if room <= gap {
            break;
        }
        if gap > 0 {
            line.push(' ');
        }
        room -= gap;
        let before = line.len();
        line.extend(word.chars().take(room));
        room -= line.get(before..).map_or(0, |taken| taken.chars().count());
    }
    line.into()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
