//! Appending to a log: one statement under the condition that epoch and head are still the writer's.
//! Invariant: an append is answered only when it was decided, one way or the other. A repetition after an answer that
//! left it open is safe: the head moves once.

use std::sync::Arc;

use engine_privacy::{Cipher, FreshNonce};
use schema::{ConversationKey, Epoch, Event, Seq, Timestamp};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::value::MaybeUnset;

use super::core::{Core, names};
use super::due_write::DueWrite;
use super::places::LogEnd;
use super::segments::{SEGMENT_BYTES_MAX, SEGMENT_EVENTS_MAX, Segment, moment, number};
use crate::sealed::event::{FORMAT_SEALED, Written, label};
use crate::{Append, DueChange, StoreError};

/// Times that one append is sent.
const TRIES: usize = 3;
/// How its events stand in the table.
const FORMAT: i8 = 2;
const _: () = assert!(FORMAT as i64 == FORMAT_SEALED, "it is the form that `sealed` writes");

/// An event as it is stored.
struct Row {
    seq: Seq,
    clear: String,
    sealed: Option<Vec<u8>>,
}

impl Core {
    /// Stores events if `epoch` and `head` still hold.
    pub(super) async fn append(&self, append: &Append) -> Result<(), StoreError> {
        let appended = self.append_to(append).await;
        if appended == Err(StoreError::NotFound) {
            // What is remembered of it may be another life of it.
            self.places.forget(append.key);
        }
        appended
    }

    async fn append_to(&self, append: &Append) -> Result<(), StoreError> {
        let newest = append.events.last().filter(|_| append.continues_head()).ok_or(StoreError::Fenced)?;
        let key = append.key;
        let mut end = self.end_at(key, append.epoch, append.head).await?;
        let cipher = self.cipher(end.log).await?.ok_or(StoreError::NotFound)?;
        let rows = rows(key, &append.events, &cipher)?;
        let bytes = rows.iter().map(Row::bytes).sum();
        if end.is_full(append.events.len() as u64, bytes) {
            end = self.roll(key, end).await?;
        }
        let newest = Newest { seq: newest.seq, at: newest.at };
        // What points to the append goes before it.
        let (due, covered) = futures_util::try_join!(self.point_to(key, &end, append.due), self.touch(key))?;
        let end = self.settle(append, end, newest, bytes, due, &rows).await?;
        if covered.is_late() {
            let told = self.touch_anew(key).await;
            told.map_err(|error| StoreError::Unknown(error.to_string()))?;
        }
        drop(covered);
        self.places.ends(key, LogEnd { head: newest.seq, bytes: end.bytes + bytes, ..end });
        Ok(())
    }

    /// Sends it until it is known what became of it. Gives the end that it was appended to, and when it is due now.
    async fn settle(
        &self,
        append: &Append,
        mut end: LogEnd,
        newest: Newest,
        bytes: u64,
        mut due: DueWrite,
        rows: &[Row],
    ) -> Result<LogEnd, StoreError> {
        // Whether one that was sent may yet be done.
        let mut open: Option<String> = None;
        for _ in 0..TRIES {
            self.places.send(append.key);
            match self.send(&end, newest, bytes, due, rows).await {
                Ok(true) => return Ok(LogEnd { due: due.applied_to(end.due), ..end }),
                Ok(false) => {}
                Err(StoreError::Unknown(why)) => open = Some(why),
                Err(error) if open.is_none() => return Err(error),
                Err(_) => {}
            }
            // Once this is answered, what was under way was finished by it, or meets the same condition.
            let Ok(found) = self.segment(end.log, end.segment).await else {
                return Err(StoreError::Unknown("neither it nor a reading was answered".into()));
            };
            let found = found.filter(|found| !found.is_retired()).ok_or(StoreError::NotFound)?;
            if found.head == end.head && found.is_owned_by(end.epoch) && found.next.is_some() {
                // What was sent to it will not be done any more: it was sealed before.
                (end, open) = (self.end_of(append.key, end.epoch, end.head).await?, None);
                continue;
            }
            if found.head > end.head || !found.is_owned_by(end.epoch) {
                if !self.stands(&end, rows).await? {
                    return Err(StoreError::Fenced);
                }
                return Ok(LogEnd { due: due.applied_to(end.due), ..end });
            }
            if found.due != end.due {
                // What was remembered of it is old: what points to the append may be, too.
                end.due = found.due;
                let pointed = self.point_to(append.key, &end, append.due).await;
                due = pointed.map_err(|error| open.clone().map_or(error, StoreError::Unknown))?;
            }
        }
        Err(open.map_or(StoreError::Busy, StoreError::Unknown))
    }

    async fn send(
        &self,
        end: &LogEnd,
        newest: Newest,
        bytes: u64,
        due: DueWrite,
        rows: &[Row],
    ) -> Result<bool, StoreError> {
        let Self { link, statements, .. } = self;
        let (head, bytes, last_at) = (number(newest.seq), number(end.bytes + bytes), moment(newest.at));
        let (log, segment, epoch, before) = (end.log, end.segment, number(end.epoch), number(end.head));
        let ((at, mark), held) = (due.cells(), due.held());
        if let [Row { clear, sealed, .. }] = rows {
            let (sealed, by) = (set(sealed.as_deref()), epoch);
            return match held {
                None => {
                    let values =
                        (head, bytes, last_at, at, mark, by, FORMAT, clear, sealed, log, segment, head, epoch, before);
                    link.decide(&statements.append, values).await
                }
                Some((due, due_mark)) => {
                    let values = (
                        head, bytes, last_at, at, mark, by, FORMAT, clear, sealed, log, segment, head, epoch, before,
                        due, due_mark,
                    );
                    link.decide(&statements.append_under, values).await
                }
            };
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        let mut values: Vec<Box<dyn SerializeRow + Send + Sync + '_>> = Vec::with_capacity(rows.len() + 1);
        match held {
            None => {
                batch.append_statement(statements.move_head.clone());
                values.push(Box::new((head, bytes, last_at, at, mark, log, segment, epoch, before)));
            }
            Some((held_at, held_mark)) => {
                batch.append_statement(statements.move_head_under.clone());
                let first = (head, bytes, last_at, at, mark, log, segment, epoch, before, held_at, held_mark);
                values.push(Box::new(first));
            }
        }
        for Row { seq, clear, sealed } in rows {
            batch.append_statement(statements.event.clone());
            let sealed = set(sealed.as_deref());
            values.push(Box::new((log, segment, number(*seq), epoch, FORMAT, clear, sealed)));
        }
        link.decide_together(batch, values).await
    }

    /// Whether the log has these very rows: the conditional statement that was left open was applied.
    async fn stands(&self, end: &LogEnd, rows: &[Row]) -> Result<bool, StoreError> {
        type Found = (Option<i64>, Option<String>, Option<Vec<u8>>);
        let Some(row) = rows.first() else { return Ok(false) };
        let values = (end.log, end.segment, number(row.seq));
        let found = self.link.one::<Found>(&self.statements.event_serial, values).await?;
        // Nonces are drawn for each append: nobody else writes the same bytes, and an event without any is told by its
        // owner, who writes one text under a head.
        Ok(found.is_some_and(|(epoch, clear, sealed)| {
            epoch == Some(number(end.epoch)) && clear.as_ref() == Some(&row.clear) && sealed == row.sealed
        }))
    }

    /// Where the log of an owner ends, if that is at `head`.
    pub(super) async fn end_at(&self, key: ConversationKey, epoch: Epoch, head: Seq) -> Result<LogEnd, StoreError> {
        if let Some(end) = self.places.end(key, epoch).filter(|end| end.head == head) {
            return Ok(end);
        }
        self.end_of(key, epoch, head).await
    }

    /// The same, whatever is remembered of it.
    pub(super) async fn end_of(&self, key: ConversationKey, epoch: Epoch, head: Seq) -> Result<LogEnd, StoreError> {
        let (log, tail) = self.log(key).await?.ok_or(StoreError::NotFound)?;
        let Some((at, segment)) = self.open_tail(log, tail).await? else {
            self.places.forget(key);
            return Err(StoreError::NotFound);
        };
        if !segment.is_owned_by(epoch) || segment.head != head {
            return Err(StoreError::Fenced);
        }
        let Segment { head, first, bytes, due, .. } = segment;
        let end = LogEnd { log, epoch, segment: at, first, bytes, head, due };
        self.places.ends(key, end);
        Ok(end)
    }

    /// Seals the segment that a log ends with, and opens the next one.
    async fn roll(&self, key: ConversationKey, end: LogEnd) -> Result<LogEnd, StoreError> {
        let LogEnd { log, epoch, segment: at, head, .. } = end;
        let next = at + 1;
        let values = (next, log, at, number(epoch), number(head));
        match self.link.decide(&self.statements.seal, values).await {
            Ok(_) | Err(StoreError::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
        let sealed = self.segment(log, at).await?.filter(|sealed| !sealed.is_retired()).ok_or(StoreError::NotFound)?;
        if !sealed.is_owned_by(epoch) || sealed.head != head {
            return Err(StoreError::Fenced);
        }
        if sealed.next != Some(next) {
            return Err(StoreError::Unavailable("the segment could not be sealed".into()));
        }
        self.open_segment(log, next, epoch, Some(&sealed), sealed.last_at).await?;
        let opened = self.segment(log, next).await?;
        let opened = opened.filter(|opened| opened.is_owned_by(epoch) && opened.head == head);
        let opened = opened.ok_or(StoreError::Fenced)?;
        let (tenant, id) = names(&key);
        // Only to find it sooner.
        let _ = self.link.decide(&self.statements.move_tail, (next, tenant, id, log, number(epoch))).await;
        let end = LogEnd { segment: next, first: opened.first, bytes: 0, ..end };
        self.places.ends(key, end);
        Ok(end)
    }

    /// Sees that the agenda points to an append that changes when the conversation is due.
    async fn point_to(&self, key: ConversationKey, end: &LogEnd, due: DueChange) -> Result<DueWrite, StoreError> {
        match due {
            DueChange::Keep => Ok(DueWrite::Keep),
            DueChange::Clear => Ok(DueWrite::Clear),
            DueChange::At(at) => self.point_at(key, end, at).await,
        }
    }
}

/// The newest of the events that are appended.
#[derive(Clone, Copy)]
struct Newest {
    seq: Seq,
    at: Timestamp,
}

impl Row {
    fn bytes(&self) -> u64 {
        (self.clear.len() + self.sealed.as_ref().map_or(0, Vec::len)) as u64
    }
}

impl LogEnd {
    /// Whether events of so many bytes are to go into the next segment. An empty one takes any.
    const fn is_full(&self, events: u64, bytes: u64) -> bool {
        let there = self.head + 1 - self.first;
        there > 0 && (there + events > SEGMENT_EVENTS_MAX || self.bytes + bytes > SEGMENT_BYTES_MAX)
    }
}

// What is not there is not written either: a null would be kept as a removal.
fn set(sealed: Option<&[u8]>) -> MaybeUnset<&[u8]> {
    sealed.map_or(MaybeUnset::Unset, MaybeUnset::Set)
}

fn rows(key: ConversationKey, events: &[Event], cipher: &Arc<Cipher>) -> Result<Vec<Row>, StoreError> {
    let unsealed = |error: engine_privacy::SealError| StoreError::Unavailable(error.to_string());
    let nonces = FreshNonce::draw(events.len()).map_err(unsealed)?;
    let rows = events.iter().zip(nonces).map(|(event, nonce)| {
        let Written { clear, texts } = Written::of(event)?;
        let seal = |texts: Vec<u8>| cipher.seal_with(nonce, &label(key, event.seq), &texts);
        Ok(Row { seq: event.seq, clear, sealed: texts.map(seal).transpose().map_err(unsealed)? })
    });
    rows.collect()
}
