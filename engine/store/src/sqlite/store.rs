//! The SQLite store as others see it: opens the file, starts the threads, hands them the work.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use engine_privacy::{FileKeys, Installation, KeyNumber, Keys, KeysError};
use futures_util::future;
use schema::wire::ConversationSummary;
use schema::{ContactId, ConversationKey, Epoch, Seq, TenantId, limits};
use tokio::sync::oneshot;

use super::connect::{self, OpenError};
use super::damage::Damage;
use super::due::{DueRead, HastenWrite, RescheduleWrite};
use super::ending::{EndingWithRead, WithContactsRead};
use super::erase::EraseWrite;
use super::installation;
use super::job::{Nothing, Write};
use super::keeper::{Keeper, Work};
use super::log_reads::{OwnerRead, PageRead, UnspokenRead};
use super::log_writes::{AppendWrite, ClaimWrite};
use super::old_events::EnsureKeysWrite;
use super::projection_reads::{BehindRead, CursorRead, ListRead, RowsRead};
use super::projection_writes::{AdvanceWrite, ProjectWrite, ResetWrite};
use super::queue::{BatchLimits, Queue};
use super::queues::Queues;
use super::reader::{Read, Reader};
use super::records::{DeleteWrite, FindRead, GetRead, PutWithKeysWrite, PutWrite, ScanRead};
use super::rewrite::WantedWrite;
use super::sealing::{Sealing, refusal};
use super::seals::{UnsealRead, seal};
use super::snapshots::{SnapshotRead, SnapshotWrite};
use super::stats::{Counters, StoreStats};
use super::writer::Writer;
use crate::{
    Append, Behind, Claim, ConversationRow, DueEntry, DueIndex, DueQuery, Hasten, Hastened, ListQuery, Log, LogCursor,
    Note, Opening, Owner, Page, PageBounds, Pending, Projection, Projections, Record, RecordKeys, RecordName, Records,
    Reschedule, Scope, Seals, Snapshot, Snapshots, StoreError, Unspoken, UnspokenQuery,
};

/// What may be tuned.
#[derive(Clone, Copy, Debug)]
pub struct SqliteOptions {
    /// Threads that read, each with its own connection.
    pub readers: NonZeroUsize,
    /// Writes that may wait; past it they are refused as [`StoreError::Busy`].
    pub writer_queue_max: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN), writer_queue_max: limits::WRITER_QUEUE_MAX }
    }
}

/// A store in one SQLite file (and its `-wal` and `-shm` beside it while open).
///
/// Writes are queued in the order of the calls and done in that order, whether or not anybody
/// waits for the future. Dropping the store does what is still queued, empties the write-ahead log
/// and blocks until that is finished.
pub struct SqliteStore {
    pub(super) queues: Queues,
    keeper: Arc<Queue<Work>>,
    pub(super) sealing: Arc<Sealing>,
    counters: Arc<Counters>,
    damage: Damage,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    keeper: Option<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the file as [`SqliteStore::open_with`], with its keys in a file beside it.
    ///
    /// # Errors
    /// As [`SqliteStore::open_with`].
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".keys");
        Self::open_with(path, options, |wanted| {
            FileKeys::open(Path::new(&beside), wanted).map(|keys| Arc::new(keys) as _)
        })
    }

    /// Whether this program could open a file that another process may have open: there is none, or it is one of ours
    /// of a version that the program knows. Nothing of it is changed. Gives the installation whose keys it wants, if
    /// it says so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with one line that says what is in the way.
    pub fn see(path: &Path) -> Result<Option<Installation>, StoreError> {
        connect::see(path).map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Opens the file, makes it if there is none, and brings an older one forward. Open it after
    /// the metrics recorder is set, and by one process at a time. `unlock` gives the keys of the installation that the
    /// file names, or new ones to a file that names none yet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with one line that says what is wrong with the path or with the keys,
    /// [`StoreError::Corrupt`] with one that says what is wrong with the file, or that the keys are older than it.
    pub fn open_with(
        path: &Path,
        options: SqliteOptions,
        unlock: impl FnOnce(Option<Installation>) -> Result<Arc<dyn Keys>, KeysError>,
    ) -> Result<Self, StoreError> {
        let damage = Damage::of(path);
        let refused = |error: OpenError| {
            // Another program's file is no damage: nobody has opened it yet.
            if error.is_damage() && !matches!(error, OpenError::Foreign { .. }) {
                damage.met(error.to_string());
            }
            damage.error().unwrap_or_else(|| StoreError::Unavailable(error.to_string()))
        };
        connect::create_file(path).map_err(refused)?;
        let connection = connect::open_writer(path).map_err(refused)?;
        let sqlite = |error| refused(OpenError::Sqlite { path: path.into(), error });
        let keys = unlock(installation::named(&connection).map_err(sqlite)?).map_err(refusal)?;
        installation::adopt(&connection, &*keys).map_err(sqlite)??;
        let sealing = Arc::new(Sealing::new(keys));
        // Before anybody waits for one. Without, what is there goes on; the keeper tells it, and tries again.
        let _ = sealing.refill();
        let store = Self {
            queues: Queues::new(options.writer_queue_max),
            keeper: Arc::new(Queue::new("keeper", options.writer_queue_max, usize::MAX)),
            sealing: Arc::clone(&sealing),
            counters: Arc::default(),
            damage: damage.clone(),
            threads: Mutex::default(),
        };
        let limits = BatchLimits { weight_max: limits::COMMIT_EVENTS_MAX, bytes_max: limits::COMMIT_BYTES_MAX };
        let (queue, counters) = (Arc::clone(&store.queues.writer), Arc::clone(&store.counters));
        let sealed_by = Arc::clone(&sealing);
        let mut writer = Writer::new(path.into(), connection, queue, counters, limits, damage.clone(), sealed_by);
        store.threads().writer = Some(spawn("store-writer", move || writer.run())?);
        for _ in 0..options.readers.get() {
            let connection = connect::open_reader(path).map_err(refused)?;
            let (path, queue) = (path.into(), Arc::clone(&store.queues.readers));
            let reader = Reader { path, queue, damage: damage.clone() };
            store.threads().readers.push(spawn("store-reader", move || reader.run(connection))?);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| StoreError::Unavailable(format!("cannot wait for answers: {error}")))?;
        let mut keeper = Keeper::new(Arc::clone(&store.keeper), store.queues.clone(), sealing, runtime);
        store.threads().keeper = Some(spawn("store-keeper", move || keeper.run())?);
        Ok(store)
    }

    /// Does what is still queued, leaves the database one whole file, and gives it back. What is asked of it
    /// from then on is refused. Blocks until that is finished, for all who call it.
    pub fn close(&self) {
        let mut threads = self.threads();
        // The keeper first: it waits for the others.
        self.keeper.close();
        if let Some(keeper) = threads.keeper.take() {
            let _ = keeper.join();
        }
        // Readers next: the writer can empty the log only when nobody reads from it.
        self.queues.readers.close();
        for reader in threads.readers.drain(..) {
            let _ = reader.join();
        }
        self.queues.writer.close();
        if let Some(writer) = threads.writer.take() {
            let _ = writer.join();
        }
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.counters.snapshot()
    }

    pub(super) fn write<W: Write>(&self, write: W) -> Pending<W::Output> {
        self.queues.write(write)
    }

    fn read<R: Read>(&self, read: R) -> Pending<R::Output> {
        self.queues.read(read)
    }

    /// A write that could be made ready, or why it could not.
    fn write_ready<W: Write>(&self, write: Result<W, StoreError>) -> Pending<W::Output> {
        match write {
            Ok(write) => self.write(write),
            Err(error) => Box::pin(future::ready(Err(error))),
        }
    }

    /// Seals notes of a conversation whose key this process has not met yet.
    async fn seal_unknown(
        sealing: Arc<Sealing>,
        ensured: Pending<std::collections::HashMap<ConversationKey, KeyNumber>>,
        key: ConversationKey,
        notes: Vec<Note>,
    ) -> Result<Vec<Note>, StoreError> {
        let id = ensured.await?.get(&key).copied().ok_or(StoreError::NotFound)?;
        seal(&sealing, key, id, &notes)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Log for SqliteStore {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        if open.is_some() && self.sealing.is_low() {
            // If it has no room, the writer gets spare keys when it needs them.
            let _ = self.keeper.push(Work::Refill, 0);
        }
        self.write(ClaimWrite { key, open, from: None })
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        self.read(OwnerRead(key))
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        self.write(ClaimWrite { key, open: None, from: Some(owner) })
    }

    fn append(&self, append: Append) -> Pending<()> {
        self.write_ready(AppendWrite::new(&append, &self.sealing))
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        self.read(PageRead { key, after, bounds, sealing: Arc::clone(&self.sealing) })
    }

    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()> {
        let written = self.write(EraseWrite { key, head });
        let (reply, answer) = oneshot::channel();
        // The keeper waits for the write itself: whoever asked may go.
        match self.keeper.push(Work::End { written, reply }, 0) {
            Ok(()) => Box::pin(async move {
                answer.await.unwrap_or_else(|_| Err(StoreError::Unknown("the keeper ended before it answered".into())))
            }),
            Err(_) => {
                self.sealing.owe();
                Box::pin(async { Err(StoreError::Unknown("too many conversations are being erased".into())) })
            }
        }
    }

    fn ending(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>> {
        self.read(EndingWithRead { tenant, contacts, limit })
    }

    fn with_contacts(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>> {
        self.read(WithContactsRead { tenant, contacts, limit })
    }

    fn unspoken(&self, query: UnspokenQuery) -> Pending<Vec<Unspoken>> {
        self.read(UnspokenRead(query))
    }

    fn probe(&self) -> Pending<()> {
        if let Some(error) = self.damage.error() {
            return Box::pin(future::ready(Err(error)));
        }
        if let Some(error) = self.sealing.is_out() {
            // Nobody need open a conversation for it to find out that it can.
            let _ = self.keeper.push(Work::Refill, 0);
            return Box::pin(future::ready(Err(error)));
        }
        self.write(Nothing)
    }
}

impl DueIndex for SqliteStore {
    fn due(&self, query: DueQuery) -> Pending<Vec<DueEntry>> {
        self.read(DueRead(query))
    }

    fn reschedule(&self, change: Reschedule) -> Pending<()> {
        self.write(RescheduleWrite(change))
    }

    fn hasten(&self, hasten: Hasten) -> Pending<Option<Hastened>> {
        self.write(HastenWrite(hasten))
    }
}

impl Snapshots for SqliteStore {
    fn snapshot(&self, key: ConversationKey) -> Pending<Option<Snapshot>> {
        self.read(SnapshotRead { key, sealing: Arc::clone(&self.sealing) })
    }

    fn set_snapshot(&self, key: ConversationKey, epoch: Epoch, head: Seq, bytes: Vec<u8>) -> Pending<bool> {
        if bytes.len() > limits::SNAPSHOT_BYTES {
            return Box::pin(future::ready(Ok(false)));
        }
        self.write_ready(SnapshotWrite::new(&self.sealing, key, epoch, head, bytes))
    }
}

impl Records for SqliteStore {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.read(GetRead(name))
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.write(PutWrite { name, expected, body })
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.write(PutWithKeysWrite { put: PutWrite { name, expected, body }, keys })
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.read(FindRead { scope, kind, key })
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.write(DeleteWrite { name, expected })
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.read(ScanRead { scope, kind, after, limit })
    }
}

impl Projections for SqliteStore {
    fn cursor(&self, projection: Projection) -> Pending<LogCursor> {
        self.read(CursorRead(projection))
    }

    fn behind(&self, projection: Projection, after: LogCursor, events: usize) -> Pending<Behind> {
        self.read(BehindRead { projection, after, events })
    }

    fn advance(&self, projection: Projection, cursor: LogCursor) -> Pending<()> {
        self.write(AdvanceWrite { projection, cursor })
    }

    fn reset(&self, projection: Projection) -> Pending<()> {
        self.write(ResetWrite(projection))
    }

    fn rows(&self, keys: Vec<ConversationKey>) -> Pending<Vec<Result<Option<ConversationRow>, StoreError>>> {
        self.read(RowsRead { keys, sealing: Arc::clone(&self.sealing) })
    }

    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Pending<()> {
        self.write_ready(ProjectWrite::new(&self.sealing, key, expected, row))
    }

    fn list(&self, query: ListQuery) -> Pending<Vec<ConversationSummary>> {
        self.read(ListRead { query, sealing: Arc::clone(&self.sealing) })
    }
}

impl Seals for SqliteStore {
    fn seal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Vec<Note>> {
        if let Some(id) = self.sealing.known(key) {
            return Box::pin(future::ready(seal(&self.sealing, key, id, &notes)));
        }
        let ensured = self.write(EnsureKeysWrite(vec![key]));
        Box::pin(Self::seal_unknown(Arc::clone(&self.sealing), ensured, key, notes))
    }

    fn rewrite(&self) -> Pending<()> {
        let (noted, keeper) = (self.write(WantedWrite), Arc::clone(&self.keeper));
        Box::pin(async move {
            noted.await?;
            // If it has no room, the next start does it.
            let _ = keeper.push(Work::Rewrite, 0);
            Ok(())
        })
    }

    fn unseal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Option<Vec<Note>>> {
        self.read(UnsealRead { key, notes, sealing: Arc::clone(&self.sealing) })
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|error| StoreError::Unavailable(format!("cannot start the thread {name}: {error}")))
}
