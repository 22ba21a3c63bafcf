//! When conversations are due: what their logs say, found by the agenda.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use schema::{ConversationId, ConversationKey, TenantId, Timestamp};
use uuid::Uuid;

use super::agenda::{Agenda, DueWrite};
use super::core::{Core, SHARDS, names};
use super::places::LogEnd;
use super::segments::{Segment, number};
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
        let end = self.end_at(key, epoch, head).await?;
        let write = match at {
            Some(at) => self.point_at(key, &end, at).await?,
            None => DueWrite::CLEAR,
        };
        let values = (write.at, write.mark, end.log, end.segment, number(epoch), number(head));
        for _ in 0..TRIES {
            match self.link.decide(&self.statements.set_due, values).await {
                Ok(true) => {
                    self.places.ends(key, LogEnd { due: at, ..end });
                    return Ok(());
                }
                Ok(false) | Err(StoreError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
            // To write it twice is as good as once, while nothing else was.
            let segment = self.segment(end.log, end.segment).await?;
            let segment = segment.filter(|segment| !segment.is_retired()).ok_or(StoreError::NotFound)?;
            if !segment.is_owned_by(epoch) || segment.head != head || segment.next.is_some() {
                return Err(StoreError::Fenced);
            }
        }
        Err(StoreError::Busy)
    }

    /// Brings entries of a tenant's conversations forward.
    pub(super) async fn hasten(&self, hasten: Hasten) -> Result<Option<Hastened>, StoreError> {
        if hasten.limit == 0 {
            return Ok(None);
        }
        let ids = self.conversations_of(hasten.tenant, hasten.after, hasten.limit).await?;
        let Some(last) = ids.keys().next_back().copied() else { return Ok(None) };
        let seen = ids.into_iter().map(|(id, logs)| self.see(hasten.tenant, id, logs));
        let seen: Vec<Seen> = try_join_all(seen).await?.into_iter().flatten().collect();
        let mut moved = 0;
        let mut moves = Vec::new();
        for seen in seen {
            let entry = seen.segment.due.map(|(at, _)| at);
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

    /// A tenant's conversations behind one, by id, with the logs that were noted for them.
    async fn conversations_of(
        &self,
        tenant: TenantId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<BTreeMap<ConversationId, Vec<Uuid>>, StoreError> {
        let after: &[u8] = after.as_ref().map_or(&[], |after| after.as_bytes());
        // Of two logs of one id both are wanted.
        let rows = i32::try_from(limit.saturating_mul(2)).unwrap_or(i32::MAX);
        let shards = (0..SHARDS).map(|shard| async move {
            let values = (tenant.as_bytes().as_slice(), shard.cast_signed(), after, rows);
            self.link.all::<(Vec<u8>, Uuid)>(&self.statements.of_tenant, values).await
        });
        let mut found: BTreeMap<ConversationId, Vec<Uuid>> = BTreeMap::new();
        for (id, log) in try_join_all(shards).await?.into_iter().flatten() {
            if let Ok(id) = id.try_into() {
                found.entry(ConversationId::from_bytes(id)).or_default().push(log);
            }
        }
        while found.len() > limit {
            found.pop_last();
        }
        Ok(found)
    }

    async fn see(&self, tenant: TenantId, id: ConversationId, logs: Vec<Uuid>) -> Result<Option<Seen>, StoreError> {
        let key = ConversationKey { tenant, conversation: id };
        let Some(owner) = self.owner(key).await?.filter(|owner| logs.contains(&owner.log)) else { return Ok(None) };
        let tail = self.tail(owner.log, owner.tail).await?.filter(|(_, segment)| !segment.is_retired());
        Ok(tail.map(|(at, segment)| Seen { key, log: owner.log, at, segment }))
    }

    /// Moves one entry to an earlier moment, whoever owns it.
    async fn bring_forward(&self, mut seen: Seen, target: Timestamp, missing: bool) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let Seen { key, log, at, segment } = &seen;
            let (epoch, head) = (u64::try_from(segment.epoch).unwrap_or_default(), segment.head);
            let mark = self.note(Agenda::Due, target, *key, *log, epoch, head).await?;
            let write = DueWrite::at(target, Some(mark));
            let values = (write.at, write.mark, *log, *at, segment.epoch, number(head));
            match self.link.decide(&self.statements.set_due, values).await {
                Ok(true) => return Ok(()),
                Ok(false) | Err(StoreError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
            let Some((at, segment)) = self.tail(*log, *at).await?.filter(|(_, segment)| !segment.is_retired()) else {
                return Ok(());
            };
            // Its owner has moved it meanwhile, or this was done after all.
            let entry = segment.due.map(|(at, _)| at);
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
        self.link.write(&self.statements.drop_of_tenant, (tenant, shard, id, log)).await
    }
}
