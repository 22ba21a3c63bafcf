//! A store that counts what is read of logs and asked of snapshots, and gives other snapshots than it has.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use engine_store::{
    Append, Claim, Log, Opening, Owner, Page, PageBounds, Pending, Record, RecordName, Records, Scope, SharedStore,
    Snapshot, Snapshots, StoreError,
};
use schema::{ConversationKey, Epoch, Seq};

/// What is given in place of a snapshot.
pub(super) type Instead = fn(Option<Snapshot>) -> Result<Option<Snapshot>, StoreError>;

pub(super) struct Watched {
    pub(super) store: SharedStore,
    events_read: Arc<AtomicU64>,
    snapshots_set: AtomicU64,
    /// From now on no snapshot is kept, and the answer says so.
    pub(super) refuses: AtomicBool,
    instead: Mutex<Instead>,
}

impl Watched {
    pub(super) fn new(store: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            store,
            events_read: Arc::default(),
            snapshots_set: AtomicU64::new(0),
            refuses: AtomicBool::new(false),
            instead: Mutex::new(Ok),
        })
    }

    /// Events that were read since the last time this was asked.
    pub(super) fn events_read(&self) -> u64 {
        self.events_read.swap(0, Ordering::Relaxed)
    }

    /// Snapshots that were to be kept since the beginning.
    pub(super) fn snapshots_set(&self) -> u64 {
        self.snapshots_set.load(Ordering::Relaxed)
    }

    pub(super) fn gives(&self, instead: Instead) {
        *self.instead.lock().unwrap() = instead;
    }
}

impl Log for Watched {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        self.store.claim(key, open)
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        self.store.owner(key)
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        self.store.claim_from(key, owner)
    }

    fn append(&self, append: Append) -> Pending<()> {
        self.store.append(append)
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        let (page, count) = (self.store.read(key, after, bounds), Arc::clone(&self.events_read));
        Box::pin(async move {
            let page = page.await?;
            count.fetch_add(page.events.len() as u64, Ordering::Relaxed);
            Ok(page)
        })
    }

    tests::forward!(erase, ending, with_contacts, unspoken, probe);
}

impl Snapshots for Watched {
    fn snapshot(&self, key: ConversationKey) -> Pending<Option<Snapshot>> {
        let (found, instead) = (self.store.snapshot(key), *self.instead.lock().unwrap());
        Box::pin(async move { instead(found.await?) })
    }

    fn set_snapshot(&self, key: ConversationKey, epoch: Epoch, head: Seq, bytes: Vec<u8>) -> Pending<bool> {
        self.snapshots_set.fetch_add(1, Ordering::Relaxed);
        if self.refuses.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::Unavailable("it is away".into())) });
        }
        self.store.set_snapshot(key, epoch, head, bytes)
    }
}

tests::forward!(DueIndex for Watched);

tests::forward!(Seals for Watched);

tests::forward!(Projections for Watched);

impl Records for Watched {
    tests::forward!(put, put_with_keys, delete);

    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.store.get(name)
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.store.find(scope, kind, key)
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.store.scan(scope, kind, after, limit)
    }
}
