//! The rows of keys: who has a key, who wants it, and what becomes of a row that somebody has left.
//! Invariant: a row is cleared of a writing only when that surely will not be done; see `record_keys.rs`.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use scylla::statement::prepared::PreparedStatement;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::core::Core;
use super::record_rows::{Head, beside, drawn, names};
use crate::{RecordName, StoreError};

/// How long a writing that wants a key is waited for. One that goes on after that begins anew.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long all those that want a key before are waited for.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(10);
/// Between two looks; it grows from the one to the other.
const LOOK_AGAIN: Duration = Duration::from_millis(8);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(200);

/// What the row of a key says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyRow {
    /// Who has it, if that record lists it.
    pub(super) id: Option<String>,
    /// The writing that gave it to it.
    pub(super) held: Option<Uuid>,
    /// Who wants it.
    pub(super) next: Option<String>,
    /// The writing that wants it.
    pub(super) change: Option<Uuid>,
}

/// A key that a record has.
pub(super) struct Key {
    pub(super) key: String,
    held: Option<Uuid>,
}

/// Waits for others, a little longer each time, and not for ever.
pub(super) struct Waiting {
    began: Instant,
    /// For whom, and since when.
    on: Option<(Uuid, Instant)>,
    next: Duration,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { began: Instant::now(), on: None, next: LOOK_AGAIN }
    }
}

impl Waiting {
    /// Waits a moment, and another one than others who began at the same time.
    pub(super) async fn pause(&mut self) {
        let chance = u32::from(drawn().as_bytes()[0]);
        sleep(self.next / 2 + self.next * chance / 256).await;
        self.next = (self.next * 2).min(LOOK_AGAIN_MAX);
    }

    /// Whether this writing has been waited for long enough.
    fn is_over(&mut self, change: Uuid) -> bool {
        match self.on {
            Some((on, since)) if on == change => since.elapsed() > PATIENCE,
            _ => {
                (self.on, self.next) = (Some((change, Instant::now())), LOOK_AGAIN);
                false
            }
        }
    }
}

impl Core {
    /// What the row of a key says, after everything that was decided about it.
    pub(super) async fn key_row(&self, at: &RecordName) -> Result<KeyRow, StoreError> {
        self.key_row_by(&self.statements.record_key, at).await
    }

    /// The same, as a majority has it.
    pub(super) async fn key_row_lately(&self, at: &RecordName) -> Result<KeyRow, StoreError> {
        self.key_row_by(&self.statements.record_key_lately, at).await
    }

    async fn key_row_by(&self, statement: &PreparedStatement, at: &RecordName) -> Result<KeyRow, StoreError> {
        type Row = (Option<String>, Option<Uuid>, Option<String>, Option<Uuid>);
        let row = self.link.one::<Row>(statement, names(at)).await?.unwrap_or_default();
        let (id, held, next, change) = row;
        Ok(KeyRow { id, held, next, change })
    }

    /// The keys that a record has, of those that it lists. What was under way on these when the record was read has come
    /// to its end.
    pub(super) async fn settle_keys(&self, name: &RecordName, head: &Head) -> Result<Vec<Key>, StoreError> {
        let keys = try_join_all(head.keys.iter().map(|key| self.settle_key(name, key))).await?;
        Ok(keys.into_iter().flatten().collect())
    }

    async fn settle_key(&self, name: &RecordName, key: &str) -> Result<Option<Key>, StoreError> {
        let at = beside(name, key);
        let mut waiting = Waiting::default();
        // Who wanted it before the record was read is seen by a majority.
        let mut row = self.key_row_lately(&at).await?;
        while row.change.is_some() {
            self.resolve(&at, &row, &mut waiting).await?;
            row = self.key_row(&at).await?;
        }
        let is_its = row.id.as_deref() == Some(name.id.as_str());
        Ok(is_its.then(|| Key { key: key.into(), held: row.held }))
    }

    /// A step towards a row that nobody wants: the key is given, or the one who wants it waited for, or stopped.
    pub(super) async fn resolve(&self, at: &RecordName, row: &KeyRow, waiting: &mut Waiting) -> Result<(), StoreError> {
        let (Some(next), Some(change)) = (&row.next, row.change) else { return Ok(()) };
        let writer = beside(at, next);
        let head = self.record_head(&writer).await?;
        if waiting.began.elapsed() > PATIENCE_IN_ALL {
            return Err(StoreError::Busy);
        }
        if head.change == Some(change) {
            if self.give(at, next, change).await?.is_none() {
                waiting.pause().await;
            }
            return Ok(());
        }
        if !waiting.is_over(change) {
            waiting.pause().await;
            return Ok(());
        }
        if self.fence_record(&writer, &head).await? == Some(true) {
            self.leave(at, change).await?;
        }
        Ok(())
    }

    /// Gives a record another guard than the one that was read with it. Whether that was done, where it is known.
    pub(super) async fn fence_record(&self, name: &RecordName, head: &Head) -> Result<Option<bool>, StoreError> {
        let (scope, kind, id) = names(name);
        let fenced = self.link.decide(&self.statements.fence_record, (drawn(), scope, kind, id, head.guard)).await;
        known(fenced)
    }

    /// Whether it was given by this call, where that is known.
    async fn give(&self, at: &RecordName, to: &str, change: Uuid) -> Result<Option<bool>, StoreError> {
        let (scope, kind, key) = names(at);
        known(self.link.decide(&self.statements.give_key, (to, change, scope, kind, key, change)).await)
    }

    async fn leave(&self, at: &RecordName, change: Uuid) -> Result<(), StoreError> {
        let (scope, kind, key) = names(at);
        known(self.link.decide(&self.statements.leave_key, (scope, kind, key, change)).await).map(drop)
    }

    /// Step 4 of a writing that was done. Where it fails, whoever meets the row does it.
    /// Whether all are given.
    pub(super) async fn give_all(&self, name: &RecordName, change: Uuid, keys: &[String]) -> bool {
        let given = keys.iter().map(async |key| self.give(&beside(name, key), &name.id, change).await);
        join_all(given).await.iter().all(|given| matches!(given, Ok(Some(_))))
    }

    /// Takes back what a writing that will not be done has asked for. Where it fails, whoever meets the row does it.
    /// Whether nothing is left of it.
    pub(super) async fn leave_all(&self, name: &RecordName, change: Uuid, keys: &[String]) -> bool {
        let left = keys.iter().map(async |key| self.leave(&beside(name, key), change).await);
        join_all(left).await.iter().all(Result::is_ok)
    }

    /// Frees the key of a row that names a record which does not list it.
    pub(super) async fn free_row(&self, at: &RecordName, row: &KeyRow) -> Result<(), StoreError> {
        let (scope, kind, key) = names(at);
        let values = (scope, kind, key, row.id.as_deref(), row.held);
        known(self.link.decide(&self.statements.free_key, values).await).map(drop)
    }

    /// Frees keys that a record has, and lists no more. Where it fails they count as free all the same.
    /// Whether all are free.
    pub(super) async fn free(&self, name: &RecordName, keys: &[Key]) -> bool {
        let free = async |one: &Key| {
            let (scope, kind, id) = names(name);
            let values = (scope, kind, &one.key, id, one.held);
            self.link.decide(&self.statements.free_key, values).await
        };
        join_all(keys.iter().map(free)).await.iter().all(Result::is_ok)
    }
}

/// An answer that was lost leaves open what a later reading tells.
fn known(answer: Result<bool, StoreError>) -> Result<Option<bool>, StoreError> {
    match answer {
        Ok(applied) => Ok(Some(applied)),
        Err(StoreError::Unknown(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
