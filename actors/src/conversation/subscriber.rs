//! One session as its conversation sees it: what it was sent, and whether it keeps up.
//! Invariant: it gets events in order without gaps, each once, because what is not its next one is not
//! taken; and each delta begins where the last one it got ended.

use std::sync::Arc;

use schema::peer::PeerFrame;
use schema::wire::Close;
use schema::{ConversationKey, Position, Reached, Seq, SessionId, Turn};

use super::listener::{Audience, Listener};
use super::mail::Mail;
use super::ring::Encoded;
use crate::failure::Failure;
use crate::frames::{Format, Frames, Voice, chars_between, conversation_error_frame, peer_frame};
use crate::metrics::DELTAS_SKIPPED;
use crate::outbox::{DrainHook, Outbox};
use crate::runtime::Sender;

/// A reply that runs.
#[derive(Clone, Copy)]
pub(crate) struct Speech<'a> {
    pub(crate) turn: Turn,
    /// The reply so far. It may reach beyond what has left the gate.
    pub(crate) text: &'a str,
}

/// Makes what an outbox calls, once, when a session has room again.
pub(crate) type OnRoom = dyn Fn(SessionId) -> DrainHook;

/// What a slow session calls when it has room again. The call is owed: the session is told nothing until it has come. To
/// an incarnation that has ended nothing is owed: the next one begins anew with all sessions.
pub(super) fn on_room(sender: &Sender<Mail>) -> Box<OnRoom> {
    let mailbox = sender.clone();
    Box::new(move |session| {
        let mailbox = mailbox.clone();
        Box::new(move || drop(mailbox.owe(Mail::Drained { session }))) as DrainHook
    })
}

/// Where frames come from: what they name, and who is called when there is room again.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) voice: Voice,
    /// The last event that was let out: whoever is live was sent it.
    pub(crate) head: Seq,
    pub(crate) on_room: &'a OnRoom,
}

/// A session with its own place in the conversation.
///
/// A join makes it; it ends with its session, or is handed from one incarnation to the next with its place. Its
/// [`Pace`] says who moves it on: the actor's pushes, a read of the log, or its outbox.
pub(crate) struct Subscriber {
    pub(crate) session: SessionId,
    outbox: Arc<Outbox>,
    pub(crate) format: Format,
    pub(crate) audience: Audience,
    /// The last event it was sent.
    seq: Seq,
    /// The reply it is in, and the characters of it that it was sent.
    turn: Turn,
    offset: usize,
    pub(crate) pace: Pace,
}

/// Whether a session is sent things as they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It is: it has every durable event.
    Live,
    /// It is behind, and what comes next for it is being read from the log.
    Reading,
    /// It is behind, and its outbox has no room; that calls when there is.
    Waiting,
}

impl Subscriber {
    /// A session that has everything up to a position and nothing of what follows.
    pub(crate) fn new(listener: Listener, from: Position) -> Self {
        let Listener { session, outbox, format, audience } = listener;
        let Reached { turn, offset } = from.reached.unwrap_or(Reached { turn: 0, offset: 0 });
        Self { session, outbox, format, audience, seq: from.seq, turn, offset, pace: Pace::Waiting }
    }

    /// Whether pushing still makes sense.
    pub(crate) fn is_open(&self) -> bool {
        self.outbox.is_open()
    }

    pub(crate) const fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// The last event it was sent.
    pub(crate) const fn seq(&self) -> Seq {
        self.seq
    }

    /// Sends an event if it is the next one and there is room; else the session is behind from now on.
    pub(crate) fn event(&mut self, source: Source<'_>, event: &Encoded, frames: &Frames<'_>) -> bool {
        let taken = event.seq == self.seq + 1 && self.offer(source, frames);
        if taken {
            self.seq = event.seq;
        }
        taken
    }

    /// Whether it has had the text that a checkpoint repeats. A relay needs it for others, who have not.
    pub(crate) fn has(&self, reached: Reached) -> bool {
        self.format != Format::Peer
            && self.pace == Pace::Live
            && self.turn == reached.turn
            && self.offset >= reached.offset
    }

    /// Sends the piece of a reply that begins at `offset` and ends before `end`; if it stands before that,
    /// what it has missed as well.
    pub(crate) fn delta(
        &mut self,
        source: Source<'_>,
        speech: Speech<'_>,
        (offset, end): (usize, usize),
        piece: &Frames<'_>,
    ) {
        self.enter(speech.turn);
        if self.offset != offset {
            return self.catch_up(source, speech, end);
        }
        self.say(source, piece, end);
    }

    /// Sends what it has not yet had of the running reply, as one piece.
    pub(crate) fn catch_up(&mut self, source: Source<'_>, speech: Speech<'_>, end: usize) {
        self.enter(speech.turn);
        if self.offset < end {
            let missed = chars_between(speech.text, self.offset, end);
            let frames = Frames::delta(source.voice, source.head, speech.turn, self.offset, missed.as_str());
            self.say(source, &frames, end);
        }
    }

    fn enter(&mut self, turn: Turn) {
        if self.turn != turn {
            (self.turn, self.offset) = (turn, 0);
        }
    }

    fn say(&mut self, source: Source<'_>, piece: &Frames<'_>, end: usize) {
        if self.offer(source, piece) {
            self.offset = end;
        } else {
            metrics::counter!(DELTAS_SKIPPED).increment(1);
        }
    }

    /// Puts frames into its outbox; if that has no room, the actor is called when there is. The call is owed:
    /// the session is told nothing until it has come. To an incarnation that has ended nothing is owed: the
    /// next one begins anew with all sessions.
    fn offer(&mut self, source: Source<'_>, frames: &Frames<'_>) -> bool {
        let session = self.session;
        let taken =
            self.outbox.offer(source.voice.key.conversation, frames.get(self.format), || (source.on_room)(session));
        if !taken {
            self.pace = Pace::Waiting;
        }
        taken
    }

    /// Says why nothing more is heard of the conversation. A stream then ends: it carries one conversation, and its
    /// client comes back. So does a relay.
    pub(crate) fn tell(&self, key: ConversationKey, failure: &Failure) {
        let frame = || conversation_error_frame(key.conversation, failure);
        match self.format {
            Format::Socket => self.outbox.push(frame()),
            Format::Sse => {
                self.outbox.push(format!("data: {}\n\n", frame()).into());
                self.outbox.close(Close::GOING_AWAY);
            }
            Format::Peer => self.outbox.push(peer_frame(&PeerFrame::Ended { key, why: failure.face() })),
        }
    }
}
