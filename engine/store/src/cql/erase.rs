//! Erasing conversations. First it is noted that a key has to end; then the log is retired, so that no owner can write;
//! then the conversation is forgotten, its key ends, and what is left goes.
//! Invariant: a log whose conversation is gone has a note until its key has ended on all replicas. Each eraser has a note
//! of its own, and drops no other one before all that it stands for was done.

use futures_util::future::join_all;
use schema::{ContactId, ConversationId, ConversationKey, Seq, TenantId};
use scylla::response::PagingState;
use uuid::Uuid;

use super::agenda::Debris;
use super::core::{Core, SHARDS, names, shard};
use super::segments::{RETIRED, Segment, Tail, late, number};
use crate::StoreError;

/// Tries against an owner that appends meanwhile.
const TRIES: usize = 16;
/// Notes read at a time.
const NOTES: usize = 256;
/// Notes looked at in one round of tidying, of each shard.
const ROUND: usize = 256;
/// How long a note of a log that is somebody's stays: whoever noted it is done or gone by then.
const NOTED_SECONDS: u64 = 24 * 3_600;

impl Core {
    /// Removes a conversation, and ends its key.
    pub(super) async fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Result<(), StoreError> {
        let Some(owner) = self.owner(key).await? else {
            self.places.forget(key);
            return self.end_noted(key).await;
        };
        let (log, eraser) = (owner.log, self.clock.draw());
        self.note_ending(key, log, eraser, owner.contact).await?;
        if let Err(error) = self.retire(log, owner.tail, head).await {
            if matches!(error, StoreError::Fenced) {
                // Nothing was done, and the note would be found by whoever tidies up.
                self.drop_ending(key, log, eraser).await?;
            }
            return Err(error);
        }
        self.finish(key, log, eraser, Some(owner.contact)).await
    }

    /// Ends the keys of a conversation that is gone.
    async fn end_noted(&self, key: ConversationKey) -> Result<(), StoreError> {
        let (tenant, id) = names(&key);
        let values = (shard(key.conversation.as_bytes()), tenant, id);
        let noted = self.link.all::<(Uuid, Uuid, Option<Vec<u8>>)>(&self.statements.ending_of, values).await?;
        if noted.is_empty() {
            return Err(StoreError::NotFound);
        }
        for (log, eraser, contact) in noted {
            self.finish(key, log, eraser, contact_of(contact)).await?;
        }
        Ok(())
    }

    /// Makes a log nobody's for good; with `head`, only if it ends there. One that is retired already is no failure.
    async fn retire(&self, log: Uuid, tail: i32, head: Option<Seq>) -> Result<(), StoreError> {
        let mut at = tail;
        for _ in 0..TRIES {
            let values = match self.tail(log, at).await? {
                Tail::Ends(_, segment) if segment.is_retired() => return Ok(()),
                Tail::Ends(found, Segment { epoch, head: newest, .. }) => {
                    if head.is_some_and(|head| head != newest) {
                        return Err(StoreError::Fenced);
                    }
                    at = found;
                    (RETIRED, log, found, epoch, number(newest))
                }
                // It is being cleared: so it was retired.
                Tail::Absent(1..) => return Ok(()),
                // It was never opened, or the segment behind a sealed one was not: whoever opens it must not.
                tail @ (Tail::SealedBefore(next, _) | Tail::Absent(next)) => {
                    if head.is_some_and(|head| head != tail.live().map_or(0, |sealed| sealed.head)) {
                        return Err(StoreError::Fenced);
                    }
                    match self.link.decide(&self.statements.retire_unopened, (RETIRED, log, next)).await {
                        Ok(true) => return Ok(()),
                        Ok(false) | Err(StoreError::Unknown(_)) => continue,
                        Err(error) => return Err(error),
                    }
                }
            };
            // With the head in the condition, so that nothing is erased that was said since it was looked at.
            match self.link.decide(&self.statements.fence_at, values).await {
                Ok(true) => return Ok(()),
                Ok(false) | Err(StoreError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Busy)
    }

    /// What comes after a log was retired, until nothing is left of it but what others have noted. It may be done again at
    /// any time, from its beginning.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where its conversation has come meanwhile, and is somebody's: whoever opened it was late.
    async fn finish(
        &self,
        key: ConversationKey,
        log: Uuid,
        eraser: Uuid,
        contact: Option<ContactId>,
    ) -> Result<(), StoreError> {
        let (tenant, id) = names(&key);
        self.places.forget(key);
        self.keys.forget(log);
        let mut tail = 0;
        if let Some(owner) = self.owner(key).await?.filter(|owner| owner.log == log) {
            tail = owner.tail;
            if !self.tail(log, tail).await?.is_retired() {
                return Err(StoreError::Busy);
            }
            match self.link.decide(&self.statements.forget, (tenant, id, log)).await {
                Ok(_) => {}
                // A second try meets its absence, which is as good.
                Err(StoreError::Unknown(_)) => {
                    self.link.decide(&self.statements.forget, (tenant, id, log)).await?;
                }
                Err(error) => return Err(error),
            }
        }
        let ended = self.end_key(log).await;
        ended.map_err(|error| StoreError::Ending(error.to_string()))?;
        let (row, snapshot, noted) = futures_util::join!(
            self.drop_row(key, log),
            self.link.write(&self.statements.drop_snapshot, (log,)),
            self.drop_of_tenant(key, log),
        );
        row.and(snapshot).and(noted)?;
        if let Some(contact) = contact {
            self.drop_of_contact(key, log, contact).await?;
            self.drop_days_of(key.tenant, contact).await?;
        }
        self.clear_log(log, tail).await?;
        self.drop_ending(key, log, eraser).await
    }

    /// Ends a key for good: whatever clock it was made by, this comes after.
    pub(super) async fn end_key(&self, log: Uuid) -> Result<(), StoreError> {
        self.link.write_at(late(), &self.statements.end_key, (log,)).await
    }

    /// Removes all segments of a retired log.
    async fn clear_log(&self, log: Uuid, tail: i32) -> Result<(), StoreError> {
        // Where its conversation was forgotten before, its segments say how many there are.
        let mut last = tail;
        while self.segment_lately(log, last + 1).await?.is_some() {
            last += 1;
        }
        // The first one goes last: whoever has to begin anew finds the others from it on.
        for at in (0..=last).rev() {
            self.link.write_at(late(), &self.statements.clear_segment, (log, at)).await?;
        }
        Ok(())
    }

    async fn note_ending(
        &self,
        key: ConversationKey,
        log: Uuid,
        eraser: Uuid,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        let (tenant, id) = names(&key);
        let part = shard(key.conversation.as_bytes());
        let values = (part, tenant, id, log, eraser, contact.as_bytes().as_slice());
        self.link.write(&self.statements.note_ending, values).await
    }

    async fn drop_ending(&self, key: ConversationKey, log: Uuid, eraser: Uuid) -> Result<(), StoreError> {
        let (tenant, id) = names(&key);
        let values = (shard(key.conversation.as_bytes()), tenant, id, log, eraser);
        // An eraser notes once.
        self.link.write_at(late(), &self.statements.drop_ending, values).await
    }

    /// Conversations with some contacts that are gone, and whose keys have not ended.
    pub(super) async fn ending_with(
        &self,
        tenant: TenantId,
        contacts: &[ContactId],
        limit: usize,
    ) -> Result<Vec<ConversationKey>, StoreError> {
        type Noted = (Vec<u8>, Uuid, Option<Vec<u8>>);
        let mut found = Vec::new();
        for part in 0..SHARDS {
            let mut from = Some(PagingState::start());
            while let Some(state) = from.filter(|_| found.len() < limit) {
                let values = (part.cast_signed(), tenant.as_bytes().as_slice());
                let (noted, next) = self.link.page::<Noted>(&self.statements.ending_with, values, NOTES, state).await?;
                from = next;
                for (id, log, contact) in noted {
                    let is_theirs = contact_of(contact).is_some_and(|contact| contacts.contains(&contact));
                    let Some(id) = id.try_into().ok().filter(|_| is_theirs) else { continue };
                    let key = ConversationKey { tenant, conversation: ConversationId::from_bytes(id) };
                    // One that stands in its log still is not gone.
                    if self.owner_lately(key).await?.is_none_or(|owner| owner.log != log) {
                        found.push(key);
                    }
                }
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Goes on with erasures that were left in their middle, some in each round. How many keys could not be ended.
    ///
    /// # Errors
    /// The first of those that kept it from some of them.
    pub(super) async fn tidy_endings(&self) -> Result<usize, StoreError> {
        type Noted = (Vec<u8>, Vec<u8>, Uuid, Uuid, Option<Vec<u8>>);
        let (mut failed, mut error) = (0, None);
        for part in 0..SHARDS {
            let from = self.rounds.endings(part);
            let page = self.link.page::<Noted>(&self.statements.ending, (part.cast_signed(),), ROUND, from).await;
            let (noted, next) = match page {
                Ok(page) => page,
                Err(kept) => {
                    error.get_or_insert(kept);
                    continue;
                }
            };
            self.rounds.endings_from(part, next);
            let finished = noted.into_iter().map(|(tenant, id, log, eraser, contact)| async move {
                let (Ok(tenant), Ok(id)) = (tenant.try_into(), id.try_into()) else { return Ok(()) };
                let (tenant, conversation) = (TenantId::from_bytes(tenant), ConversationId::from_bytes(id));
                self.tidy_ending(ConversationKey { tenant, conversation }, log, eraser, contact_of(contact)).await
            });
            failed += join_all(finished).await.iter().filter(|finished| finished.is_err()).count();
        }
        error.map_or(Ok(failed), Err)
    }

    async fn tidy_ending(
        &self,
        key: ConversationKey,
        log: Uuid,
        eraser: Uuid,
        contact: Option<ContactId>,
    ) -> Result<(), StoreError> {
        if let Some(owner) = self.owner(key).await?.filter(|owner| owner.log == log)
            && !self.tail(log, owner.tail).await?.is_retired()
        {
            // Whoever noted it is about to retire the log, or was stopped before, or refused.
            let noted = eraser.get_timestamp().map_or(0, |noted| noted.to_unix().0);
            let is_old = u64::try_from(self.now().as_millis() / 1_000).unwrap_or_default() > noted + NOTED_SECONDS;
            return if is_old { self.drop_ending(key, log, eraser).await } else { Ok(()) };
        }
        self.finish(key, log, eraser, contact).await
    }

    /// What was written for a conversation that was never opened goes.
    pub(super) async fn drop_debris(&self, Debris { key, log }: Debris) -> Result<(), StoreError> {
        let segment = self.segment(log, 0).await?;
        if segment.is_some_and(|segment| segment.head > 0) {
            // It was a conversation once: its erasure sees to it.
            return Ok(());
        }
        self.drop_of_tenant(key, log).await?;
        self.link.write_at(late(), &self.statements.clear_segment, (log, 0)).await?;
        self.end_key(log).await
    }
}

fn contact_of(noted: Option<Vec<u8>>) -> Option<ContactId> {
    noted.and_then(|contact| contact.try_into().ok()).map(ContactId::from_bytes)
}
