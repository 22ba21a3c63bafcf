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
/// entry stands still, and is sent for again. For a disabled tenant nothing is asked, as its sockets and requests are
/// refused: its entries wait.
#[derive(Clone)]
pub(crate) struct Attendant {
    pub(crate) supervisor: Rc<Supervisor>,
    pub(crate) work: Arc<DueWork>,
    pub(crate) phase: Arc<Phase>,
}

/// Whose trouble it is that something was not done.
enum Undone {
    /// The store's: nobody's would be done now.
    Store(Failure),
    /// The tenant's, who cannot be read.
    Tenant(Failure),
    /// The conversation's alone.
    Conversation(Failure),
    /// Nobody's: the tenant is not served.
    Disabled,
    /// Nobody's: another node has it awake, and finds the entry as well.
    Elsewhere,
}

impl Attendant {
    /// Takes entries until the system is gone; while the node drains it leaves them to the next start.
    pub(crate) async fn attend(self) {
        loop {
            let Some(sent) = self.work.taken.lock().await.recv().await else { return };
            let Ok(permit) = Arc::clone(&self.work.at_once).acquire_owned().await else { return };
            // Whoever comes back finds it again.
            if self.phase.is_draining() {
                continue;
            }
            let this = self.clone();
            spawn_local(async move {
                let done = timeout(ANSWER_MAX, this.tell(sent.entry)).await;
                this.note(sent.entry, done.unwrap_or_else(|_| Err(Undone::Conversation(Failure::restarting()))));
                drop((permit, sent));
            });
        }
    }

    /// What it decides is durable when this ends well.
    async fn tell(&self, entry: DueEntry) -> Result<(), Undone> {
        let tenant = self.supervisor.tenant(entry.key.tenant).await;
        let tenant = tenant.map_err(|failure| Undone::read(failure, Undone::Tenant))?;
        self.work.held().release(entry.key.tenant);
        if tenant.is_disabled() {
            return Err(Undone::Disabled);
        }
        if self.supervisor.is_awake_elsewhere(entry.key).await {
            return Err(Undone::Elsewhere);
        }
        // A wake for somebody else that is under way serves this one too.
        let found = self.supervisor.find(entry.key).await;
        let handle = found.map_err(|failure| Undone::read(failure, Undone::Conversation))?;
        if handle.is_relay() {
            return Err(Undone::Elsewhere);
        }
        handle.call(Command::Due).await.map(drop).map_err(|failure| match failure.code {
            ErrorCode::StoreUnavailable => Undone::Store(failure),
            // Its mailbox is full, for one: others have room.
            _ => Undone::Conversation(failure),
        })
    }

    fn note(&self, entry: DueEntry, done: Result<(), Undone>) {
        let (outcome, failure) = match done {
            Ok(()) => {
                self.work.succeeded();
                ("done", None)
            }
            Err(Undone::Disabled) => ("disabled", None),
            Err(Undone::Elsewhere) => ("elsewhere", None),
            Err(Undone::Store(failure)) => {
                self.work.failed();
                ("failed", Some(failure))
            }
            Err(Undone::Tenant(failure)) => {
                self.work.hold(entry.key.tenant);
                ("failed", Some(failure))
            }
            Err(Undone::Conversation(failure)) => ("failed", Some(failure)),
        };
        metrics::counter!(DUE_ATTENDED, "outcome" => outcome).increment(1);
        if let Some(Failure { code, .. }) = failure {
            tracing::debug!(conversation = %entry.key.conversation, %code, "what is due was not done, and will be tried again");
        }
    }
}

impl Undone {
    /// Something could not be read: by the store's fault, or by that of what was to be read.
    fn read(failure: Failure, its: fn(Failure) -> Self) -> Self {
        match failure.code {
            ErrorCode::StoreUnavailable | ErrorCode::Busy => Self::Store(failure),
            _ => its(failure),
        }
    }
}
