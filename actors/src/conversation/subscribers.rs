//! The sessions that listen to a conversation, each with its own place in it.
//! Invariant: a session gets events in order without gaps, and each delta begins where the last
//! one it got ended. One that cannot keep up gets fewer, larger pieces.

use std::sync::Arc;

use schema::wire::{Close, Signal};
use schema::{ConversationId, Seq, SessionId, Turn};

use super::ring::Encoded;
use crate::failure::Failure;
use crate::frames::{Format, Frames, chars_between, conversation_error_frame};
use crate::metrics::{DELTAS_SKIPPED, SUBSCRIBERS};
use crate::outbox::{DrainHook, Outbox};

/// One session as the conversation sees it.
pub(crate) struct Subscriber {
    pub(crate) session: SessionId,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) format: Format,
    /// The last event it was sent.
    pub(crate) seq: Seq,
    /// The reply it is in, and the characters of it that it was sent.
    pub(crate) turn: Turn,
    pub(crate) offset: usize,
    pub(crate) pace: Pace,
}

/// Whether a session is sent things as they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It is.
    Live,
    /// What it missed is being read from the log; events and deltas wait for that.
    Catching,
    /// It is slow: events go out, deltas wait until it has caught up.
    Lagging,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Subscribers(Vec<Subscriber>);

/// What is said of a reply that runs.
#[derive(Clone, Copy)]
pub(crate) struct Speech<'a> {
    pub(crate) conversation: ConversationId,
    /// The durable head.
    pub(crate) seq: Seq,
    pub(crate) turn: Turn,
    /// The reply so far.
    pub(crate) text: &'a str,
}

impl Subscribers {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a session; one that was there already is replaced.
    pub(crate) fn add(&mut self, subscriber: Subscriber) {
        self.remove(subscriber.session);
        // Most conversations have one listener: growing by doubling from four would be waste.
        self.0.reserve_exact(1);
        self.0.push(subscriber);
        metrics::gauge!(SUBSCRIBERS).increment(1);
    }

    pub(crate) fn remove(&mut self, session: SessionId) {
        self.retain(|subscriber| subscriber.session != session);
    }

    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut Subscriber> {
        self.0.iter_mut().find(|subscriber| subscriber.session == session)
    }

    /// Takes over those of another incarnation, as far as they still listen. They are behind.
    pub(crate) fn absorb(&mut self, mut others: Self) {
        for mut subscriber in others.take() {
            if subscriber.outbox.is_open() {
                subscriber.pace = Pace::Catching;
                self.add(subscriber);
            }
        }
    }

    /// The sessions that are behind.
    pub(crate) fn catching(&self) -> Vec<SessionId> {
        let behind = self.0.iter().filter(|subscriber| subscriber.pace == Pace::Catching);
        behind.map(|subscriber| subscriber.session).collect()
    }

    fn take(&mut self) -> Vec<Subscriber> {
        metrics::gauge!(SUBSCRIBERS).decrement(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        std::mem::take(&mut self.0)
    }

    /// Pushes a durable event to all who are not still behind it.
    pub(crate) fn push_event(&mut self, conversation: ConversationId, event: &Encoded) {
        let frames = Frames::event(conversation, event.seq, &event.json);
        let mut gone = false;
        for subscriber in self.0.iter_mut().filter(|subscriber| subscriber.pace != Pace::Catching) {
            subscriber.event(&frames, event.seq);
            gone |= !subscriber.outbox.is_open();
        }
        self.forget_gone(gone);
    }

    /// Pushes the piece that begins at `offset` to all who stand there, and to those who stand
    /// before it what they have missed as well.
    pub(crate) fn push_delta(
        &mut self,
        speech: Speech<'_>,
        offset: usize,
        piece: &str,
        hook: &dyn Fn(SessionId) -> DrainHook,
    ) {
        let frames = Frames::delta(speech.conversation, speech.seq, speech.turn, offset, piece);
        let end = offset + piece.chars().count();
        let mut gone = false;
        for subscriber in self.0.iter_mut().filter(|subscriber| subscriber.pace == Pace::Live) {
            if subscriber.turn != speech.turn {
                (subscriber.turn, subscriber.offset) = (speech.turn, 0);
            }
            if subscriber.offset == offset {
                subscriber.delta(&frames, end, hook);
            } else {
                subscriber.catch_up(speech, end, hook);
            }
            gone |= !subscriber.outbox.is_open();
        }
        self.forget_gone(gone);
    }

    /// Pushes a sign of life to all but the one who gave it.
    pub(crate) fn push_signal(&mut self, from: SessionId, signal: &Signal) {
        let frames = Frames::signal(signal);
        for subscriber in self.0.iter().filter(|subscriber| subscriber.session != from) {
            // Nobody misses a sign of life: a slow session goes without. It has no place among the
            // events, so one that is still behind them gets it all the same.
            if subscriber.pace != Pace::Lagging {
                subscriber.outbox.push_notice(frames.get(subscriber.format).clone());
            }
        }
    }

    /// Tells all of them why they will hear nothing more for now.
    pub(crate) fn tell(&self, conversation: ConversationId, failure: &Failure) {
        for subscriber in &self.0 {
            match subscriber.format {
                Format::Socket => subscriber.outbox.push(conversation_error_frame(conversation, failure)),
                // A stream carries one conversation: it ends, and its client comes back.
                Format::Sse => {
                    subscriber
                        .outbox
                        .push(format!("data: {}\n\n", conversation_error_frame(conversation, failure)).into());
                    subscriber.outbox.close(Close::GOING_AWAY);
                }
            }
        }
    }

    fn forget_gone(&mut self, any: bool) {
        if any {
            self.retain(|subscriber| subscriber.outbox.is_open());
        }
    }

    fn retain(&mut self, keep: impl FnMut(&Subscriber) -> bool) {
        let before = self.0.len();
        self.0.retain(keep);
        metrics::gauge!(SUBSCRIBERS).decrement(u32::try_from(before - self.0.len()).unwrap_or(u32::MAX));
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl Subscriber {
    /// Sends an event that comes next for this session.
    pub(crate) fn event(&mut self, frames: &Frames<'_>, seq: Seq) {
        if seq > self.seq {
            self.outbox.push(frames.get(self.format).clone());
            self.seq = seq;
        }
    }

    /// Sends what this session has not yet had of the running reply, as one piece.
    pub(crate) fn catch_up(&mut self, speech: Speech<'_>, end: usize, hook: &dyn Fn(SessionId) -> DrainHook) {
        if self.turn != speech.turn {
            (self.turn, self.offset) = (speech.turn, 0);
        }
        if self.offset < end {
            let missed = chars_between(speech.text, self.offset, end);
            let frames = Frames::delta(speech.conversation, speech.seq, speech.turn, self.offset, missed.as_str());
            self.delta(&frames, end, hook);
        }
    }

    fn delta(&mut self, frames: &Frames<'_>, end: usize, hook: &dyn Fn(SessionId) -> DrainHook) {
        let session = self.session;
        if self.outbox.offer(frames.get(self.format), || hook(session)) {
            self.offset = end;
        } else {
            metrics::counter!(DELTAS_SKIPPED).increment(1);
            self.pace = Pace::Lagging;
        }
    }
}
