//! What a conversation lets others see and do past its mailbox, and what tells this incarnation from all others.
//! Invariant: only the incarnation that it belongs to writes it; others read it, and may stop the turn that runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use schema::Turn;
use tokio_util::sync::CancellationToken;

/// Signs of life, readable from any thread.
#[derive(Default)]
pub(crate) struct Pulse {
    idle: AtomicBool,
    stored: AtomicBool,
    running: AtomicBool,
    asked: AtomicBool,
    touched: AtomicU64,
    /// Stops the turn that runs without queueing behind data.
    cancel: Mutex<Option<(Turn, CancellationToken)>>,
}

/// How an incarnation stands after a message.
pub(super) struct Beat {
    /// Nobody listens, nothing runs, nothing waits for the store.
    pub(super) idle: bool,
    /// Everything decided is durable.
    pub(super) stored: bool,
    /// A reply runs.
    pub(super) running: bool,
    /// Seconds of the node's life.
    pub(super) at: u64,
}

impl Pulse {
    /// Updates what the sweeper and the drain look at.
    pub(super) fn beat(&self, beat: &Beat) {
        self.idle.store(beat.idle, Ordering::Relaxed);
        self.stored.store(beat.stored, Ordering::Relaxed);
        self.running.store(beat.running, Ordering::Relaxed);
        self.touched.store(beat.at, Ordering::Relaxed);
    }

    /// Somebody wishes something of this incarnation, or listens to it: it was not woken for what was due alone.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed)
    }

    pub(super) fn is_stored(&self) -> bool {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    pub(super) fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }

    /// From now on this token can be reached past the mailbox; none: nothing runs any more.
    pub(super) fn set_turn(&self, turn: Option<(Turn, CancellationToken)>) {
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    /// Silences the running turn at once; true if it is the first to do so. The command that records it follows.
    pub(super) fn stop_turn(&self, turn: Option<Turn>) -> bool {
        let running = self.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((running, token)) = running else { return false };
        if turn.is_some_and(|turn| turn != running) || token.is_cancelled() {
            return false;
        }
        token.cancel();
        true
    }

    #[cfg(test)]
    pub(super) fn has_turn(&self) -> bool {
        self.cancel.lock().unwrap().is_some()
    }
}
