//! What all threads share, and what each worker thread has for itself.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use engine::conversation::{Command, Outcome};
use engine::knowledge::Retriever;
use engine::model::{CoolDowns, Registry};
use engine::store::SharedStore;
use schema::wire::PlanView;
use schema::{Contact, ConversationId, ConversationKey, Locale, Seq, SessionId, TenantId, limits};
use tokio::sync::{Semaphore, SemaphorePermit, broadcast};
use tokio::time::Instant;

use crate::admission::Admission;
use crate::clock::Clock;
use crate::conversation::open;
use crate::directory::Directory;
use crate::erase;
use crate::failure::Failure;
use crate::handle::{ConversationHandle, ReplyTo};
use crate::projection::Listing;
use crate::sweeper;
use crate::tenant::{Booking, Tenant, Tenants, Visit};
use crate::unanswered::Unanswered;

/// What an operator may set.
#[derive(Clone)]
pub struct Options {
    /// How long a conversation nobody needs stays in memory.
    pub rest_after: Duration,
    /// How long an anonymous conversation is kept in which nobody has said a word.
    pub unspoken_after: Duration,
    /// Conversations that may be read from the store at the same time.
    pub wakes_at_once: usize,
    /// Worker threads.
    pub threads: usize,
    /// Work in progress that is admitted however busy the node is.
    pub work_min: usize,
    /// Called before each command is applied. Tests make it panic, to see what a crash does.
    pub before: Option<fn(&Command)>,
    /// A number from 0 to 1 that spreads pauses; a simulation draws it from its seed.
    pub jitter: fn() -> f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rest_after: Duration::from_secs(60),
            unspoken_after: Duration::from_secs(24 * 3_600),
            wakes_at_once: 64,
            threads: 1,
            work_min: 64,
            before: None,
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
    directory: Directory,
    tenants: Tenants,
    unanswered: Unanswered,
    listing: Listing,
    wakes: Semaphore,
    admission: Admission,
    cool_downs: Arc<CoolDowns>,
    /// Workers made so far.
    workers: AtomicUsize,
    started: Instant,
    draining: AtomicBool,
    closing: AtomicBool,
}

/// What one worker thread has: the shared system, and models whose connections live on this
/// thread. Conversations started through it stay on it.
pub struct Worker {
    /// Which of the system's.
    id: usize,
    system: Arc<System>,
    models: Registry,
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
        Arc::new(Self {
            tenants: Tenants::new(Arc::clone(&store), Arc::clone(&clock)),
            unanswered: Unanswered::new(Arc::clone(&store)),
            listing: Listing::new(Arc::clone(&store), options.jitter),
            store,
            retriever,
            clock,
            wakes: Semaphore::new(options.wakes_at_once.max(1)),
            admission: Admission::new(options.threads, options.work_min),
            options,
            directory: Directory::new(),
            cool_downs: Arc::default(),
            workers: AtomicUsize::new(0),
            started: Instant::now(),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        })
    }

    /// Looks after idle, stuck and unspoken conversations, writes down what tenants have used, notes what was
    /// not answered, and keeps the list of conversations, until the system is closed.
    pub async fn sweep(self: Arc<Self>) {
        let noting = self.unanswered.follow(|| self.is_closing());
        let listing = self.listing.follow(self.clock(), || self.is_closing());
        tokio::join!(sweeper::sweep(Arc::clone(&self)), erase::age(&self), keep_usage(&self), noting, listing);
    }

    /// Looks how busy the current thread is; run it on every worker thread. What the node admits depends
    /// on it.
    pub async fn watch(self: Arc<Self>) {
        self.admission.watch().await;
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The tenants' unanswered questions, and their teams' verdicts.
    #[must_use]
    pub const fn unanswered(&self) -> &Unanswered {
        &self.unanswered
    }

    /// The list of conversations.
    #[must_use]
    pub const fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The clock.
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

    /// Whether a conversation is out of service after repeated crashes.
    #[must_use]
    pub fn is_quarantined(&self, key: ConversationKey) -> bool {
        self.directory.is_quarantined(key)
    }

    /// A session listens no longer, whichever incarnation of the conversation it listened to.
    pub fn leave(&self, key: ConversationKey, session: SessionId) {
        self.directory.leave(key, session);
    }

    /// Lets a conversation out of quarantine; false if it was not in it.
    pub fn release(&self, key: ConversationKey) -> bool {
        self.directory.release(key)
    }

    /// Whether the node has begun to shut down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Refuses new conversations from now on.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Waits for running replies until `deadline`, then cuts what still runs and waits until
    /// everything decided is durable, for at most `flush`.
    pub async fn drain(&self, deadline: Instant, flush: Duration) {
        self.begin_drain();
        self.until(deadline, |handle| !handle.is_running()).await;
        self.closing.store(true, Ordering::Relaxed);
        for shard in self.directory.awake() {
            for handle in shard {
                handle.command(Command::Interrupt, ReplyTo::nobody());
            }
        }
        self.until(Instant::now() + flush, |handle| !handle.is_running() && handle.is_stored()).await;
        // The last replies have been booked.
        if tokio::time::timeout(flush, self.keep_all_usage()).await.is_err() {
            tracing::warn!("what tenants have used could not be written down in time");
        }
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
            let all_done = self.directory.awake().all(|shard| shard.iter().all(&done));
            if all_done || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Conversations that are awake with somebody listening: about as many as there are sessions.
    #[must_use]
    pub fn listeners(&self) -> u32 {
        let busy =
            self.directory.awake().map(|shard| shard.iter().filter(|handle| !handle.is_idle()).count()).sum::<usize>();
        u32::try_from(busy).unwrap_or(u32::MAX)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) const fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) const fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    pub(crate) fn retriever(&self) -> &dyn Retriever {
        &*self.retriever
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) const fn admission(&self) -> &Admission {
        &self.admission
    }

    pub(crate) const fn cool_downs(&self) -> &Arc<CoolDowns> {
        &self.cool_downs
    }

    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    pub(crate) async fn wake_permit(&self) -> Option<SemaphorePermit<'_>> {
        self.wakes.acquire().await.ok()
    }

    pub(crate) fn jitter(&self) -> f64 {
        (self.options.jitter)()
    }

    pub(crate) fn before(&self, command: &Command) {
        if let Some(before) = self.options.before {
            before(command);
        }
    }
}

/// Writes down what tenants have used, so that a restart does not forget it.
async fn keep_usage(system: &System) {
    let mut ticks = tokio::time::interval(limits::USAGE_KEPT_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !system.is_closing() {
        ticks.tick().await;
        system.keep_all_usage().await;
    }
}

/// Between 0 and 1, different each time.
fn random() -> f64 {
    let random = RandomState::new().hash_one(0u8);
    (random >> 11) as f64 / (1u64 << 53) as f64
}

impl Worker {
    /// A worker for the current thread.
    #[must_use]
    pub fn new(system: Arc<System>, models: Registry) -> Rc<Self> {
        let id = system.workers.fetch_add(1, Ordering::Relaxed);
        Rc::new(Self { id, system, models })
    }

    pub(crate) const fn id(&self) -> usize {
        self.id
    }

    /// What all workers share.
    #[must_use]
    pub const fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// This thread's models.
    #[must_use]
    pub const fn models(&self) -> &Registry {
        &self.models
    }

    /// A tenant.
    ///
    /// # Errors
    /// `not_found`, or why the store could not be read.
    pub async fn tenant(self: &Rc<Self>, id: TenantId) -> Result<Arc<Tenant>, Failure> {
        self.system.tenants.get(self, id).await
    }

    /// A conversation, started on this thread if it runs nowhere.
    ///
    /// # Errors
    /// `unknown_conversation`, `quarantined`, `restarting`, or why the store could not be read.
    pub async fn find(self: &Rc<Self>, key: ConversationKey) -> Result<ConversationHandle, Failure> {
        self.system.directory.find(self, key).await
    }

    /// The same, preferably on this thread: for somebody who will listen here. An idle
    /// conversation comes over from another thread.
    ///
    /// # Errors
    /// As [`Worker::find`].
    pub async fn find_here(self: &Rc<Self>, key: ConversationKey) -> Result<ConversationHandle, Failure> {
        self.system.directory.find_here(self, key).await
    }

    /// A new conversation; `locale` is what the contact's page or app says of its language. It is durable when
    /// this completes, with its first event as its head.
    ///
    /// # Errors
    /// `draining`, or why it could not be stored.
    pub async fn open(
        self: &Rc<Self>,
        tenant: TenantId,
        contact: Contact,
        locale: Option<Locale>,
    ) -> Result<(ConversationKey, Seq), Failure> {
        let key = ConversationKey { tenant, conversation: ConversationId::generate() };
        Ok((key, self.open_as(key, contact, locale).await?))
    }

    /// The same for a visitor, within its budgets.
    ///
    /// # Errors
    /// As [`Worker::open`], and what [`Visit::says`] is refused with.
    pub async fn open_for(
        self: &Rc<Self>,
        visit: &Visit,
        locale: Option<Locale>,
    ) -> Result<(ConversationKey, Seq), Failure> {
        let booking = visit.opens()?;
        let opened = self.open(visit.tenant().id(), visit.contact().clone(), locale).await;
        // Whoever goes away meanwhile has paid: it may well be stored.
        if opened.is_err() {
            booking.give_back();
        }
        opened
    }

    /// A new conversation under a name that nobody has used; gives its head.
    ///
    /// # Errors
    /// As [`Worker::open`].
    pub async fn open_as(
        self: &Rc<Self>,
        key: ConversationKey,
        contact: Contact,
        locale: Option<Locale>,
    ) -> Result<Seq, Failure> {
        if self.system.is_draining() {
            return Err(Failure::draining());
        }
        let tenant = self.tenant(key.tenant).await?;
        if !self.system.admission.admits(tenant.share()) {
            return Err(Failure::overloaded(self.system.jitter()));
        }
        let prepared = open(self, key, contact, locale).await?;
        let head = prepared.machine.state().head;
        self.system.directory.opened(key, prepared);
        Ok(head)
    }

    /// Puts a command to a conversation, wherever it is. One that was just going to rest is woken
    /// again: what it did not answer it has not done, or its `ref` tells.
    ///
    /// # Errors
    /// The refusal, or why it could not be put.
    pub async fn submit(self: &Rc<Self>, key: ConversationKey, command: Command) -> Result<Outcome, Failure> {
        self.submit_for(None, key, command).await
    }

    /// The same for a visitor, within its budgets.
    ///
    /// # Errors
    /// As [`Worker::submit`], and what [`Visit::says`] is refused with.
    pub async fn submit_for(
        self: &Rc<Self>,
        visit: Option<&Visit>,
        key: ConversationKey,
        command: Command,
    ) -> Result<Outcome, Failure> {
        let handle = self.find(key).await?;
        match handle.call_paid(command.clone(), book(visit, &command)?).await {
            Err(failure) if failure.code == schema::ErrorCode::Restarting && !handle.is_open() => {
                let booking = book(visit, &command)?;
                self.find(key).await?.call_paid(command, booking).await
            }
            answer => answer,
        }
    }
}

fn book(visit: Option<&Visit>, command: &Command) -> Result<Option<Booking>, Failure> {
    match (visit, command) {
        (Some(visit), Command::Say { text, .. }) => visit.says(text.stored_bytes()).map(Some),
        _ => Ok(None),
    }
}
