//! How far the node has come in its life, for all its threads to look at.
//! Invariant: a node that closes has drained first, and none goes back.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

/// How far the node has come: *serving*, then *draining* (no new conversations; replies go on), then *closing* (no
/// new messages; what runs is cut). The system moves it and all threads read it, without a lock: who reads late does
/// a little more of the earlier phase, and every drain waits for that.
pub(crate) struct Phase {
    started: Instant,
    draining: AtomicBool,
    closing: AtomicBool,
}

impl Phase {
    /// A node that begins to serve now.
    pub(crate) fn serving() -> Self {
        Self { started: Instant::now(), draining: AtomicBool::new(false), closing: AtomicBool::new(false) }
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
    }

    /// Refuses new messages from now on, and has what runs cut.
    pub(crate) fn close(&self) {
        self.drain();
        self.closing.store(true, Ordering::Relaxed);
    }
}
