//! What may only be seen once its events are durable.

use std::time::Instant;

use engine_conversation::{Outcome, Refusal};
use schema::wire::ConversationView;
use schema::{Text, Turn};
use tokio::sync::oneshot;

use super::durable_event::DurableEvent;
use crate::admission::Work;
use crate::failure::Failure;
use crate::reply::ReplyTo;

/// Something that waits behind the gate for the events decided before it.
pub(super) enum Gated {
    /// The event itself, encoded.
    Event(DurableEvent),
    /// An answer, and the work that it was.
    Reply { to: ReplyTo<Outcome>, result: Result<Outcome, Refusal>, work: Work },
    /// How it stands: what a view tells is in the log, the end of the reply that it says is over too.
    View(oneshot::Sender<Result<ConversationView, Failure>>, Box<ConversationView>),
    /// A piece of a reply.
    Delta { turn: Turn, offset: usize, text: Text, at: Instant },
}

impl Gated {
    /// Its events will never be durable: answers whoever waits for them.
    pub(super) fn give_up(self, failure: &Failure) {
        match self {
            Self::Reply { to, .. } => to.send(Err(failure.clone())),
            Self::View(reply, _) => drop(reply.send(Err(failure.clone()))),
            Self::Event(_) | Self::Delta { .. } => {}
        }
    }
}
