//! A session's bounded way out: conversations push into it, the socket pulls from it.
//! Invariant: bounded in bytes and in time. Past the first mark what a conversation says is refused, and
//! asked for again when there is room; answers go on to the second, past which the session is closed and
//! told to come back. A session that closes says why, whatever it has to leave out for that.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytestring::ByteString;
use futures_util::Stream;
use schema::wire::Close;
use schema::{ConversationId, limits};
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

/// A session's way out. Shared between the session, which pulls, and its conversations, which push, from any thread.
///
/// The session makes it. It is *open*, then *closing* with the reason, which is the last item, then *gone* once that
/// was taken or the session went without it. Only the first close counts. Whoever still pushes need not know: what
/// comes after the close is dropped, and a conversation forgets a session whose outbox is not open.
#[derive(Default)]
pub struct Outbox {
    inner: Mutex<Inner>,
    marks: Marks,
}

/// How many bytes may wait.
struct Marks {
    /// Before what a conversation says is refused.
    slow: usize,
    /// Before it is closed.
    most: usize,
}

impl Default for Marks {
    fn default() -> Self {
        Self { slow: limits::OUTBOX_SLOW_BYTES, most: limits::OUTBOX_BYTES_MAX }
    }
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<OutboxItem>,
    bytes: usize,
    /// Since when more than the slow mark has been waiting without anything being taken.
    stalled_since: Option<Instant>,
    /// Who waits for room: at most one for each conversation.
    hooks: BTreeMap<ConversationId, DrainHook>,
    waker: Option<Waker>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Nothing more gets in. The close comes after all that waits.
    Closing(Close),
    /// The close was taken, or the session is gone.
    Gone,
}

impl Outbox {
    /// An outbox that is open and has nothing to send.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The way out to another node, for all sessions there.
    pub(crate) fn of_link() -> Arc<Self> {
        let marks = Marks { slow: limits::LINK_SLOW_BYTES, most: limits::LINK_BYTES_MAX };
        Arc::new(Self { inner: Mutex::default(), marks })
    }

    /// Queues a wish, unless too much waits already or nothing is taken any more.
    #[must_use]
    pub(crate) fn push_if_room(&self, frame: &ByteString) -> bool {
        self.with(|inner| {
            let has_room = inner.state == State::Open && inner.bytes < self.marks.slow;
            if has_room {
                inner.put(OutboxItem::Frame(frame.clone()), self.marks.slow);
            }
            has_room
        })
    }

    /// Queues an answer. A session that lets too much of them pile up is closed.
    pub fn push(&self, frame: ByteString) {
        self.with(|inner| {
            if inner.bytes + frame.len() > self.marks.most {
                inner.cut();
            } else {
                inner.put(OutboxItem::Frame(frame), self.marks.slow);
            }
        });
    }

    /// Queues what a conversation says unless the session is slow. Then it gives false, and calls `hook`,
    /// once, when the session has caught up; a later one of the same conversation takes its place.
    pub(crate) fn offer(
        &self,
        conversation: ConversationId,
        frame: &ByteString,
        hook: impl FnOnce() -> DrainHook,
    ) -> bool {
        self.with(|inner| {
            if inner.state != State::Open {
                return true;
            }
            if inner.bytes >= self.marks.slow {
                inner.hooks.insert(conversation, hook());
                return false;
            }
            inner.put(OutboxItem::Frame(frame.clone()), self.marks.slow);
            true
        })
    }

    /// Queues a frame that a session so full that it would be closed goes without.
    pub fn push_notice(&self, frame: ByteString) {
        self.with(|inner| {
            if inner.bytes + frame.len() <= self.marks.most {
                inner.put(OutboxItem::Frame(frame), self.marks.slow);
            }
        });
    }

    /// Asks the peer for a sign of life.
    pub fn ping(&self) {
        self.with(|inner| {
            if !inner.queue.contains(&OutboxItem::Ping) {
                inner.put(OutboxItem::Ping, self.marks.slow);
            }
        });
    }

    /// Ends the session after what waits has been sent.
    pub fn close(&self, close: Close) {
        self.with(|inner| inner.close(close));
    }

    /// Ends the session at once, because it may no longer see what waits.
    pub fn end(&self, close: Close) {
        self.with(|inner| {
            inner.drop_waiting();
            inner.close(close);
        });
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

    /// Closes a session that has been slow for too long; true if it did. One that was closing already
    /// leaves out what it did not take.
    pub fn close_if_stalled(&self, now: Instant) -> bool {
        self.with(|inner| {
            let stalled = inner
                .stalled_since
                .is_some_and(|since| now.saturating_duration_since(since) >= limits::OUTBOX_STALL_MAX);
            let closes = stalled && inner.state == State::Open;
            if stalled {
                inner.cut();
            }
            closes
        })
    }

    /// The next item to send; none after a close.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<OutboxItem>> {
        let (polled, hooks) = self.with(|inner| {
            let Some(item) = inner.queue.pop_front() else {
                let polled = match inner.state {
                    State::Gone => Poll::Ready(None),
                    State::Closing(close) => {
                        inner.state = State::Gone;
                        Poll::Ready(Some(OutboxItem::Close(close)))
                    }
                    State::Open => {
                        inner.queue.shrink_to(8);
                        inner.waker = Some(context.waker().clone());
                        Poll::Pending
                    }
                };
                return (polled, BTreeMap::new());
            };
            inner.bytes -= cost(&item);
            let slow = inner.bytes >= self.marks.slow;
            inner.stalled_since = slow.then(Instant::now);
            // Half the mark, so that a session does not flutter around it.
            let drained = inner.bytes < self.marks.slow / 2;
            let hooks = if drained { std::mem::take(&mut inner.hooks) } else { BTreeMap::new() };
            (Poll::Ready(Some(item)), hooks)
        });
        for (_, hook) in hooks {
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
    fn put(&mut self, item: OutboxItem, slow: usize) {
        if self.state != State::Open {
            return;
        }
        self.bytes += cost(&item);
        self.queue.push_back(item);
        if self.bytes >= slow && self.stalled_since.is_none() {
            self.stalled_since = Some(Instant::now());
        }
        self.wake();
    }

    fn close(&mut self, close: Close) {
        if self.state == State::Open {
            self.state = State::Closing(close);
            self.wake();
        }
    }

    /// Drops what waits, so that the close comes next.
    fn cut(&mut self) {
        if self.state == State::Open {
            metrics::counter!(SLOW_CONSUMERS).increment(1);
        }
        self.drop_waiting();
        self.close(Close::SLOW_CONSUMER);
    }

    fn drop_waiting(&mut self) {
        self.queue.clear();
        self.bytes = 0;
        self.stalled_since = None;
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
        let conversation = ConversationId::generate();
        while outbox.offer(conversation, &frame, hook) {
            taken += 1;
        }
        assert!(!outbox.offer(conversation, &frame, hook), "asked twice, told once");
        assert!(taken <= limits::OUTBOX_SLOW_BYTES / 1000 + 1);
        outbox.push(frame.clone());
        assert_eq!(called.load(Ordering::SeqCst), 0);
        while pull(&outbox).is_some() {}
        assert_eq!(called.load(Ordering::SeqCst), 1);
        assert!(outbox.offer(conversation, &frame, hook));
    }

    #[test]
    fn one_that_lets_everything_pile_up_is_closed_with_room_for_nothing_else() {
        let outbox = Outbox::new();
        let frame = ByteString::from("x".repeat(10_000));
        for _ in 0..=limits::OUTBOX_BYTES_MAX / 10_000 {
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

    #[test]
    fn one_that_is_ended_sees_nothing_more_of_what_waits() {
        for closing in [false, true] {
            let outbox = Outbox::new();
            (0..40).for_each(|_| outbox.push("x".repeat(1_000).into()));
            if closing {
                outbox.close(Close::GOING_AWAY);
            }
            outbox.end(Close::UNAUTHORIZED);
            outbox.push("late".into());
            let why = if closing { Close::GOING_AWAY } else { Close::UNAUTHORIZED };
            assert_eq!(std::iter::from_fn(|| pull(&outbox)).collect::<Vec<_>>(), [OutboxItem::Close(why)]);
        }
    }

    #[test]
    fn a_closing_session_says_why_however_much_comes_or_waits() {
        let full = |outbox: &Outbox| {
            (0..=limits::OUTBOX_BYTES_MAX / 10_000).for_each(|_| outbox.push("x".repeat(10_000).into()));
        };
        let stalled = |outbox: &Outbox| {
            let _ = outbox.close_if_stalled(Instant::now() + limits::OUTBOX_STALL_MAX);
        };
        for late in [&full as &dyn Fn(&Outbox), &stalled] {
            let outbox = Outbox::new();
            (0..40).for_each(|_| outbox.push("x".repeat(1_000).into()));
            outbox.close(Close::GOING_AWAY);
            late(&outbox);
            let items: Vec<_> = std::iter::from_fn(|| pull(&outbox)).collect();
            assert_eq!(items.last(), Some(&OutboxItem::Close(Close::GOING_AWAY)));
        }
    }
}
