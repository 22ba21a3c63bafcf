//! The due index: for each conversation at most one entry, the earliest moment at which it has something to do
//! without being asked.
//! Invariant: an entry changes with the events that make it change, in one step, or under the same condition as
//! they do. One that is too early costs a look; none is ever later than what its log and policy say.

use std::time::Duration;

use schema::{ConversationId, ConversationKey, Epoch, Seq, TenantId, Timestamp};

use crate::Pending;

/// When conversations have something to do.
///
/// Only the owner of a conversation may move its entry to a later moment or take it away: with an append
/// ([`DueChange`]) or under the same condition ([`DueIndex::reschedule`]). Anybody may move it to an earlier one.
pub trait DueIndex: Send + Sync + 'static {
    /// Entries of all tenants, earliest first, of equal moments by tenant and id.
    fn due(&self, query: DueQuery) -> Pending<Vec<DueEntry>>;

    /// Moves or removes an entry without an append, if `epoch` and `head` are still the log's. An owner that asks
    /// for it late, behind its own append, changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`](crate::StoreError::Fenced) when another owner has claimed the conversation or its head
    /// has moved; otherwise as [`Log::append`](crate::Log::append).
    fn reschedule(&self, change: Reschedule) -> Pending<()>;

    /// Brings the entries of some of a tenant's conversations forward, so that they look again under a new policy.
    /// Gives how far it has come, or none behind the tenant's last conversation.
    fn hasten(&self, hasten: Hasten) -> Pending<Option<Hastened>>;
}

/// What an append does to its conversation's entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DueChange {
    /// It stays as it is, there or not.
    #[default]
    Keep,
    /// It stands at this moment from now on.
    At(Timestamp),
    /// There is none any more: nothing will be due.
    Clear,
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueEntry {
    /// When there is something to do; it may be too early.
    pub at: Timestamp,
    /// Which conversation has it to do.
    pub key: ConversationKey,
}

/// Which entries to give.
#[derive(Clone, Copy, Debug)]
pub struct DueQuery {
    /// Only moments before this.
    pub before: Timestamp,
    /// Only those behind this one of an earlier answer.
    pub after: Option<DueEntry>,
    /// At most so many.
    pub limit: usize,
}

/// A change of an entry without an append.
#[derive(Clone, Copy, Debug)]
pub struct Reschedule {
    /// Which conversation's.
    pub key: ConversationKey,
    /// The owner's fencing number.
    pub epoch: Epoch,
    /// The log's newest event, which the new moment follows from.
    pub head: Seq,
    /// The new moment; none when nothing will be due.
    pub at: Option<Timestamp>,
}

/// Which of a tenant's entries to bring forward, and to when. Conversations are taken by id.
#[derive(Clone, Copy, Debug)]
pub struct Hasten {
    /// Whose.
    pub tenant: TenantId,
    /// Only conversations behind this one.
    pub after: Option<ConversationId>,
    /// Conversations to look at, at most.
    pub limit: usize,
    /// The moment of the first entry that is moved …
    pub from: Timestamp,
    /// … and from each to the next, so that not all are due at once. An entry that is not later than its turn
    /// stays.
    pub step: Duration,
    /// Whether conversations without an entry get one.
    pub missing: bool,
}

/// How far a hastening has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hastened {
    /// The last conversation looked at.
    pub last: ConversationId,
    /// Entries that were moved or made.
    pub moved: u32,
}

impl DueChange {
    /// The entry after the change, where it was `before`.
    #[must_use]
    pub const fn applied_to(self, before: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Keep => before,
            Self::At(at) => Some(at),
            Self::Clear => None,
        }
    }
}

impl Hasten {
    /// Where the next entry goes when so many were moved, if it is to move at all.
    #[must_use]
    pub fn moves(&self, moved: u32, entry: Option<Timestamp>) -> Option<Timestamp> {
        let target = self.from.plus(self.step * moved);
        entry.map_or(self.missing, |at| at > target).then_some(target)
    }
}
