//! Rows of keys that are being changed, noted until that is over: where the writer is stopped in its middle, what it has
//! left is gone on with.
//! Invariant: a key that no record has, and nobody is at work on, has no row. Keys are what people are known by, so that
//! none may stay when its record was erased.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use scylla::value::CqlTimestamp;

use super::clock::now;
use super::core::{Core, SHARDS};
use super::record_intents::Waiting;
use super::record_rows::{beside, names, scope_of, shard};
use super::segments::moment;
use crate::{RecordName, StoreError};

/// How long a writer is left alone.
const YOUNG_MILLIS: i64 = 30_000;
/// Notes looked at in one round, of each shard.
const ROUND: i32 = 256;

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
type Noted = (Vec<u8>, String, String, Option<CqlTimestamp>);

impl Core {
    /// Notes that the rows of some keys are about to be changed.
    pub(super) async fn note_keys(
        &self,
        name: &RecordName,
        keys: impl IntoIterator<Item = &String>,
    ) -> Result<(), StoreError> {
        self.kinds.meet(name.kind);
        for key in keys {
            let at = beside(name, key);
            let (scope, kind, key) = names(&at);
            self.link.write(&self.statements.note_key, (shard(key), scope, kind, key, moment(now()))).await.map_err(
                // It is not known whether the note is there, and surely nothing else is.
                |error| match error {
                    StoreError::Unknown(why) => StoreError::Unavailable(why),
                    error => error,
                },
            )?;
        }
        Ok(())
    }

    /// The rows of some keys are as they are to be. Notes that stay are looked at once more.
    pub(super) async fn keys_are_settled(&self, name: &RecordName, keys: impl IntoIterator<Item = &String>) {
        join_all(keys.into_iter().map(async |key| {
            let at = beside(name, key);
            let (scope, kind, key) = names(&at);
            let _ = self.link.write(&self.statements.drop_key_note, (shard(key), scope, kind, key)).await;
        }))
        .await;
    }

    /// Goes on with changes of keys that were left in their middle.
    pub(super) async fn tidy_keys(&self) -> Result<(), StoreError> {
        let young = now().as_millis() - YOUNG_MILLIS;
        for part in 0..SHARDS {
            let noted = self.link.all::<Noted>(&self.statements.key_notes, (part.cast_signed(), ROUND)).await?;
            for (scope, kind, key, since) in noted {
                let (Some(scope), Some(kind)) = (scope_of(&scope), self.kinds.met(&kind)) else { continue };
                if since.is_none_or(|since| since.0 < young) {
                    self.tidy_key(&RecordName { scope, kind, id: key }).await?;
                }
            }
        }
        Ok(())
    }

    /// Brings the row of one key to rest: given to the one who was to have it, or freed, or as it is.
    async fn tidy_key(&self, at: &RecordName) -> Result<(), StoreError> {
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
        let (scope, kind, key) = names(at);
        self.link.write(&self.statements.drop_key_note, (shard(key), scope, kind, key)).await
    }
}
