//! The way into an actor: a bounded mailbox that says no when it is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix::prelude::SendError;

/// A message with the moment it was sent.
pub(crate) struct Envelope<M> {
    pub(super) message: M,
    pub(super) sent_at: Instant,
}

impl<M: Send + 'static> actix::Message for Envelope<M> {
    type Result = ();
}

/// Where to send an actor's messages. Cheap to clone; keeps the actor alive.
pub(crate) struct Sender<M: Send + 'static> {
    recipient: actix::Recipient<Envelope<M>>,
    vitals: Arc<Vitals>,
}

/// Signs of life, readable from any thread.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    sent: AtomicU64,
    handled: AtomicU64,
}

/// The message did not get in.
pub(crate) enum SendFailure<M> {
    /// The mailbox is full.
    Full(M),
    /// The actor is gone.
    Closed(M),
}

impl<M: Send + 'static> Sender<M> {
    pub(super) fn new(recipient: actix::Recipient<Envelope<M>>, vitals: Arc<Vitals>) -> Self {
        Self { recipient, vitals }
    }

    /// Puts a message into the mailbox, if there is room.
    pub(crate) fn try_send(&self, message: M) -> Result<(), SendFailure<M>> {
        self.vitals.sent.fetch_add(1, Ordering::Relaxed);
        self.recipient.try_send(Envelope { message, sent_at: Instant::now() }).map_err(|error| {
            self.vitals.handled();
            match error {
                SendError::Full(envelope) => SendFailure::Full(envelope.message),
                SendError::Closed(envelope) => SendFailure::Closed(envelope.message),
            }
        })
    }

    /// Waits for room. For messages that must not be dropped and whose senders are few.
    pub(crate) async fn send(&self, message: M) {
        self.vitals.sent.fetch_add(1, Ordering::Relaxed);
        let sent = self.recipient.send(Envelope { message, sent_at: Instant::now() }).await;
        if sent.is_err() {
            self.vitals.handled();
        }
    }

    /// Whether the actor still runs.
    pub(crate) fn is_open(&self) -> bool {
        self.recipient.connected()
    }

    pub(crate) fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }
}

impl<M: Send + 'static> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self { recipient: self.recipient.clone(), vitals: Arc::clone(&self.vitals) }
    }
}

impl Vitals {
    pub(super) fn handled(&self) {
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages handled so far: stands still when the actor is stuck.
    pub(crate) fn handled_count(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Messages that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.sent.load(Ordering::Relaxed).saturating_sub(self.handled.load(Ordering::Relaxed))
    }
}
