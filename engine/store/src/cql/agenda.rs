//! When to look at conversations: rows by hour, that lead to what their logs say.
//! Invariant: a row is written before what it points to, and a conversation of which the log says "at this moment" has
//! a row that is not later. What is true is said by the log alone.
//!
//! A row that is earlier than the truth is moved to it when it is met, so that an append that moves the moment on, as
//! most do, writes nothing here. Each row has a *mark*, drawn when it is written, and the log names the one that holds:
//! - the moment never goes back under one mark: whoever moves it back writes a new row with a new mark first;
//! - a row is moved from `x` to `y` by writing the one at `y`, and only then dropping the one at `x`, where `y` is what
//!   the log said. So there is always one that is not later than the truth;
//! - a row of another mark is over when the log's epoch or head has passed those that it was written under: the
//!   statement that it was written for can only be applied under these. Until then it is left alone.
//!
//! No clock decides any of this. One decides only in which hour a row stands (an hour that is over gets no more rows
//! once clocks differ by less than a day) and when an empty hour is forgotten.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use schema::{ConversationId, ConversationKey, Epoch, Seq, TenantId, Timestamp};
use scylla::value::{CqlTimestamp, MaybeUnset};
use uuid::Uuid;

use super::clock::now;
use super::core::{Core, names, shard};
use super::failure::odd;
use super::places::LogEnd;
use super::segments::{Segment, moment, number};
use crate::StoreError;

const HOUR: i64 = 3_600_000;
/// How long after its end an hour may still get rows, by a clock that is behind.
const OPEN_HOURS: i32 = 48;
/// How often an hour that is over, and was found empty, is looked at.
const EMPTY_EVERY: Duration = Duration::from_secs(600);
/// Rows that are compared with their logs at the same time.
const AT_ONCE: usize = 16;
/// Hours remembered.
const REMEMBERED_MAX: usize = 16_384;
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
    const fn number(self) -> i8 {
        match self {
            Self::Due => 0,
            Self::Unspoken => 1,
        }
    }
}

/// What a statement writes of the moment and of its mark.
#[derive(Clone, Copy)]
pub(super) struct DueWrite {
    pub(super) at: MaybeUnset<Option<CqlTimestamp>>,
    pub(super) mark: MaybeUnset<Option<i64>>,
}

impl DueWrite {
    /// Neither.
    pub(super) const KEEP: Self = Self { at: MaybeUnset::Unset, mark: MaybeUnset::Unset };
    /// There is none any more.
    pub(super) const CLEAR: Self = Self { at: MaybeUnset::Set(None), mark: MaybeUnset::Set(None) };

    /// At this moment, which the row with the mark is not later than; without one, the row that holds.
    pub(super) const fn at(at: Timestamp, mark: Option<i64>) -> Self {
        let mark = match mark {
            Some(_) => MaybeUnset::Set(mark),
            None => MaybeUnset::Unset,
        };
        Self { at: MaybeUnset::Set(Some(moment(at))), mark }
    }
}

/// What of an agenda is remembered: the hours that surely stand in it, and those that were found empty.
#[derive(Default)]
pub(super) struct Buckets {
    known: Mutex<HashMap<Bucket, ()>>,
    empty: Mutex<HashMap<Bucket, Instant>>,
}

/// A partition of an agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Bucket {
    agenda: Agenda,
    hour: i32,
    shard: i8,
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
}

type StoredRow = (CqlTimestamp, Vec<u8>, Vec<u8>, i64, Option<Uuid>, Option<i64>, Option<i64>);

/// The rows of a bucket, read piece by piece.
struct Reading {
    bucket: Bucket,
    rows: VecDeque<Row>,
    after: Option<(Timestamp, ConversationKey, i64)>,
    is_over: bool,
    /// It was read from its beginning, and has had no row.
    is_empty: bool,
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
        self.write_agenda(agenda, &Row { at, key, mark, log, epoch: number(epoch), head }).await?;
        Ok(mark)
    }

    /// Sees that a row points to a change of the moment to `at`, which its owner is about to write.
    pub(super) async fn point_at(
        &self,
        key: ConversationKey,
        end: &LogEnd,
        at: Timestamp,
    ) -> Result<DueWrite, StoreError> {
        // Whoever has moved it since has moved it back, with a row of their own: what holds is not later than this.
        if end.due.is_some_and(|due| at >= due) {
            return Ok(DueWrite::at(at, None));
        }
        loop {
            let (clock, began) = (now(), Instant::now());
            let mark = self.note(Agenda::Due, at, key, end.log, end.epoch, end.head).await?;
            // A machine that was suspended knows it by one of the two.
            let passed = now().since(clock).max(began.elapsed());
            if passed < FRESH {
                return Ok(DueWrite::at(at, Some(mark)));
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
        while found.len() < limit {
            let piece = limit.clamp(1, 64);
            try_join_all(readings.iter_mut().map(|reading| self.read_on(reading, piece))).await?;
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
                match truth? {
                    Truth::Holds(met) => {
                        if found.last().is_none_or(|last| (last.at, last.key) != (met.at, met.key)) {
                            found.push(met);
                        }
                    }
                    Truth::Later(at) => {
                        let later = Row { at, ..row };
                        self.write_agenda(agenda, &later).await?;
                        tidying.push(self.drop_met(bucket, row));
                        moved.push(Reverse(later));
                    }
                    Truth::Open => {}
                    Truth::Over => tidying.push(self.drop_met(bucket, row)),
                    Truth::Debris => {
                        self.drop_debris(Debris { key: row.key, log: row.log }).await?;
                        tidying.push(self.drop_met(bucket, row));
                    }
                }
            }
            // Those that stay are met again.
            join_all(tidying).await;
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
            && let found @ Truth::Holds(_) = row.truth(agenda, &segment, owner.is_anonymous)
        {
            return Ok(found);
        }
        let Some(owner) = self.owner(row.key).await? else {
            // Whoever opens it has written this first, and is at it.
            let is_young = row.at.as_millis() > now().as_millis() - HOUR;
            return Ok(match agenda {
                Agenda::Unspoken if is_young => Truth::Open,
                Agenda::Unspoken => Truth::Debris,
                Agenda::Due => Truth::Over,
            });
        };
        if owner.log != row.log {
            return Ok(if agenda == Agenda::Unspoken { Truth::Debris } else { Truth::Over });
        }
        let segment = match self.tail(owner.log, owner.tail).await? {
            Some((_, segment)) if !segment.is_retired() => segment,
            _ => return Ok(Truth::Over),
        };
        Ok(row.truth(agenda, &segment, owner.is_anonymous))
    }

    /// The buckets that may have rows before a moment.
    async fn readings(
        &self,
        agenda: Agenda,
        before: Timestamp,
        after: Option<(Timestamp, ConversationKey)>,
    ) -> Result<Vec<Reading>, StoreError> {
        let this_hour = hour(now());
        let last = hour(before).max(this_hour.saturating_add(1));
        let values = (agenda.number(), last);
        let found = self.link.all::<(i32, i8)>(&self.statements.buckets, values).await?;
        let found = found.into_iter().map(|(hour, shard)| Bucket { agenda, hour, shard });
        let is_quiet = |bucket: &Bucket| bucket.hour + 1 < this_hour && self.buckets.is_empty(bucket);
        let found = found.filter(|bucket| !is_quiet(bucket));
        // Behind all rows of that one.
        let after = after.map(|(at, key)| (at, key, i64::MAX));
        Ok(found
            .map(|bucket| Reading { bucket, rows: VecDeque::new(), after, is_over: false, is_empty: after.is_none() })
            .collect())
    }

    async fn read_on(&self, reading: &mut Reading, rows: usize) -> Result<(), StoreError> {
        if !reading.rows.is_empty() || reading.is_over {
            return Ok(());
        }
        let Bucket { agenda, hour, shard } = reading.bucket;
        let limit = i32::try_from(rows).unwrap_or(i32::MAX);
        let (kind, Self { link, statements, .. }) = (agenda.number(), self);
        let found: Vec<StoredRow> = match &reading.after {
            None => link.all(&statements.agenda_from, (kind, hour, shard, limit)).await?,
            Some((at, key, mark)) => {
                let (tenant, id) = names(key);
                link.all(&statements.agenda, (kind, hour, shard, moment(*at), tenant, id, mark, limit)).await?
            }
        };
        reading.is_over = found.len() < rows;
        for stored in found {
            let row = Row::of(stored)?;
            reading.is_empty = false;
            reading.after = Some((row.at, row.key, row.mark));
            reading.rows.push_back(row);
        }
        Ok(())
    }

    async fn write_agenda(&self, agenda: Agenda, row: &Row) -> Result<(), StoreError> {
        let this_hour = hour(now());
        let place = shard(row.key.conversation.as_bytes());
        // One that is overdue stands in this hour, since earlier ones may be forgotten.
        let bucket = Bucket { agenda, hour: hour(row.at).max(this_hour), shard: place };
        let Bucket { hour, shard, .. } = bucket;
        if !self.buckets.is_known(&bucket) {
            self.link.write(&self.statements.note_bucket, (agenda.number(), hour, shard)).await?;
            self.buckets.know(bucket, this_hour);
        }
        let (tenant, id) = names(&row.key);
        let (kind, at, head) = (agenda.number(), moment(row.at), number(row.head));
        let values = (kind, hour, shard, at, tenant, id, row.mark, row.log, row.epoch, head);
        self.link.write(&self.statements.note_agenda, values).await
    }

    async fn drop_met(&self, bucket: Option<Bucket>, row: Row) {
        // One that was just moved stands where it is written.
        let Some(Bucket { agenda, hour, shard }) = bucket else { return };
        let (tenant, id) = names(&row.key);
        let values = (agenda.number(), hour, shard, moment(row.at), tenant, id, row.mark);
        // If it stays it is met again.
        let _ = self.link.write(&self.statements.drop_agenda, values).await;
    }

    async fn forget_empty(&self, readings: &[Reading]) {
        let this_hour = hour(now());
        for reading in readings.iter().filter(|reading| reading.is_empty && reading.is_over) {
            let Bucket { agenda, hour, shard } = reading.bucket;
            self.buckets.found_empty(reading.bucket);
            if hour < this_hour.saturating_sub(OPEN_HOURS) {
                let _ = self.link.write(&self.statements.drop_bucket, (agenda.number(), hour, shard)).await;
            }
        }
    }
}

impl Row {
    fn of((at, tenant, id, mark, log, epoch, head): StoredRow) -> Result<Self, StoreError> {
        let (tenant, id) = (tenant.try_into(), id.try_into());
        let (Ok(tenant), Ok(id), Some(log), Some(epoch), Some(head)) = (tenant, id, log, epoch, head) else {
            return Err(odd("a row of the agenda"));
        };
        let key =
            ConversationKey { tenant: TenantId::from_bytes(tenant), conversation: ConversationId::from_bytes(id) };
        let head = Seq::try_from(head).unwrap_or_default();
        Ok(Self { at: Timestamp::from_millis(at.0), key, mark, log, epoch, head })
    }

    fn truth(&self, agenda: Agenda, segment: &Segment, is_anonymous: bool) -> Truth {
        match agenda {
            Agenda::Due => self.due(segment),
            Agenda::Unspoken => self.unspoken(segment, is_anonymous),
        }
    }

    fn due(&self, segment: &Segment) -> Truth {
        match segment.due {
            Some((due, mark)) if mark == self.mark => self.at_least(due, segment.head),
            _ if segment.epoch == self.epoch && segment.head == self.head => Truth::Open,
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

impl Buckets {
    fn is_known(&self, bucket: &Bucket) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains_key(bucket)
    }

    fn know(&self, bucket: Bucket, this_hour: i32) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Hours that are over may be forgotten, and get no more rows.
        known.retain(|bucket, ()| bucket.hour >= this_hour);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(bucket, ());
    }

    fn is_empty(&self, bucket: &Bucket) -> bool {
        let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        empty.get(bucket).is_some_and(|since| since.elapsed() < EMPTY_EVERY)
    }

    fn found_empty(&self, bucket: Bucket) {
        let mut empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        if empty.len() >= REMEMBERED_MAX {
            empty.clear();
        }
        empty.insert(bucket, Instant::now());
    }
}

fn hour(at: Timestamp) -> i32 {
    i32::try_from(at.as_millis().div_euclid(HOUR)).unwrap_or(if at.as_millis() < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
#[path = "agenda_tests.rs"]
mod tests;
