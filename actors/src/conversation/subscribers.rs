//! The sessions that listen to a conversation.

use schema::wire::Signal;
use schema::{ConversationKey, SessionId};

use super::subscriber::{Pace, Subscriber};
use crate::directory::Listening;
use crate::failure::Failure;
use crate::frames::{Format, Frames, Voice};
use crate::metrics::SUBSCRIBERS;

/// All sessions that listen to one conversation. They are of one incarnation at a time: moved, never copied, from the
/// one that ends to the directory, and from there to the next. One whose session has ended is forgotten when that
/// is seen; dropped, they are counted off.
#[derive(Default)]
pub(crate) struct Subscribers(Vec<Subscriber>);

impl Subscribers {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a session; one that was there already is replaced.
    pub(crate) fn add(&mut self, subscriber: Subscriber) {
        self.remove(subscriber.session);
        // Most conversations have one listener: growing by doubling from four would be waste.
        self.0.reserve_exact(1);
        self.0.push(subscriber);
        metrics::gauge!(SUBSCRIBERS).increment(1);
    }

    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut Subscriber> {
        self.0.iter_mut().find(|subscriber| subscriber.session == session)
    }

    /// Those who are sent things as they happen.
    pub(crate) fn live(&mut self) -> impl Iterator<Item = &mut Subscriber> {
        self.0.iter_mut().filter(|subscriber| subscriber.pace == Pace::Live)
    }

    /// The names of all.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        self.0.iter().map(|subscriber| subscriber.session).collect()
    }

    /// Pushes a sign of life to all but the one who gave it. Nobody misses one: a slow session goes without.
    pub(crate) fn push_signal(&self, voice: Voice, from: SessionId, signal: &Signal) {
        let frames = Frames::signal(voice, signal);
        for subscriber in self.0.iter().filter(|subscriber| subscriber.session != from) {
            if subscriber.pace != Pace::Waiting {
                subscriber.outbox().push_notice(frames.get(subscriber.format).clone());
            }
        }
    }

    /// Tells all of them why they will hear nothing more for now.
    pub(crate) fn tell(&self, key: ConversationKey, failure: &Failure) {
        for subscriber in &self.0 {
            subscriber.tell(key, failure);
        }
    }

    /// Sends other nodes' relays away, who have to look for the owner themselves.
    pub(crate) fn dismiss_relays(&mut self, key: ConversationKey, failure: &Failure) {
        self.retain(|subscriber| {
            let stays = subscriber.format != Format::Peer;
            if !stays {
                subscriber.tell(key, failure);
            }
            stays
        });
    }

    /// Forgets those whose session has ended.
    pub(crate) fn forget_gone(&mut self) {
        if !self.0.iter().all(Subscriber::is_open) {
            self.retain(Subscriber::is_open);
        }
    }

    fn take(&mut self) -> Vec<Subscriber> {
        metrics::gauge!(SUBSCRIBERS).decrement(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        std::mem::take(&mut self.0)
    }

    fn retain(&mut self, keep: impl FnMut(&Subscriber) -> bool) {
        let before = self.0.len();
        self.0.retain(keep);
        metrics::gauge!(SUBSCRIBERS).decrement(u32::try_from(before - self.0.len()).unwrap_or(u32::MAX));
    }
}

impl Listening for Subscribers {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn remove(&mut self, session: SessionId) {
        self.retain(|subscriber| subscriber.session != session);
    }

    /// Takes over those of another incarnation, as far as they still listen.
    fn absorb(&mut self, mut others: Self) {
        others.forget_gone();
        for subscriber in others.take() {
            self.add(subscriber);
        }
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        drop(self.take());
    }
}
