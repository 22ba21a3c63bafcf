//! What all threads of a node share.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_conversation::Command;
use engine_knowledge::Retriever;
use engine_model::{CoolDowns, Registry};
use engine_store::{Records, SharedStore};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, FuturesUnordered};
use schema::wire::PlanView;
use schema::{ContactId, ConversationKey, SessionId, TenantId, limits};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;

use crate::admission::Admission;
use crate::clock::Clock;
use crate::contact_erasing::ContactErasing;
use crate::contacts::Contacts;
use crate::conversation::{ConversationHandle, Host};
use crate::directory::Directory;
use crate::due::{DueWork, Hastener, Scanner, Share};
use crate::erase::Eraser;
use crate::failure::Failure;
use crate::loops::keep;
use crate::peers::{Peers, Switchboard};
use crate::phase::Phase;
use crate::projection::Listing;
use crate::reply::ReplyTo;
use crate::service::{Doubts, Service};
use crate::supervision::Conversations;
use crate::sweeper::Sweeper;
use crate::tenant::{KnownTenants, Tenant};
use crate::turn::Workshop;
use crate::unanswered::Unanswered;
use crate::wanted::Wanted;

/// One in so many of those who may be woken at the same time is woken because something is due.
const DUE_PART: usize = 4;

/// Readings of whose a conversation is that are under way at the same time: each is one of several replicas.
const OWNER_READS_AT_ONCE: usize = 128;
/// How long a node that drains waits for one conversation to end; the others are not to wait for it.
const RELEASE_MAX: Duration = Duration::from_millis(500);
/// Conversations that are asked to end at once.
const RELEASED_AT_ONCE: usize = 32;

/// What an operator may set.
#[derive(Clone)]
pub struct Options {
    /// How long a conversation nobody needs stays in memory.
    pub rest_after: Duration,
    /// How long an anonymous conversation is kept in which nobody has said a word.
    pub unspoken_after: Duration,
    /// Conversations that may be read from the store at the same time.
    pub wakes_at_once: usize,
    /// Events after a conversation's snapshot before the next one is written; what a wake reads besides, about.
    pub snapshot_events: u64,
    /// How many worker threads the node runs; each starts one [`Worker`](crate::Worker).
    pub threads: usize,
    /// Work in progress that is admitted however busy the node is.
    pub work_min: usize,
    /// Called before each command is applied. Tests make it panic, to see what a crash does.
    pub before: Option<fn(&Command)>,
    /// Whether no other node has the same store: what was on its way before this one began is on its way no more.
    pub alone: bool,
    /// The other nodes; none where this one is alone with its store.
    pub peers: Option<Arc<dyn Peers>>,
    /// A number from 0 to 1 that spreads pauses; a simulation draws it from its seed.
    pub jitter: fn() -> f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rest_after: Duration::from_secs(60),
            unspoken_after: Duration::from_secs(24 * 3_600),
            wakes_at_once: 64,
            snapshot_events: limits::SNAPSHOT_EVENTS,
            threads: 1,
            work_min: 64,
            before: None,
            alone: true,
            peers: None,
            jitter: random,
        }
    }
}

/// Everything the node's threads share.
pub struct System {
    store: SharedStore,
    retriever: Arc<dyn Retriever>,
    clock: Arc<dyn Clock>,
    options: Options,
    conversations: Arc<Conversations>,
    tenants: Arc<KnownTenants>,
    contacts: Arc<Contacts>,
    unanswered: Arc<Unanswered>,
    listing: Arc<Listing>,
    eraser: Arc<Eraser>,
    wakes: Arc<Semaphore>,
    owner_reads: Arc<Semaphore>,
    due: Arc<DueWork>,
    admission: Arc<Admission>,
    cool_downs: Arc<CoolDowns>,
    /// Workers made so far.
    workers: AtomicUsize,
    phase: Arc<Phase>,
    /// What it does for other nodes; none where it is alone.
    service: Option<Arc<Service>>,
}

impl System {
    /// A system without threads; start [`System::sweep`] on one of them.
    #[must_use]
    pub fn new(
        store: SharedStore,
        retriever: Arc<dyn Retriever>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Arc<Self> {
        let phase = Arc::new(Phase::serving());
        let conversations = Arc::new(Directory::new());
        let unanswered = Arc::new(Unanswered::new(Arc::clone(&store)));
        let peers = options.peers.as_ref().map(|peers| Arc::new(Switchboard::new(Arc::clone(peers))));
        let eraser = Arc::new(Eraser {
            conversations: Arc::clone(&conversations),
            store: Arc::clone(&store),
            unanswered: Arc::clone(&unanswered),
            clock: Arc::clone(&clock),
            phase: Arc::clone(&phase),
            peers: peers.clone(),
            unspoken_after: options.unspoken_after,
            jitter: options.jitter,
        });
        let tenants = Arc::new(KnownTenants::new(Arc::clone(&store), Arc::clone(&clock)));
        let service = peers.map(|board| {
            let (conversations, eraser) = (Arc::clone(&conversations), Arc::clone(&eraser));
            let (phase, wanted) = (Arc::clone(&phase), Wanted::new());
            let (tenants, doubts) = (Arc::clone(&tenants), Doubts::default());
            Arc::new(Service { board, conversations, eraser, phase, wanted, tenants, doubts })
        });
        Arc::new(Self {
            tenants,
            contacts: Arc::new(Contacts::new(Arc::clone(&store) as Arc<dyn Records>, Arc::clone(&clock))),
            listing: Arc::new(Listing::new(Arc::clone(&store), options.jitter)),
            wakes: Arc::new(Semaphore::new(options.wakes_at_once.max(1))),
            owner_reads: Arc::new(Semaphore::new(OWNER_READS_AT_ONCE)),
            // Clients that wake conversations come before what is due.
            due: Arc::new(DueWork::new(options.wakes_at_once / DUE_PART, options.jitter)),
            admission: Arc::new(Admission::new(options.threads, options.work_min)),
            cool_downs: Arc::default(),
            workers: AtomicUsize::new(0),
            store,
            retriever,
            clock,
            options,
            conversations,
            unanswered,
            eraser,
            phase,
            service,
        })
    }

    /// Looks after idle, stuck and unspoken conversations, sends for those who have something to do
    /// ([`Worker::attend`](crate::Worker::attend) has it done), writes down what tenants have used, notes what was
    /// not answered and keeps the list of conversations, until the system is closed. Each of these is a loop of its
    /// own: one that crashes is begun anew, and the others do not notice.
    pub async fn sweep(self: Arc<Self>) {
        let jitter = self.options.jitter;
        let is_over = || self.phase.is_closing();
        let sweeper = Sweeper {
            conversations: Arc::clone(&self.conversations),
            phase: Arc::clone(&self.phase),
            rest_after: self.options.rest_after,
        };
        let scanner = Scanner {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            tenants: Arc::clone(&self.tenants),
            phase: Arc::clone(&self.phase),
            work: Arc::clone(&self.due),
            share: self.share(),
            jitter,
            alone: self.options.alone,
        };
        let contacts = self.contact_erasing();
        let hastener = Hastener {
            store: Arc::clone(&self.store),
            tenants: Arc::clone(&self.tenants),
            clock: Arc::clone(&self.clock),
            phase: Arc::clone(&self.phase),
            jitter,
        };
        let loops: [LocalBoxFuture<'_, ()>; 9] = [
            Box::pin(keep("sweeper", jitter, || sweeper.sweep())),
            Box::pin(keep("eraser", jitter, || self.eraser.age())),
            Box::pin(keep("contact_eraser", jitter, || contacts.go_on(is_over))),
            Box::pin(keep("usage", jitter, || self.keep_usage())),
            Box::pin(keep("unanswered", jitter, || self.unanswered.follow(&self.phase))),
            Box::pin(keep("due", jitter, || scanner.scan())),
            Box::pin(keep("hastening", jitter, || hastener.hasten())),
            Box::pin(keep("peers", jitter, || self.watch_peers())),
            Box::pin(keep("listing", jitter, || self.listing.follow(&*self.clock, &self.phase))),
        ];
        // Each is woken by itself: one that has something to do does not have the others polled.
        FuturesUnordered::from_iter(loops).collect::<()>().await;
    }

    /// Looks how busy the current thread is; run it on every worker thread. What the node admits depends
    /// on it.
    pub async fn watch(self: Arc<Self>) {
        self.admission.watch().await;
    }

    /// The store that all conversations of this node are kept in.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The tenants' unanswered questions, and their teams' verdicts.
    #[must_use]
    pub fn unanswered(&self) -> &Unanswered {
        &self.unanswered
    }

    /// The list of conversations.
    #[must_use]
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The clock whose time is written into events.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// All tenants this node has met.
    #[must_use]
    pub fn known_tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.all()
    }

    /// A tenant this node has met.
    #[must_use]
    pub fn known_tenant(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.tenants.known(id)
    }

    /// Names each tenant whose record or profile was read anew or replaced, after that holds. One that does
    /// not keep up is told so, and has to look at all of them.
    #[must_use]
    pub fn tenant_changes(&self) -> broadcast::Receiver<TenantId> {
        self.tenants.changes()
    }

    /// A plan was stored. Tenants that have it go by it as soon as this returns, those that are just being
    /// read too.
    pub fn plan_changed(&self, plan: &PlanView) {
        self.tenants.plan_changed(plan);
    }

    /// A session listens no longer, whichever incarnation of the conversation it listened to.
    pub fn leave(&self, key: ConversationKey, session: SessionId) {
        self.conversations.leave(key, session);
    }

    /// Whether the node has begun to shut down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.phase.is_draining()
    }

    /// Refuses new conversations from now on, and begins nothing more of what is due.
    pub fn begin_drain(&self) {
        self.phase.drain();
    }

    /// Waits for running replies until `deadline`, then cuts what still runs and waits until
    /// everything decided is durable, for at most `flush`.
    pub async fn drain(&self, deadline: Instant, flush: Duration) {
        self.begin_drain();
        self.until(deadline, |handle| !handle.is_running()).await;
        self.phase.close();
        for shard in self.conversations.awake() {
            for handle in shard {
                handle.command(Command::Interrupt, ReplyTo::nobody());
            }
        }
        self.until(Instant::now() + flush, |handle| !handle.is_running() && handle.is_stored()).await;
        // The last replies have been booked.
        if tokio::time::timeout(flush, self.keep_all_usage()).await.is_err() {
            let (tenants, seconds) = (self.tenants.all().len(), flush.as_secs());
            tracing::warn!(tenants, seconds, "what tenants have used could not be written down in time");
        }
    }

    /// Ends what nobody works at, so that other nodes take it over at once.
    async fn release_all(&self, deadline: Instant) {
        let takes_over = self.board().is_some_and(|board| board.has_others());
        if !takes_over {
            return;
        }
        let idle = self.conversations.awake().flatten().filter(|handle| !handle.is_relay() && !handle.is_running());
        let released = stream::iter(idle).for_each_concurrent(RELEASED_AT_ONCE, |handle| async move {
            // One that is in the middle of something is asked for again when that has ended.
            let _ = tokio::time::timeout(RELEASE_MAX, handle.release()).await;
        });
        // Whatever stands still, replies that run are to be cut and booked in time.
        let _ = tokio::time::timeout_at(deadline, released).await;
    }

    async fn keep_all_usage(&self) {
        for tenant in self.tenants.all() {
            if let Err(error) = tenant.keep_usage().await {
                tracing::warn!(tenant = %tenant.id(), %error, "what a tenant has used could not be written down");
            }
        }
    }

    async fn until(&self, deadline: Instant, done: impl Fn(&ConversationHandle) -> bool) {
        loop {
            if self.phase.is_draining() {
                self.release_all(deadline).await;
            }
            let all_done = self.conversations.awake().all(|shard| shard.iter().all(&done));
            if all_done || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Conversations that are awake with somebody listening: about as many as there are sessions.
    #[must_use]
    pub fn listeners(&self) -> u32 {
        let busy = self
            .conversations
            .awake()
            .map(|shard| shard.iter().filter(|handle| !handle.is_idle()).count())
            .sum::<usize>();
        u32::try_from(busy).unwrap_or(u32::MAX)
    }

    /// Erases a conversation with all that was said in it. A reply that runs is stopped, and those who
    /// listen are told. Once begun it goes to its end, also when whoever asked has gone.
    ///
    /// # Errors
    /// `unknown_conversation`; `restarting` while somebody else erases it, or when it is not known whether it was done;
    /// or why the store did not.
    pub async fn erase(&self, key: ConversationKey) -> Result<(), Failure> {
        self.eraser.erase(key).await
    }

    /// Erases a contact for good, with all conversations that are with them or with whom was merged into them. That
    /// it is asked for is durable first: whatever stops it, the node goes on with it.
    ///
    /// # Errors
    /// Why a conversation was not erased, or what the store says; it may be asked for again.
    pub async fn erase_contact(&self, tenant: TenantId, contact: ContactId) -> Result<(), Failure> {
        self.contact_erasing().erase(tenant, contact).await
    }

    /// Writes down that a contact is to be erased, and gives who is erased with it: nobody joins them from then on.
    ///
    /// # Errors
    /// What the store says.
    pub async fn begin_erasing_contact(&self, tenant: TenantId, contact: ContactId) -> Result<Vec<ContactId>, Failure> {
        self.contact_erasing().begin(tenant, contact).await
    }

    fn contact_erasing(&self) -> ContactErasing<'_> {
        ContactErasing { contacts: &self.contacts, store: &self.store, eraser: &self.eraser, listing: &self.listing }
    }

    /// The tenants' contacts.
    #[must_use]
    pub const fn contacts(&self) -> &Arc<Contacts> {
        &self.contacts
    }

    /// Writes down what tenants have used, so that a restart does not forget it.
    async fn keep_usage(&self) {
        let mut ticks = tokio::time::interval(limits::USAGE_KEPT_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.phase.is_closing() {
            ticks.tick().await;
            self.keep_all_usage().await;
        }
    }

    pub(crate) const fn service(&self) -> Option<&Arc<Service>> {
        self.service.as_ref()
    }

    pub(crate) const fn phase(&self) -> &Arc<Phase> {
        &self.phase
    }

    fn share(&self) -> Option<Share> {
        let board = Arc::clone(self.board()?);
        Some(Share { board, conversations: Arc::clone(&self.conversations) })
    }

    /// A number for one more worker.
    pub(crate) fn next_worker(&self) -> usize {
        self.workers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) const fn conversations(&self) -> &Arc<Conversations> {
        &self.conversations
    }

    pub(crate) const fn tenants(&self) -> &Arc<KnownTenants> {
        &self.tenants
    }

    pub(crate) const fn due_work(&self) -> &Arc<DueWork> {
        &self.due
    }

    pub(crate) const fn wakes(&self) -> &Arc<Semaphore> {
        &self.wakes
    }

    /// What the conversations of one of its workers are given. `models` live on that worker's thread.
    pub(crate) fn host(&self, worker: usize, models: Registry) -> Host {
        let workshop = Workshop::new(models, Arc::clone(&self.cool_downs), Arc::clone(&self.retriever));
        Host {
            worker,
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            admission: Arc::clone(&self.admission),
            unanswered: Arc::clone(&self.unanswered),
            listing: Arc::clone(&self.listing),
            phase: Arc::clone(&self.phase),
            peers: self.board().cloned(),
            owner_reads: Arc::clone(&self.owner_reads),
            workshop: Rc::new(workshop),
            snapshot_events: self.options.snapshot_events,
            before: self.options.before,
            jitter: self.options.jitter,
        }
    }
}

/// Between 0 and 1, different each time.
fn random() -> f64 {
    let random = RandomState::new().hash_one(0u8);
    (random >> 11) as f64 / (1u64 << 53) as f64
}
