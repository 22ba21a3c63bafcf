//! What nodes that own nothing want of this one, on its way from a link to a worker, whose threads have conversations.
//! Invariant: whoever wants something is answered once, or told that it is not known.

use engine_store::Opening;
use schema::{ConversationKey, Locale, Seq, limits};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::conversation::ConversationHandle;
use crate::failure::Failure;

/// What is wanted.
pub(crate) enum Want {
    /// A conversation, woken if it runs nowhere.
    Find(ConversationKey, oneshot::Sender<Result<ConversationHandle, Failure>>),
    /// A new one, with its head for an answer.
    Open(ConversationKey, Opening, Option<Locale>, oneshot::Sender<Result<Seq, Failure>>),
}

/// What waits for a worker; the workers take turns.
pub(crate) struct Wanted {
    left: mpsc::Sender<Want>,
    taken: Mutex<mpsc::Receiver<Want>>,
}

impl Wanted {
    pub(crate) fn new() -> Self {
        let (left, taken) = mpsc::channel(limits::LINK_ASKS_MAX);
        Self { left, taken: Mutex::new(taken) }
    }

    /// Leaves a wish, and waits for its answer.
    pub(crate) async fn want<T>(
        &self,
        wish: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Want,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        self.left.try_send(wish(answer)).map_err(|_| Failure::busy())?;
        answered.await.unwrap_or_else(|_| Err(Failure::restarting()))
    }

    /// The next one; none when the system is gone.
    pub(crate) async fn next(&self) -> Option<Want> {
        self.taken.lock().await.recv().await
    }
}
