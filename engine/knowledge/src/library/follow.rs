//! Open indexes kept up to date where several nodes share the store.
//! Invariant: searches go on meanwhile with what was found before; a round reads a bounded number of stamps, and of
//! each tenant one refresh runs and one more waits at most.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use schema::TenantId;
use tokio::time::MissedTickBehavior;

use super::{Knowledge, blocking, failed};
use crate::shelf::Slot;
use crate::work::Tell;
use crate::{KnowledgeError, index};

/// Between two rounds: what another node changes is found here within two of them, its catching up included.
const EVERY: Duration = Duration::from_secs(1);
/// Stamps read in a round, …
const READS_MAX: usize = 64;
/// … so many at once, …
const READS_AT_ONCE: usize = 8;
/// … and how long one is waited for.
const READ_MAX: Duration = Duration::from_secs(2);
/// Times that a refresh goes on at once because there is more to learn already.
const AGAIN_MAX: usize = 3;
/// What a refresh costs a learner: it is not known before.
const REFRESH_COST: u64 = 64 * 1024;

impl Knowledge {
    /// From now on `tell` is called whenever this node has changed a tenant's knowledge, so that it can be told to
    /// other nodes. To be called once; false when there is somebody who is told already.
    pub fn on_change(&self, tell: Tell) -> bool {
        self.inner.tell.set(tell).is_ok()
    }

    /// Brings a tenant's index up to date with what other nodes have changed; says whether it was behind. Does nothing
    /// where the index is not open.
    ///
    /// # Errors
    /// [`KnowledgeError::Busy`] when too many wait; otherwise when store or index fail.
    pub async fn refresh(&self, tenant: TenantId) -> Result<bool, KnowledgeError> {
        match self.inner.shelf.opened(tenant) {
            Some(slot) => self.refresh_opened(&slot).await,
            None => Ok(false),
        }
    }

    async fn refresh_opened(&self, slot: &Arc<Slot>) -> Result<bool, KnowledgeError> {
        let alone = slot.refreshing.clone().lock_owned().await;
        slot.told.store(false, Ordering::Release);
        let mut was_behind = false;
        for _ in 0..AGAIN_MAX {
            let behind = match self.is_behind(slot).await {
                Ok(true) => self.refresh_slot(slot).await,
                other => other,
            };
            if !behind.map_err(|error| failed("refresh", error))? {
                break;
            }
            was_behind = true;
        }
        drop(alone);
        Ok(was_behind)
    }

    /// Another node has changed a tenant's knowledge: it is looked at now and not in the next round. Waits for
    /// nothing.
    pub fn changed(&self, tenant: TenantId) {
        let Some(slot) = self.inner.shelf.opened(tenant) else { return };
        if slot.told.swap(true, Ordering::AcqRel) {
            return;
        }
        let knowledge = self.clone();
        tokio::spawn(async move {
            if let Err(error) = knowledge.refresh_opened(&slot).await {
                tracing::warn!(%tenant, %error, "another node's change of knowledge is found later");
            }
        });
    }

    /// Keeps open indexes up to date, those that are used most before all others. Never ends: to be dropped.
    pub async fn follow(&self) {
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            self.look().await;
        }
    }

    /// One round.
    async fn look(&self) {
        let round = self.inner.rounds.fetch_add(1, Ordering::Relaxed);
        let tenants = self.inner.shelf.to_follow(READS_MAX, round);
        let looked = stream::iter(tenants).for_each_concurrent(READS_AT_ONCE, |tenant| async move {
            let Some(slot) = self.inner.shelf.opened(tenant) else { return };
            match tokio::time::timeout(READ_MAX, self.is_behind(&slot)).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => self.changed(tenant),
                Ok(Err(error)) => {
                    let error = failed("follow", error);
                    tracing::debug!(%tenant, %error, "a tenant's knowledge is looked at later");
                }
                Err(_) => drop(failed("follow", KnowledgeError::Busy)),
            }
        });
        looked.await;
    }

    async fn is_behind(&self, slot: &Slot) -> Result<bool, KnowledgeError> {
        let Some(index) = slot.index.get() else { return Ok(false) };
        Ok(!self.work(slot.tenant).is_current(&index.stamp()).await?)
    }

    async fn refresh_slot(&self, slot: &Arc<Slot>) -> Result<bool, KnowledgeError> {
        let place = self.inner.learning.enter(slot.tenant)?;
        let learning = slot.learning.clone().lock_owned().await;
        if slot.is_retired() {
            return Ok(false);
        }
        let turn = place.turn(REFRESH_COST).await;
        let opening = slot.opening.clone().lock_owned().await;
        let (work, slot) = (self.work(slot.tenant), Arc::clone(slot));
        blocking(move || {
            let _held = (turn, learning, opening);
            let Some(index) = slot.index.get() else { return Ok(false) };
            if work.stamp()?.version > 0 {
                return work.catch_up(index);
            }
            // All of it is gone from the store: nothing is to be left here.
            slot.retire();
            index::remove(&slot.dir)?;
            Ok(false)
        })
        .await
    }
}
