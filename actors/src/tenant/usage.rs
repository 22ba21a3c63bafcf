//! A tenant's use of today, in memory and in the store.
//! Invariant: a crash forgets of tokens and turns what ended within the last [`limits::USAGE_KEPT_EVERY`], and of
//! one visitor's bytes at most [`limits::VISITOR_BYTES_KEPT`]; a planned stop forgets no tokens and turns. A reply
//! is booked when it ends, and what the provider had counted of one that a crash cut is gone with it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine_store::{RecordName, Records, Scope, StoreError};
use schema::{ContactId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::day::Day;
use super::visitors::Visitors;

/// Of the record below.
const FORMAT: u32 = 1;
/// Others may write it meanwhile; more often than this it waits for the next time.
const ATTEMPTS_MAX: usize = 4;
/// Nodes that write at once, and are each found again.
const WRITES_KEPT: usize = 128;

/// A day's use, as stored: one record for a tenant, written over.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UsageRecord {
    format: u32,
    day: Day,
    tokens: u64,
    turns: u64,
    cost_microusd: u64,
    /// Stored for all visitors.
    visitor_bytes: u64,
    /// Stored for each who has much.
    visitors: BTreeMap<ContactId, u64>,
    /// Random numbers of those who wrote it last, the newest first: so that a writer who does not know whether it has
    /// written finds itself.
    #[serde(default)]
    writes: Vec<u64>,
}

/// A day's use, with what is not in the store yet.
pub(super) struct Use {
    counted: Mutex<Counted>,
    /// What the store has; held while it is written, so that two do not write at once.
    kept: tokio::sync::Mutex<Kept>,
}

/// The record as this node has written or read it last.
#[derive(Debug, Default)]
struct Kept {
    version: u64,
    budget: Budget,
    /// What was sent over this version, each with its number, the latest last: one of it is there perhaps.
    sent: Vec<(u64, Budget)>,
    /// Of the record.
    writes: Vec<u64>,
}

impl Kept {
    fn wrote(&mut self, version: u64, budget: Budget, number: u64) {
        self.writes.insert(0, number);
        self.writes.truncate(WRITES_KEPT);
        (self.version, self.budget) = (version, budget);
        self.sent.clear();
    }

    fn sends(&mut self, number: u64, budget: Budget) {
        if self.sent.len() >= WRITES_KEPT {
            let _oldest = self.sent.remove(0);
        }
        self.sent.push((number, budget));
    }
}

/// A tenant's use of the day, as this node has counted it.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) budget: Budget,
    pub(super) visitors: Visitors,
    /// There is something that the store does not have.
    pub(super) unkept: bool,
}

impl Use {
    /// As the store has it.
    pub(super) async fn load<R: Records + ?Sized>(store: &R, id: TenantId) -> Result<Self, StoreError> {
        let Some(record) = store.get(name(id)).await? else {
            return Ok(Self { counted: Mutex::default(), kept: tokio::sync::Mutex::default() });
        };
        let read = read(&record.body)?;
        let UsageRecord { day, tokens, turns, cost_microusd, visitor_bytes, visitors, writes, .. } = read;
        let budget = Budget { day, tokens, turns, cost_microusd };
        let visitors = Visitors::restored(day, visitor_bytes, visitors);
        let kept = Kept { version: record.version, budget, sent: Vec::new(), writes };
        let counted = Counted { budget, visitors, unkept: false };
        Ok(Self { counted: Mutex::new(counted), kept: tokio::sync::Mutex::new(kept) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what the store does not have. What other nodes have written meanwhile is added up with it, so that
    /// each node knows what all of them have used, as of the last time that it wrote.
    pub(super) async fn keep<R: Records + ?Sized>(
        &self,
        store: &R,
        id: TenantId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut kept = self.kept.lock().await;
        let mut last = StoreError::Busy;
        for _ in 0..ATTEMPTS_MAX {
            let number = RandomState::new().hash_one(0_u8);
            let (budget, body) = {
                let mut counted = self.lock();
                if !std::mem::take(&mut counted.unkept) {
                    return Ok(());
                }
                let budget = counted.budget.on(now);
                let (visitor_bytes, visitors) = counted.visitors.used(now);
                let visitors = visitors.into_iter().collect();
                let Budget { day, tokens, turns, cost_microusd } = budget;
                let writes = std::iter::once(number).chain(kept.writes.iter().copied()).take(WRITES_KEPT).collect();
                let record =
                    UsageRecord { format: FORMAT, day, tokens, turns, cost_microusd, visitor_bytes, visitors, writes };
                (budget, serde_json::to_vec(&record).map_err(|error| StoreError::Corrupt(error.to_string()))?)
            };
            kept.sends(number, budget);
            match store.put(name(id), kept.version, body).await {
                Ok(version) => {
                    kept.wrote(version, budget, number);
                    return Ok(());
                }
                Err(error) => {
                    self.lock().unkept = true;
                    let is_conflict = matches!(error, StoreError::Conflict { .. });
                    last = error;
                    if !is_conflict {
                        break;
                    }
                    self.add_up(&mut kept, store, id, now).await?;
                }
            }
        }
        Err(last)
    }

    /// Another node has written, or this one without knowing it: what is new there is added to what was counted here.
    async fn add_up<R: Records + ?Sized>(
        &self,
        kept: &mut Kept,
        store: &R,
        id: TenantId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(record) = store.get(name(id)).await? else {
            *kept = Kept::default();
            return Ok(());
        };
        let UsageRecord { day, tokens, turns, cost_microusd, visitors, writes, .. } = read(&record.body)?;
        let mine_landed = kept.sent.iter().find(|(number, _)| writes.contains(number)).map(|(_, budget)| *budget);
        let before = mine_landed.unwrap_or(kept.budget).on(now);
        let theirs = Budget { day, tokens, turns, cost_microusd }.on(now);
        let mut counted = self.lock();
        let mine = counted.budget.on(now);
        counted.budget = Budget {
            tokens: mine.tokens.saturating_add(theirs.tokens.saturating_sub(before.tokens)),
            turns: mine.turns.saturating_add(theirs.turns.saturating_sub(before.turns)),
            cost_microusd: mine.cost_microusd.saturating_add(theirs.cost_microusd.saturating_sub(before.cost_microusd)),
            ..mine
        };
        let (_, known) = counted.visitors.used(now);
        let known: BTreeMap<ContactId, u64> = known.into_iter().collect();
        for (contact, bytes) in visitors {
            let more = bytes.saturating_sub(known.get(&contact).copied().unwrap_or_default());
            if more > 0 && day == mine.day {
                // One that this node has not met counts from when it meets it.
                let _ = counted.visitors.stored(contact, more, now);
            }
        }
        *kept = Kept { version: record.version, budget: theirs, sent: Vec::new(), writes };
        Ok(())
    }
}

fn read(body: &[u8]) -> Result<UsageRecord, StoreError> {
    let read: UsageRecord = serde_json::from_slice(body).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if read.format > FORMAT {
        return Err(StoreError::Corrupt("what a tenant has used was written by a newer program".into()));
    }
    Ok(read)
}

fn name(id: TenantId) -> RecordName {
    RecordName { scope: Scope::Tenant(id), kind: "usage", id: "today".into() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use engine_store::memory::MemoryStore;
    use engine_store::{Pending, Record, RecordKeys};
    use schema::Usage;

    use super::*;

    #[tokio::test]
    async fn what_several_nodes_have_used_is_added_up() {
        let (store, id, now) = (MemoryStore::default(), TenantId::generate(), Timestamp::from_millis(1_000_000_000));
        let nodes = [Use::load(&store, id).await.unwrap(), Use::load(&store, id).await.unwrap()];
        let spend = |node: &Use, tokens| {
            let mut counted = node.lock();
            counted.budget.spend(&Usage { input_tokens: tokens, ..Usage::default() }, Some(1), now);
            counted.unkept = true;
        };
        for round in 1..=5 {
            for (node, tokens) in nodes.iter().zip([10, 7]) {
                spend(node, tokens);
                node.keep(&store, id, now).await.unwrap();
            }
            let kept = Use::load(&store, id).await.unwrap().lock().budget;
            assert_eq!((kept.tokens, kept.turns, kept.cost_microusd), (17 * round, 2 * round, 2 * round));
        }
        // Each knows what all have used, as of when it wrote last.
        assert_eq!(nodes.map(|node| node.lock().budget.tokens), [17 * 4 + 10, 17 * 5]);
    }
    /// Records whose writes, as long as it is so, are done and the answer does not say it.
    struct Unsure(MemoryStore, AtomicBool);

    impl Records for Unsure {
        fn get(&self, name: RecordName) -> Pending<Option<Record>> {
            self.0.get(name)
        }

        fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
            let written = self.0.put(name, expected, body);
            let is_told = !self.1.load(Ordering::Relaxed);
            Box::pin(async move {
                let version = written.await?;
                if is_told { Ok(version) } else { Err(StoreError::Unknown("no answer".into())) }
            })
        }

        fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
            self.0.put_with_keys(name, expected, body, keys)
        }

        fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
            self.0.find(scope, kind, key)
        }

        fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
            self.0.delete(name, expected)
        }

        fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
            self.0.scan(scope, kind, after, limit)
        }
    }

    #[tokio::test]
    async fn what_was_written_without_an_answer_is_counted_once() {
        let (id, now) = (TenantId::generate(), Timestamp::from_millis(1_000_000_000));
        // In the second case the one that has landed is not the last that was sent.
        for lost in [1, 3] {
            let store = Unsure(MemoryStore::default(), AtomicBool::new(false));
            let node = Use::load(&store, id).await.unwrap();
            let spend = |tokens| {
                let mut counted = node.lock();
                counted.budget.spend(&Usage { input_tokens: tokens, ..Usage::default() }, Some(1), now);
                counted.unkept = true;
            };
            spend(1);
            node.keep(&store, id, now).await.unwrap();
            let mut all = 1;
            for tokens in 10..10 + lost {
                store.1.store(true, Ordering::Relaxed);
                spend(tokens);
                all += tokens;
                let kept = node.keep(&store, id, now).await;
                assert!(matches!(kept, Err(StoreError::Unknown(_))), "{kept:?}");
            }
            store.1.store(false, Ordering::Relaxed);
            spend(5);
            node.keep(&store, id, now).await.unwrap();
            assert_eq!(node.lock().budget.tokens, all + 5, "{lost} without an answer");
            assert_eq!(Use::load(&store, id).await.unwrap().lock().budget.tokens, all + 5);
        }
    }
}
