//! What happens after a crash: restart from the log, spaced by back-off, until the budget is used
//! up; then quarantine, visibly.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use schema::{ConversationKey, ErrorCode, limits};
use tokio::time::Instant;

use crate::conversation::Subscribers;
use crate::failure::Failure;
use crate::handle::Shared;
use crate::metrics::{CONVERSATION_CRASHES, CONVERSATIONS_QUARANTINED};
use crate::runtime::spawn_local;
use crate::system::Worker;

/// The first pause before a restart; it doubles with each crash in the window.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// The pause before a conversation whose store failed is tried again for those who listen.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// One conversation's crashes of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrashBook(VecDeque<Instant>);

/// What to do about a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start again after a pause.
    Restart(Duration),
    /// Leave it to an operator.
    Quarantine,
    /// Leave it: it is being erased.
    Erased,
}

impl CrashBook {
    /// Books a crash. `jitter` is between 0 and 1 and spreads the pauses.
    pub(crate) fn crashed(&mut self, now: Instant, jitter: f64) -> Verdict {
        while self.0.front().is_some_and(|crash| now.duration_since(*crash) > limits::CRASH_WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        if self.0.len() > limits::CRASHES_MAX {
            return Verdict::Quarantine;
        }
        let doublings = u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX).min(16);
        let pause = BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX);
        Verdict::Restart(pause.mul_f64(0.5 + jitter / 2.0))
    }
}

impl CrashBook {
    /// Whether any crash still counts.
    pub(crate) fn is_recent(&self, now: Instant) -> bool {
        self.0.back().is_some_and(|crash| now.duration_since(*crash) <= limits::CRASH_WINDOW)
    }
}

/// A conversation's actor panicked, or its log could not be folded.
pub(crate) fn crashed(worker: &Rc<Worker>, key: ConversationKey, shared: &Arc<Shared>, subscribers: Subscribers) {
    metrics::counter!(CONVERSATION_CRASHES).increment(1);
    let (verdict, subscribers) =
        worker.system().directory().crashed(key, shared, subscribers, worker.system().jitter());
    match verdict {
        Verdict::Restart(pause) => {
            tracing::error!(conversation = %key.conversation, pause_ms = pause.as_millis(), "conversation crashed, restarting");
            restart(worker, key, pause);
        }
        Verdict::Quarantine => {
            tracing::error!(conversation = %key.conversation, "conversation crashed too often, quarantined");
            metrics::gauge!(CONVERSATIONS_QUARANTINED).increment(1);
            subscribers.tell(key.conversation, &Failure::quarantined());
        }
        Verdict::Erased => subscribers.tell(key.conversation, &Failure::erased()),
    }
}

/// A conversation ended itself because the store failed. That says nothing against it: it may be
/// found again at once, and is started again for those who listen.
pub(crate) fn store_failed(worker: &Rc<Worker>, key: ConversationKey, shared: &Arc<Shared>, subscribers: Subscribers) {
    let awaited = !subscribers.is_empty();
    if let Some(subscribers) = worker.system().directory().abandoned(key, shared, subscribers) {
        return subscribers.tell(key.conversation, &Failure::erased());
    }
    if awaited {
        restart(worker, key, STORE_PAUSE.mul_f64(0.5 + worker.system().jitter()));
    }
}

/// Starts a conversation after a pause. Those who listened wait for it in the directory, which
/// gives them to whatever incarnation comes next, by this restart or by somebody's command.
fn restart(worker: &Rc<Worker>, key: ConversationKey, pause: Duration) {
    let worker = Rc::clone(worker);
    spawn_local(async move {
        tokio::time::sleep(pause).await;
        let directory = worker.system().directory();
        directory.recovered(key);
        let Err(failure) = worker.find(key).await else { return };
        if failure.code == ErrorCode::StoreUnavailable {
            if directory.is_awaited(key) {
                restart(&worker, key, STORE_PAUSE.mul_f64(0.5 + worker.system().jitter()));
            }
        } else {
            // Nobody is left behind here if it crashed while waking: that has booked itself.
            directory.strand(key).tell(key.conversation, &failure);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_budget_is_for_a_window() {
        let mut book = CrashBook::default();
        let start = Instant::now();
        let mut last = Duration::ZERO;
        for crash in 0..limits::CRASHES_MAX {
            let Verdict::Restart(pause) = book.crashed(start + Duration::from_millis(crash as u64), 1.0) else {
                panic!("quarantined at crash {crash}")
            };
            assert!(pause > last && pause <= BACKOFF_MAX);
            last = pause;
        }
        assert_eq!(book.crashed(start + Duration::from_secs(1), 0.0), Verdict::Quarantine);
        let later = start + limits::CRASH_WINDOW * 3;
        assert_eq!(book.crashed(later, 0.0), Verdict::Restart(BACKOFF_MIN / 2));
    }
}
