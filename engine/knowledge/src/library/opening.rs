//! Indexes opened for searches. One that does not match the store is built again, and that takes long.
//! Invariant: no more build than learn at once, one builds for all who ask of a tenant, and nobody waits for it
//! longer than a contact would.

use std::sync::Arc;
use std::time::Duration;

use super::{Knowledge, blocking};
use crate::KnowledgeError;
use crate::index::{TenantIndex, Unopened};
use crate::records::Stamp;
use crate::shelf::Slot;

/// How long a search waits for its index.
const WAIT_MAX: Duration = Duration::from_millis(1_500);
/// What a build costs a learner: it is not known before, and somebody waits for an answer.
const BUILD_COST: u64 = 64 * 1024;

impl Knowledge {
    /// Opens a tenant's index for a search. A tenant that never taught anything gets none.
    ///
    /// # Errors
    /// [`KnowledgeError::Busy`] while it is being built, which goes on; otherwise when store or index fail.
    pub(crate) async fn open_to_search(&self, slot: &Arc<Slot>) -> Result<(), KnowledgeError> {
        if slot.index.get().is_some() {
            return Ok(());
        }
        let opened = tokio::time::timeout(WAIT_MAX, self.open_or_build(slot)).await;
        opened.map_err(|_| KnowledgeError::Busy)??;
        // What is there now is another's, and nothing is known of it.
        if slot.index.get().is_none() && slot.is_retired() { Err(KnowledgeError::Busy) } else { Ok(()) }
    }

    async fn open_or_build(&self, slot: &Arc<Slot>) -> Result<(), KnowledgeError> {
        if self.open_as_it_is(slot).await? {
            return Ok(());
        }
        let building = slot.building.clone().lock_owned().await;
        if slot.index.get().is_some() {
            return Ok(());
        }
        let place = self.inner.learning.enter(slot.tenant)?;
        let (knowledge, slot) = (self.clone(), Arc::clone(slot));
        // A task of its own: who waits no longer leaves it to those who ask next.
        let build = tokio::spawn(async move {
            let _building = building;
            // Before the lock, as learners do: else each could have what the other waits for.
            let _turn = place.turn(BUILD_COST).await;
            knowledge.open_slot(&slot, false).await
        });
        build.await.map_err(|error| KnowledgeError::Index(format!("its task ended early: {error}")))?
    }

    /// Opens an index that needs no work, and says whether that was so.
    async fn open_as_it_is(&self, slot: &Arc<Slot>) -> Result<bool, KnowledgeError> {
        let opening = slot.opening.clone().lock_owned().await;
        if slot.index.get().is_some() || slot.is_retired() {
            return Ok(true);
        }
        let (work, slot) = (self.work(slot.tenant), Arc::clone(slot));
        let opened = blocking(move || {
            let _held = opening;
            if !slot.dir.exists() {
                // Built by whoever has a learner's turn, if there is anything to build.
                return work.runtime.block_on(work.is_current(&Stamp::default()));
            }
            let index = match TenantIndex::open(&slot.dir) {
                Ok(index) => index,
                Err(Unopened::Failed(error)) => return Err(error),
                // Built by whoever has a learner's turn, who also says why.
                Err(_) => return Ok(false),
            };
            let stamp = index.stamp();
            if stamp.version == 0 || !work.runtime.block_on(work.is_current(&stamp))? {
                return Ok(false);
            }
            // The lock is ours, so nobody else has set it.
            let _ = slot.index.set(index);
            Ok(true)
        });
        let opened = opened.await?;
        self.inner.shelf.report();
        Ok(opened)
    }
}
