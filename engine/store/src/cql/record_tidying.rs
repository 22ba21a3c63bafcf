//! Rows of keys that are being changed, noted until that is over: where the writer is stopped in its middle, what it has
//! left is gone on with.
//! Invariant: a key that no record has, and nobody is at work on, has no row. Keys are what people are known by, so that
//! none may stay when its record was erased.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::core::{Core, SHARDS};
use super::record_intents::Waiting;
use super::record_rows::{beside, names, scope_of, shard};
use super::segments::moment;
use crate::{RecordName, StoreError};

/// How long a writer is left alone.
const YOUNG_MILLIS: i64 = 30_000;
/// How long a note stays at least: what was left open may come until then.
const OPEN_MILLIS: i64 = 600_000;
/// Notes looked at in one round, of each shard.
const ROUND: usize = 256;

/// Kinds of records with keys that this process has met: it goes on with those.
#[derive(Default)]
pub(super) struct Kinds(Mutex<BTreeSet<&'static str>>);

impl Kinds {
    fn meet(&self, kind: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(kind);
    }

    fn met(&self, kind: &str) -> Option<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(kind).copied()
    }
}

/// A note as it is stored.
type Noted = (Vec<u8>, String, String, Uuid, Option<CqlTimestamp>);

impl Core {
    /// Notes that the rows of some keys are about to be changed, by a writing.
    pub(super) async fn note_keys(
        &self,
        name: &RecordName,
        writing: Uuid,
        keys: impl IntoIterator<Item = &String>,
    ) -> Result<(), StoreError> {
        self.kinds.meet(name.kind);
        for key in keys {
            let at = beside(name, key);
            let (scope, kind, key) = names(&at);
            let values = (shard(key), scope, kind, key, writing, moment(self.now()));
            self.link.write(&self.statements.note_key, values).await.map_err(
                // It is not known whether the note is there, and surely nothing else is.
                |error| match error {
                    StoreError::Unknown(why) => StoreError::Unavailable(why),
                    error => error,
                },
            )?;
        }
        Ok(())
    }

    /// The rows of some keys are as they are to be, for all that a writing has to do with them. Notes that stay are looked
    /// at once more.
    pub(super) async fn keys_are_settled(
        &self,
        name: &RecordName,
        writing: Uuid,
        keys: impl IntoIterator<Item = &String>,
    ) {
        join_all(keys.into_iter().map(async |key| {
            let at = beside(name, key);
            let (scope, kind, key) = names(&at);
            let _ = self.link.write(&self.statements.drop_key_note, (shard(key), scope, kind, key, writing)).await;
        }))
        .await;
    }

    /// Goes on with changes of keys that were left in their middle, some in each round.
    ///
    /// # Errors
    /// The first of those that kept it from some of them.
    pub(super) async fn tidy_keys(&self) -> Result<(), StoreError> {
        let mut error = None;
        for part in 0..SHARDS {
            let from = self.rounds.keys(part);
            let page = self.link.page::<Noted>(&self.statements.key_notes, (part.cast_signed(),), ROUND, from).await;
            let (noted, next) = match page {
                Ok(page) => page,
                Err(kept) => {
                    error.get_or_insert(kept);
                    continue;
                }
            };
            self.rounds.keys_from(part, next);
            for (scope, kind, key, writing, since) in noted {
                let (Some(scope), Some(kind)) = (scope_of(&scope), self.kinds.met(&kind)) else { continue };
                let age = self.now().as_millis().saturating_sub(since.map_or(0, |since| since.0));
                if age > YOUNG_MILLIS {
                    let at = RecordName { scope, kind, id: key };
                    let note = (part, writing);
                    if let Err(kept) = self.tidy_key(&at, note, age > OPEN_MILLIS).await {
                        error.get_or_insert(kept);
                    }
                }
            }
        }
        error.map_or(Ok(()), Err)
    }

    /// Brings the row of one key to rest: given to the one who was to have it, or freed, or as it is.
    async fn tidy_key(&self, at: &RecordName, (part, writing): (u8, Uuid), is_old: bool) -> Result<(), StoreError> {
        let mut waiting = Waiting::default();
        let mut row = self.key_row(at).await?;
        while row.change.is_some() {
            self.resolve(at, &row, &mut waiting).await?;
            row = self.key_row(at).await?;
        }
        if let Some(id) = &row.id {
            let holder = self.record_head(&beside(at, id)).await?;
            if holder.version == 0 || !holder.keys.contains(&at.id) {
                self.free_row(at, &row).await?;
            }
        }
        if !is_old {
            return Ok(());
        }
        let (scope, kind, key) = names(at);
        let values = (part.cast_signed(), scope, kind, key, writing);
        self.link.write(&self.statements.drop_key_note, values).await
    }
}
