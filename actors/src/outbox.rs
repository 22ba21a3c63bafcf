//! A session's bounded way out: conversations push into it, the socket pulls from it.
//! Invariant: bounded in bytes and in time. Past the first mark deltas are refused (they are joined
//! later); past the second the session is closed and told to come back.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytestring::ByteString;
use futures_util::Stream;
use schema::limits;
use schema::wire::Close;
use tokio::time::Instant;

use crate::metrics::SLOW_CONSUMERS;

/// One thing for the socket to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxItem {
    /// A frame, encoded once and shared by all sessions that get it.
    Frame(ByteString),
    /// Ask the peer for a sign of life.
    Ping,
    /// The last item: end the session.
    Close(Close),
}

/// Called once, when a slow session has caught up.
pub(crate) type DrainHook = Box<dyn FnOnce() + Send>;

/// Bytes an item costs besides its text: queue slot, frame header.
const ITEM_BYTES: usize = 64;

/// A session's way out. Shared between the session, which pulls, and its conversations, which push.
#[derive(Default)]
pub struct Outbox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<OutboxItem>,
    bytes: usize,
    /// Since when more than the slow mark has been waiting without anything being taken.
    stalled_since: Option<Instant>,
    hooks: Vec<DrainHook>,
    waker: Option<Waker>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// A close is queued; nothing more gets in.
    Closing,
    /// The session is gone.
    Gone,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Queues a frame that must not be skipped. A session that lets too much pile up is closed.
    pub fn push(&self, frame: ByteString) {
        self.with(|inner| {
            if inner.bytes + frame.len() > limits::OUTBOX_BYTES_MAX {
                metrics::counter!(SLOW_CONSUMERS).increment(1);
                inner.queue.clear();
                inner.bytes = 0;
                inner.close(Close::SLOW_CONSUMER);
            } else {
                inner.put(OutboxItem::Frame(frame));
            }
        });
    }

    /// Queues a delta unless the session is slow. Then it gives false, and calls `hook` when the
    /// session has caught up.
    pub(crate) fn offer(&self, frame: &ByteString, hook: impl FnOnce() -> DrainHook) -> bool {
        self.with(|inner| {
            if inner.state != State::Open {
                return true;
            }
            if inner.bytes >= limits::OUTBOX_SLOW_BYTES {
                inner.hooks.push(hook());
                return false;
            }
            inner.put(OutboxItem::Frame(frame.clone()));
            true
        })
    }

    /// Calls `hook` once there is room: at once, or when the session has caught up.
    pub(crate) fn when_drained(&self, hook: DrainHook) {
        let now = self.with(|inner| {
            if inner.bytes >= limits::OUTBOX_SLOW_BYTES && inner.state == State::Open {
                inner.hooks.push(hook);
                None
            } else {
                Some(hook)
            }
        });
        if let Some(hook) = now {
            hook();
        }
    }

    /// Queues a frame that a session so full that it would be closed goes without.
    pub fn push_notice(&self, frame: ByteString) {
        self.with(|inner| {
            if inner.bytes + frame.len() <= limits::OUTBOX_BYTES_MAX {
                inner.put(OutboxItem::Frame(frame));
            }
        });
    }

    /// Asks the peer for a sign of life.
    pub fn ping(&self) {
        self.with(|inner| {
            if !inner.queue.contains(&OutboxItem::Ping) {
                inner.put(OutboxItem::Ping);
            }
        });
    }

    /// Ends the session after what waits has been sent.
    pub fn close(&self, close: Close) {
        self.with(|inner| inner.close(close));
    }

    /// The session is gone: what waits is dropped, and what comes.
    pub fn abandon(&self) {
        let hooks = self.with(|inner| {
            inner.state = State::Gone;
            inner.queue = VecDeque::new();
            inner.bytes = 0;
            inner.stalled_since = None;
            inner.wake();
            std::mem::take(&mut inner.hooks)
        });
        drop(hooks);
    }

    /// Whether pushing still makes sense.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.with(|inner| inner.state == State::Open)
    }

    /// Bytes that wait.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.with(|inner| inner.bytes)
    }

    /// Closes a session that has been slow for too long; true if it did.
    pub fn close_if_stalled(&self, now: Instant) -> bool {
        self.with(|inner| {
            let stalled = inner
                .stalled_since
                .is_some_and(|since| now.saturating_duration_since(since) >= limits::OUTBOX_STALL_MAX);
            if stalled && inner.state == State::Open {
                metrics::counter!(SLOW_CONSUMERS).increment(1);
                inner.queue.clear();
                inner.bytes = 0;
                inner.close(Close::SLOW_CONSUMER);
                return true;
            }
            false
        })
    }

    /// The next item to send; none after a close.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<OutboxItem>> {
        let (polled, hooks) = self.with(|inner| {
            let Some(item) = inner.queue.pop_front() else {
                if inner.state != State::Open {
                    return (Poll::Ready(None), Vec::new());
                }
                inner.queue.shrink_to(8);
                inner.waker = Some(context.waker().clone());
                return (Poll::Pending, Vec::new());
            };
            inner.bytes -= cost(&item);
            let slow = inner.bytes >= limits::OUTBOX_SLOW_BYTES;
            inner.stalled_since = slow.then(Instant::now);
            // Half the mark, so that a session does not flutter around it.
            let drained = inner.bytes < limits::OUTBOX_SLOW_BYTES / 2;
            let hooks = if drained { std::mem::take(&mut inner.hooks) } else { Vec::new() };
            (Poll::Ready(Some(item)), hooks)
        });
        for hook in hooks {
            hook();
        }
        polled
    }

    /// The items as a stream.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> OutboxStream {
        OutboxStream(Arc::clone(self))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // A panic while holding the lock leaves a queue that is still a queue.
        let mut inner: MutexGuard<'_, Inner> = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut inner)
    }
}

/// An outbox as a stream; dropping it abandons the outbox.
pub struct OutboxStream(Arc<Outbox>);

impl Stream for OutboxStream {
    type Item = OutboxItem;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<OutboxItem>> {
        self.0.poll_next(context)
    }
}

impl Drop for OutboxStream {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Inner {
    fn put(&mut self, item: OutboxItem) {
        if self.state != State::Open {
            return;
        }
        self.bytes += cost(&item);
        self.queue.push_back(item);
        if self.bytes >= limits::OUTBOX_SLOW_BYTES && self.stalled_since.is_none() {
            self.stalled_since = Some(Instant::now());
        }
        self.wake();
    }

    fn close(&mut self, close: Close) {
        if self.state == State::Open {
            self.queue.push_back(OutboxItem::Close(close));
            self.bytes += ITEM_BYTES;
            self.state = State::Closing;
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn cost(item: &OutboxItem) -> usize {
    match item {
        OutboxItem::Frame(frame) => frame.len() + ITEM_BYTES,
        OutboxItem::Ping | OutboxItem::Close(_) => ITEM_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn pull(outbox: &Outbox) -> Option<OutboxItem> {
        match outbox.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_slow_session_is_refused_deltas_and_told_when_it_has_caught_up() {
        let outbox = Outbox::new();
        let called = Arc::new(AtomicUsize::new(0));
        let hook = || {
            let called = Arc::clone(&called);
            Box::new(move || {
                called.fetch_add(1, Ordering::SeqCst);
            }) as DrainHook
        };
        let frame = ByteString::from("x".repeat(1000));
        let mut taken = 0;
        while outbox.offer(&frame, hook) {
            taken += 1;
        }
        assert!(taken <= limits::OUTBOX_SLOW_BYTES / 1000 + 1);
        outbox.push(frame.clone());
        assert_eq!(called.load(Ordering::SeqCst), 0);
        while pull(&outbox).is_some() {}
        assert_eq!(called.load(Ordering::SeqCst), 1);
        assert!(outbox.offer(&frame, hook));
    }

    #[test]
    fn one_that_lets_everything_pile_up_is_closed_with_room_for_nothing_else() {
        let outbox = Outbox::new();
        let frame = ByteString::from("x".repeat(10_000));
        for _ in 0..200 {
            outbox.push(frame.clone());
            assert!(outbox.waiting_bytes() <= limits::OUTBOX_BYTES_MAX + ITEM_BYTES);
        }
        assert_eq!(pull(&outbox), Some(OutboxItem::Close(Close::SLOW_CONSUMER)));
        assert_eq!(pull(&outbox), None);
        assert!(!outbox.is_open());
    }

    #[test]
    fn one_that_takes_nothing_for_too_long_is_closed() {
        let outbox = Outbox::new();
        for _ in 0..40 {
            outbox.push(ByteString::from("x".repeat(1000)));
        }
        assert!(!outbox.close_if_stalled(Instant::now()));
        assert!(outbox.close_if_stalled(Instant::now() + limits::OUTBOX_STALL_MAX));
    }
}
