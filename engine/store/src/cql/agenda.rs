//! When to look at conversations: rows by their moment, that lead to what their logs say.
//! Invariant: a row is written before what it points to, and a conversation of which the log says "at this moment" has
//! a row that is not later. What is true is said by the log alone.
//!
//! A row that is earlier than the truth is moved to it when it is met, so that an append that moves the moment on, as
//! most do, writes nothing here. Each row has a *mark*, drawn when it is written, and the log names the one that holds:
//! - the moment never goes back under one mark: whoever moves it back writes a new row with a new mark first, and
//!   whoever moves it on under the mark that holds does so on the condition that moment and mark are what they know;
//! - a row is moved from `x` to `y` by writing the one at `y`, and only then dropping the one at `x`, where `y` is what
//!   the log said. So there is always one that is not later than the truth;
//! - a row whose mark the log names without a moment is over: a mark that was named is not named anew;
//! - a row of another mark is over when the log's epoch or head has passed those that it was written under: the
//!   statement that it was written for can only be applied under these. Until then it is left alone, for so long that
//!   this statement surely comes no more.
//!
//! No clock decides any of this but that last. One decides in which slot a row stands, see `buckets.rs`, and when an
//! empty one is forgotten. What cannot be read leads to one conversation, and holds up no other one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use futures_util::future::join_all;
use schema::{ConversationId, ConversationKey, Epoch, Seq, TenantId, Timestamp};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::buckets::{Bucket, Buckets, DAY_SLOTS, slot};
use super::clock::{Here, now};
use super::core::{Core, names, shard};
use super::due_write::{Due, DueWrite};
use super::failure::odd;
use super::places::LogEnd;
use super::segments::{Segment, Tail, moment, number};
use crate::StoreError;

/// How long whoever opens a conversation may be at it.
const OPENING_MILLIS: i64 = 3_600_000;
/// For so long after a row was written what it was written for may come, by clocks that differ by less than a day.
const COMING_MILLIS: i64 = 2 * 86_400_000;
/// How long after its end a slot is forgotten, if it is empty.
const OPEN_SLOTS: i32 = 2 * DAY_SLOTS;
/// Rows that are compared with their logs at the same time.
const AT_ONCE: usize = 16;
/// A row that was written longer ago than this is written anew before what it points to: whoever was stopped in between
/// may find it dropped.
const FRESH: Duration = Duration::from_secs(10);

/// What the rows of an agenda are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Agenda {
    /// Conversations that have something to do.
    Due,
    /// Conversations in which nobody may have said a word.
    Unspoken,
}

impl Agenda {
    pub(super) const fn number(self) -> i8 {
        match self {
            Self::Due => 0,
            Self::Unspoken => 1,
        }
    }
}

/// A row, in the order in which rows are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    at: Timestamp,
    key: ConversationKey,
    mark: i64,
    log: Uuid,
    epoch: i64,
    head: Seq,
    written: Timestamp,
}

type StoredRow = (CqlTimestamp, Vec<u8>, Vec<u8>, i64, Option<Uuid>, Option<i64>, Option<i64>, Option<i64>);

/// The rows of a bucket, read piece by piece.
struct Reading {
    bucket: Bucket,
    rows: VecDeque<Row>,
    after: Option<RowName>,
    is_over: bool,
    /// It was read from its beginning, and has had no row.
    is_empty: bool,
    /// It was read from its beginning, and has had no row that is due.
    is_quiet: bool,
}

/// Where a row stands in its bucket.
type RowName = (CqlTimestamp, Vec<u8>, Vec<u8>, i64);

/// What kept from some rows.
#[derive(Default)]
struct Trouble {
    /// Rows that were compared with their logs.
    compared: usize,
    /// What the cluster did not do.
    first: Option<StoreError>,
}

/// A moment at which to look at a conversation, as its log says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    pub(super) at: Timestamp,
    pub(super) key: ConversationKey,
    pub(super) head: Seq,
}

/// A log that no conversation has.
pub(super) struct Debris {
    pub(super) key: ConversationKey,
    pub(super) log: Uuid,
}

/// What a row turns out to be.
enum Truth {
    /// What the log says.
    Holds(Met),
    /// Too early.
    Later(Timestamp),
    /// What it was written for may yet come.
    Open,
    /// Nothing comes of it any more.
    Over,
    /// Nothing ever came of it: not even its conversation.
    Debris,
}

impl Core {
    /// Writes a row. Gives its mark.
    pub(super) async fn note(
        &self,
        agenda: Agenda,
        at: Timestamp,
        key: ConversationKey,
        log: Uuid,
        epoch: Epoch,
        head: Seq,
    ) -> Result<i64, StoreError> {
        let mut mark = [0; 8];
        getrandom::fill(&mut mark).map_err(|_| StoreError::Unavailable("the system gives no random numbers".into()))?;
        let mark = i64::from_le_bytes(mark);
        self.write_agenda(agenda, &Row { at, key, mark, log, epoch: number(epoch), head, written: self.now() }).await?;
        Ok(mark)
    }

    /// Sees that a row points to a change of the moment to `at`, which its owner is about to write.
    pub(super) async fn point_at(
        &self,
        key: ConversationKey,
        end: &LogEnd,
        at: Timestamp,
    ) -> Result<DueWrite, StoreError> {
        // What is remembered may be old: the condition tells.
        if let Some(held) = end.due.held().filter(|(due, _)| at >= *due) {
            return Ok(DueWrite::Under { at, held });
        }
        loop {
            let began = Here::now();
            let mark = self.note(Agenda::Due, at, key, end.log, end.epoch, end.head).await?;
            if Here::now().since(began) < FRESH {
                return Ok(DueWrite::Noted(at, mark));
            }
        }
    }

    /// The conversations to look at before a moment, in order, behind one of an earlier answer. Rows that are too early
    /// are moved, and those that are over are dropped, on the way.
    pub(super) async fn meet(
        &self,
        agenda: Agenda,
        before: Timestamp,
        after: Option<(Timestamp, ConversationKey)>,
        limit: usize,
    ) -> Result<Vec<Met>, StoreError> {
        let mut readings = self.readings(agenda, before, after).await?;
        let mut found: Vec<Met> = Vec::new();
        let mut moved: BinaryHeap<Reverse<Row>> = BinaryHeap::new();
        let mut trouble = Trouble::default();
        while found.len() < limit {
            let piece = limit.clamp(1, 64);
            for read in join_all(readings.iter_mut().map(|reading| self.read_on(reading, piece, before))).await {
                trouble.met(read, &self.buckets);
            }
            let mut rows = Vec::new();
            while rows.len() < AT_ONCE {
                let Some(next) = next(&mut readings, &mut moved, before) else { break };
                rows.push(next);
                // What comes next in a bucket is not known before it is read.
                if readings.iter().any(|reading| reading.rows.is_empty() && !reading.is_over) {
                    break;
                }
            }
            if rows.is_empty() {
                break;
            }
            let truths = join_all(rows.iter().map(|(row, _)| self.truth(agenda, row))).await;
            let mut tidying = Vec::new();
            for ((row, bucket), truth) in rows.into_iter().zip(truths) {
                let Some(truth) = trouble.met(truth, &self.buckets) else { continue };
                trouble.compared += 1;
                match truth {
                    Truth::Holds(met) => {
                        if found.last().is_none_or(|last| (last.at, last.key) != (met.at, met.key)) {
                            found.push(met);
                        }
                    }
                    Truth::Later(at) => {
                        let later = Row { at, ..row };
                        // Where it is not written it is met again.
                        if trouble.met(self.write_agenda(agenda, &later).await, &self.buckets).is_some() {
                            tidying.push(self.drop_met(bucket, row));
                        }
                        moved.push(Reverse(later));
                    }
                    Truth::Open => {}
                    Truth::Over => tidying.push(self.drop_met(bucket, row)),
                    Truth::Debris => {
                        let dropped = self.drop_debris(Debris { key: row.key, log: row.log }).await;
                        if trouble.met(dropped, &self.buckets).is_some() {
                            tidying.push(self.drop_met(bucket, row));
                        }
                    }
                }
            }
            // Those that stay are met again.
            join_all(tidying).await;
        }
        if let Some(error) = trouble.first.filter(|_| trouble.compared == 0) {
            return Err(error);
        }
        self.forget_empty(&readings).await;
        // What was met together may be more than was asked for; it is met again.
        found.truncate(limit);
        Ok(found)
    }

    /// What a row turns out to be. That it holds is told by what a majority has: a look too many does no harm. Whatever
    /// else it is, is told by what was decided, as something is dropped or moved for it.
    async fn truth(&self, agenda: Agenda, row: &Row) -> Result<Truth, StoreError> {
        if let Some(owner) = self.owner_lately(row.key).await?.filter(|owner| owner.log == row.log)
            && let Some((_, segment)) = self.last_segment(owner.log, owner.tail).await?
            && !segment.is_retired()
            && let found @ Truth::Holds(_) = row.truth(agenda, &segment, owner.is_anonymous, self.now())
        {
            return Ok(found);
        }
        let owner = self.owner(row.key).await?.filter(|owner| owner.log == row.log);
        let Some(owner) = owner else {
            // Whoever opens it has written this first, and is at it.
            let is_young = row.at.as_millis() > self.now().as_millis() - OPENING_MILLIS;
            return Ok(match agenda {
                Agenda::Unspoken if is_young => Truth::Open,
                Agenda::Unspoken => Truth::Debris,
                Agenda::Due => Truth::Over,
            });
        };
        let tail = self.tail(owner.log, owner.tail).await?;
        Ok(match (agenda, tail, tail.live()) {
            (_, _, Some(segment)) => row.truth(agenda, &segment, owner.is_anonymous, self.now()),
            // Whoever opened it was stopped before its log was open: nothing was said in it.
            (Agenda::Unspoken, Tail::Absent(0), _) => row.at_least(owner.opened_at, 0),
            _ => Truth::Over,
        })
    }

    /// The buckets that may have rows before a moment.
    async fn readings(
        &self,
        agenda: Agenda,
        before: Timestamp,
        after: Option<(Timestamp, ConversationKey)>,
    ) -> Result<Vec<Reading>, StoreError> {
        let this_slot = slot(self.now());
        // What is overdue stands in the slot in which it was written, by a clock that may be ahead.
        let last = slot(before).max(this_slot.saturating_add(1));
        let first = self.buckets.first(agenda, this_slot.saturating_sub(OPEN_SLOTS));
        let values = (agenda.number(), first, last.max(this_slot.saturating_add(DAY_SLOTS)));
        let found = self.link.all::<(i32, i8)>(&self.statements.buckets, values).await?;
        self.buckets.begin_at(agenda, found.iter().map(|(slot, _)| *slot).min());
        let found = found.into_iter().map(|(slot, shard)| Bucket { agenda, slot, shard });
        let found = found.filter(|bucket| !self.buckets.is_quiet(bucket, this_slot, last));
        // Behind all rows of that one.
        let after: Option<RowName> = after.map(|(at, key)| {
            let (tenant, id) = names(&key);
            (moment(at), tenant.to_vec(), id.to_vec(), i64::MAX)
        });
        Ok(found
            .map(|bucket| {
                let (after, is_whole) = (after.clone(), after.is_none());
                let rows = VecDeque::new();
                Reading { bucket, rows, after, is_over: false, is_empty: is_whole, is_quiet: is_whole }
            })
            .collect())
    }

    /// Reads on in a bucket of which nothing is at hand. One that cannot be read is over for this time.
    async fn read_on(&self, reading: &mut Reading, rows: usize, before: Timestamp) -> Result<(), StoreError> {
        if !reading.rows.is_empty() || reading.is_over {
            return Ok(());
        }
        let Bucket { agenda, slot, shard } = reading.bucket;
        let limit = i32::try_from(rows).unwrap_or(i32::MAX);
        let (kind, Self { link, statements, .. }) = (agenda.number(), self);
        while reading.rows.is_empty() && !reading.is_over {
            let found: Result<Vec<StoredRow>, StoreError> = match &reading.after {
                None => link.all(&statements.agenda_from, (kind, slot, shard, limit)).await,
                Some((at, tenant, id, mark)) => {
                    link.all(&statements.agenda, (kind, slot, shard, at, tenant, id, mark, limit)).await
                }
            };
            let found = found.inspect_err(|_| {
                (reading.is_over, reading.is_empty, reading.is_quiet) = (true, false, false);
            })?;
            reading.is_over = found.len() < rows;
            for stored in found {
                reading.is_empty = false;
                let (at, tenant, id, mark, ..) = &stored;
                reading.after = Some((*at, tenant.clone(), id.clone(), *mark));
                match Row::of(stored) {
                    Ok(row) => {
                        reading.is_quiet &= row.at >= before;
                        reading.rows.push_back(row);
                    }
                    Err(error) => self.buckets.skipped(&error),
                }
            }
        }
        Ok(())
    }

    async fn write_agenda(&self, agenda: Agenda, row: &Row) -> Result<(), StoreError> {
        let this_slot = slot(self.now());
        let place = shard(row.key.conversation.as_bytes());
        // One that is overdue stands in this slot, since earlier ones may be forgotten.
        let bucket = Bucket { agenda, slot: slot(row.at).max(this_slot), shard: place };
        let Bucket { slot, shard, .. } = bucket;
        if !self.buckets.is_known(&bucket) {
            self.link.write(&self.statements.note_bucket, (agenda.number(), slot, shard)).await?;
            self.buckets.know(bucket, this_slot);
        }
        let (tenant, id) = names(&row.key);
        let (kind, at, head) = (agenda.number(), moment(row.at), number(row.head));
        let values = (kind, slot, shard, at, tenant, id, row.mark, row.log, row.epoch, head);
        self.link.write(&self.statements.note_agenda, values).await
    }

    async fn drop_met(&self, bucket: Option<Bucket>, row: Row) {
        // One that was just moved stands where it is written.
        let Some(Bucket { agenda, slot, shard }) = bucket else { return };
        let (tenant, id) = names(&row.key);
        let values = (agenda.number(), slot, shard, moment(row.at), tenant, id, row.mark);
        // If it stays it is met again.
        let _ = self.link.write(&self.statements.drop_agenda, values).await;
    }

    async fn forget_empty(&self, readings: &[Reading]) {
        let this_slot = slot(self.now());
        let was_read = |reading: &&Reading| reading.is_over || !reading.rows.is_empty();
        for reading in readings.iter().filter(|reading| reading.is_quiet).filter(was_read) {
            let Bucket { agenda, slot, shard } = reading.bucket;
            self.buckets.looked(reading.bucket);
            if reading.is_empty && reading.is_over && slot < this_slot.saturating_sub(OPEN_SLOTS) {
                let _ = self.link.write(&self.statements.drop_bucket, (agenda.number(), slot, shard)).await;
            }
        }
    }
}

impl Trouble {
    /// What came of one of many: where nothing did, the others are gone on with.
    fn met<T>(&mut self, met: Result<T, StoreError>, buckets: &Buckets) -> Option<T> {
        match met {
            Ok(met) => Some(met),
            Err(error) => {
                buckets.skipped(&error);
                if !matches!(error, StoreError::Corrupt(_)) {
                    self.first.get_or_insert(error);
                }
                None
            }
        }
    }
}

impl Row {
    fn of((at, tenant, id, mark, log, epoch, head, written): StoredRow) -> Result<Self, StoreError> {
        let (tenant, id) = (tenant.try_into(), id.try_into());
        let (Ok(tenant), Ok(id), Some(log), Some(epoch), Some(head)) = (tenant, id, log, epoch, head) else {
            return Err(odd("a row of the agenda"));
        };
        let key =
            ConversationKey { tenant: TenantId::from_bytes(tenant), conversation: ConversationId::from_bytes(id) };
        let head = Seq::try_from(head).unwrap_or_default();
        let written = written.map_or_else(now, |micros| Timestamp::from_millis(micros / 1_000));
        Ok(Self { at: Timestamp::from_millis(at.0), key, mark, log, epoch, head, written })
    }

    fn truth(&self, agenda: Agenda, segment: &Segment, is_anonymous: bool, now: Timestamp) -> Truth {
        match agenda {
            Agenda::Due => self.due(segment, now),
            Agenda::Unspoken => self.unspoken(segment, is_anonymous),
        }
    }

    fn due(&self, segment: &Segment, now: Timestamp) -> Truth {
        let may_come = || now.as_millis().saturating_sub(self.written.as_millis()) < COMING_MILLIS;
        match segment.due {
            Due { at, mark: Some(mark) } if mark == self.mark => {
                at.map_or(Truth::Over, |due| self.at_least(due, segment.head))
            }
            _ if segment.epoch == self.epoch && segment.head == self.head && may_come() => Truth::Open,
            _ => Truth::Over,
        }
    }

    fn unspoken(&self, segment: &Segment, is_anonymous: bool) -> Truth {
        match segment.head {
            0 => self.at_least(segment.last_at, 0),
            1 if is_anonymous => self.at_least(segment.last_at, 1),
            _ => Truth::Over,
        }
    }

    fn at_least(&self, at: Timestamp, head: Seq) -> Truth {
        if at > self.at { Truth::Later(at) } else { Truth::Holds(Met { at: self.at, key: self.key, head }) }
    }
}

/// Takes the earliest of the rows at hand, with the bucket it was read from.
fn next(
    readings: &mut [Reading],
    moved: &mut BinaryHeap<Reverse<Row>>,
    before: Timestamp,
) -> Option<(Row, Option<Bucket>)> {
    let first = readings
        .iter_mut()
        .filter(|reading| !reading.rows.is_empty())
        .min_by_key(|reading| reading.rows.front().copied());
    let is_moved = match (&first, moved.peek()) {
        (Some(reading), Some(Reverse(row))) => reading.rows.front().is_none_or(|first| row < first),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let is_due = |row: &Row| row.at < before;
    if is_moved {
        return moved.pop().map(|Reverse(row)| row).filter(is_due).map(|row| (row, None));
    }
    let reading = first.filter(|reading| reading.rows.front().is_some_and(is_due))?;
    reading.rows.pop_front().map(|row| (row, Some(reading.bucket)))
}

#[cfg(test)]
#[path = "agenda_tests.rs"]
mod tests;
