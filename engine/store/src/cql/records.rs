//! Records: small documents, changed by compare-and-set.
//! Invariant: each version of one life is written once, and an answer says that something was written, or was not, only
//! where that is known for good.
//!
//! A writing names the version it follows, and the life: so what comes late, or twice, is done once or never. Where its
//! answer is lost, the record is read after everything that was decided about it:
//! - it has the stamp (or the life, for a creation): it was written;
//! - it stands as it did: it was not, and is sent again;
//! - somebody else wrote what follows: it was not, and never will be;
//! - more happened than that: nobody can tell, and that is the answer.

use futures_util::future::try_join_all;
use uuid::Uuid;

use super::core::{Core, SHARDS};
use super::record_intents::Key;
use super::record_rows::{Head, drawn, names, unknown};
use super::segments::number;
use crate::{Record, RecordName, Scope, StoreError};

/// Times that one writing is sent.
const TRIES: usize = 4;
/// Bodies read at the same time.
const AT_ONCE: usize = 8;
/// Ids read from a shard at a time.
const IDS_MAX: usize = 256;

/// The ids of one shard, in their order, as they are read piece by piece.
struct Shard {
    number: u8,
    ids: std::collections::VecDeque<String>,
    /// Where the next piece begins; none when there is none.
    from: Option<String>,
}

impl Core {
    pub(super) async fn get(&self, name: RecordName) -> Result<Option<Record>, StoreError> {
        Ok(self.record(&name).await?.map(|found| found.record))
    }

    pub(super) async fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Result<u64, StoreError> {
        let mut head = self.record_head_lately(&name).await?;
        if head.version != expected {
            head = self.record_head(&name).await?;
        }
        if head.version != expected {
            return Err(StoreError::Conflict { found: head.version });
        }
        if expected > 0 {
            return self.change(&name, head, &body).await;
        }
        let life = drawn();
        self.note_record(&name, life).await?;
        let (created, is_over) = self.create(&name, head, life, &body).await;
        if created.is_err() && is_over {
            self.drop_record(&name, life).await;
        }
        created
    }

    /// Creates a record where there is none; and whether it surely will not be, where it is not.
    async fn create(&self, name: &RecordName, head: Head, life: Uuid, body: &[u8]) -> (Result<u64, StoreError>, bool) {
        let (scope, kind, id) = names(name);
        let (stamp, mut guard, mut is_open) = (drawn(), head.guard, false);
        for _ in 0..TRIES {
            let values = (body, stamp, life, scope, kind, id, guard);
            match self.link.decide(&self.statements.create_record, values).await {
                Ok(true) => return (Ok(1), false),
                Ok(false) => {}
                Err(StoreError::Unknown(_)) => is_open = true,
                Err(error) if !is_open => return (Err(error), true),
                Err(_) => {}
            }
            let head = match self.record_after_writing(name).await {
                Ok(head) => head,
                Err(error) => return (Err(error), false),
            };
            if head.life == Some(life) {
                return (Ok(1), false);
            }
            // A removal draws a new guard: under the same one no record was removed.
            let is_certain = !is_open || head.guard == guard;
            match (head.version, is_certain) {
                (0, true) => guard = head.guard,
                (found, true) => return (Err(StoreError::Conflict { found }), true),
                (_, false) => return (Err(unknown()), false),
            }
        }
        (Err(if is_open { unknown() } else { StoreError::Busy }), !is_open)
    }

    async fn change(&self, name: &RecordName, mut before: Head, body: &[u8]) -> Result<u64, StoreError> {
        let (scope, kind, id) = names(name);
        let (expected, stamp, mut is_open) = (before.version, drawn(), false);
        for _ in 0..TRIES {
            let to = number(expected + 1);
            let values = (to, body, stamp, scope, kind, id, number(expected), before.life);
            match self.link.decide(&self.statements.change_record, values).await {
                Ok(true) => return Ok(expected + 1),
                Ok(false) => {}
                Err(StoreError::Unknown(_)) => is_open = true,
                Err(error) if !is_open => return Err(error),
                Err(_) => {}
            }
            let head = self.record_after_writing(name).await?;
            if head.stamp == Some(stamp) {
                return Ok(expected + 1);
            }
            // In one life every version is written once: nobody's but the one that stands there.
            let is_certain = !is_open || (head.life == before.life && head.version <= expected + 1);
            match (head.version == expected, is_certain) {
                (true, true) => before = head,
                (false, true) => return Err(StoreError::Conflict { found: head.version }),
                (_, false) => return Err(unknown()),
            }
        }
        Err(if is_open { unknown() } else { StoreError::Busy })
    }

    pub(super) async fn delete(&self, name: RecordName, expected: u64) -> Result<(), StoreError> {
        let (scope, kind, id) = names(&name);
        let (guard, mut is_sent, mut is_open, mut life, mut has) = (drawn(), false, false, None, Vec::new());
        for _ in 0..TRIES {
            let head = if is_sent { self.record_after_writing(&name).await? } else { self.record_head(&name).await? };
            if is_sent && head.life != life {
                // Whoever creates it anew keeps the guard that the removal has left, unless it is with keys.
                if head.guard == Some(guard) {
                    self.drop_remains(&name, life, guard, &has).await;
                    return Ok(());
                }
                if is_open {
                    return Err(unknown());
                }
            }
            if head.version != expected {
                return Err(StoreError::Conflict { found: head.version });
            }
            if expected == 0 {
                return Ok(());
            }
            // A key that came to it must be said to be its own first: where the record is gone, nothing else says so.
            has = self.settle_keys(&name, &head).await?;
            life = head.life;
            let listed: Vec<String> = has.iter().map(|one| one.key.clone()).collect();
            self.note_keys(&name, guard, &listed).await?;
            let values = (guard, scope, kind, id, number(expected), life, head.guard);
            is_sent = true;
            match self.link.decide(&self.statements.clear_record, values).await {
                Ok(true) => {
                    self.drop_remains(&name, life, guard, &has).await;
                    return Ok(());
                }
                Ok(false) => {}
                Err(StoreError::Unknown(_)) => is_open = true,
                Err(error) if !is_open => return Err(error),
                Err(_) => {}
            }
        }
        Err(if is_open { unknown() } else { StoreError::Busy })
    }

    /// What says of a removed record that there is one. Where it stays, it is passed over.
    async fn drop_remains(&self, name: &RecordName, life: Option<Uuid>, removal: Uuid, has: &[Key]) {
        let dropped = async {
            if let Some(life) = life {
                self.drop_record(name, life).await;
            }
        };
        let ((), freed) = futures_util::join!(dropped, self.free(name, has));
        if freed {
            let listed: Vec<String> = has.iter().map(|one| one.key.clone()).collect();
            self.keys_are_settled(name, removal, &listed).await;
        }
    }

    pub(super) async fn scan(
        &self,
        scope: Scope,
        kind: &'static str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        // In the order of bytes this is the next id that there can be.
        let from = after.map_or_else(String::new, |after| after + "\0");
        let piece = limit.min(IDS_MAX);
        let mut shards: Vec<Shard> =
            (0..SHARDS).map(|number| Shard { number, ids: [].into(), from: Some(from.clone()) }).collect();
        let mut found = Vec::new();
        while found.len() < limit {
            let mut ids = Vec::new();
            while ids.len() < AT_ONCE.min(limit - found.len()) {
                try_join_all(shards.iter_mut().map(|shard| self.fill(shard, &scope, kind, piece))).await?;
                let next =
                    shards.iter_mut().filter(|shard| !shard.ids.is_empty()).min_by(|a, b| a.ids[0].cmp(&b.ids[0]));
                let Some(id) = next.and_then(|shard| shard.ids.pop_front()) else { break };
                ids.push(RecordName { scope, kind, id });
            }
            if ids.is_empty() {
                break;
            }
            let records = try_join_all(ids.iter().map(|name| self.record(name))).await?;
            found.extend(records.into_iter().flatten().map(|found| found.record));
        }
        Ok(found)
    }

    /// Sees that the next id of a shard is known, if it has one.
    async fn fill(&self, shard: &mut Shard, scope: &Scope, kind: &str, piece: usize) -> Result<(), StoreError> {
        let Some(from) = shard.from.as_ref().filter(|_| shard.ids.is_empty()) else { return Ok(()) };
        let (ids, more) = self.record_ids(scope, kind, shard.number, from, piece).await?;
        shard.from = ids.last().filter(|_| more).map(|last| format!("{last}\0"));
        shard.ids = ids.into();
        Ok(())
    }
}
