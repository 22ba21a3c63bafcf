//! Sealing in the simulated world: what is sealed is there for as long as its conversation, and who could read it
//! otherwise is not looked at.

use engine_store::{Note, Pending, Seals, StoreError};
use schema::ConversationKey;

use super::disk::Way;

impl Seals for Way {
    fn seal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Vec<Note>> {
        let is_there = self.disk.fence(key).is_some();
        Box::pin(async move { if is_there { Ok(notes) } else { Err(StoreError::NotFound) } })
    }

    fn unseal(&self, key: ConversationKey, notes: Vec<Note>) -> Pending<Option<Vec<Note>>> {
        let is_there = self.disk.fence(key).is_some();
        Box::pin(async move { Ok(is_there.then_some(notes)) })
    }

    fn rewrite(&self) -> Pending<()> {
        Box::pin(async { Ok(()) })
    }
}
