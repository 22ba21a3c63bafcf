//! How far the node has come in its life, for all its threads to look at.
//! Invariant: a node that closes has drained first, and none goes back.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

/// How far the node has come: *serving*, then *draining* (no new conversations; replies go on), then *closing* (no
/// new messages; what runs is cut). The system moves it and all threads read it, without a lock: who reads late does
/// a little more of the earlier phase, and every drain waits for that. A loop without work waits for a phase beside what
/// would give it some.
pub(crate) struct Phase {
    started: Instant,
    draining: AtomicBool,
    closing: AtomicBool,
    /// It has moved.
    moved: Notify,
}

impl Phase {
    /// A node that begins to serve now.
    pub(crate) fn serving() -> Self {
        Self {
            started: Instant::now(),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            moved: Notify::new(),
        }
    }

    /// Seconds since it began to serve.
    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Whether new conversations are refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether new messages are refused, and what still runs is cut.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Refuses new conversations from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Refuses new messages from now on, and has what runs cut.
    pub(crate) fn close(&self) {
        self.drain();
        self.closing.store(true, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Completes when the node drains.
    pub(crate) async fn drained(&self) {
        self.moved_to(Self::is_draining).await;
    }

    /// Completes when the node closes.
    pub(crate) async fn closed(&self) {
        self.moved_to(Self::is_closing).await;
    }

    async fn moved_to(&self, is_there: impl Fn(&Self) -> bool) {
        loop {
            // Begun before the look, so that no move falls in between.
            let moved = self.moved.notified();
            if is_there(self) {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn who_waits_is_told_of_its_phase_and_of_no_earlier_one() {
        let phase = Phase::serving();
        let context = &mut Context::from_waker(Waker::noop());
        let (mut drained, mut closed) = (pin!(phase.drained()), pin!(phase.closed()));
        assert_eq!((drained.as_mut().poll(context), closed.as_mut().poll(context)), (Poll::Pending, Poll::Pending));
        phase.drain();
        assert_eq!((drained.as_mut().poll(context), closed.as_mut().poll(context)), (Poll::Ready(()), Poll::Pending));
        phase.close();
        assert_eq!(closed.as_mut().poll(context), Poll::Ready(()));
        // Who comes later waits for nothing.
        assert_eq!(pin!(phase.drained()).poll(context), Poll::Ready(()));
        assert_eq!(pin!(phase.closed()).poll(context), Poll::Ready(()));
    }
}
