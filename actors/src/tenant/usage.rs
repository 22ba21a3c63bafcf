//! A tenant's use of today, in memory and in the store.
//! Invariant: a crash forgets of tokens and turns what ended within the last [`limits::USAGE_KEPT_EVERY`], and of
//! one visitor's bytes at most [`limits::VISITOR_BYTES_KEPT`]; a planned stop forgets no tokens and turns. A reply
//! is booked when it ends, and what the provider had counted of one that a crash cut is gone with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine_store::{RecordName, Records, Scope, StoreError};
use schema::{ContactId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::day::Day;
use super::visitors::Visitors;

/// Of the record below.
const FORMAT: u32 = 1;

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
}

/// A day's use, with what is not in the store yet.
pub(super) struct Use {
    counted: Mutex<Counted>,
    /// The record's version; held while it is written, so that two do not write at once.
    version: tokio::sync::Mutex<u64>,
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
            return Ok(Self { counted: Mutex::default(), version: tokio::sync::Mutex::new(0) });
        };
        let read: UsageRecord =
            serde_json::from_slice(&record.body).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if read.format > FORMAT {
            return Err(StoreError::Corrupt("what a tenant has used was written by a newer program".into()));
        }
        let UsageRecord { day, tokens, turns, cost_microusd, visitor_bytes, visitors, .. } = read;
        let counted = Counted {
            budget: Budget { day, tokens, turns, cost_microusd },
            visitors: Visitors::restored(day, visitor_bytes, visitors),
            unkept: false,
        };
        Ok(Self { counted: Mutex::new(counted), version: tokio::sync::Mutex::new(record.version) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what the store does not have.
    pub(super) async fn keep<R: Records + ?Sized>(
        &self,
        store: &R,
        id: TenantId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut version = self.version.lock().await;
        let body = {
            let mut counted = self.lock();
            if !std::mem::take(&mut counted.unkept) {
                return Ok(());
            }
            let Budget { day, tokens, turns, cost_microusd } = counted.budget.on(now);
            let (visitor_bytes, visitors) = counted.visitors.used(now);
            let visitors = visitors.into_iter().collect();
            let record = UsageRecord { format: FORMAT, day, tokens, turns, cost_microusd, visitor_bytes, visitors };
            serde_json::to_vec(&record).map_err(|error| StoreError::Corrupt(error.to_string()))?
        };
        match store.put(name(id), *version, body).await {
            Ok(written) => *version = written,
            Err(error) => {
                self.lock().unkept = true;
                // An unknown outcome that was one: the next try goes on from there.
                if let StoreError::Conflict { found } = error {
                    *version = found;
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

fn name(id: TenantId) -> RecordName {
    RecordName { scope: Scope::Tenant(id), kind: "usage", id: "today".into() }
}
