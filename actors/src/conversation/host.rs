//! What a conversation is given by the node and the thread that it runs on, and whom it tells how it ends.
//! Invariant: nothing here leads back to the directory or to other conversations.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_conversation::Command;
use engine_store::SharedStore;
use schema::ConversationKey;
use tokio::sync::Semaphore;

use super::prepared::Prepared;
use super::pulse::Pulse;
use super::subscribers::Subscribers;
use crate::admission::Admission;
use crate::clock::Clock;
use crate::peers::Switchboard;
use crate::phase::Phase;
use crate::projection::Listing;
use crate::turn::Workshop;
use crate::unanswered::Unanswered;

/// One worker thread's, shared by its conversations.
pub(crate) struct Host {
    /// The worker's number, from 0: tells its thread from others.
    pub(crate) worker: usize,
    pub(crate) store: SharedStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) unanswered: Arc<Unanswered>,
    /// Told of each durable append.
    pub(crate) listing: Arc<Listing>,
    pub(crate) phase: Arc<Phase>,
    /// The way to other nodes; none where the node is alone.
    pub(crate) peers: Option<Arc<Switchboard>>,
    /// Places for those who read whose a conversation is: when a node dies, all whom it served ask at once.
    pub(crate) owner_reads: Arc<Semaphore>,
    pub(crate) workshop: Rc<Workshop>,
    /// Events after a conversation's snapshot before the next one is written.
    pub(crate) snapshot_events: u64,
    /// Called before each command is applied; tests make it panic.
    pub(crate) before: Option<fn(&Command)>,
    /// Gives numbers from 0 to 1 that spread pauses.
    pub(crate) jitter: fn() -> f64,
}

/// Whoever keeps conversations alive: each incarnation tells it how it ends, once, on its own thread and before its
/// mailbox closes.
pub(crate) trait Keeper {
    /// Nobody needed it.
    fn rested(&self, key: ConversationKey, pulse: &Arc<Pulse>);

    /// It is to be started on another thread.
    fn moved(&self, key: ConversationKey, pulse: &Arc<Pulse>, prepared: Prepared);

    /// A handler panicked, or what it had begun.
    fn crashed(self: Rc<Self>, key: ConversationKey, pulse: &Arc<Pulse>, listening: Subscribers);

    /// The store failed it: what is in memory is not what the log says.
    fn store_failed(self: Rc<Self>, key: ConversationKey, pulse: &Arc<Pulse>, listening: Subscribers);

    /// Another node has the conversation now, or the one that had it is gone: it is looked for again for those who
    /// listen, after a pause.
    fn owner_changed(self: Rc<Self>, key: ConversationKey, pulse: &Arc<Pulse>, listening: Subscribers, pause: Duration);
}
