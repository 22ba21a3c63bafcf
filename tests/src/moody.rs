//! A store whose appends and reads fare as a test says, in order; all else goes well.

#![allow(clippy::unwrap_used, reason = "a tool of tests")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use engine_store::memory::MemoryStore;
use engine_store::{
    Append, Behind, Claim, ConversationRow, ListQuery, Log, LogCursor, Opening, Owner, Page, PageBounds, Pending,
    Projection, Projections, Record, RecordKeys, RecordName, Records, Scope, StoreError,
};
use schema::wire::ConversationSummary;
use schema::{ConversationKey, Seq};
use tokio::sync::watch;

/// How the next append fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Well.
    Good,
    /// Nothing is done, and the answer says so: the queue is full.
    Busy,
    /// Nothing is done, and the answer says so: there is no store.
    Away,
    /// Nothing is done, and the answer does not say it.
    Lost,
    /// It is done, and the answer does not say it.
    Unanswered,
    /// Nothing is done, and nothing ever will be by asking again.
    Corrupt,
}

/// The store. Cheap to clone.
#[derive(Clone, Default)]
pub struct Moody {
    store: Arc<MemoryStore>,
    moods: Arc<Mutex<VecDeque<Mood>>>,
    reads: Arc<Mutex<VecDeque<Mood>>>,
    claims: Arc<Mutex<VecDeque<Mood>>>,
    puts: Arc<Mutex<VecDeque<Mood>>>,
    gets: Arc<Mutex<VecDeque<Mood>>>,
    reads_held: Arc<watch::Sender<bool>>,
    rows: Arc<Mutex<VecDeque<Mood>>>,
    rows_held: Arc<watch::Sender<bool>>,
    rows_written: Arc<AtomicUsize>,
    torn: Arc<Mutex<Option<ConversationKey>>>,
}

impl Moody {
    /// From now on appends fare like this, one after the other, and well after that.
    pub fn will(&self, moods: impl IntoIterator<Item = Mood>) {
        self.moods.lock().unwrap().extend(moods);
    }

    /// The same for reads of logs: [`Mood::Good`], [`Mood::Busy`], [`Mood::Away`].
    pub fn will_read(&self, moods: impl IntoIterator<Item = Mood>) {
        self.reads.lock().unwrap().extend(moods);
    }

    /// The same for claims of logs.
    pub fn will_claim(&self, moods: impl IntoIterator<Item = Mood>) {
        self.claims.lock().unwrap().extend(moods);
    }

    /// The same for writes of records.
    pub fn will_put(&self, moods: impl IntoIterator<Item = Mood>) {
        self.puts.lock().unwrap().extend(moods);
    }

    /// The same for reads of records: [`Mood::Good`], [`Mood::Away`].
    pub fn will_get(&self, moods: impl IntoIterator<Item = Mood>) {
        self.gets.lock().unwrap().extend(moods);
    }

    /// From now on, or no longer, what is read of records is told late: when it may not hold any more.
    pub fn hold_reads(&self, held: bool) {
        self.reads_held.send_replace(held);
    }

    /// From now on all appends fare well.
    pub fn forgets(&self) {
        self.moods.lock().unwrap().clear();
    }

    /// The same for rows of projections: [`Mood::Good`], [`Mood::Away`], [`Mood::Lost`], [`Mood::Unanswered`].
    pub fn will_project(&self, moods: impl IntoIterator<Item = Mood>) {
        self.rows.lock().unwrap().extend(moods);
    }

    /// From now on, or no longer, rows of projections are written late.
    pub fn hold_rows(&self, held: bool) {
        self.rows_held.send_replace(held);
    }

    /// From now on no reading succeeds that meets the row of this conversation.
    pub fn tear_row(&self, key: ConversationKey) {
        *self.torn.lock().unwrap() = Some(key);
    }

    /// How often a row of a projection was to be written.
    #[must_use]
    pub fn rows_written(&self) -> usize {
        self.rows_written.load(Ordering::Relaxed)
    }

    /// Moods that are still to come.
    #[must_use]
    pub fn left(&self) -> usize {
        let left = |moods: &Mutex<VecDeque<Mood>>| moods.lock().unwrap().len();
        [&self.moods, &self.rows, &self.claims, &self.puts, &self.gets].into_iter().map(|moods| left(moods)).sum()
    }
}

impl Log for Moody {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        fare(&self.claims, || self.store.claim(key, open))
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        self.store.owner(key)
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        fare(&self.claims, || self.store.claim_from(key, owner))
    }

    fn append(&self, append: Append) -> Pending<()> {
        fare(&self.moods, || self.store.append(append))
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        match self.reads.lock().unwrap().pop_front() {
            Some(Mood::Busy) => Box::pin(async { Err(StoreError::Busy) }),
            Some(Mood::Away) => Box::pin(async { Err(StoreError::Unavailable("it is away".into())) }),
            _ => self.store.read(key, after, bounds),
        }
    }

    crate::forward!(erase, ending, with_contacts, unspoken, probe);
}

/// Does something as the next mood has it.
fn fare<T: Send + 'static>(moods: &Mutex<VecDeque<Mood>>, done: impl FnOnce() -> Pending<T>) -> Pending<T> {
    let unknown = || StoreError::Unknown("no answer came".into());
    match moods.lock().unwrap().pop_front().unwrap_or(Mood::Good) {
        Mood::Good => done(),
        Mood::Busy => Box::pin(async { Err(StoreError::Busy) }),
        Mood::Away => Box::pin(async { Err(StoreError::Unavailable("away".into())) }),
        Mood::Lost => Box::pin(async move { Err(unknown()) }),
        Mood::Corrupt => Box::pin(async { Err(StoreError::Corrupt("as a test wants it".into())) }),
        Mood::Unanswered => {
            let done = done();
            Box::pin(async move {
                done.await?;
                Err(unknown())
            })
        }
    }
}

crate::forward!(DueIndex for Moody);

crate::forward!(Snapshots for Moody);

crate::forward!(Seals for Moody);

impl Projections for Moody {
    fn cursor(&self, projection: Projection) -> Pending<LogCursor> {
        self.store.cursor(projection)
    }

    fn behind(&self, projection: Projection, after: LogCursor, events: usize) -> Pending<Behind> {
        self.store.behind(projection, after, events)
    }

    fn advance(&self, projection: Projection, cursor: LogCursor) -> Pending<()> {
        self.store.advance(projection, cursor)
    }

    fn reset(&self, projection: Projection) -> Pending<()> {
        self.store.reset(projection)
    }

    fn rows(&self, keys: Vec<ConversationKey>) -> Pending<Vec<Result<Option<ConversationRow>, StoreError>>> {
        match *self.torn.lock().unwrap() {
            Some(torn) if keys.contains(&torn) => Box::pin(async { Err(StoreError::Corrupt("a page is torn".into())) }),
            _ => self.store.rows(keys),
        }
    }

    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Pending<()> {
        self.rows_written.fetch_add(1, Ordering::Relaxed);
        let mood = self.rows.lock().unwrap().pop_front().unwrap_or(Mood::Good);
        let (store, mut held) = (Arc::clone(&self.store), self.rows_held.subscribe());
        Box::pin(async move {
            held.wait_for(|held| !held).await.map_err(|_| StoreError::Unavailable("the test is over".into()))?;
            match mood {
                Mood::Good | Mood::Corrupt => store.project(key, expected, row).await,
                Mood::Busy => Err(StoreError::Busy),
                Mood::Away => Err(StoreError::Unavailable("away".into())),
                Mood::Lost => Err(StoreError::Unknown("no answer came".into())),
                Mood::Unanswered => {
                    store.project(key, expected, row).await?;
                    Err(StoreError::Unknown("no answer came".into()))
                }
            }
        })
    }

    fn list(&self, query: ListQuery) -> Pending<Vec<ConversationSummary>> {
        self.store.list(query)
    }
}

impl Records for Moody {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        let (read, mut held) = (fare(&self.gets, || self.store.get(name)), self.reads_held.subscribe());
        Box::pin(async move {
            let read = read.await;
            held.wait_for(|held| !held).await.map_err(|_| StoreError::Unavailable("the test is over".into()))?;
            read
        })
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        fare(&self.puts, || self.store.put(name, expected, body))
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.store.put_with_keys(name, expected, body, keys)
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.store.find(scope, kind, key)
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.store.delete(name, expected)
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.store.scan(scope, kind, after, limit)
    }
}
