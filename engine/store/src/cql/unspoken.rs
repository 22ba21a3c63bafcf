//! Conversations in which nobody has said a word, found by the agenda.

use super::agenda::{Agenda, Met};
use super::core::Core;
use crate::{StoreError, Unspoken, UnspokenQuery};

impl Core {
    /// Those that nobody will miss, oldest first.
    pub(super) async fn unspoken(&self, query: UnspokenQuery) -> Result<Vec<Unspoken>, StoreError> {
        let after = query.after.map(|after| (after.last_at, after.key));
        let met = self.meet(Agenda::Unspoken, query.before, after, query.limit).await?;
        Ok(met.into_iter().map(|Met { at, key, head }| Unspoken { last_at: at, key, head }).collect())
    }
}
