//! The port for conversations' logs: fenced, appended to under a condition, read in bounded pages.
//! Invariant: an append is acknowledged only when it is durable and `(epoch, head)` still held.

use std::sync::Arc;

use schema::{ContactId, ConversationKey, Epoch, Event, NodeId, Seq, TenantId, Timestamp, limits};

use crate::Pending;
use crate::due::DueChange;

/// The conversations' logs.
pub trait Log: Send + Sync + 'static {
    /// Becomes the conversation's owner: raises its epoch by one. From then on appends under a
    /// lower epoch fail with [`StoreError::Fenced`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it does not exist and `open` is `None`, and when its key has ended.
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim>;

    /// Who claimed the conversation last, as far as this store tells nodes apart.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation.
    fn owner(&self, key: ConversationKey) -> Pending<Owner>;

    /// As [`Log::claim`] without an opening, but only from the owner that [`Log::owner`] has told: of two nodes that
    /// find the same one dead, one becomes its successor.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else has claimed it since; otherwise as [`Log::claim`].
    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim>;

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
    /// if it had never been. Its key ends with it, before this is answered, so that its texts cannot be read in any copy
    /// of the store, whenever that was made. An owner that still writes is answered [`StoreError::NotFound`], and so is
    /// a consumer that is late with a row. With `head`, only while that is the log's.
    ///
    /// Whoever asks for an erasure again while it is on its way waits for it and is answered the same, whatever `head`
    /// they name: nobody is told that it is gone while its key has not ended.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation, nor an end of its key to wait for;
    /// [`StoreError::Fenced`] when its head is another one;
    /// [`StoreError::Unknown`] when it may or may not have been removed: ask again;
    /// [`StoreError::Ending`] when it is removed and its key cannot be ended yet: the store goes on trying, and whoever
    /// asks again is told the same until the key has ended.
    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()>;

    /// Conversations with these contacts that are removed and whose keys have not ended yet, `limit` at most: their
    /// erasures are to be asked for again.
    fn ending(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>>;

    /// Conversations with these contacts, also those that the list does not have yet, whoever has opened them: `limit` at
    /// most, in any order.
    fn with_contacts(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>>;

    /// Conversations of all tenants that nobody will miss, oldest first: with nothing in their logs, because
    /// whoever opened them got no answer; or with an anonymous contact and nothing but their opening.
    fn unspoken(&self, query: UnspokenQuery) -> Pending<Vec<Unspoken>>;

    /// Whether a write would be taken now, and a conversation be opened, as far as can be known without writing. After a failed write
    /// it also tries what the next write would try to recover.
    ///
    /// # Errors
    /// What the write would be answered.
    fn probe(&self) -> Pending<()>;
}

/// What a new conversation's row says.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Whom it is with.
    pub contact: ContactId,
    /// Nobody has named the contact: of them, nothing is known.
    pub is_anonymous: bool,
    /// When it begins.
    pub at: Timestamp,
}

/// Whose a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The fencing number of the last claim.
    pub epoch: Epoch,
    /// The node that made it; none where the store serves one node alone.
    pub node: Option<NodeId>,
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
    /// Its key has ended, and the events are there without their texts: this is a copy of the store from before the
    /// conversation was erased. Its events fold as they did, nobody can claim it, and the store removes it by and by.
    pub erased: bool,
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
