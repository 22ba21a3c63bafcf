//! Permits: each counts as running for as long as it is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Counts a running reply for as long as it is held.
pub(crate) struct TurnPermit {
    pub(super) _tenants: Count,
    pub(super) _visitors: Option<Count>,
}

/// Counts an open session for as long as it is held.
pub struct SessionPermit(#[allow(dead_code, reason = "held for its drop")] pub(super) Count);

/// One of a bounded number.
pub(super) struct Count(Arc<AtomicU32>);

impl Count {
    /// One more, if there are less than `max`.
    pub(super) fn up(counter: &Arc<AtomicU32>, max: u32) -> Option<Self> {
        let count = Self(Arc::clone(counter));
        // Counted first, so that two at the last place cannot both get it; dropping it takes it back.
        (counter.fetch_add(1, Ordering::Relaxed) < max).then_some(count)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What other nodes hold of what all of them together may, as it was last heard.
#[derive(Default)]
pub(super) struct Others {
    running_turns: AtomicU32,
    sessions: AtomicU32,
    /// Somebody has asked for room since this was looked at before.
    asked: AtomicBool,
}

impl Others {
    /// Somebody asks for room: what others hold is worth knowing anew.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked for room since this was called before.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }

    pub(super) fn hold(&self, running_turns: u32, sessions: u32) {
        self.running_turns.store(running_turns, Ordering::Relaxed);
        self.sessions.store(sessions, Ordering::Relaxed);
    }

    /// What is left of so many replies at once for this node.
    pub(super) fn leave_turns(&self, max: u32) -> u32 {
        max.saturating_sub(self.running_turns.load(Ordering::Relaxed))
    }

    /// What is left of so many sessions for this node.
    pub(super) fn leave_sessions(&self, max: u32) -> u32 {
        max.saturating_sub(self.sessions.load(Ordering::Relaxed))
    }
}
