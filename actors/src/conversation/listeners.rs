//! The listeners' part of a conversation: the sessions, the newest events for them, and how far the
//! running reply has been pushed.
//! Invariant: whoever is live has every durable event; whoever is behind is either read for or waits for
//! room, and goes on by itself from there. Catching up is a pull: nothing is pushed that has no room.

use engine_store::{Page, StoreError};
use schema::wire::Signal;
use schema::{Epoch, ErrorCode, Position, Reached, Seq, SessionId, Turn, limits};

use super::durable_event::DurableEvent;
use super::listener::{Audience, JoinFrom, Joined, Listener};
use super::ring::{Encoded, Ring};
use super::subscriber::{OnRoom, Pace, Source, Speech, Subscriber};
use super::subscribers::Subscribers;
use crate::directory::Listening;
use crate::failure::Failure;
use crate::frames::{Frames, Voice};
use crate::metrics::RESUMES;

/// Who listens, and what they are sent.
///
/// A session is let in ([`Listeners::admit`]), joins, and is brought forward ([`Listeners::advance`]) from the ring,
/// or from the log where the ring does not reach, until it is live and gets things as they happen. One without room
/// leaves that again, and its outbox calls when there is room. It goes when it leaves, when its outbox has closed, or
/// to the next incarnation ([`Listeners::hand_over`]). The actor calls all of it on its own thread; that a read comes
/// late is harmless, as each session takes only the event after the last one it was sent.
pub(super) struct Listeners {
    voice: Voice,
    on_room: Box<OnRoom>,
    /// The last event that was let out. Those that are durable and still held are nobody's yet.
    head: Seq,
    ring: Ring,
    subscribers: Subscribers,
    /// What has been pushed of the newest reply.
    pushed: Reached,
}

/// What is left to do after a session was brought forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Next {
    /// Nothing: it is live, waits for room, or is gone.
    Nothing,
    /// Events after this one have to be read from the log for it.
    Read(Seq),
}

impl Listeners {
    /// Nobody yet, of a conversation whose log ends at `head`. `on_room` makes the call that a slow session owes
    /// when it has room again; [`Listeners::advance`] is to follow it.
    pub(super) fn new(voice: Voice, on_room: Box<OnRoom>, head: Seq, ring: Ring) -> Self {
        let pushed = Reached { turn: 0, offset: 0 };
        Self { voice, on_room, head, ring, subscribers: Subscribers::default(), pushed }
    }

    /// The last event that was let out.
    pub(super) const fn head(&self) -> Seq {
        self.head
    }

    /// Another owner speaks for the conversation.
    pub(super) const fn speak_under(&mut self, epoch: Epoch) {
        self.voice.epoch = epoch;
    }

    /// How many listen; those whose session has ended do not.
    pub(super) fn count(&mut self) -> usize {
        self.subscribers.forget_gone();
        self.subscribers.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }

    /// Whether a session may begin to listen at a position, and from where it is sent events then. `durable` is
    /// the newest event that may be shown.
    pub(super) fn admit(&mut self, session: SessionId, from: Position, durable: Seq) -> Result<Joined, Failure> {
        if from.seq > durable {
            let message = format!("the position is beyond the conversation's head, {durable}");
            return Err(Failure::new(ErrorCode::BadPosition, message));
        }
        if self.count() >= limits::SUBSCRIBERS_MAX && !self.knows(session) {
            return Err(Failure::busy());
        }
        let begins = begins_after(from.seq, durable).map_or(JoinFrom::Position, JoinFrom::Newest);
        Ok(Joined { conversation: self.voice.key.conversation, head: durable, from: begins })
    }

    /// A session begins to listen at a position, or goes elsewhere. It is behind until it was brought forward.
    pub(super) fn join(&mut self, listener: Listener, from: Position, begins: JoinFrom) {
        let after = match begins {
            JoinFrom::Newest(after) => Position { seq: after, ..from },
            JoinFrom::Position => from,
        };
        let how = match begins {
            JoinFrom::Newest(_) => "partial",
            JoinFrom::Position if self.ring.since(after.seq, self.head).is_some() => "ring",
            JoinFrom::Position => "log",
        };
        metrics::counter!(RESUMES, "from" => how).increment(1);
        self.subscribers.add(Subscriber::new(listener, after));
    }

    pub(super) fn knows(&mut self, session: SessionId) -> bool {
        self.subscribers.get_mut(session).is_some()
    }

    pub(super) fn leave(&mut self, session: SessionId) {
        self.subscribers.remove(session);
    }

    /// Takes over the sessions of another incarnation; all names then need to be brought forward.
    pub(super) fn adopt(&mut self, others: Subscribers) -> Vec<SessionId> {
        self.subscribers.absorb(others);
        self.subscribers.sessions()
    }

    /// Gives the sessions away, to whatever comes after this incarnation.
    pub(super) fn hand_over(&mut self) -> Subscribers {
        std::mem::take(&mut self.subscribers)
    }

    /// Gives the newest events away.
    pub(super) fn take_ring(&mut self) -> Ring {
        std::mem::take(&mut self.ring)
    }

    /// Whether a session waits for room.
    pub(super) fn waits(&mut self, session: SessionId) -> bool {
        self.subscribers.get_mut(session).is_some_and(|subscriber| subscriber.pace == Pace::Waiting)
    }

    /// Pushes the next durable event to all who are live.
    pub(super) fn push_event(&mut self, event: DurableEvent) {
        let DurableEvent { event: encoded, covered, .. } = event;
        let seq = encoded.seq;
        self.head = seq;
        self.ring.push(encoded.clone());
        let [for_team, for_contact] =
            [Audience::Team, Audience::Contact].map(|audience| Frames::event(self.voice, seq, encoded.json(audience)));
        let covered =
            covered.as_ref().map(|(reached, json)| (*reached, Frames::event_within(self.voice, seq, json, *reached)));
        let mut gone = false;
        let source = Source { voice: self.voice, head: self.head, on_room: &*self.on_room };
        for subscriber in self.subscribers.live() {
            let whole = match subscriber.audience {
                Audience::Team => &for_team,
                Audience::Contact if encoded.is_one_for_all() => &for_team,
                Audience::Contact => &for_contact,
            };
            let frames = covered.as_ref().filter(|(reached, _)| subscriber.has(*reached)).map_or(whole, |(_, it)| it);
            subscriber.event(source, &encoded, frames);
            gone |= !subscriber.is_open();
        }
        if gone {
            self.subscribers.forget_gone();
        }
    }

    /// Pushes the piece of the running reply that begins at `offset` to all who are live.
    pub(super) fn push_delta(&mut self, speech: Speech<'_>, offset: usize, piece: &str) {
        let frames = Frames::delta(self.voice, self.head, speech.turn, offset, piece);
        let end = self.pushed.offset;
        let mut gone = false;
        let source = Source { voice: self.voice, head: self.head, on_room: &*self.on_room };
        for subscriber in self.subscribers.live() {
            subscriber.delta(source, speech, (offset, end), &frames);
            gone |= !subscriber.is_open();
        }
        if gone {
            self.subscribers.forget_gone();
        }
    }

    /// A piece has left the gate: replies are pushed up to here, whether somebody listens or not.
    pub(super) const fn reach(&mut self, turn: Turn, offset: usize) {
        self.pushed = Reached { turn, offset };
    }

    pub(super) fn push_signal(&self, from: SessionId, signal: &Signal) {
        self.subscribers.push_signal(self.voice, from, signal);
    }

    /// Sends a session what it is behind, as far as there is room and the ring reaches.
    pub(super) fn advance(&mut self, session: SessionId, speech: Option<Speech<'_>>) -> Next {
        let source = Source { voice: self.voice, head: self.head, on_room: &*self.on_room };
        let Some(subscriber) = self.subscribers.get_mut(session) else { return Next::Nothing };
        let Some(events) = self.ring.since(subscriber.seq(), self.head) else {
            subscriber.pace = Pace::Reading;
            return Next::Read(subscriber.seq());
        };
        for event in events {
            let frames = Frames::event(self.voice, event.seq, event.json(subscriber.audience));
            if !subscriber.event(source, event, &frames) {
                return Next::Nothing;
            }
        }
        subscriber.pace = Pace::Live;
        if let Some(speech) = speech.filter(|speech| speech.turn == self.pushed.turn) {
            subscriber.catch_up(source, speech, self.pushed.offset);
        }
        Next::Nothing
    }

    /// The log was read for a session. One that has gone elsewhere since is read for again: what begins with
    /// another event than its next is not for it.
    pub(super) fn advance_by(
        &mut self,
        session: SessionId,
        after: Seq,
        page: Result<Page, StoreError>,
        speech: Option<Speech<'_>>,
    ) -> Next {
        let source = Source { voice: self.voice, head: self.head, on_room: &*self.on_room };
        let Some(subscriber) = self.subscribers.get_mut(session) else { return Next::Nothing };
        if subscriber.pace != Pace::Reading || subscriber.seq() != after {
            return Next::Nothing;
        }
        let failure = match page {
            Ok(Page { events, .. }) => {
                let out = events.iter().take_while(|event| event.seq <= self.head);
                for event in out {
                    let encoded = Encoded::new(event);
                    let frames = Frames::event(self.voice, encoded.seq, encoded.json(subscriber.audience));
                    if !subscriber.event(source, &encoded, &frames) {
                        return Next::Nothing;
                    }
                }
                (subscriber.seq() == after).then(Failure::restarting)
            }
            Err(error) => {
                let conversation = self.voice.key.conversation;
                tracing::warn!(%conversation, %session, after, %error, "the log could not be read for a listener");
                Some(Failure::store(&error))
            }
        };
        if let Some(failure) = failure {
            // Without the log there is no way to bring it up to date: it may join again.
            subscriber.tell(self.voice.key, &failure);
            self.subscribers.remove(session);
            return Next::Nothing;
        }
        self.advance(session, speech)
    }
}

/// Whether a session so far behind gets all it missed; if not, after which event it begins.
pub(super) const fn begins_after(position: Seq, head: Seq) -> Option<Seq> {
    let replayed = limits::REPLAY_EVENTS_MAX as Seq;
    if head.saturating_sub(position) > replayed { Some(head - replayed) } else { None }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schema::{ConversationId, ConversationKey, TenantId};

    use super::*;
    use crate::frames::Format;
    use crate::outbox::{DrainHook, Outbox};

    fn voice() -> Voice {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        Voice { key, epoch: 1 }
    }

    fn durable(seq: Seq) -> DurableEvent {
        DurableEvent { event: Encoded::of(seq, format!(r#"{{"seq":{seq}}}"#)), unanswered: false, covered: None }
    }

    fn listens(session: SessionId, outbox: &Arc<Outbox>) -> Listener {
        Listener { session, outbox: Arc::clone(outbox), format: Format::Socket, audience: Audience::Team }
    }

    /// Who calls nobody when a session has room.
    fn nobody(_: SessionId) -> DrainHook {
        Box::new(|| {})
    }

    fn listener() -> (Listener, Arc<Outbox>) {
        let outbox = Outbox::new();
        (listens(SessionId::generate(), &outbox), outbox)
    }

    #[test]
    fn an_event_is_taken_only_where_it_is_the_next_one() {
        let (listener, outbox) = listener();
        let mut subscriber = Subscriber::new(listener, Position::after(3));
        let voice = voice();
        let source = Source { voice, head: 9, on_room: &nobody };
        for (seq, taken) in [(5, false), (3, false), (4, true), (4, false), (5, true)] {
            let encoded = Encoded::of(seq, "{}");
            let before = (subscriber.seq(), outbox.waiting_bytes());
            assert_eq!(subscriber.event(source, &encoded, &Frames::event(voice, seq, "{}")), taken, "{seq}");
            let after = (subscriber.seq(), outbox.waiting_bytes());
            assert_eq!(before != after, taken, "{seq}: what is not taken leaves nothing behind");
        }
    }

    #[test]
    fn what_was_read_for_a_place_that_was_left_is_nobodys() {
        let mut listeners = Listeners::new(voice(), Box::new(nobody), 5, Ring::default());
        let (listener, outbox) = listener();
        let session = listener.session;
        let again = || listens(session, &outbox);
        listeners.join(listener, Position::after(2), JoinFrom::Position);
        assert_eq!(listeners.advance(session, None), Next::Read(2));
        // It goes elsewhere, to where there is nothing to read, before the read fails.
        listeners.join(again(), Position::after(5), JoinFrom::Position);
        assert_eq!(listeners.advance(session, None), Next::Nothing);
        let failed = || Err(StoreError::Unavailable("away".into()));
        assert_eq!(listeners.advance_by(session, 2, failed(), None), Next::Nothing);
        assert!(listeners.knows(session) && outbox.waiting_bytes() == 0, "it was told nothing");
        listeners.push_event(durable(6));
        assert!(outbox.waiting_bytes() > 0, "it listens");
        // To a place that is read for as well: that read is its own.
        listeners.join(again(), Position::after(1), JoinFrom::Position);
        assert_eq!(listeners.advance(session, None), Next::Read(1));
        let _ = listeners.advance_by(session, 2, failed(), None);
        assert!(listeners.knows(session));
        let _ = listeners.advance_by(session, 1, failed(), None);
        assert!(!listeners.knows(session), "it may join again");
    }
}
