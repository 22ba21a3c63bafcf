//! What a statement writes of the moment at which a conversation is due, and of the mark of the row that leads there.
//! Invariant: a moment is written with the mark of a new row, or under the one that holds, on the condition that this is
//! so still, for a moment that is not later. A mark stands there until another one does: so no pair of a moment and a
//! mark ever comes back, and of a row that has the mark it is known that it was led to.

use schema::Timestamp;
use scylla::value::{CqlTimestamp, MaybeUnset};

use super::segments::moment;

/// When a conversation is due, and the mark of the last row that led there: it stays when the moment goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Option<Timestamp>,
    pub(super) mark: Option<i64>,
}

impl Due {
    /// The moment with the mark of the row that leads there.
    pub(super) fn held(self) -> Option<(Timestamp, i64)> {
        self.at.zip(self.mark)
    }
}

/// What a statement writes of the moment and of its mark.
#[derive(Clone, Copy, Debug)]
pub(super) enum DueWrite {
    /// Neither.
    Keep,
    /// There is no moment any more. The mark stays.
    Clear,
    /// This moment, which a row with this mark, a new one, is not later than.
    Noted(Timestamp, i64),
    /// This moment, under the mark that holds: on the condition that it still does, for a moment that is not later.
    Under { at: Timestamp, held: (Timestamp, i64) },
}

/// A moment and its mark, as a statement writes or leaves them.
pub(super) type DueCells = (MaybeUnset<Option<CqlTimestamp>>, MaybeUnset<Option<i64>>);

impl DueWrite {
    /// The cells.
    pub(super) const fn cells(self) -> DueCells {
        match self {
            Self::Keep => (MaybeUnset::Unset, MaybeUnset::Unset),
            Self::Clear => (MaybeUnset::Set(None), MaybeUnset::Unset),
            Self::Noted(at, mark) => (MaybeUnset::Set(Some(moment(at))), MaybeUnset::Set(Some(mark))),
            Self::Under { at, .. } => (MaybeUnset::Set(Some(moment(at))), MaybeUnset::Unset),
        }
    }

    /// What stands there afterwards, where it was `before`.
    pub(super) const fn applied_to(self, before: Due) -> Due {
        match self {
            Self::Keep => before,
            Self::Clear => Due { at: None, mark: before.mark },
            Self::Noted(at, mark) | Self::Under { at, held: (_, mark) } => Due { at: Some(at), mark: Some(mark) },
        }
    }

    /// The moment and the mark that it is written under the condition of, if under one.
    pub(super) fn held(self) -> Option<(CqlTimestamp, i64)> {
        match self {
            Self::Under { held: (at, mark), .. } => Some((moment(at), mark)),
            _ => None,
        }
    }
}
