//! A session begins to listen: from the ring when it missed little, from the log when it missed
//! more, and in mid-reply from the very character it has reached.

use std::sync::Arc;

use engine_conversation::Conversation as Machine;
use engine_store::{Page, PageBounds, StoreError};
use schema::{ConversationId, ErrorCode, Position, Seq, SessionId, limits};
use serde_json::{Value, json};

use super::actor::Conversation;
use super::listeners::{Next, begins_after};
use super::mail::Mail;
use super::subscriber::Speech;
use crate::failure::Failure;
use crate::frames::Format;
use crate::handle::{Answer, ReplyTo};
use crate::metrics::RESUMES;
use crate::outbox::Outbox;
use crate::patience::patiently;
use crate::runtime::Scope;

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
    /// Its name.
    pub session: SessionId,
    /// Where its frames go.
    pub outbox: Arc<Outbox>,
    /// How it reads.
    pub format: Format,
    /// What it is shown.
    pub audience: Audience,
}

/// What a session that joined is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Its newest durable event.
    pub head: Seq,
    /// From where it is sent events.
    pub from: JoinFrom,
}

/// Whether a session gets all it missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinFrom {
    /// All of it.
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

impl Conversation {
    pub(super) fn on_join(
        &mut self,
        listener: Listener,
        from: Position,
        reply: ReplyTo<Joined>,
        scope: &mut Scope<'_, Self>,
    ) {
        let head = self.writer.durable();
        if from.seq > head {
            let message = format!("the position is beyond the conversation's head, {head}");
            return reply.send(Err(Failure::new(ErrorCode::BadPosition, message)));
        }
        if !listener.outbox.is_open() {
            // Its session has ended on the way here: nobody would say that it listens no longer.
            return;
        }
        let session = listener.session;
        if self.listeners.count() >= limits::SUBSCRIBERS_MAX && !self.listeners.knows(session) {
            return reply.send(Err(Failure::busy()));
        }
        let (after, begins) = match begins_after(from.seq, head) {
            Some(after) => (Position { seq: after, ..from }, JoinFrom::Newest(after)),
            None => (from, JoinFrom::Position),
        };
        reply.send(Ok(Joined { conversation: self.key.conversation, head, from: begins }));
        let how = match begins {
            JoinFrom::Newest(_) => "partial",
            JoinFrom::Position if self.listeners.has_since(after.seq) => "ring",
            JoinFrom::Position => "log",
        };
        metrics::counter!(RESUMES, "from" => how).increment(1);
        self.listeners.join(listener, after);
        self.advance(session, scope);
    }

    /// Brings a session forward as far as it has room, and has the log read for it where it must.
    pub(super) fn advance(&mut self, session: SessionId, scope: &mut Scope<'_, Self>) {
        let next = self.listeners.advance(session, speech(&self.machine));
        self.read_on(session, next, scope);
    }

    pub(super) fn on_missed(
        &mut self,
        session: SessionId,
        after: Seq,
        page: Result<Page, StoreError>,
        scope: &mut Scope<'_, Self>,
    ) {
        let next = self.listeners.advance_by(session, after, page, speech(&self.machine));
        self.read_on(session, next, scope);
    }

    fn read_on(&self, session: SessionId, next: Next, scope: &mut Scope<'_, Self>) {
        let Next::Read(after) = next else { return };
        let system = self.worker.system();
        let bounds = PageBounds { bytes: limits::CATCH_UP_BYTES_MAX, ..PageBounds::FULL };
        let (store, key, jitter) = (Arc::clone(system.store()), self.key, system.options().jitter);
        let read = async move { patiently(jitter, || store.read(key, after, bounds)).await };
        scope.later(async move { Mail::Missed { session, after, page: read.await } });
    }
}

/// The reply that runs.
pub(super) fn speech(machine: &Machine) -> Option<Speech<'_>> {
    let (turn, text, _) = machine.floor().said()?;
    Some(Speech { turn, text })
}
