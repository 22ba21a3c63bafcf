//! Keys of records: each is one record's at most, and a writing moves all of them or none.
//! Invariant: a key is the record's of which its row says so (`id`), where that record lists it; unless its row names a
//! writing (`change`) that has been done: then it is that of the writing's record (`next`).
//!
//! A record and its keys stand in partitions of their own, and nothing decides over several. So the record decides:
//! 0. **Read** the record and its guard. Whatever is under way on a key that it lists is brought to its end.
//! 1. **Want** each key that it has not got, in their order: the row says `next` and `change`, on the condition that it
//!    still says whose the key was, and that nobody else wants it. One that another record has is refused.
//! 2. **Fence** the record that is to give keys up: it gets a new guard while it still lists them.
//! 3. **Write** the record, on the condition that it is the version, the life and the guard that were read. It gets
//!    `change`, and as its guard the same. From here on all is done; before, nothing is.
//! 4. **Give** the keys to it (`id`, `held`), and free those that it lists no more.
//!
//! Whoever meets a row that somebody wants asks the record of that writing. It has `change`: the writing is done, and
//! the key is given. It has not: the writing is waited for, and when it takes too long, its record gets a new guard,
//! after which step 3 cannot be done; and the row is cleared. So nobody has to come back, wherever it was stopped.
//!
//! Why this is safe:
//! - *One record each.* Two writings never want one key at a time. The later one finds the earlier one done, and the key
//!   held, or has made sure that it will not be done.
//! - *All or nothing.* Step 3 is one statement, and every key that the record has not got by then names its `change`. Before
//!   a record is written with other keys, or removed, its keys have been given (step 0), so that no row names a writing
//!   of which the record no longer tells.
//! - *What a record has stays its own.* It is not wanted anew when it is written again. Whoever takes it wants it first,
//!   and fences then: a writing that saw the row before has the old guard, one that read the guard after sees the row.
//! - *Nothing is late.* A guard is drawn once, and so is `change`, with which each row is asked for once: where it is not
//!   known whether the row took it, all begins anew with another. `held` is drawn with each giving, so that freeing a key
//!   does not meet the next time that the same record has it.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::core::Core;
use super::record_intents::{Key, KeyRow, Waiting};
use super::record_rows::{Head, beside, drawn, names, unknown};
use super::segments::number;
use crate::{Record, RecordKeys, RecordName, Scope, StoreError};

/// How long a writing is begun anew.
const WITHIN: Duration = Duration::from_secs(12);
/// Times that step 3 is sent.
const TRIES: usize = 3;
/// Looks at a key that changes hands meanwhile.
const LOOKS: usize = 16;

/// A writing of a record with its keys.
struct Change<'a> {
    name: &'a RecordName,
    body: &'a [u8],
    keys: &'a BTreeSet<String>,
    taken_from: Option<&'a str>,
    /// What it is known by.
    id: Uuid,
    /// Of the record, if it is created.
    life: Uuid,
}

/// What all tries of a writing have in common.
struct Writing {
    /// What its notes are known by.
    id: Uuid,
    /// A row may yet come to name one of its tries, which nobody waits for any more: its notes stay.
    is_open: bool,
}

/// What became of it.
enum Outcome {
    Done(u64),
    /// It surely was not done, and may be begun anew.
    Again,
}

/// What became of wanting a key.
enum Wanted {
    /// The row names the writing.
    Yes {
        /// From the record that gives it up.
        taken: bool,
    },
    /// It is not known whether it does, or will.
    Unsure,
}

/// Keys that a record has, and will not have after a change.
fn left(has: &[Key], change: &Change<'_>) -> impl Iterator<Item = String> {
    has.iter().map(|one| one.key.clone()).filter(|key| !change.keys.contains(key))
}

impl Core {
    pub(super) async fn put_with_keys(
        &self,
        name: RecordName,
        expected: u64,
        body: Vec<u8>,
        keys: RecordKeys,
    ) -> Result<u64, StoreError> {
        let listed: BTreeSet<String> = keys.keys.into_iter().collect();
        let (life, began, mut is_noted) = (drawn(), Instant::now(), false);
        let mut writing = Writing { id: drawn(), is_open: false };
        let mut waiting = Waiting::default();
        let put = loop {
            let head = match self.record_head(&name).await {
                Ok(head) if head.version == expected => head,
                Ok(head) => break Err(StoreError::Conflict { found: head.version }),
                Err(error) => break Err(error),
            };
            if expected == 0 && !is_noted {
                self.note_record(&name, life).await?;
                is_noted = true;
            }
            let life = head.life.unwrap_or(life);
            let taken_from = keys.taken_from.as_deref();
            let change = Change { name: &name, body: &body, keys: &listed, taken_from, id: drawn(), life };
            match self.try_change(&mut writing, &change, &head).await {
                Ok(Outcome::Done(version)) => break Ok(version),
                Ok(Outcome::Again) if began.elapsed() < WITHIN => waiting.pause().await,
                Ok(Outcome::Again) => break Err(StoreError::Busy),
                Err(error) => break Err(error),
            }
        };
        if is_noted && put.as_ref().is_err_and(|error| !matches!(error, StoreError::Unknown(_))) {
            self.drop_record(&name, life).await;
        }
        put
    }

    async fn try_change(&self, writing: &mut Writing, change: &Change<'_>, head: &Head) -> Result<Outcome, StoreError> {
        let has = self.settle_keys(change.name, head).await?;
        let missing: Vec<&String> = change.keys.iter().filter(|key| has.iter().all(|one| one.key != **key)).collect();
        let noted: BTreeSet<String> = missing.iter().copied().cloned().chain(left(&has, change)).collect();
        self.note_keys(change.name, writing.id, &noted).await?;
        let mut asked = Vec::new();
        let outcome = match self.want_all(writing, change, head, &missing, &mut asked).await {
            Ok(true) => self.commit(change, head).await,
            Ok(false) => Ok(Outcome::Again),
            Err(error) => Err(error),
        };
        let is_settled = match &outcome {
            Ok(Outcome::Done(_)) => {
                let given = self.give_all(change.name, change.id, &asked);
                let left: Vec<Key> = has.into_iter().filter(|one| !change.keys.contains(&one.key)).collect();
                let (given, freed) = futures_util::join!(given, self.free(change.name, &left));
                given && freed
            }
            // It may yet be done: whoever meets the rows finds out.
            Err(StoreError::Unknown(_)) => false,
            Ok(Outcome::Again) | Err(_) => self.leave_all(change.name, change.id, &asked).await,
        };
        if is_settled && !writing.is_open {
            self.keys_are_settled(change.name, writing.id, &noted).await;
        }
        outcome
    }

    /// Steps 1 and 2. Whether the record may be written.
    async fn want_all(
        &self,
        writing: &mut Writing,
        change: &Change<'_>,
        head: &Head,
        missing: &[&String],
        asked: &mut Vec<String>,
    ) -> Result<bool, StoreError> {
        let mut taken = Vec::new();
        for key in missing {
            match self.want(writing, change, head, key, asked).await? {
                Wanted::Yes { taken: true } => taken.push(*key),
                Wanted::Yes { taken: false } => {}
                Wanted::Unsure => return Ok(false),
            }
        }
        let Some(giver) = change.taken_from.filter(|_| !taken.is_empty()) else { return Ok(true) };
        let giver = beside(change.name, giver);
        let head = self.record_head(&giver).await?;
        if !taken.iter().all(|key| head.keys.contains(*key)) {
            return Ok(false);
        }
        Ok(self.fence_record(&giver, &head).await? == Some(true))
    }

    async fn want(
        &self,
        writing: &mut Writing,
        change: &Change<'_>,
        head: &Head,
        key: &str,
        asked: &mut Vec<String>,
    ) -> Result<Wanted, StoreError> {
        let at = beside(change.name, key);
        let mut waiting = Waiting::default();
        loop {
            let row = self.key_row(&at).await?;
            if row.change == Some(change.id) {
                if asked.last().is_none_or(|last| last != key) {
                    asked.push(key.into());
                }
                let taken = row.id.is_some() && row.id.as_deref() == change.taken_from;
                return Ok(Wanted::Yes { taken });
            }
            if row.change.is_some() {
                self.resolve(&at, &row, &mut waiting).await?;
                continue;
            }
            let is_held = match row.id.as_deref() {
                None => false,
                Some(id) if id == change.name.id => head.keys.iter().any(|one| one == key),
                Some(id) => {
                    let holder = self.record_head(&beside(change.name, id)).await?;
                    holder.version > 0 && holder.keys.iter().any(|one| one == key)
                }
            };
            match (row.id.as_deref().filter(|_| is_held), change.taken_from) {
                // It was settled as not its own, and has become so: the record is not what was read.
                (Some(id), _) if id == change.name.id => return Ok(Wanted::Unsure),
                (Some(id), Some(giver)) if id == giver => {}
                (Some(id), _) => return Err(StoreError::Held { by: id.into() }),
                (None, Some(_)) => return Err(StoreError::NotFound),
                (None, None) => {}
            }
            let (scope, kind, text) = names(&at);
            let values = (&change.name.id, change.id, scope, kind, text, row.id.as_deref(), row.held);
            asked.push(key.into());
            match self.link.decide(&self.statements.want_key, values).await {
                Ok(true) => return Ok(Wanted::Yes { taken: is_held }),
                Ok(false) => asked.truncate(asked.len() - 1),
                Err(StoreError::Unknown(_)) => {
                    let was_open = std::mem::replace(&mut writing.is_open, true);
                    let is_there = self.key_row(&at).await?.change == Some(change.id);
                    writing.is_open = was_open || !is_there;
                    return Ok(if is_there { Wanted::Yes { taken: is_held } } else { Wanted::Unsure });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Step 3.
    async fn commit(&self, change: &Change<'_>, before: &Head) -> Result<Outcome, StoreError> {
        let (scope, kind, id) = names(change.name);
        let (keys, version) = (Vec::from_iter(change.keys), before.version + 1);
        let mut is_open = false;
        for _ in 0..TRIES {
            let written = (number(version), change.body, change.id, change.life, &keys, change.id, change.id);
            let (number, body, stamp, life, keys, by, guard) = written;
            let values = (
                number,
                body,
                stamp,
                life,
                keys,
                by,
                guard,
                scope,
                kind,
                id,
                before.number(),
                before.life,
                before.guard,
            );
            match self.link.decide(&self.statements.key_record, values).await {
                Ok(true) => return Ok(Outcome::Done(version)),
                Ok(false) => {}
                Err(StoreError::Unknown(_)) => is_open = true,
                Err(error) if !is_open => return Err(error),
                Err(_) => {}
            }
            let head = self.record_after_writing(change.name).await?;
            if head.change == Some(change.id) {
                return Ok(Outcome::Done(version));
            }
            if head.guard == before.guard {
                if head.is_still(before) {
                    continue;
                }
                // It has been written without keys since; were it removed, it would have another guard.
                return Err(StoreError::Conflict { found: head.version });
            }
            // Of what was written with keys, or removed, since this one was sent, nothing tells what was before.
            let is_certain = !is_open || (head.is_still(before) && head.version > 0);
            return if is_certain { Ok(Outcome::Again) } else { Err(unknown()) };
        }
        Err(if is_open { unknown() } else { StoreError::Busy })
    }

    pub(super) async fn find(
        &self,
        scope: Scope,
        kind: &'static str,
        key: String,
    ) -> Result<Option<Record>, StoreError> {
        let at = RecordName { scope, kind, id: key };
        let mut row = self.key_row_lately(&at).await?;
        for _ in 0..LOOKS {
            if row.id.is_none() && row.change.is_none() {
                return Ok(None);
            }
            let found = self.holder(&at, &row).await?;
            // What was read is of one moment where the row was the same before and after.
            let again = self.key_row_lately(&at).await?;
            if again == row {
                return Ok(found);
            }
            row = again;
        }
        Err(StoreError::Busy)
    }

    /// The record that has a key of which the row says this. The holder is read first: if the one who wants it has not
    /// got it after that, it had not before.
    async fn holder(&self, at: &RecordName, row: &KeyRow) -> Result<Option<Record>, StoreError> {
        let holder = match &row.id {
            Some(id) => self.record(&beside(at, id)).await?,
            None => None,
        };
        if let (Some(next), Some(_)) = (&row.next, row.change) {
            let writer = self.record(&beside(at, next)).await?;
            if let Some(writer) = writer.filter(|writer| writer.change == row.change) {
                return Ok(Some(writer.record));
            }
        }
        Ok(holder.filter(|found| found.keys.contains(&at.id)).map(|found| found.record))
    }
}
