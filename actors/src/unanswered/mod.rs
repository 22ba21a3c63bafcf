//! Questions without an answer, and the team's verdicts on replies: a projection of the log.
//!
//! Before a reply that does not answer goes to the store, a record is sent there that says that it is due to be
//! noted; it goes when that is done, so that a crash forgets nothing. One due too many is harmless: what is noted
//! is what the log says.
//! Invariant: whoever notes something of a conversation holds its tenant's board and has found the conversation in
//! the log since; whoever erases one forgets what was noted of it after it is gone from the log.

mod boards;
mod due;
mod follow;
mod old;
mod stored;
mod verdicts;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use engine_store::{Pending, SharedStore, StoreError};
use schema::wire::UnansweredQuestion;
use schema::{ConversationKey, Seq, TenantId, Timestamp, limits};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use boards::Boards;

/// What the actors report.
enum Note {
    /// This is on its way to the store: somebody has to see it there.
    Due(Pending<u64>),
    /// A reply that does not answer is durable.
    Durable(ConversationKey, Seq),
}

/// All tenants' unanswered questions on this node.
pub struct Unanswered {
    store: SharedStore,
    boards: Boards,
    notes: mpsc::Sender<Note>,
    inbox: Mutex<Option<mpsc::Receiver<Note>>>,
    /// Something is due that nobody reports any more: it has to be looked for.
    behind: Notify,
    /// What is due and not in the log, with the moment at which that was first seen.
    awaited: Mutex<HashMap<(ConversationKey, Seq), Instant>>,
}

impl Unanswered {
    pub(crate) fn new(store: SharedStore) -> Self {
        let (notes, inbox) = mpsc::channel(limits::UNANSWERED_WAITING_MAX);
        let inbox = Mutex::new(Some(inbox));
        Self { store, boards: Boards::default(), notes, inbox, behind: Notify::new(), awaited: Mutex::default() }
    }

    /// A tenant's questions, newest first: behind what `after` names (a row's moment and key), at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<(Timestamp, String)>,
        limit: usize,
    ) -> Result<Vec<UnansweredQuestion>, StoreError> {
        let slot = self.boards.slot(tenant);
        let mut kept = slot.lock().await;
        let board = kept.board(&self.store, tenant).await?;
        Ok(board.page(after.as_ref().map(|(at, key)| (*at, key.as_str())), limit))
    }

    /// The kind of the records in which they stand.
    pub const KIND: &'static str = boards::KIND;

    /// Another node has changed a tenant's questions.
    pub async fn forget(&self, tenant: TenantId) {
        self.boards.forget(tenant).await;
    }

    /// Another node may have changed any tenant's.
    pub async fn forget_all(&self) {
        for tenant in self.boards.tenants() {
            self.boards.forget(tenant).await;
        }
    }

    /// Takes a question off the list; false when it is not on it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn dismiss(&self, tenant: TenantId, key: &str) -> Result<bool, StoreError> {
        let slot = self.boards.slot(tenant);
        let mut kept = slot.lock().await;
        let Some(change) = kept.board(&self.store, tenant).await?.dismiss(key) else { return Ok(false) };
        kept.write(&self.store, tenant, vec![change]).await?;
        Ok(true)
    }

    /// A reply that does not answer was decided, and is about to go to the store.
    pub(crate) fn decided(&self, key: ConversationKey, seq: Seq) {
        self.report(Note::Due(due::put(&self.store, key, seq)));
    }

    /// A reply that does not answer is durable: its question may be listed.
    pub(crate) fn durable(&self, key: ConversationKey, seq: Seq) {
        self.report(Note::Durable(key, seq));
    }

    fn report(&self, note: Note) {
        // Nobody waits for the list. What does not get in is found by its due record.
        if self.notes.try_send(note).is_err() {
            self.behind.notify_one();
        }
    }

    fn take_inbox(&self) -> Option<Inbox<'_>> {
        let notes = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Inbox { notes: Some(notes), home: &self.inbox })
    }
}

/// What was reported, in the hands of whoever notes it. Dropped, as by a crash, it goes back to where it was.
struct Inbox<'a> {
    notes: Option<mpsc::Receiver<Note>>,
    home: &'a Mutex<Option<mpsc::Receiver<Note>>>,
}

impl Drop for Inbox<'_> {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.notes.take();
    }
}
