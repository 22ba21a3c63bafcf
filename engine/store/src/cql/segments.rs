//! Segments of logs: one partition each, with whose it is and where it ends beside its events.
//! Invariant: what a segment says was decided under a condition in its own partition, so that all that was ever decided
//! about it stands in one order.

use schema::{Epoch, Seq, Timestamp};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::clock::now;
use super::core::Core;
use super::due_write::Due;
use super::failure::odd;
use crate::StoreError;

/// Events in a segment; the next one goes into another.
pub(super) const SEGMENT_EVENTS_MAX: u64 = 5_000;
/// Bytes in a segment: partitions stay far below what either product calls large.
pub(super) const SEGMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The epoch of a log that was erased: no owner has it, and no higher one comes.
pub(super) const RETIRED: i64 = i64::MAX;

/// What stands beside a segment's events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) epoch: i64,
    /// The newest event, in this segment or the one before.
    pub(super) head: Seq,
    /// The seq of its first event.
    pub(super) first: Seq,
    /// The segment after it, once it is sealed.
    pub(super) next: Option<i32>,
    pub(super) bytes: u64,
    pub(super) last_at: Timestamp,
    /// When the conversation is due, and which row of the agenda said so last.
    pub(super) due: Due,
}

/// As the statements give it.
pub(super) type SegmentRow = (
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i32>,
    Option<i64>,
    Option<CqlTimestamp>,
    Option<CqlTimestamp>,
    Option<i64>,
);

impl Segment {
    /// What a row says; none where the segment was never opened, or is gone.
    fn of(row: Option<SegmentRow>) -> Result<Option<Self>, StoreError> {
        let Some((Some(epoch), head, first, next, bytes, last_at, due, mark)) = row else { return Ok(None) };
        if epoch == RETIRED && head.is_none() {
            // Retired before it was ever opened.
            let last_at = Timestamp::default();
            return Ok(Some(Self { epoch, head: 0, first: 1, next: None, bytes: 0, last_at, due: Due::default() }));
        }
        let (Some(head), Some(first), Some(bytes), Some(last_at)) = (head, first, bytes, last_at) else {
            return Err(odd("a segment"));
        };
        Ok(Some(Self {
            epoch,
            head: seq(head)?,
            first: seq(first)?,
            next,
            bytes: u64::try_from(bytes).unwrap_or_default(),
            last_at: Timestamp::from_millis(last_at.0),
            due: Due { at: due.map(|due| Timestamp::from_millis(due.0)), mark },
        }))
    }

    /// Whether its conversation is being erased, or was.
    pub(super) const fn is_retired(&self) -> bool {
        self.epoch == RETIRED
    }

    /// Whether this epoch is the owner's.
    pub(super) fn is_owned_by(&self, epoch: Epoch) -> bool {
        u64::try_from(self.epoch) == Ok(epoch)
    }
}

/// Where a log ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tail {
    /// In this segment.
    Ends(i32, Segment),
    /// Behind one that is sealed: the next one, of this number, is not open yet.
    SealedBefore(i32, Segment),
    /// It has no segment of this number: it was never opened, or is cleared.
    Absent(i32),
}

impl Tail {
    /// What stands at its end, if it is somebody's.
    pub(super) fn live(self) -> Option<Segment> {
        match self {
            Self::Ends(_, segment) | Self::SealedBefore(_, segment) => Some(segment).filter(|it| !it.is_retired()),
            Self::Absent(_) => None,
        }
    }

    /// Whether its conversation is being erased, or was.
    pub(super) const fn is_retired(self) -> bool {
        matches!(self, Self::Ends(_, segment) if segment.is_retired())
    }
}

impl Core {
    /// A segment, after everything that was decided about it.
    pub(super) async fn segment(&self, log: Uuid, segment: i32) -> Result<Option<Segment>, StoreError> {
        Segment::of(self.link.one(&self.statements.segment, (log, segment)).await?)
    }

    /// A segment as a majority has it.
    pub(super) async fn segment_lately(&self, log: Uuid, segment: i32) -> Result<Option<Segment>, StoreError> {
        Segment::of(self.link.one(&self.statements.segment_lately, (log, segment)).await?)
    }

    /// Where a log ends, from one of its segments on.
    pub(super) async fn tail(&self, log: Uuid, from: i32) -> Result<Tail, StoreError> {
        let (mut at, mut before) = (from, None);
        loop {
            match self.segment(log, at).await? {
                Some(segment @ Segment { next: Some(next), .. }) if next > at => (at, before) = (next, Some(segment)),
                Some(segment) => return Ok(Tail::Ends(at, segment)),
                None => return Ok(before.map_or(Tail::Absent(at), |sealed| Tail::SealedBefore(at, sealed))),
            }
        }
    }

    /// The segment that a log can be written in. Where the one behind a sealed one is not open yet it is opened, for the
    /// owner who has sealed that: it is the same whoever does it. None where the log is nobody's.
    pub(super) async fn open_tail(&self, log: Uuid, from: i32) -> Result<Option<(i32, Segment)>, StoreError> {
        match self.tail(log, from).await? {
            Tail::Ends(at, segment) => Ok(Some((at, segment)).filter(|(_, segment)| !segment.is_retired())),
            Tail::Absent(_) => Ok(None),
            Tail::SealedBefore(next, sealed) => {
                let epoch = Epoch::try_from(sealed.epoch).map_err(|_| odd("a segment"))?;
                self.open_segment(log, next, epoch, Some(&sealed), sealed.last_at).await?;
                match self.tail(log, next).await? {
                    Tail::Ends(at, segment) => Ok(Some((at, segment)).filter(|(_, segment)| !segment.is_retired())),
                    _ => Err(StoreError::Unavailable("the next segment could not be opened".into())),
                }
            }
        }
    }
}

/// A seq as the database has it.
pub(super) fn seq(stored: i64) -> Result<Seq, StoreError> {
    Seq::try_from(stored).map_err(|_| odd("the number of an event"))
}

/// A number for the database. None of ours comes near its end.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A moment for the database.
pub(super) const fn moment(at: Timestamp) -> CqlTimestamp {
    CqlTimestamp(at.as_millis())
}

/// The time of a removal that nothing comes after: a day from now, in microseconds. The name of a log is used once, so
/// what it removes is not written again, and what was written by a clock that is ahead goes with the rest. (ScyllaDB
/// refuses times that are three days off.)
pub(super) fn late() -> i64 {
    (now().as_millis() + 86_400_000).saturating_mul(1_000)
}
