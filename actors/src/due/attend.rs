//! A worker thread takes what is due from the scanner: it wakes the conversation, unless it is awake, and tells it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_conversation::Command;
use engine_store::DueEntry;
use schema::ErrorCode;
use tokio::time::timeout;

use super::DueWork;
use crate::failure::Failure;
use crate::metrics::DUE_ATTENDED;
use crate::phase::Phase;
use crate::runtime::spawn_local;
use crate::supervision::Supervisor;

/// Longest wait for one conversation; what it has not answered by then is found again.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Attends to what is due, on one worker thread.
///
/// Each worker runs one. For each entry it finds or wakes the conversation, puts [`Command::Due`] and waits for the
/// answer, which is durable when it comes. Without one (no answer in time, a crash, a drain) it does nothing: the
/// entry stands still, and is sent for again.
#[derive(Clone)]
pub(crate) struct Attendant {
    pub(crate) supervisor: Rc<Supervisor>,
    pub(crate) work: Arc<DueWork>,
    pub(crate) phase: Arc<Phase>,
    /// Numbers from 0 to 1 that spread pauses.
    pub(crate) jitter: fn() -> f64,
}

impl Attendant {
    /// Takes entries until the system is gone; while the node drains it leaves them to the next start.
    pub(crate) async fn attend(self) {
        loop {
            let Some(entry) = self.work.taken.lock().await.recv().await else { return };
            let Ok(permit) = Arc::clone(&self.work.at_once).acquire_owned().await else { return };
            // Whoever comes back finds it again.
            if self.phase.is_draining() {
                continue;
            }
            let this = self.clone();
            spawn_local(async move {
                let done = timeout(ANSWER_MAX, this.tell(entry)).await;
                this.note(entry, done.unwrap_or_else(|_| Err(Failure::restarting())));
                drop(permit);
            });
        }
    }

    /// What it decides is durable when this ends well.
    async fn tell(&self, entry: DueEntry) -> Result<(), Failure> {
        // A wake for somebody else that is under way serves this one too.
        let handle = self.supervisor.find(entry.key).await?;
        handle.call(Command::Due).await.map(drop)
    }

    fn note(&self, entry: DueEntry, done: Result<(), Failure>) {
        let Err(failure) = done else {
            metrics::counter!(DUE_ATTENDED, "outcome" => "done").increment(1);
            return self.work.succeeded();
        };
        metrics::counter!(DUE_ATTENDED, "outcome" => "failed").increment(1);
        let code = failure.code;
        tracing::debug!(conversation = %entry.key.conversation, %code, "what is due was not done, and will be tried again");
        if matches!(code, ErrorCode::StoreUnavailable | ErrorCode::Busy) {
            self.work.failed((self.jitter)());
        }
    }
}
