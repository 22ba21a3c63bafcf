//! A session begins to listen: from the ring when it missed little, from the log when it missed
//! more, and in mid-reply from the very character it has reached.

use std::sync::Arc;

use engine::store::{Page, PageBounds, StoreError};
use schema::{ConversationId, ErrorCode, Position, Seq, SessionId, limits};
use serde_json::{Value, json};

use super::actor::Conversation;
use super::mail::Mail;
use super::subscribers::{Pace, Subscriber};
use crate::failure::Failure;
use crate::frames::{Format, Frames, event_json};
use crate::handle::{Answer, ReplyTo};
use crate::metrics::RESUMES;
use crate::outbox::Outbox;
use crate::runtime::Scope;

/// A session that wants to listen.
pub struct Listener {
    /// Its name.
    pub session: SessionId,
    /// Where its frames go.
    pub outbox: Arc<Outbox>,
    /// How it reads.
    pub format: Format,
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
        let head = self.gate.durable();
        if from.seq > head {
            let message = format!("the position is beyond the conversation's head, {head}");
            return reply.send(Err(Failure::new(ErrorCode::BadPosition, message)));
        }
        if self.subscribers.len() >= limits::SUBSCRIBERS_MAX {
            return reply.send(Err(Failure::busy()));
        }
        let behind = usize::try_from(head - from.seq).unwrap_or(usize::MAX);
        let partial = behind > limits::REPLAY_EVENTS_MAX;
        let after = if partial { head - limits::REPLAY_EVENTS_MAX as Seq } else { from.seq };
        let conversation = self.key.conversation;
        let joined =
            Joined { conversation, head, from: if partial { JoinFrom::Newest(after) } else { JoinFrom::Position } };
        reply.send(Ok(joined));
        let (turn, offset) = from.reached.map_or((0, 0), |reached| (reached.turn, reached.offset));
        let subscriber = Subscriber {
            session: listener.session,
            outbox: listener.outbox,
            format: listener.format,
            seq: after,
            turn,
            offset,
            pace: Pace::Catching,
        };
        let in_ring = self.ring.since(after, head).is_some();
        let how = if partial {
            "partial"
        } else if in_ring {
            "ring"
        } else {
            "log"
        };
        metrics::counter!(RESUMES, "from" => how).increment(1);
        self.subscribers.add(subscriber);
        self.catch_up(listener.session, scope);
    }

    /// Brings a session up to date, or begins to.
    pub(super) fn catch_up(&mut self, session: SessionId, scope: &mut Scope<'_, Self>) {
        let head = self.gate.durable();
        let hook = self.drain_hook();
        let speech = Self::speech(&self.machine, self.key, head);
        let Some(subscriber) = self.subscribers.get_mut(session) else { return };
        match self.ring.since(subscriber.seq, head) {
            Some(events) => {
                for event in events {
                    subscriber.event(&Frames::event(self.key.conversation, event.seq, &event.json), event.seq);
                }
                subscriber.pace = Pace::Live;
                if let Some(speech) = speech.filter(|speech| speech.turn == self.pushed.turn) {
                    subscriber.catch_up(speech, self.pushed.chars, &*hook);
                }
            }
            None => {
                subscriber.pace = Pace::Catching;
                let read = self.worker.system().store().read(self.key, subscriber.seq, PageBounds::FULL);
                scope.later(async move { Mail::Missed { session, page: read.await } });
            }
        }
    }

    pub(super) fn on_missed(
        &mut self,
        session: SessionId,
        page: Result<Page, StoreError>,
        scope: &mut Scope<'_, Self>,
    ) {
        let head = self.gate.durable();
        let conversation = self.key.conversation;
        let hook = self.drain_hook();
        let Some(subscriber) = self.subscribers.get_mut(session) else { return };
        let Some(page) = page.ok().filter(|page| !page.events.is_empty()) else {
            // Without the log there is no way to bring it up to date: let it come back.
            subscriber.outbox.close(schema::wire::Close::GOING_AWAY);
            return self.subscribers.remove(session);
        };
        for event in page.events.iter().filter(|event| event.seq <= head) {
            let json = event_json(event);
            subscriber.event(&Frames::event(conversation, event.seq, &json), event.seq);
        }
        if subscriber.outbox.waiting_bytes() >= limits::OUTBOX_SLOW_BYTES {
            // The next page comes when this one has been read.
            let outbox = Arc::clone(&subscriber.outbox);
            return outbox.when_drained(hook(session));
        }
        self.catch_up(session, scope);
    }
}
