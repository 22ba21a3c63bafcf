//! An actor's mailbox: a queue bounded in messages and bytes, with a lane for what must not wait behind it.
//! Invariant: the bound binds however many hold a sender. actix's own does not: each of its senders has a
//! slot of its own besides, and every clone is a new sender (actix 0.13.5, `address/channel.rs`).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_util::Stream;

/// What a mailbox needs to know of a message.
pub(crate) trait Message: Send + 'static {
    /// What it holds on to besides itself, in bytes.
    fn bytes(&self) -> usize;
}

/// How much may wait in a mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    /// One message larger than this is let in when it is alone.
    pub(crate) bytes: usize,
}

/// A message with the moment it was sent.
pub(crate) struct Envelope<M> {
    pub(super) message: M,
    pub(super) sent_at: Instant,
}

/// The message did not get in.
pub(crate) enum SendFailure<M> {
    /// The mailbox is full.
    Full(M),
    /// The actor is gone.
    Closed(M),
}

/// The way into an actor. Cheap to clone; does not keep the actor alive.
pub(crate) struct Sender<M: Message>(Arc<Mailbox<M>>);

/// The actor's end: its messages as a stream, the urgent ones first. Dropping it closes the mailbox and
/// drops what waits, which says so by being dropped.
pub(super) struct Inbox<M: Message>(Arc<Mailbox<M>>);

struct Mailbox<M> {
    queue: Mutex<Queue<M>>,
    vitals: Vitals,
}

struct Queue<M> {
    urgent: VecDeque<Envelope<M>>,
    waiting: VecDeque<Envelope<M>>,
    /// Bytes of `waiting`.
    bytes: usize,
    bounds: Bounds,
    closed: bool,
    waker: Option<Waker>,
}

/// Signs of life, readable from any thread.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    sent: AtomicU64,
    handled: AtomicU64,
}

/// A mailbox, and both ends of it.
pub(super) fn mailbox<M: Message>(bounds: Bounds) -> (Sender<M>, Inbox<M>) {
    let queue =
        Queue { urgent: VecDeque::new(), waiting: VecDeque::new(), bytes: 0, bounds, closed: false, waker: None };
    let mailbox = Arc::new(Mailbox { queue: Mutex::new(queue), vitals: Vitals::default() });
    (Sender(Arc::clone(&mailbox)), Inbox(mailbox))
}

impl<M: Message> Sender<M> {
    /// Puts a message behind the others, if there is room.
    pub(crate) fn try_send(&self, message: M) -> Result<(), SendFailure<M>> {
        let bytes = message.bytes();
        self.put(message, |queue, envelope| {
            let heavy = queue.bytes + bytes > queue.bounds.bytes && !queue.waiting.is_empty();
            if heavy || queue.waiting.len() >= queue.bounds.messages {
                return Err(SendFailure::Full(envelope.message));
            }
            queue.bytes += bytes;
            queue.waiting.push_back(envelope);
            Ok(())
        })
    }

    /// Puts a message behind the others, room or not. Only for what follows from something that was let
    /// in, once: there are as many of these at the most.
    pub(crate) fn owe(&self, message: M) -> Result<(), SendFailure<M>> {
        let bytes = message.bytes();
        self.put(message, |queue, envelope| {
            queue.bytes += bytes;
            queue.waiting.push_back(envelope);
            Ok(())
        })
    }

    /// Puts a message before all that wait, room or not. Only for what there is one of at a time.
    pub(crate) fn interject(&self, message: M) -> Result<(), SendFailure<M>> {
        self.put(message, |queue, envelope| {
            queue.urgent.push_back(envelope);
            Ok(())
        })
    }

    fn put(
        &self,
        message: M,
        put: impl FnOnce(&mut Queue<M>, Envelope<M>) -> Result<(), SendFailure<M>>,
    ) -> Result<(), SendFailure<M>> {
        let envelope = Envelope { message, sent_at: Instant::now() };
        let waker = {
            let mut queue = self.0.lock();
            if queue.closed {
                return Err(SendFailure::Closed(envelope.message));
            }
            put(&mut queue, envelope)?;
            self.0.vitals.sent.fetch_add(1, Ordering::Relaxed);
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Whether the actor still runs.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.lock().closed
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }
}

impl<M: Message> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Mailbox<M> {
    // A thread that panicked while it held the lock left the queues whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, Queue<M>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Message> Stream for Inbox<M> {
    type Item = Envelope<M>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope<M>>> {
        let mut queue = self.0.lock();
        if let Some(envelope) = queue.urgent.pop_front() {
            return Poll::Ready(Some(envelope));
        }
        let Some(envelope) = queue.waiting.pop_front() else {
            if queue.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
                queue.waker = Some(context.waker().clone());
            }
            return Poll::Pending;
        };
        queue.bytes -= envelope.message.bytes();
        Poll::Ready(Some(envelope))
    }
}

impl<M: Message> Drop for Inbox<M> {
    fn drop(&mut self) {
        let left = {
            let mut queue = self.0.lock();
            queue.closed = true;
            queue.waker = None;
            (std::mem::take(&mut queue.urgent), std::mem::take(&mut queue.waiting))
        };
        // Outside the lock: a message that answers by being dropped may reach anywhere.
        drop(left);
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

    /// Messages that wait, with the one that is being handled.
    pub(crate) fn waiting(&self) -> u64 {
        self.sent.load(Ordering::Relaxed).saturating_sub(self.handled.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Told(&'static str, usize);

    impl Message for Told {
        fn bytes(&self) -> usize {
            self.1
        }
    }

    fn take(inbox: &mut Inbox<Told>) -> Option<&'static str> {
        match Pin::new(inbox).poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(envelope)) => Some(envelope.message.0),
            Poll::Ready(None) | Poll::Pending => None,
        }
    }

    fn taken(inbox: &mut Inbox<Told>) -> Vec<&'static str> {
        std::iter::from_fn(|| take(inbox)).collect()
    }

    #[test]
    fn the_bound_holds_for_however_many_senders() {
        let (sender, mut inbox) = mailbox(Bounds { messages: 16, bytes: 1_000 });
        let let_in = (0..1_000).filter(|_| sender.clone().try_send(Told("data", 1)).is_ok()).count();
        assert_eq!(let_in, 16);
        assert_eq!(sender.vitals().waiting(), 16, "what was refused does not wait");
        assert_eq!(taken(&mut inbox).len(), 16);
    }

    #[test]
    fn bytes_are_bounded_too_and_one_large_message_is_let_in_alone() {
        let (sender, mut inbox) = mailbox(Bounds { messages: 16, bytes: 1_000 });
        assert!(sender.try_send(Told("larger than all", 5_000)).is_ok());
        assert!(matches!(sender.try_send(Told("small", 1)), Err(SendFailure::Full(Told("small", 1)))));
        assert_eq!(taken(&mut inbox), ["larger than all"]);
        assert!(sender.try_send(Told("half", 600)).is_ok());
        assert!(matches!(sender.try_send(Told("half", 600)), Err(SendFailure::Full(_))));
        assert!(sender.try_send(Told("fits", 400)).is_ok());
        assert_eq!(taken(&mut inbox), ["half", "fits"]);
    }

    #[test]
    fn what_is_urgent_overtakes_and_what_is_owed_is_never_refused() {
        let (sender, mut inbox) = mailbox(Bounds { messages: 2, bytes: 100 });
        assert!(sender.try_send(Told("first", 60)).is_ok());
        assert!(sender.try_send(Told("second", 40)).is_ok());
        assert!(sender.owe(Told("owed", 10)).is_ok());
        assert!(sender.interject(Told("cancel", 0)).is_ok());
        assert!(sender.try_send(Told("refused", 0)).is_err());
        assert_eq!(taken(&mut inbox), ["cancel", "first", "second", "owed"]);
    }

    #[test]
    fn a_closed_mailbox_gives_back_what_comes_and_drops_what_waits() {
        let (sender, inbox) = mailbox(Bounds { messages: 2, bytes: 100 });
        assert!(sender.try_send(Told("waits", 1)).is_ok() && sender.is_open());
        drop(inbox);
        assert!(!sender.is_open());
        assert!(matches!(sender.owe(Told("late", 1)), Err(SendFailure::Closed(Told("late", 1)))));
    }
}
