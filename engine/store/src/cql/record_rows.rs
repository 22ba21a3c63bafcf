//! The rows of records: what is read of them, who they are, and how those of one kind are found by id.
//! Invariant: a record has a row in the index, with the life it has now, from before it was created until after it was
//! removed. A row of the index whose record is gone, or begun anew, says nothing.
//!
//! Cells that say what a record is beside its body:
//! - `life` is drawn when it is created, so that what is late for a record that was removed meets another one, or none;
//! - `stamp` is drawn for each writing, so that one whose answer was lost is known again;
//! - `guard` is drawn for each removal, each writing of its keys, and by whoever wants to be sure that a writing that
//!   was begun before will not be done. One that a removal leaves goes a day later: nothing is late by that much.

use std::time::Duration;

use schema::TenantId;
use scylla::statement::prepared::PreparedStatement;
use tokio::time::sleep;
use uuid::Uuid;

use super::core::{Core, SHARDS};
use super::failure::odd;
use super::segments::number;
use crate::{Record, RecordName, Scope, StoreError};

/// Readings of a row after a writing whose outcome is not known.
const LOOKS: u32 = 3;

/// A record without its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// 0 where there is no record.
    pub(super) version: u64,
    pub(super) stamp: Option<Uuid>,
    pub(super) life: Option<Uuid>,
    /// Those that it claims. It has those among them that say so.
    pub(super) keys: Vec<String>,
    /// The writing that gave it these.
    pub(super) change: Option<Uuid>,
    pub(super) guard: Option<Uuid>,
}

/// A record with what decides whether it has a key.
pub(super) struct Found {
    pub(super) record: Record,
    pub(super) keys: Vec<String>,
    pub(super) change: Option<Uuid>,
}

type HeadRow = (Option<i64>, Option<Uuid>, Option<Uuid>, Option<Vec<String>>, Option<Uuid>, Option<Uuid>);
type RecordRow = (Option<i64>, Option<Vec<u8>>, Option<Vec<String>>, Option<Uuid>);

impl Head {
    /// Whether this is still the record that was read as `before`, unchanged.
    pub(super) fn is_still(&self, before: &Self) -> bool {
        (self.version, self.life) == (before.version, before.life)
    }

    /// The version as conditions ask for it.
    pub(super) fn number(&self) -> Option<i64> {
        (self.version > 0).then(|| number(self.version))
    }
}

impl Core {
    /// A record after everything that was decided about it.
    pub(super) async fn record_head(&self, name: &RecordName) -> Result<Head, StoreError> {
        self.record_head_by(&self.statements.record_head, name).await
    }

    /// The same, as a majority has it.
    pub(super) async fn record_head_lately(&self, name: &RecordName) -> Result<Head, StoreError> {
        self.record_head_by(&self.statements.record_head_lately, name).await
    }

    async fn record_head_by(&self, statement: &PreparedStatement, name: &RecordName) -> Result<Head, StoreError> {
        let row = self.link.one::<HeadRow>(statement, names(name)).await?;
        let Some((version, stamp, life, keys, change, guard)) = row else { return Ok(Head::default()) };
        let (version, keys) = (version_of(version)?, keys.unwrap_or_default());
        Ok(Head { version, stamp, life, keys, change, guard })
    }

    /// What became of a writing. It is decided once this is answered, or goes on meeting the same condition.
    pub(super) async fn record_after_writing(&self, name: &RecordName) -> Result<Head, StoreError> {
        for look in 1..=LOOKS {
            if let Ok(head) = self.record_head(name).await {
                return Ok(head);
            }
            sleep(Duration::from_millis(50) * look).await;
        }
        Err(unknown())
    }

    /// A record as a majority has it.
    pub(super) async fn record(&self, name: &RecordName) -> Result<Option<Found>, StoreError> {
        let row = self.link.one::<RecordRow>(&self.statements.record, names(name)).await?;
        let Some((version, body, keys, change)) = row else { return Ok(None) };
        let version = version_of(version)?;
        if version == 0 {
            return Ok(None);
        }
        let record = Record { id: name.id.clone(), version, body: body.unwrap_or_default() };
        Ok(Some(Found { record, keys: keys.unwrap_or_default(), change }))
    }

    /// Writes that there may be a record with this life.
    pub(super) async fn note_record(&self, name: &RecordName, life: Uuid) -> Result<(), StoreError> {
        let (scope, kind, id) = names(name);
        let noted = self.link.write(&self.statements.note_record, (scope, kind, shard(id), id, life)).await;
        // Whether it was written or not: there is no record yet.
        noted.map_err(|error| match error {
            StoreError::Unknown(why) => StoreError::Unavailable(why),
            error => error,
        })
    }

    /// Drops what was noted of a life that surely is over, or never will be. What is left is passed over.
    pub(super) async fn drop_record(&self, name: &RecordName, life: Uuid) {
        let (scope, kind, id) = names(name);
        let _ = self.link.write(&self.statements.drop_record, (scope, kind, shard(id), id, life)).await;
    }

    /// Ids from one on that a shard of the index has, in their order, and whether there may be more.
    pub(super) async fn record_ids(
        &self,
        scope: &Scope,
        kind: &str,
        shard: u8,
        from: &str,
        limit: usize,
    ) -> Result<(Vec<String>, bool), StoreError> {
        let shard = shard.cast_signed();
        let values = (scope_bytes(scope), kind, shard, from, i32::try_from(limit).unwrap_or(i32::MAX));
        let rows = self.link.all::<(String,)>(&self.statements.records, values).await?;
        let more = rows.len() >= limit;
        let mut ids: Vec<String> = rows.into_iter().map(|(id,)| id).collect();
        ids.dedup();
        Ok((ids, more))
    }
}

/// A record as statements name it.
pub(super) fn names(name: &RecordName) -> (&[u8], &str, &str) {
    (scope_bytes(&name.scope), name.kind, &name.id)
}

/// Another record, or a key, of the same scope and kind.
pub(super) fn beside(name: &RecordName, id: &str) -> RecordName {
    RecordName { id: id.into(), ..*name }
}

/// A name that nothing else has.
#[expect(clippy::disallowed_methods, reason = "these name moments of no order, and nobody sorts by them")]
pub(super) fn drawn() -> Uuid {
    Uuid::new_v4()
}

pub(super) fn unknown() -> StoreError {
    StoreError::Unknown("neither it nor a reading was answered".into())
}

fn scope_bytes(scope: &Scope) -> &[u8] {
    match scope {
        Scope::Node => &[],
        Scope::Tenant(tenant) => tenant.as_bytes(),
    }
}

/// What [`scope_bytes`] gave.
pub(super) fn scope_of(bytes: &[u8]) -> Option<Scope> {
    if bytes.is_empty() {
        return Some(Scope::Node);
    }
    bytes.try_into().ok().map(|bytes| Scope::Tenant(TenantId::from_bytes(bytes)))
}

/// The shard of an id (FNV-1a). It stays what it is for good: rows are found by it.
pub(super) fn shard(id: &str) -> i8 {
    let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let shard = (hash ^ (hash >> 16)) % u32::from(SHARDS);
    i8::try_from(shard).unwrap_or(0)
}

fn version_of(version: Option<i64>) -> Result<u64, StoreError> {
    version.map_or(Ok(0), |version| u64::try_from(version).map_err(|_| odd("a record")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_an_id_never_changes() {
        let found: Vec<i8> =
            ["", "a", "b", "tenant", "é 🕯", "0197c1a0-0000-7000-8000-000000000000"].map(shard).to_vec();
        assert_eq!(found, [1, 0, 1, 4, 6, 1]);
    }

    #[test]
    fn ids_are_spread_over_all_shards() {
        let mut counts = [0_u32; SHARDS as usize];
        (0..8_000).for_each(|n| counts[usize::try_from(shard(&format!("document-{n}"))).unwrap()] += 1);
        assert!(counts.iter().all(|count| (700..1_300).contains(count)), "{counts:?}");
    }
}
