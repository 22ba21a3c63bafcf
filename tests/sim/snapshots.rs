//! The snapshots of the simulated world: a part of them is lost, and what is given back is now and then an older one,
//! or damaged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine_conversation::Conversation;
use engine_store::{Pending, Snapshot, Snapshots, StoreError};
use schema::{Author, ConversationKey, Epoch, Event, Fact, Seq};
use tokio::time::sleep;

use super::disk::{Disk, Way};
use super::plant::Plant;

/// Share of snapshots of which the disk says that it keeps them, and has nothing.
const LOST: f64 = 0.1;
/// Share of readings that give an older one than the last, where there is one.
const OLDER: f64 = 0.15;
/// Share of readings in which a byte is another.
const DAMAGED: f64 = 0.05;
/// Snapshots of a conversation that may still be given.
const KEPT_MAX: usize = 4;

/// What the disk has, newest last.
#[derive(Default)]
pub(super) struct Kept(Mutex<BTreeMap<ConversationKey, Vec<Snapshot>>>);

impl Kept {
    pub(super) fn forget(&self, key: ConversationKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    fn keep(&self, key: ConversationKey, snapshot: Snapshot) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = kept.entry(key).or_default();
        if of_it.last().is_some_and(|last| last.head > snapshot.head) {
            return false;
        }
        of_it.push(snapshot);
        if of_it.len() > KEPT_MAX {
            of_it.remove(0);
        }
        true
    }

    /// The newest but `back`, or the oldest there is.
    fn get(&self, key: ConversationKey, back: usize) -> Option<Snapshot> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = kept.get(&key)?;
        of_it.get(of_it.len().saturating_sub(1 + back)).cloned()
    }
}

impl Disk {
    fn set_snapshot(
        &self,
        key: ConversationKey,
        epoch: Epoch,
        snapshot: Snapshot,
        lost: bool,
    ) -> Result<bool, StoreError> {
        let (owner, head) = self.fence(key).ok_or(StoreError::NotFound)?;
        if owner != epoch || snapshot.head > head {
            return Err(StoreError::Fenced);
        }
        if lost {
            return Ok(true);
        }
        let forgets = self.plant() == Some(Plant::SnapshotForgets);
        let forgetful = forgets.then(|| forgetful(key, &self.log(key), snapshot.head)).flatten();
        Ok(self.snapshots.keep(key, forgetful.unwrap_or(snapshot)))
    }
}

/// A snapshot in which the contact's newest message is missing.
fn forgetful(key: ConversationKey, log: &[Event], head: Seq) -> Option<Snapshot> {
    let said = |event: &&Event| event.author == Author::Contact && matches!(event.fact, Fact::Message { .. });
    let until = log.get(..usize::try_from(head).ok()?)?;
    let newest = until.iter().rfind(said)?.seq;
    let bytes = Conversation::from_events(until.iter().filter(|event| event.seq != newest)).snapshot(key)?;
    Some(Snapshot { head, bytes })
}

impl Snapshots for Way {
    fn snapshot(&self, key: ConversationKey) -> Pending<Option<Snapshot>> {
        let refused = self.read_refused();
        let (there, back) = (self.delay(), self.delay());
        let older = if self.chance.happens(OLDER) { 1 + self.chance.index(KEPT_MAX) } else { 0 };
        let damage = self.chance.happens(DAMAGED).then(|| self.chance.draw(0..=u64::from(u32::MAX)));
        let disk = Arc::clone(&self.disk);
        Box::pin(async move {
            sleep(there).await;
            if let Some(refusal) = refused {
                return Err(refusal);
            }
            let mut found = disk.snapshots.get(key, older);
            if let (Some(snapshot), Some(at)) = (&mut found, damage) {
                let at = usize::try_from(at).unwrap_or_default() % snapshot.bytes.len().max(1);
                snapshot.bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
            }
            sleep(back).await;
            Ok(found)
        })
    }

    fn set_snapshot(&self, key: ConversationKey, epoch: Epoch, head: Seq, bytes: Vec<u8>) -> Pending<bool> {
        let lost = self.chance.happens(LOST);
        self.write(move |disk| disk.set_snapshot(key, epoch, Snapshot { head, bytes }, lost))
    }
}
