//! Keeps a thread's conversations alive: starts what is asked for and runs nowhere, and starts again what crashed
//! or lost its store, as the directory decides; until that is quarantine, visibly.
//! Invariant: those who listen are with an incarnation or wait in the directory; who is given up is told so.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_store::Opening;
use schema::peer::{PeerAsk, Stand};
use schema::{ConversationKey, ErrorCode, Locale, Seq, TenantId};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::conversation::{
    ConversationHandle, Host, Keeper, Prepared, Pulse, Subscribers, WakeFailure, Waking, open, wake,
};
use crate::directory::{AfterCrash, Directory, Start, Unfound};
use crate::failure::Failure;
use crate::metrics::CONVERSATION_CRASHES;

use crate::peers::Switchboard;
use crate::runtime::spawn_local;
use crate::tenant::{KnownTenants, Tenant};

/// The pause before a conversation whose store failed is tried again for those who listen.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How often it is tried again, for those who listen, after an answer that says that trying again helps: that it was
/// not known whether it was done, or that there was no room. A store that is not there is waited for as long as they
/// are, and so are nodes that could have it.
const TRIES_MAX: u32 = 30;

/// Longest pause after a change of membership: not all come at once.
const CHANGE_PAUSE: Duration = Duration::from_millis(100);

/// Where each conversation of the node is.
pub(crate) type Conversations = Directory<ConversationHandle>;

/// Keeps the conversations of one worker thread: starts them there, and starts them again after a crash.
///
/// A worker makes one and holds it as long as its thread. It reads the log and starts the actor when the directory
/// hands it a [`Start`](crate::directory::Start), and is the [`Keeper`] that each incarnation tells how it ended.
/// What is to be done then (restart after a pause, quarantine, nothing) the directory decides and this does. Crashes
/// cannot pile up: they are counted in a window, each pause is longer than the one before, and at the end stands the
/// quarantine, which only an operator lifts.
pub(crate) struct Supervisor {
    host: Rc<Host>,
    conversations: Arc<Conversations>,
    tenants: Arc<KnownTenants>,
    /// Bounds how many conversations the node reads from the store at once.
    wakes: Arc<Semaphore>,
}

impl Supervisor {
    pub(crate) const fn new(
        host: Rc<Host>,
        conversations: Arc<Conversations>,
        tenants: Arc<KnownTenants>,
        wakes: Arc<Semaphore>,
    ) -> Self {
        Self { host, conversations, tenants, wakes }
    }

    /// A tenant, read if this node has not met it.
    pub(crate) async fn tenant(&self, id: TenantId) -> Result<Arc<Tenant>, Failure> {
        self.tenants.get(id).await
    }

    /// A conversation, started on this thread if it runs nowhere.
    pub(crate) async fn find(self: &Rc<Self>, key: ConversationKey) -> Result<ConversationHandle, Failure> {
        self.conversations.find(key, |start| self.start(start)).await.map_err(Failure::from)
    }

    /// Whether another node that lives has a conversation awake, or may have: it is asked.
    pub(crate) async fn is_awake_elsewhere(&self, key: ConversationKey) -> bool {
        let Some(board) = &self.host.peers else { return false };
        if self.conversations.running(key).is_some_and(|handle| !handle.is_relay()) {
            return false;
        }
        match board.elsewhere(&self.host.store, key).await {
            Ok(Some(node)) => board.stand(node, key, PeerAsk::Awake {}).await != Ok(Stand::Resting {}),
            // Where nobody knows, waking it tells.
            Ok(None) | Err(_) => false,
        }
    }

    /// The same on this thread, if it runs nowhere or can come here; else wherever it is.
    pub(crate) async fn find_here(self: &Rc<Self>, key: ConversationKey) -> Result<ConversationHandle, Failure> {
        self.conversations.find_here(key, self.host.worker, |start| self.start(start)).await.map_err(Failure::from)
    }

    /// Creates a conversation in the store; gives its head. It will run on the thread of whoever needs it first.
    pub(crate) async fn open(
        &self,
        tenant: &Tenant,
        key: ConversationKey,
        opening: Opening,
        locale: Option<Locale>,
    ) -> Result<Seq, Failure> {
        if let Some(board) = self.host.peers.as_ref().filter(|board| !board.owns()) {
            return open_elsewhere(board, key, opening, locale).await;
        }
        let prepared = open(&self.host, tenant, key, opening, locale).await?;
        let head = prepared.machine.state().head;
        self.conversations.opened(key, prepared);
        Ok(head)
    }

    /// In a task of its own: whoever asked first may give up, the others still wait.
    fn start(self: &Rc<Self>, mut start: Start<ConversationHandle>) {
        let this = Rc::clone(self);
        spawn_local(async move {
            let key = start.key();
            match this.wake(key, start.take_prepared()).await {
                Ok(handle) => this.conversations.started(start, handle),
                Err(WakeFailure::Failed(failure)) => this.conversations.not_started(start, failure),
                Err(WakeFailure::Crashed) => {
                    let decided = this.conversations.crashed_at_start(start, (this.host.jitter)());
                    this.after_crash(key, decided);
                }
            }
        });
    }

    async fn wake(
        self: &Rc<Self>,
        key: ConversationKey,
        prepared: Option<Prepared>,
    ) -> Result<ConversationHandle, WakeFailure> {
        let tenant = self.tenants.get(key.tenant).await.map_err(WakeFailure::Failed)?;
        let keeper = Rc::clone(self) as Rc<dyn Keeper>;
        wake(Waking { host: &self.host, keeper, tenant, wakes: &self.wakes }, key, prepared).await
    }

    fn after_crash(self: &Rc<Self>, key: ConversationKey, (decided, given_up): (AfterCrash, Subscribers)) {
        metrics::counter!(CONVERSATION_CRASHES).increment(1);
        let ConversationKey { tenant, conversation } = key;
        match decided {
            AfterCrash::Restart(pause) => {
                let pause_ms = pause.as_millis();
                tracing::error!(%conversation, %tenant, pause_ms, "conversation crashed, restarting");
                self.restart(key, pause);
            }
            AfterCrash::Quarantine => {
                tracing::error!(%conversation, %tenant, "conversation crashed too often, quarantined");
                given_up.tell(key, &Failure::quarantined());
            }
            AfterCrash::Erased => given_up.tell(key, &Failure::erased()),
            AfterCrash::Succeeded => {
                tracing::error!(%conversation, %tenant, "conversation crashed, and is started anew already");
                given_up.tell(key, &Failure::restarting());
            }
        }
    }

    /// Starts a conversation that crashed after a pause. Those who listened wait for it in the directory, which
    /// gives them to whatever incarnation comes next, by this restart or by somebody's command.
    fn restart(self: &Rc<Self>, key: ConversationKey, pause: Duration) {
        let this = Rc::clone(self);
        spawn_local(async move {
            sleep(pause).await;
            this.conversations.recovered(key);
            this.start_again(key).await;
        });
    }

    /// Starts a conversation for those who wait for it, as often as that may help; then they are told.
    async fn start_again(self: &Rc<Self>, key: ConversationKey) {
        let mut tries = 0;
        loop {
            let Err(failure) = self.find(key).await else { return };
            let helps = match failure.code {
                ErrorCode::StoreUnavailable => true,
                // Those who could have it are waited for as a store is.
                ErrorCode::Restarting if self.host.peers.as_ref().is_some_and(|board| !board.has_taker()) => true,
                ErrorCode::Busy | ErrorCode::Restarting => {
                    tries += 1;
                    tries < TRIES_MAX
                }
                _ => false,
            };
            if !helps {
                return self.conversations.strand(key).tell(key, &failure);
            }
            // Nobody is left behind here if it crashed while waking: that has booked itself.
            if !self.conversations.is_awaited(key) {
                return;
            }
            self.pause_or_change().await;
        }
    }

    /// A pause, which ends when membership changes: then it may be somewhere else.
    async fn pause_or_change(&self) {
        let pause = sleep(self.store_pause());
        let Some(board) = &self.host.peers else { return pause.await };
        tokio::select! {
            biased;
            () = pause => {}
            () = board.changed() => sleep(CHANGE_PAUSE.mul_f64((self.host.jitter)())).await,
        }
    }

    /// Starts it again after a pause for those who wait for it, unless it is erased or runs already.
    fn after(self: Rc<Self>, key: ConversationKey, pulse: &Arc<Pulse>, listening: Subscribers, pause: Duration) {
        if let Err((unfound, listening)) = self.conversations.abandoned(key, pulse, listening) {
            return listening.tell(key, &Failure::from(unfound));
        }
        if self.conversations.is_awaited(key) {
            spawn_local(async move {
                sleep(pause).await;
                self.start_again(key).await;
            });
        }
    }

    fn store_pause(&self) -> Duration {
        STORE_PAUSE.mul_f64(0.5 + (self.host.jitter)())
    }
}

/// Has a node create a conversation that owns.
async fn open_elsewhere(
    board: &Switchboard,
    key: ConversationKey,
    opening: Opening,
    locale: Option<Locale>,
) -> Result<Seq, Failure> {
    let Opening { contact, is_anonymous, at } = opening;
    let mut declined = Vec::new();
    while let Some(node) = board.taker_of(key, &declined) {
        let open = PeerAsk::Open { contact, is_anonymous, at, locale: locale.clone() };
        let Ok(answered) = board.ask(node, key, open).await else { return Err(Failure::unreachable()) };
        match answered.result {
            Ok(head) => return serde_json::from_value(head).map_err(|_| Failure::restarting()),
            // It leaves, and has not begun.
            Err(failure) if failure.code == ErrorCode::Draining => declined.push(node),
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::ownerless())
}

impl Keeper for Supervisor {
    fn rested(&self, key: ConversationKey, pulse: &Arc<Pulse>) {
        self.conversations.rested(key, pulse);
    }

    fn moved(&self, key: ConversationKey, pulse: &Arc<Pulse>, prepared: Prepared) {
        self.conversations.moved(key, pulse, prepared);
    }

    fn crashed(self: Rc<Self>, key: ConversationKey, pulse: &Arc<Pulse>, listening: Subscribers) {
        let decided = self.conversations.crashed(key, pulse, listening, (self.host.jitter)());
        self.after_crash(key, decided);
    }

    /// That says nothing against the conversation: it may be found again at once, and is started again for those
    /// who listen.
    fn store_failed(self: Rc<Self>, key: ConversationKey, pulse: &Arc<Pulse>, listening: Subscribers) {
        let pause = self.store_pause();
        self.after(key, pulse, listening, pause);
    }

    fn owner_changed(
        self: Rc<Self>,
        key: ConversationKey,
        pulse: &Arc<Pulse>,
        listening: Subscribers,
        pause: Duration,
    ) {
        self.after(key, pulse, listening, pause);
    }
}

impl From<Unfound<Self>> for Failure {
    fn from(unfound: Unfound<Self>) -> Self {
        match unfound {
            Unfound::Restarting => Self::restarting(),
            Unfound::Quarantined => Self::quarantined(),
            Unfound::Erasing => Self::erased(),
            Unfound::Failed(failure) => failure,
        }
    }
}
