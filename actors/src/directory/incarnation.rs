//! What the directory knows of the actors it keeps: so little that it can be tried without them.

use std::sync::Arc;

use schema::SessionId;

/// The way in to one incarnation of a conversation: from its start to its rest, its move, its crash or its end.
pub(crate) trait Incarnation: Clone {
    /// Those who listen, passed on from one incarnation to the next.
    type Listening: Listening;
    /// What an incarnation can be started from without asking the store.
    type Prepared;
    /// Why one could not be started.
    type Failure: Clone;
    /// What tells one incarnation from all others.
    type Mark;

    /// Whether it still takes messages.
    fn is_open(&self) -> bool;

    /// Whether it is the one with this mark.
    fn is(&self, mark: &Arc<Self::Mark>) -> bool;

    /// Gives it those who listened to the one before, before anybody else can put anything.
    fn begin(&self, listening: Self::Listening);

    /// A session listens no longer.
    fn leave(&self, session: SessionId);

    /// Whether it runs on another thread than this worker's, and nobody needs it there.
    fn could_move_to(&self, worker: usize) -> bool;

    /// Asks it to leave its thread; true if it did, and can be started elsewhere.
    async fn ask_to_move(&self) -> bool;
}

/// Sessions that wait for a conversation.
pub(crate) trait Listening: Default {
    /// Whether nobody does.
    fn is_empty(&self) -> bool;

    /// A session waits no longer.
    fn remove(&mut self, session: SessionId);

    /// Takes in those of another incarnation.
    fn absorb(&mut self, others: Self);
}
