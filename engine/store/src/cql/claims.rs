//! Becoming the owner of a conversation: opening one, claiming one, fencing its log.
//!
//! 1. **Claim**: `conversation.epoch` goes from `e` to `e + 1` under the condition that it is `e`. So each epoch is
//!    given once.
//! 2. **Fence**: the epoch of the log's last segment is set to the same. From then on an append under a lower epoch
//!    meets a condition that is false, whenever it comes.
//! 3. **Recover**: the segment is read after everything that was decided about it. Where the owner before had sealed it
//!    already, the next one is fenced, or opened, in the same way.
//!
//! Invariant: whoever is told of a claim has fenced the last segment; nobody opens a segment whose forerunner is not
//! sealed.

use schema::{ContactId, ConversationKey, Epoch, Timestamp};
use uuid::Uuid;

use super::agenda::Agenda;
use super::core::{Core, Owner, names, shard};
use super::due_write::Due;
use super::places::LogEnd;
use super::segments::{Segment, late, moment, number};
use crate::{Claim, Opening, StoreError};

/// Tries against others who claim the same conversation, or answers that leave it open.
const TRIES: usize = 8;

/// What became of a try to fence a log.
enum Fenced {
    /// It ends here, and is ours.
    Here(i32, Segment),
    /// Somebody else has claimed it since, or it is erased.
    Lost,
}

impl Core {
    /// Becomes a conversation's owner.
    pub(super) async fn claim(&self, key: ConversationKey, open: Option<&Opening>) -> Result<Claim, StoreError> {
        let mut unsettled = StoreError::Busy;
        for _ in 0..TRIES {
            let claimed = match (self.owner(key).await?, open) {
                (Some(owner), _) => self.take(key, owner).await,
                (None, Some(opening)) => Box::pin(self.open(key, opening)).await,
                (None, None) => {
                    self.places.forget(key);
                    return Err(StoreError::NotFound);
                }
            };
            match claimed {
                Ok(Some(end)) => {
                    self.owns(key, end).await?;
                    return Ok(Claim { epoch: end.epoch, head: end.head, due: end.due.at });
                }
                Ok(None) => {}
                // Another one is opened in its place.
                Err(StoreError::NotFound) if open.is_some() => {}
                // To claim it once more does no harm.
                Err(StoreError::Unknown(why)) => unsettled = StoreError::Unknown(why),
                Err(error) => return Err(error),
            }
        }
        Err(unsettled)
    }

    /// Becomes its owner after one that is known. What was left open is an answer here: to claim it once more would be
    /// to take it from whoever was faster.
    pub(super) async fn claim_from(&self, key: ConversationKey, from: crate::Owner) -> Result<Claim, StoreError> {
        let owner = self.owner(key).await?.ok_or(StoreError::NotFound)?;
        // Another life of it may have come to the same epoch.
        if (owner.epoch, owner.node) != (from.epoch, from.node) {
            return Err(StoreError::Fenced);
        }
        let end = self.take(key, owner).await?.ok_or(StoreError::Fenced)?;
        self.owns(key, end).await?;
        Ok(Claim { epoch: end.epoch, head: end.head, due: end.due.at })
    }

    /// A log is owned here from now on. What its owners before had left open has come by now or never will: it may be
    /// more than the list knows of, and nobody else may ever look.
    async fn owns(&self, key: ConversationKey, end: LogEnd) -> Result<(), StoreError> {
        self.places.ends(key, end);
        if end.head > 0 {
            drop(self.touch(key).await?);
        }
        Ok(())
    }

    /// Whose a conversation is.
    pub(super) async fn whose(&self, key: ConversationKey) -> Result<crate::Owner, StoreError> {
        let owner = self.owner(key).await?.ok_or(StoreError::NotFound)?;
        Ok(crate::Owner { epoch: owner.epoch, node: owner.node })
    }

    /// Takes a conversation over. None when somebody else was faster.
    async fn take(&self, key: ConversationKey, owner: Owner) -> Result<Option<LogEnd>, StoreError> {
        let Owner { log, .. } = owner;
        if self.cipher(log).await?.is_none() {
            // Its key has ended, and it should be gone. So it came when nobody waited for it any more: nothing can be
            // said in it, and its id is not to be dead for that.
            Box::pin(self.erase(key, None)).await?;
            return Err(StoreError::NotFound);
        }
        let (tenant, id) = names(&key);
        let (epoch, before) = (owner.epoch + 1, owner.epoch);
        let node = self.node.as_bytes().as_slice();
        let values = (number(epoch), node, tenant, id, log, number(before));
        if !self.link.decide(&self.statements.claim, values).await? {
            return Ok(None);
        }
        let Fenced::Here(at, segment) = self.fence(key, owner, epoch).await? else { return Ok(None) };
        if at > owner.tail {
            // Only to find it sooner: whoever starts from an earlier one is led here.
            let _ = self.link.decide(&self.statements.move_tail, (at, tenant, id, log, number(epoch))).await;
        }
        Ok(Some(end(log, epoch, at, &segment)))
    }

    /// Makes the last segment of a log belong to an epoch.
    async fn fence(&self, key: ConversationKey, owner: Owner, epoch: Epoch) -> Result<Fenced, StoreError> {
        let Owner { log, .. } = owner;
        // The owner before has most likely fenced it under its own epoch.
        let (mut at, mut expected, mut before) = (owner.tail, number(owner.epoch), None);
        let (mut tries, mut unsettled) = (TRIES, StoreError::Busy);
        while tries > 0 {
            tries -= 1;
            let values = (number(epoch), log, at, expected);
            match self.link.decide(&self.statements.fence, values).await {
                Ok(_) => {}
                Err(error @ StoreError::Unknown(_)) => unsettled = error,
                Err(error) => return Err(error),
            }
            match self.segment(log, at).await? {
                Some(segment) if segment.is_retired() => return Ok(Fenced::Lost),
                Some(Segment { next: Some(next), .. }) if next <= at => {
                    return Err(super::failure::odd("the order of segments"));
                }
                Some(segment @ Segment { next: Some(next), .. }) => (at, before, tries) = (next, Some(segment), TRIES),
                Some(segment) if segment.is_owned_by(epoch) => return Ok(Fenced::Here(at, segment)),
                Some(segment) if segment.epoch > number(epoch) => return Ok(Fenced::Lost),
                Some(segment) => expected = segment.epoch,
                None => {
                    let first = before.take();
                    if first.is_none() && at > 0 {
                        // It is being cleared.
                        return Ok(Fenced::Lost);
                    }
                    self.open_segment(log, at, epoch, first.as_ref(), owner.opened_at).await?;
                    // One that was erased meanwhile may have been cleared before this was opened.
                    if self.owner(key).await?.is_none_or(|now| now.log != log || now.epoch != epoch) {
                        return Ok(Fenced::Lost);
                    }
                    (expected, before) = (number(epoch), first);
                }
            }
        }
        // Readings work, and writes do not.
        Err(unsettled)
    }

    /// Opens a segment behind one that is sealed, or the first one. Whether it was this call that did is found out by
    /// reading it.
    pub(super) async fn open_segment(
        &self,
        log: Uuid,
        at: i32,
        epoch: Epoch,
        before: Option<&Segment>,
        opened_at: Timestamp,
    ) -> Result<(), StoreError> {
        let head = before.map_or(0, |before| before.head);
        let last_at = before.map_or(opened_at, |before| before.last_at);
        let Due { at: due, mark } = before.map(|before| before.due).unwrap_or_default();
        let due = due.map(moment);
        let values = (number(epoch), number(head), number(head + 1), moment(last_at), due, mark, log, at);
        match self.link.decide(&self.statements.open_segment, values).await {
            Ok(_) | Err(StoreError::Unknown(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opens a conversation that is not there. None when somebody else has opened it.
    async fn open(&self, key: ConversationKey, opening: &Opening) -> Result<Option<LogEnd>, StoreError> {
        let log = self.clock.draw();
        let (cipher, wrapped) = self.keys.make(log)?;
        let Opening { contact, is_anonymous, at } = *opening;
        let (tenant, id) = names(&key);
        // Before what they point to: without it they are found to be nobody's, and dropped.
        futures_util::try_join!(
            self.link.write(&self.statements.make_key, (log, &wrapped)),
            self.link.write(&self.statements.note_of_tenant, (tenant, shard(key.conversation.as_bytes()), id, log)),
            self.note_of_contact(key, log, contact),
            self.note(Agenda::Unspoken, at, key, log, 1, 0),
        )?;
        // The log is nobody's yet, so its first segment need not wait.
        let node = self.node.as_bytes().as_slice();
        let values = (tenant, id, log, 1_i64, node, contact.as_bytes().as_slice(), is_anonymous, moment(at));
        let (opened, segment) = futures_util::join!(
            self.link.decide(&self.statements.open, values),
            self.open_segment(log, 0, 1, None, at),
        );
        let is_decided = match opened {
            Ok(true) => None,
            Ok(false) => Some(true),
            Err(StoreError::Unknown(_)) => Some(false),
            Err(error) => return Err(error),
        };
        if let Some(is_decided) = is_decided {
            match self.owner(key).await?.map(|owner| owner.log) {
                Some(found) if found == log => {}
                // It met that one, and comes no more.
                Some(_) if is_decided => {
                    Box::pin(self.drop_unopened(key, log, contact)).await;
                    return Ok(None);
                }
                // It may yet come: what was written for it stays, and is found by the agenda where it does not.
                None if !is_decided => {
                    return Err(StoreError::Unknown("it is open whether the conversation is".into()));
                }
                _ => return Ok(None),
            }
        }
        segment?;
        self.keys.remember(log, &cipher);
        let Some(segment) = self.segment(log, 0).await? else {
            return Err(StoreError::Unknown("the log could not be opened".into()));
        };
        // Somebody may have claimed it, or erased it, already.
        Ok(segment.is_owned_by(1).then(|| end(log, 1, 0, &segment)))
    }

    /// What was written for a log that no conversation has. What is left of it is found later.
    async fn drop_unopened(&self, key: ConversationKey, log: Uuid, contact: ContactId) {
        let _ = futures_util::join!(
            self.drop_of_tenant(key, log),
            self.drop_of_contact(key, log, contact),
            self.link.write_at(late(), &self.statements.clear_segment, (log, 0)),
            self.end_key(log),
        );
    }
}

fn end(log: Uuid, epoch: Epoch, at: i32, segment: &Segment) -> LogEnd {
    let Segment { head, first, bytes, due, .. } = *segment;
    LogEnd { log, epoch, segment: at, first, bytes, head, due }
}
