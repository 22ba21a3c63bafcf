//! The port for projections: what consumers have made of the conversations' logs, to be listed and looked up.
//! Invariant: a row tells exactly the events up to its own head, so that any number of consumers may bring it on.

mod row;
#[cfg(test)]
mod row_tests;

use schema::wire::ConversationSummary;
use schema::{ContactId, ConversationId, ConversationKey, Seq, TenantId, Timestamp};

pub use row::ConversationRow;

use crate::{Pending, StoreError};

/// What is made of the logs. Each has rows, one for each conversation, and a position in the order in which this
/// store was given events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Projection {
    /// The list of conversations: [`ConversationRow`].
    Conversations,
}

impl Projection {
    /// Its name in the store, in metrics and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
        }
    }

    /// Raised when its rows are folded in another way. Rows and a position of another version count as not
    /// there: all of them are made anew, and until then the old ones are listed.
    #[must_use]
    pub const fn version(self) -> u32 {
        match self {
            // 2: its words are sealed, and its moment is that of the last news.
            Self::Conversations => 2,
        }
    }
}

/// A place in the order in which a store was given events, as far as this process knows it: others may have another. An order number is used once, also after what had it
/// was erased. 0 is before the first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogCursor(pub u64);

/// Conversations that a projection is behind, as far as was looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Those with events after the cursor that go beyond their row.
    pub keys: Vec<ConversationKey>,
    /// Up to here was looked: where the next look begins.
    pub cursor: LogCursor,
    /// Whether nothing comes after that yet.
    pub is_all: bool,
}

/// Rows made of logs, and how far they go.
///
/// A consumer reads a row, folds the events after it, and puts the row back where it was (compare-and-set on the
/// row's head). It then needs no lock, may be stopped anywhere, and does nothing twice with effect. What it has not
/// been told of it finds by [`Projections::behind`], from a cursor that is durable.
pub trait Projections: Send + Sync + 'static {
    /// Up to where everything is in the projection's rows, as the last [`Projections::advance`] said.
    fn cursor(&self, projection: Projection) -> Pending<LogCursor>;

    /// Looks at what came after a cursor, `events` events or conversations of it, for conversations whose row does not go
    /// that far. What came later still is left to a later look, where the store knows it from that: while much is said,
    /// a row is always a moment behind its log.
    fn behind(&self, projection: Projection, after: LogCursor, events: usize) -> Pending<Behind>;

    /// Everything up to `cursor` is in the rows. A cursor never goes back but by [`Projections::reset`].
    fn advance(&self, projection: Projection, cursor: LogCursor) -> Pending<()>;

    /// Drops the projection's rows and position. None of it is lost: the logs have it all.
    fn reset(&self, projection: Projection) -> Pending<()>;

    /// Some conversations' rows in the list, as many and in that order; none where there is none yet, or one of another
    /// version. One that cannot be read holds up no other one.
    fn rows(&self, keys: Vec<ConversationKey>) -> Pending<Vec<Result<Option<ConversationRow>, StoreError>>>;

    /// As [`Projections::rows`], of one conversation.
    fn row(&self, key: ConversationKey) -> Pending<Option<ConversationRow>> {
        let rows = self.rows(vec![key]);
        Box::pin(async move { rows.await?.pop().unwrap_or(Ok(None)) })
    }

    /// Writes a conversation's row if the one there is still at head `expected` (0: there is none, or one of
    /// another version), and tells of less. Of several who do so at the same time more than one may be told that it
    /// did; the row that tells of most is the one that stands.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the head found: somebody else has brought it on, read it again;
    /// [`StoreError::NotFound`] when there is no such conversation (any more): its row must not come back;
    /// [`StoreError::Fenced`] when the row goes beyond the log: it is another conversation's.
    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Pending<()>;

    /// A tenant's conversations, newest activity first, strictly older than `before`.
    fn list(&self, query: ListQuery) -> Pending<Vec<ConversationSummary>>;
}

/// Which conversations to list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Whose.
    pub tenant: TenantId,
    /// Only those with one of these contacts.
    pub contacts: Option<Vec<ContactId>>,
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
    pub id: ConversationId,
}
