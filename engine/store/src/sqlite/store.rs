//! The SQLite store as others see it: opens the file, starts the threads, hands them the work.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use futures_util::future;
use schema::wire::ConversationPage;
use schema::{ConversationKey, Epoch, Seq, limits};

use super::connect::{self, OpenError};
use super::damage::Damage;
use super::due::{DueRead, HastenWrite, RescheduleWrite};
use super::erase::EraseWrite;
use super::failure;
use super::job::{Job, Nothing, Write, job};
use super::log_reads::{PageRead, UnspokenRead};
use super::log_writes::{AppendWrite, ClaimWrite};
use super::projection_reads::{BehindRead, CursorRead, ListRead, RowRead};
use super::projection_writes::{AdvanceWrite, ProjectWrite, ResetWrite};
use super::queue::{BatchLimits, Queue, Refused};
use super::reader::{Question, Read, Reader, question};
use super::records::{DeleteWrite, FindRead, GetRead, PutWithKeysWrite, PutWrite, ScanRead};
use super::snapshots::{SnapshotRead, SnapshotWrite};
use super::stats::{Counters, StoreStats};
use super::writer::Writer;
use crate::{
    Append, Behind, Claim, ConversationRow, DueEntry, DueIndex, DueQuery, Hasten, Hastened, ListQuery, Log, LogCursor,
    Opening, Page, PageBounds, Pending, Projection, Projections, Record, RecordKeys, RecordName, Records, Reschedule,
    Scope, Snapshot, Snapshots, StoreError, Unspoken, UnspokenQuery,
};

/// Bytes that may wait for the writer: a few seconds of work for an ordinary disk.
const WRITER_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Questions that may wait for the readers.
const READER_QUEUE_MAX: usize = 4_096;

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
    writer: Arc<Queue<Box<dyn Job>>>,
    readers: Arc<Queue<Box<dyn Question>>>,
    counters: Arc<Counters>,
    damage: Damage,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the file, makes it if there is none, and brings an older one forward. Open it after
    /// the metrics recorder is set, and by one process at a time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with one line that says what is wrong with the path,
    /// [`StoreError::Corrupt`] with one that says what is wrong with the file.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
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
        let store = Self {
            writer: Arc::new(Queue::new("writer", options.writer_queue_max, WRITER_QUEUE_BYTES_MAX)),
            readers: Arc::new(Queue::new("reader", READER_QUEUE_MAX, usize::MAX)),
            counters: Arc::default(),
            damage: damage.clone(),
            threads: Mutex::default(),
        };
        let limits = BatchLimits { weight_max: limits::COMMIT_EVENTS_MAX, bytes_max: limits::COMMIT_BYTES_MAX };
        let (queue, counters) = (Arc::clone(&store.writer), Arc::clone(&store.counters));
        let mut writer = Writer::new(path.into(), connection, queue, counters, limits, damage.clone());
        store.threads().writer = Some(spawn("store-writer", move || writer.run())?);
        for _ in 0..options.readers.get() {
            let connection = connect::open_reader(path).map_err(refused)?;
            let (path, queue) = (path.into(), Arc::clone(&store.readers));
            let reader = Reader { path, queue, damage: damage.clone() };
            store.threads().readers.push(spawn("store-reader", move || reader.run(connection))?);
        }
        Ok(store)
    }

    /// Does what is still queued, leaves the database one whole file, and gives it back. What is asked of it
    /// from then on is refused. Blocks until that is finished, for all who call it.
    pub fn close(&self) {
        let mut threads = self.threads();
        // Readers first: the writer can empty the log only when nobody reads from it.
        self.readers.close();
        for reader in threads.readers.drain(..) {
            let _ = reader.join();
        }
        self.writer.close();
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
        let (_, bytes) = write.cost();
        let (job, pending) = job(write);
        match self.writer.push(job, bytes) {
            Ok(()) => pending,
            Err(refused) => refuse(&refused),
        }
    }

    fn read<R: Read>(&self, read: R) -> Pending<R::Output> {
        let (question, pending) = question(read);
        match self.readers.push(question, 0) {
            Ok(()) => pending,
            Err(refused) => refuse(&refused),
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Log for SqliteStore {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        self.write(ClaimWrite { key, open })
    }

    fn append(&self, append: Append) -> Pending<()> {
        match AppendWrite::new(&append) {
            Ok(write) => self.write(write),
            Err(error) => Box::pin(future::ready(Err(error))),
        }
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        self.read(PageRead { key, after, bounds })
    }

    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()> {
        self.write(EraseWrite { key, head })
    }

    fn unspoken(&self, query: UnspokenQuery) -> Pending<Vec<Unspoken>> {
        self.read(UnspokenRead(query))
    }

    fn probe(&self) -> Pending<()> {
        if let Some(error) = self.damage.error() {
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
        self.read(SnapshotRead { key })
    }

    fn set_snapshot(&self, key: ConversationKey, epoch: Epoch, head: Seq, bytes: Vec<u8>) -> Pending<bool> {
        if bytes.len() > limits::SNAPSHOT_BYTES {
            return Box::pin(future::ready(Ok(false)));
        }
        self.write(SnapshotWrite { key, epoch, head, bytes })
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

    fn row(&self, key: ConversationKey) -> Pending<Option<ConversationRow>> {
        self.read(RowRead(key))
    }

    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Pending<()> {
        match ProjectWrite::new(key, expected, row) {
            Ok(write) => self.write(write),
            Err(error) => Box::pin(future::ready(Err(error))),
        }
    }

    fn list(&self, query: ListQuery) -> Pending<Vec<ConversationPage>> {
        self.read(ListRead(query))
    }
}

fn refuse<T: Send + 'static>(refused: &Refused) -> Pending<T> {
    let error = match refused {
        Refused::Full => StoreError::Busy,
        Refused::Closed => StoreError::Unavailable("the store is closed".into()),
    };
    failure::count(&error);
    Box::pin(future::ready(Err(error)))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|error| StoreError::Unavailable(format!("cannot start the thread {name}: {error}")))
}
