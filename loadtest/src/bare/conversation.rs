//! One conversation of the bare server: a list of events, and who listens.

use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use schema::wire::{Delta, ServerFrame};
use schema::{Author, ContactId, ConversationId, End, Event, Fact, Made, Ref, Reply, Text, Timestamp};
use tokio::sync::mpsc;

use super::server::Shared;
use crate::scenario::direct::Upstream;

/// Frames that may wait for one listener; past it the listener is dropped.
const LISTENER_FRAMES_MAX: usize = 4_096;

/// What the server is told to get wrong, so that tests see it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Defect {
    /// Nothing.
    #[default]
    None,
    /// One token of each reply is missing, in the finished message too.
    LoseToken,
    /// Replies never end.
    NeverFinish,
    /// Every tenth message is acknowledged and not kept.
    ForgetMessage,
    /// Every tenth message is kept twice.
    DoubleMessage,
    /// Whoever comes back from behind misses one event.
    SkipEvent,
    /// Sockets are cut when they have joined.
    CutSockets,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) events: Vec<Event>,
    pub(super) human: bool,
    listeners: Vec<mpsc::Sender<Bytes>>,
    at: Timestamp,
    said: u64,
}

impl Conversation {
    pub(super) fn open(at: Timestamp) -> Self {
        let fact = Fact::Opened { contact: ContactId::generate(), channel: schema::Channel::Web, locale: None };
        let opened = Event { seq: 1, at, author: Author::System, fact };
        Self { events: vec![opened], human: false, listeners: Vec::new(), at, said: 0 }
    }

    pub(super) fn listen(&mut self) -> mpsc::Receiver<Bytes> {
        let (to, from) = mpsc::channel(LISTENER_FRAMES_MAX);
        self.listeners.push(to);
        from
    }

    /// What comes after an event, for one who comes back.
    pub(super) fn since(&self, id: ConversationId, after: u64, defect: Defect) -> Vec<ServerFrame> {
        let missed = self.events.iter().filter(|event| event.seq > after);
        let kept = missed.filter(|event| defect != Defect::SkipEvent || event.seq != after + 2);
        kept.map(|event| ServerFrame::Event { conversation: id, event: event.clone() }).collect()
    }

    /// Keeps a message and answers its number; says whether a reply is due.
    pub(super) fn say(&mut self, id: ConversationId, re: Ref, text: Text, defect: Defect) -> (u64, bool) {
        self.said += 1;
        let tenth = self.said.is_multiple_of(10);
        if defect == Defect::ForgetMessage && tenth {
            return (self.events.len() as u64 + 1, false);
        }
        let fact = Fact::Message { text, r#ref: Some(re), agent: None, reply: None };
        if defect == Defect::DoubleMessage && tenth {
            self.append(id, Author::Contact, fact.clone());
        }
        (self.append(id, Author::Contact, fact), !self.human)
    }

    pub(super) fn append(&mut self, id: ConversationId, author: Author, fact: Fact) -> u64 {
        let seq = self.events.len() as u64 + 1;
        let event = Event { seq, at: self.at, author, fact };
        self.events.push(event.clone());
        self.push(&ServerFrame::Event { conversation: id, event });
        seq
    }

    fn push(&mut self, frame: &ServerFrame) {
        let Ok(bytes) = serde_json::to_vec(frame).map(Bytes::from) else { return };
        self.listeners.retain(|listener| listener.try_send(bytes.clone()).is_ok());
    }
}

/// Streams one reply from the stub to everyone who listens.
pub(super) async fn reply(
    shared: &Shared,
    stub: SocketAddr,
    id: ConversationId,
    plan: &str,
    answers: u64,
) -> Result<()> {
    let turn = shared.with(id, |conversation| {
        let turn = answers as u32;
        conversation.append(id, Author::Assistant, Fact::TurnStarted { turn });
        turn
    })?;
    let mut upstream = Upstream::ask(stub, plan).await?;
    let (mut whole, mut cut) = (String::new(), shared.defect == Defect::LoseToken);
    loop {
        let (mut events, _) = upstream.next().await?;
        if cut && events.text.len() >= crate::token::CHARS {
            events.text.drain(..crate::token::CHARS);
            cut = false;
        }
        if !events.text.is_empty() {
            let delta = Delta { conversation: id, turn, offset: whole.len(), text: events.text.as_str().into() };
            shared.with(id, |conversation| conversation.push(&ServerFrame::Delta(delta)))?;
            whole.push_str(&events.text);
        }
        if events.done {
            break;
        }
    }
    if shared.defect == Defect::NeverFinish {
        return Ok(());
    }
    let reply = Reply { turn, end: End::Completed, answers, made: Made::default() };
    let fact = Fact::Message { text: whole.into(), r#ref: None, agent: None, reply: Some(Box::new(reply)) };
    shared.with(id, |conversation| conversation.append(id, Author::Assistant, fact))?;
    Ok(())
}
