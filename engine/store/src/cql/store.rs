//! The store as others see it: connects, starts the chores, hands out the work.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use schema::wire::ConversationSummary;
use schema::{ContactId, ConversationKey, Epoch, Seq, TenantId};
use secrecy::SecretBox;
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::connect::{self, Connected, CqlOptions, Settling};
use super::core::Core;
use super::keys::LogKeys;
use super::measures;
use super::reckoning::{self, StoreClock};
use super::statements::Statements;
use super::touched::Touched;
use crate::metrics::KEYS_FAILING;
use crate::{
    Append, Beat, Behind, Claim, ConversationRow, DueEntry, DueIndex, DueQuery, Hasten, Hastened, ListQuery, Log,
    LogCursor, Nodes, Note, Opening, Owner, Page, PageBounds, Pending, Projection, Projections, Record, RecordKeys,
    RecordName, Records, Reschedule, Scope, Seals, Snapshot, Snapshots, StoreError, Unspoken, UnspokenQuery,
};

/// How often a store tells that it lives, and looks after what others have left.
const CHORES_EVERY: Duration = Duration::from_secs(10);

/// How long a chore may take to come to a point where it can be left.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Is told of a record that was written, with the version that was written over; 0 for a new one. Not to wait for
/// anything.
pub type Written = Arc<dyn Fn(&RecordName, u64) + Send + Sync>;

/// A store in a cluster of ScyllaDB or Cassandra.
///
/// A call begins when its future is first polled, and whoever drops that leaves open whether it was done. All that is
/// decided about one conversation is decided in one partition, so that any number of these, in any number of processes,
/// may be at work on it.
pub struct CqlStore {
    core: Arc<Core>,
    written: OnceLock<Written>,
    threads: Mutex<Threads>,
}

/// Connections and chores run here. None once it is closed. It may be dropped where nobody may wait, also by whoever
/// gives an opening up.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The threads of a store.
fn runtime(threads: usize) -> Result<Runtime, StoreError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .thread_name("cql")
        .enable_all()
        .build()
        .map_err(|error| StoreError::Unavailable(format!("the threads of the store cannot start: {error}")))
}

impl CqlStore {
    /// Connects to a cluster, makes what is missing there, and brings older tables forward. Open it after the metrics
    /// recorder is set. `threads` are those of the connections.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with one line that says what is wrong with the cluster, or with the root key.
    pub async fn open(options: CqlOptions, threads: usize) -> Result<Self, StoreError> {
        let runtime = runtime(threads)?;
        let handle = runtime.handle().clone();
        let threads = Mutex::new(Threads(Some(runtime)));
        let opened = handle.spawn(async move { Box::pin(open(&options)).await }).await;
        let opened = opened.map_err(|_| StoreError::Unavailable("the store could not be opened".into()));
        let core = Arc::new(opened.and_then(|opened| opened)?);
        handle.spawn(beats(Arc::clone(&core)));
        handle.spawn(chores(Arc::clone(&core)));
        handle.spawn(reckoning::follow(Arc::clone(&core)));
        handle.spawn(measures::tell(Arc::clone(&core)));
        Ok(Self { core, written: OnceLock::new(), threads })
    }

    /// Whether this program could open a cluster's store that others have open: it is reached, by its user, in its data
    /// centre, with enough replicas, its tables have a version that the program knows, and the root key is theirs.
    /// Nothing is written. False where nobody has made a store there yet. Blocks, on a thread that serves no futures.
    ///
    /// # Errors
    /// As [`CqlStore::open`].
    pub fn see(options: &CqlOptions) -> Result<bool, StoreError> {
        let runtime = runtime(1)?;
        let seen = runtime.block_on(Box::pin(connect::see(options)));
        runtime.shutdown_background();
        seen
    }

    /// A key for one purpose that all who have this cluster's root key have alike.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> SecretBox<[u8; 32]> {
        self.core.keys.derive(purpose)
    }

    /// What time it is, by the cluster where this machine's clock is off.
    #[must_use]
    pub fn clock(&self) -> Arc<StoreClock> {
        Arc::clone(&self.core.clock)
    }

    /// Ends the chores and the connections. What is asked of it from then on fails. Blocks for a moment: not to be
    /// called where nobody may wait.
    pub fn close(&self) {
        if let Some(runtime) = self.taken() {
            // So that what it leaves behind is looked at by others at once, and not when it has been silent for long.
            let _ = runtime.block_on(timeout(CLOSE_WITHIN, self.core.part()));
            runtime.shutdown_timeout(CLOSE_WITHIN);
        }
    }

    fn taken(&self) -> Option<Runtime> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).0.take()
    }

    /// From now on `told` is called with each record that this process has written, or has perhaps, and with the version
    /// that it wrote over: so that others can be told who remember it. To be called once; false when there is somebody
    /// who is told already.
    pub fn on_record(&self, told: Written) -> bool {
        self.written.set(told).is_ok()
    }

    /// Writes a record, and tells of it unless it is certain that nothing was written.
    fn write<T: Send + 'static, F>(
        &self,
        name: RecordName,
        over: u64,
        write: impl FnOnce(Arc<Core>, RecordName) -> F,
    ) -> Pending<T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let told = self.written.get().cloned();
        let written = write(Arc::clone(&self.core), name.clone());
        Box::pin(async move {
            let written = written.await;
            if let Some(told) = told
                && !matches!(written, Err(StoreError::Conflict { .. } | StoreError::NotFound))
            {
                told(&name, over);
            }
            written
        })
    }

    fn ask<T, F>(&self, ask: impl FnOnce(Arc<Core>) -> F) -> Pending<T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Box::pin(ask(Arc::clone(&self.core))) as BoxFuture<'static, _>
    }
}

async fn open(options: &CqlOptions) -> Result<Core, StoreError> {
    let Connected { link, root, key_space } = connect::connect(options).await?;
    let settling = Settling::begin();
    let statements = loop {
        match Statements::prepare(&link, &options.keyspace, &key_space).await {
            Ok(statements) => break statements,
            Err(error) => settling.after(error).await?,
        }
    };
    let core = Core {
        node: options.node,
        link,
        statements,
        keys: LogKeys::new(root),
        clock: Arc::default(),
        places: super::places::Places::default(),
        touched: Touched::new(0),
        silences: Mutex::default(),
        rounds: super::rounds::Rounds::default(),
        buckets: super::buckets::Buckets::default(),
        days: super::list::Days::default(),
        kinds: super::record_tidying::Kinds::default(),
    };
    // Others may begin at the same time, and the cluster be slow for it.
    let settling = Settling::begin();
    while let Err(error) = begin(&core).await {
        settling.after(error).await?;
    }
    Ok(core)
}

async fn begin(core: &Core) -> Result<(), StoreError> {
    core.read_clock().await?;
    core.cursor(Projection::Conversations).await?;
    core.beat().await
}

/// Tells that this store lives, whatever else it has to do.
async fn beats(core: Arc<Core>) {
    let mut ticks = interval(CHORES_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = core.beat().await {
            tracing::debug!(%error, "it could not be told that this node lives; it is tried again");
        }
    }
}

/// Goes on with what others have left in its middle. Each chore may be done by many.
async fn chores(core: Arc<Core>) {
    let mut ticks = interval(CHORES_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = core.adopt().await {
            tracing::debug!(%error, "what other nodes have left could not be looked for; it is tried again");
        }
        if let Err(error) = core.tidy_keys().await {
            tracing::debug!(%error, "changes of keys could not be gone on with; they are tried again");
        }
        match core.tidy_endings().await {
            Ok(failed) => metrics::gauge!(KEYS_FAILING, "doing" => "ending").set(if failed > 0 { 1.0 } else { 0.0 }),
            Err(error) => tracing::debug!(%error, "erasures could not be gone on with; they are tried again"),
        }
    }
}

impl Log for CqlStore {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        self.ask(|core| async move { core.claim(key, open.as_ref()).await })
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        self.ask(|core| async move { core.whose(key).await })
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        self.ask(|core| async move { core.claim_from(key, owner).await })
    }

    fn append(&self, append: Append) -> Pending<()> {
        self.ask(|core| async move { core.append(&append).await })
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        self.ask(|core| async move { core.read(key, after, bounds).await })
    }

    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()> {
        self.ask(|core| async move { core.erase(key, head).await })
    }

    fn ending(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>> {
        self.ask(|core| async move { core.ending_with(tenant, &contacts, limit).await })
    }

    fn with_contacts(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>> {
        self.ask(|core| async move { core.with_contacts(tenant, &contacts, limit).await })
    }

    fn unspoken(&self, query: UnspokenQuery) -> Pending<Vec<Unspoken>> {
        self.ask(|core| async move { core.unspoken(query).await })
    }

    fn probe(&self) -> Pending<()> {
        // A write reaches the replicas that an append would need.
        self.ask(|core| async move { core.beat().await })
    }
}

impl DueIndex for CqlStore {
    fn due(&self, query: DueQuery) -> Pending<Vec<DueEntry>> {
        self.ask(|core| async move { core.due(query).await })
    }

    fn reschedule(&self, change: Reschedule) -> Pending<()> {
        self.ask(|core| async move { core.reschedule(change).await })
    }

    fn hasten(&self, hasten: Hasten) -> Pending<Option<Hastened>> {
        self.ask(|core| async move { core.hasten(hasten).await })
    }
}

impl Snapshots for CqlStore {
    fn snapshot(&self, key: ConversationKey) -> Pending<Option<Snapshot>> {
        self.ask(|core| async move { core.snapshot(key).await })
    }

    fn set_snapshot(&self, key: ConversationKey, epoch: Epoch, head: Seq, bytes: Vec<u8>) -> Pending<bool> {
        self.ask(|core| async move { core.set_snapshot(key, epoch, head, &bytes).await })
    }
}

impl Records for CqlStore {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.ask(|core| async move { core.get(name).await })
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.write(name, expected, move |core, name| async move { core.put(name, expected, body).await })
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        let write = move |core: Arc<Core>, name| async move { core.put_with_keys(name, expected, body, keys).await };
        self.write(name, expected, write)
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.ask(|core| async move { core.find(scope, kind, key).await })
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.write(name, expected, move |core, name| async move { core.delete(name, expected).await })
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.ask(|core| async move { core.scan(scope, kind, after, limit).await })
    }
}

impl Projections for CqlStore {
    fn cursor(&self, projection: Projection) -> Pending<LogCursor> {
        self.ask(|core| async move { core.cursor(projection).await })
    }

    fn behind(&self, projection: Projection, after: LogCursor, events: usize) -> Pending<Behind> {
        let Projection::Conversations = projection;
        self.ask(|core| async move { core.behind(after, events).await })
    }

    fn advance(&self, projection: Projection, cursor: LogCursor) -> Pending<()> {
        self.ask(|core| async move { core.advance(projection, cursor).await })
    }

    fn reset(&self, projection: Projection) -> Pending<()> {
        self.ask(|core| async move { core.reset(projection).await })
    }

    fn rows(&self, keys: Vec<ConversationKey>) -> Pending<Vec<Result<Option<ConversationRow>, StoreError>>> {
        self.ask(|core| async move { core.rows(keys).await })
    }

    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Pending<()> {
        self.ask(|core| async move { core.project(key, expected, row).await })
    }

    fn list(&self, query: ListQuery) -> Pending<Vec<ConversationSummary>> {
        self.ask(|core| async move { core.list(query).await })
    }
}

impl Nodes for CqlStore {
    fn beat(&self, beat: Beat) -> Pending<()> {
        self.ask(|core| async move { core.leave_beat(&beat).await })
    }

    fn beats(&self) -> Pending<Vec<Beat>> {
        self.ask(|core| async move { core.beats().await })
    }
}

impl Seals for CqlStore {
    fn seal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Vec<Note>> {
        self.ask(|core| async move { core.seal(key, notes).await })
    }

    fn unseal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Option<Vec<Note>>> {
        self.ask(|core| async move { core.unseal(key, notes).await })
    }

    fn rewrite(&self) -> Pending<()> {
        // What was replaced goes with the next compactions: nobody can ask for them from here.
        Box::pin(async { Ok(()) })
    }
}
