//! When conversations are due: what their logs say, found by the agenda.

use std::collections::BTreeSet;

use futures_util::future::{join_all, try_join_all};
use schema::{ConversationId, ConversationKey, TenantId, Timestamp};
use uuid::Uuid;

use super::agenda::Agenda;
use super::core::{Core, SHARDS, names};
use super::due_write::{Due, DueWrite};
use super::places::LogEnd;
use super::segments::{Segment, late, moment, number};
use crate::{DueEntry, DueQuery, Hasten, Hastened, Reschedule, StoreError};

/// Tries against an owner that appends meanwhile.
const TRIES: usize = 8;

/// A conversation that is looked at for hastening, and the end of its log.
struct Seen {
    key: ConversationKey,
    log: Uuid,
    at: i32,
    segment: Segment,
}

impl Core {
    /// Entries of all tenants, earliest first.
    pub(super) async fn due(&self, query: DueQuery) -> Result<Vec<DueEntry>, StoreError> {
        let after = query.after.map(|DueEntry { at, key }| (at, key));
        let met = self.meet(Agenda::Due, query.before, after, query.limit).await?;
        Ok(met.into_iter().map(|met| DueEntry { at: met.at, key: met.key }).collect())
    }

    /// Moves or removes an entry, if `epoch` and `head` are still the log's.
    pub(super) async fn reschedule(&self, change: Reschedule) -> Result<(), StoreError> {
        let Reschedule { key, epoch, head, at } = change;
        let mut end = self.end_at(key, epoch, head).await?;
        let mut unknown = None;
        for _ in 0..TRIES {
            let write = match at {
                Some(at) => self.point_at(key, &end, at).await?,
                None => DueWrite::Clear,
            };
            let wanted = write.applied_to(end.due);
            match self.set_due(&end, end.due, write).await {
                Ok(true) => {
                    self.places.ends(key, LogEnd { due: wanted, ..end });
                    return Ok(());
                }
                Ok(false) => {}
                Err(StoreError::Unknown(why)) => unknown = Some(why),
                Err(error) if unknown.is_none() => return Err(error),
                Err(_) => {}
            }
            // Where it was done the log says so. Where it was not, it never will be once the entry is another one.
            let segment = self.segment(end.log, end.segment).await;
            let segment = segment.map_err(|error| unknown.clone().map_or(error, StoreError::Unknown))?;
            let segment = segment.filter(|segment| !segment.is_retired()).ok_or(StoreError::NotFound)?;
            if !segment.is_owned_by(epoch) || segment.head != head {
                return Err(StoreError::Fenced);
            }
            if segment.next.is_some() {
                // What was sent to it will not be done any more.
                (end, unknown) = (self.end_of(key, epoch, head).await?, None);
                continue;
            }
            end.due = segment.due;
            // Without a moment, whichever row led to one last.
            if segment.due == wanted || (wanted.at.is_none() && segment.due.at.is_none()) {
                self.places.ends(key, end);
                return Ok(());
            }
        }
        Err(unknown.map_or(StoreError::Busy, StoreError::Unknown))
    }

    /// Writes when a log is due, if it still ends there, and what is said of that is still what is known.
    async fn set_due(&self, end: &LogEnd, known: Due, write: DueWrite) -> Result<bool, StoreError> {
        let LogEnd { log, segment, epoch, head, .. } = *end;
        let (at, mark) = write.cells();
        let values = (at, mark, log, segment, number(epoch), number(head), known.at.map(moment), known.mark);
        self.link.decide(&self.statements.set_due, values).await
    }

    /// Brings entries of a tenant's conversations forward.
    pub(super) async fn hasten(&self, hasten: Hasten) -> Result<Option<Hastened>, StoreError> {
        if hasten.limit == 0 {
            return Ok(None);
        }
        let ids = self.conversations_of(hasten.tenant, hasten.after, hasten.limit).await?;
        let Some(last) = ids.last().copied() else { return Ok(None) };
        let seen = ids.into_iter().map(|id| self.see(hasten.tenant, id));
        let seen: Vec<Seen> = try_join_all(seen).await?.into_iter().flatten().collect();
        let mut moved = 0;
        let mut moves = Vec::new();
        for seen in seen {
            let entry = seen.segment.due.at;
            // One that was never opened has nothing to do.
            if let Some(target) = hasten.moves(moved, entry).filter(|_| seen.segment.head > 0) {
                moved += 1;
                moves.push(self.bring_forward(seen, target, hasten.missing));
            }
        }
        for moved in join_all(moves).await {
            moved?;
        }
        Ok(Some(Hastened { last, moved }))
    }

    /// A tenant's conversations behind one, by id, and some that were never opened, or are gone.
    async fn conversations_of(
        &self,
        tenant: TenantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<BTreeSet<ConversationId>, StoreError> {
        let after: &[u8] = after.as_ref().map_or(&[], |after| after.as_bytes());
        // An id may have several logs, of which most had never a conversation.
        let rows = limit.saturating_mul(2);
        let at_most = i32::try_from(rows).unwrap_or(i32::MAX);
        let shards = (0..SHARDS).map(|shard| async move {
            let values = (tenant.as_bytes().as_slice(), shard.cast_signed(), after, at_most);
            self.link.all::<(Vec<u8>, Uuid)>(&self.statements.of_tenant, values).await
        });
        let (mut found, mut end) = (BTreeSet::new(), None);
        for shard in try_join_all(shards).await? {
            let is_cut = shard.len() >= rows;
            let ids = shard.into_iter().filter_map(|(id, _)| id.try_into().ok()).map(ConversationId::from_bytes);
            let ids: BTreeSet<ConversationId> = ids.collect();
            if let Some(last) = ids.last().filter(|_| is_cut) {
                // Behind it there may be more in this shard.
                end = Some(end.map_or(*last, |end: ConversationId| end.min(*last)));
            }
            found.extend(ids);
        }
        found.retain(|id| end.is_none_or(|end| *id <= end));
        while found.len() > limit {
            found.pop_last();
        }
        Ok(found)
    }

    async fn see(&self, tenant: TenantId, id: ConversationId) -> Result<Option<Seen>, StoreError> {
        let key = ConversationKey { tenant, conversation: id };
        let Some(owner) = self.owner(key).await? else { return Ok(None) };
        let tail = self.open_tail(owner.log, owner.tail).await?;
        Ok(tail.map(|(at, segment)| Seen { key, log: owner.log, at, segment }))
    }

    /// Moves one entry to an earlier moment, whoever owns it.
    async fn bring_forward(&self, mut seen: Seen, target: Timestamp, missing: bool) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let Seen { key, log, at, segment } = &seen;
            let (epoch, head) = (u64::try_from(segment.epoch).unwrap_or_default(), segment.head);
            let mark = self.note(Agenda::Due, target, *key, *log, epoch, head).await?;
            let Segment { first, bytes, due, .. } = *segment;
            let end = LogEnd { log: *log, epoch, segment: *at, first, bytes, head, due };
            match self.set_due(&end, due, DueWrite::Noted(target, mark)).await {
                Ok(true) => return Ok(()),
                Ok(false) | Err(StoreError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
            let Some((at, segment)) = self.open_tail(*log, *at).await? else { return Ok(()) };
            // Its owner has moved it meanwhile, or this was done after all.
            let entry = segment.due.at;
            if !entry.map_or(missing, |at| at > target) {
                return Ok(());
            }
            seen = Seen { key: *key, log: *log, at, segment };
        }
        Err(StoreError::Busy)
    }
}

impl Core {
    /// What a tenant's index says of a conversation that was erased goes.
    pub(super) async fn drop_of_tenant(&self, key: ConversationKey, log: Uuid) -> Result<(), StoreError> {
        let (tenant, id) = names(&key);
        let shard = super::core::shard(key.conversation.as_bytes());
        // A log is noted once.
        self.link.write_at(late(), &self.statements.drop_of_tenant, (tenant, shard, id, log)).await
    }
}
