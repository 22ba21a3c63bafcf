//! The `Store` port: a fenced log for each conversation, a snapshot of it, when it has something to do, and small
//! versioned records.
//! Invariant: an append is acknowledged only when it is durable and `(epoch, head)` still held.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schema::{Contact, ConversationKey, Epoch, Event, Seq, TenantId, Timestamp, limits};

use crate::Snapshots;
use crate::due::{DueChange, DueIndex};
use crate::projection::Projections;

/// Every call returns at once; the future completes when the answer is known. It owns what it
/// needs, so that an actor can hand it to its own executor.
pub type Pending<T> = BoxFuture<'static, Result<T, StoreError>>;

/// Everything that is kept.
pub trait Store: Log + DueIndex + Snapshots + Projections + Records {}
impl<S: Log + DueIndex + Snapshots + Projections + Records> Store for S {}

/// A store shared by all who need one.
pub type SharedStore = Arc<dyn Store>;

/// The conversations' logs.
pub trait Log: Send + Sync + 'static {
    /// Becomes the conversation's owner: raises its epoch by one. From then on appends under a
    /// lower epoch fail with [`StoreError::Fenced`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it does not exist and `open` is `None`.
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim>;

    /// Stores events `head + 1 ..`, all or none, if `epoch` and `head` are still the log's.
    /// Completes after the disk has it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another owner has claimed it, the head differs, or the events
    /// are none or not numbered from `head + 1`;
    /// [`StoreError::NotFound`] when there is no such conversation;
    /// [`StoreError::Busy`] and [`StoreError::Unavailable`] when surely nothing was stored: try again;
    /// [`StoreError::Unknown`] when it may or may not have been stored, or may yet be: read to find out.
    fn append(&self, append: Append) -> Pending<()>;

    /// The events after `after`, as many as `bounds` allows, and the head. A page may hold fewer events
    /// than asked for: a reader goes on after its last event until it has reached the head.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation.
    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page>;

    /// Removes the conversation with all its events, its snapshot and its rows in all projections, for good: it is as
    /// if it had never been. An owner that still writes is answered [`StoreError::NotFound`], and so is a consumer that
    /// is late with a row. With `head`, only while that is the log's.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation;
    /// [`StoreError::Fenced`] when its head is another one;
    /// [`StoreError::Unknown`] when it may or may not have been removed: ask again.
    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()>;

    /// Conversations of all tenants that nobody will miss, oldest first: with nothing in their logs, because
    /// whoever opened them got no answer; or with an anonymous contact and nothing but their opening.
    fn unspoken(&self, query: UnspokenQuery) -> Pending<Vec<Unspoken>>;

    /// Whether a write would be taken now, as far as can be known without writing. After a failed write
    /// it also tries what the next write would try to recover.
    ///
    /// # Errors
    /// What the write would be answered.
    fn probe(&self) -> Pending<()>;
}

/// Small documents by tenant, kind and id, changed by compare-and-set.
pub trait Records: Send + Sync + 'static {
    /// One record, or none.
    fn get(&self, name: RecordName) -> Pending<Option<Record>>;

    /// Writes if the record is still at `expected` (0: does not exist); gives the new version,
    /// which is `expected + 1`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the version found.
    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64>;

    /// Removes if the record is still at `expected`; with 0, where there is none, nothing happens.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the version found (0 when there is none).
    fn delete(&self, name: RecordName, expected: u64) -> Pending<()>;

    /// Records of one kind, by id, strictly after `after`.
    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>>;
}

/// What a new conversation's row says.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Whom it is with, for listing by contact.
    pub contact: Contact,
    /// When it begins.
    pub at: Timestamp,
}

/// Ownership of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The owner's fencing number.
    pub epoch: Epoch,
    /// The newest event.
    pub head: Seq,
    /// Its entry in the due index.
    pub due: Option<Timestamp>,
}

/// A conditional append.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where.
    pub key: ConversationKey,
    /// The owner's fencing number.
    pub epoch: Epoch,
    /// The head before these events.
    pub head: Seq,
    /// What happened; not empty, numbered from `head + 1`. Shared with the writer, which needs it again
    /// when the answer is unknown.
    pub events: Arc<[Event]>,
    /// What becomes of the entry in the due index, in the same step.
    pub due: DueChange,
}

impl Append {
    /// Whether there are events and they are numbered from `head + 1`. An adapter refuses others
    /// before it asks its database.
    #[must_use]
    pub fn continues_head(&self) -> bool {
        let mut numbered = (1..).zip(&*self.events);
        !self.events.is_empty() && numbered.all(|(n, event)| self.head.checked_add(n) == Some(event.seq))
    }
}

/// How much of a log one reading gives at most. Where it asks for events and there are some, one is given
/// whatever its size, so that a reader always gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageBounds {
    /// In number; with 0 only the head is read.
    pub events: usize,
    /// In bytes of their JSON together.
    pub bytes: usize,
}

impl PageBounds {
    /// As much as any reader may hold at once.
    pub const FULL: Self = Self::events(limits::PAGE_EVENTS_MAX);
    /// The head, and no event.
    pub const HEAD: Self = Self::events(0);

    /// So many events, if they fit a page's bytes.
    #[must_use]
    pub const fn events(events: usize) -> Self {
        Self { events, bytes: limits::PAGE_BYTES_MAX }
    }

    /// Whether a page that holds `events` of `bytes` together may hold another of `next` bytes.
    #[must_use]
    pub const fn admit(&self, events: usize, bytes: usize, next: usize) -> bool {
        events < self.events && (events == 0 || bytes.saturating_add(next) <= self.bytes)
    }
}

/// A piece of a log.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In order, without gaps.
    pub events: Vec<Event>,
    /// The log's newest event.
    pub head: Seq,
}

/// Which conversations to list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Whose.
    pub tenant: TenantId,
    /// Only those with this contact.
    pub contact: Option<Contact>,
    /// Only those last active before this, and by id among equals.
    pub before: Option<ListCursor>,
    /// At most so many.
    pub limit: usize,
}

/// A place in the list of conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListCursor {
    /// Activity of the last row seen.
    pub last_at: Timestamp,
    /// Its conversation.
    pub id: schema::ConversationId,
}

/// Which conversations without a word to give.
#[derive(Clone, Copy, Debug)]
pub struct UnspokenQuery {
    /// Only those that began before this.
    pub before: Timestamp,
    /// Only those behind this one of an earlier answer.
    pub after: Option<Unspoken>,
    /// At most so many.
    pub limit: usize,
}

/// A conversation in which nobody has said a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unspoken {
    /// When it began.
    pub last_at: Timestamp,
    /// Which one.
    pub key: ConversationKey,
    /// Its opening's number, or 0 when that never came.
    pub head: Seq,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The installation's: the tenants themselves, keys.
    Node,
    /// One tenant's.
    Tenant(TenantId),
}

/// A record's full name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName {
    /// Whose.
    pub scope: Scope,
    /// Of which kind, for example `tenant` or `document`.
    pub kind: &'static str,
    /// Which one of the kind.
    pub id: String,
}

/// A stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which one of its kind.
    pub id: String,
    /// 1 for the first writing, then one more each time.
    pub version: u64,
    /// What it says; its kind decides the format.
    pub body: Vec<u8>,
}

/// Why the store did not do as asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    #[error("not found")]
    NotFound,
    #[error("fenced: another owner has claimed the conversation, or its head has moved")]
    Fenced,
    #[error("the record is at version {found}")]
    Conflict {
        /// The version in the store; 0 when there is none.
        found: u64,
    },
    #[error("it is unknown whether the write was done: {0}")]
    Unknown(String),
    #[error("the store's queue is full")]
    Busy,
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
}
