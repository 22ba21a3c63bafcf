//! Changes of two records, step by step: merge, split, and a merge undone.
//! Invariant: each step is one conditional write. Whoever next reads either record finishes a change that was interrupted;
//! the other one leads there as soon as it points to the one that goes on.

use schema::wire::{ContactView, SplitIn};
use schema::{Begun, ChangedBy, ContactError, ContactId, ContactRecord, Identity, Step, TenantId};

use super::{ATTEMPTS_MAX, Contacts, ContactsError, Kept};

impl Contacts {
    /// Merges `other` into a contact. Both may have been merged before: then those that they were merged into are
    /// meant.
    ///
    /// # Errors
    /// Why they cannot be merged, or what the store says. An answer that is not known to be one is asked for again:
    /// what was merged is not merged twice.
    pub async fn merge(
        &self,
        tenant: TenantId,
        id: ContactId,
        other: ContactId,
        by: &ChangedBy,
    ) -> Result<ContactView, ContactsError> {
        let now = self.clock.now();
        let mut kept = self.settled_or_new(tenant, id, now).await?;
        let theirs = self.settled_or_new(tenant, other, now).await?;
        if kept.id == theirs.id {
            return if id == other { Err(ContactError::Itself.into()) } else { Ok(kept.view()) };
        }
        kept.record.may_take_in(kept.id, theirs.id, &theirs.record)?;
        kept.record.begin(Step::Merge { other: theirs.id }, by, now)?;
        let kept = self.put(tenant, kept, None).await?;
        match self.gone_on_with(tenant, kept).await? {
            Some(kept) if kept.record.merged.contains(&theirs.id) => Ok(kept.view()),
            _ => Err(ContactError::Busy.into()),
        }
    }

    /// Gives identities of a contact to a new one, or undoes a merge; gives the contact that has them then.
    ///
    /// # Errors
    /// Why that cannot be, or what the store says.
    pub async fn split(
        &self,
        tenant: TenantId,
        id: ContactId,
        asked: SplitIn,
        by: &ChangedBy,
    ) -> Result<ContactView, ContactsError> {
        let now = self.clock.now();
        let mut kept = self.settled_or_new(tenant, id, now).await?;
        let (step, goes) = match (asked.contact, asked.identities) {
            (Some(other), identities) if identities.is_empty() => {
                if other == kept.id || !kept.record.merged.contains(&other) {
                    return Err(ContactError::NotMerged.into());
                }
                (Step::Unmerge { other }, other)
            }
            (None, identities) => {
                kept.record.may_split(&identities)?;
                let into = ContactId::generate();
                (Step::Split { into, identities }, into)
            }
            (Some(_), _) => return Err(ContactError::NothingToSplit.into()),
        };
        kept.record.begin(step, by, now)?;
        let kept = self.put(tenant, kept, None).await?;
        self.gone_on_with(tenant, kept).await?;
        match self.load(tenant, goes).await? {
            Some(new) if new.record.merged_into.is_none() => Ok(new.view()),
            _ => Err(ContactError::Busy.into()),
        }
    }

    /// Does what is still to do of a change that has begun with a record, and gives the record after that; none when it
    /// was erased meanwhile.
    pub(super) async fn gone_on_with(&self, tenant: TenantId, kept: Kept) -> Result<Option<Kept>, ContactsError> {
        let mut kept = kept;
        for _ in 0..ATTEMPTS_MAX {
            let Some(Begun { at, by, step }) = kept.record.begun.clone() else { return Ok(Some(kept)) };
            let id = kept.id;
            let stepped = match step {
                Step::Erase => return Ok(Some(kept)),
                Step::Merge { other } => self.merge_step(tenant, kept, other, (&by, at)).await,
                Step::Split { into, identities } => self.split_step(tenant, kept, into, &identities, (&by, at)).await,
                Step::Unmerge { other } => self.unmerge_step(tenant, kept, other, (&by, at)).await,
            };
            match stepped {
                Ok(done) => return Ok(Some(done)),
                // Somebody else goes on with it, too: look where it stands.
                Err(ContactsError::Version { .. }) => match self.load(tenant, id).await? {
                    Some(found) => kept = found,
                    None => return Ok(None),
                },
                Err(error) => return Err(error),
            }
        }
        Err(ContactError::Busy.into())
    }

    async fn merge_step(
        &self,
        tenant: TenantId,
        mut kept: Kept,
        other: ContactId,
        (by, at): (&ChangedBy, schema::Timestamp),
    ) -> Result<Kept, ContactsError> {
        let id = kept.id;
        let found = self.load(tenant, other).await?;
        let mut theirs = found.unwrap_or_else(|| Kept { id: other, version: 0, record: ContactRecord::new(at) });
        if theirs.record.merged_into != Some(id) {
            // Until the other one points here nothing is decided, and it may have changed.
            if kept.record.may_take_in(id, other, &theirs.record).is_err() {
                kept.record.end();
                return self.put(tenant, kept, None).await;
            }
            theirs.record.point_to(id, by, at);
            theirs = self.put_pointer(tenant, theirs).await?;
        }
        kept.record.take_in(other, &theirs.record, by, at);
        kept.record.end();
        self.put(tenant, kept, Some(other)).await
    }

    async fn split_step(
        &self,
        tenant: TenantId,
        mut kept: Kept,
        into: ContactId,
        identities: &[Identity],
        (by, at): (&ChangedBy, schema::Timestamp),
    ) -> Result<Kept, ContactsError> {
        if self.load(tenant, into).await?.is_none() {
            let record = kept.record.split_off(kept.id, identities, by, at);
            self.put(tenant, Kept { id: into, version: 0, record }, Some(kept.id)).await?;
        }
        kept.record.give_away(into, identities, by, at);
        kept.record.end();
        self.put(tenant, kept, None).await
    }

    async fn unmerge_step(
        &self,
        tenant: TenantId,
        mut kept: Kept,
        other: ContactId,
        (by, at): (&ChangedBy, schema::Timestamp),
    ) -> Result<Kept, ContactsError> {
        let id = kept.id;
        let theirs = match self.load(tenant, other).await? {
            Some(mut theirs) => {
                // One that was merged by way of a third stands for itself again, too.
                if theirs.record.merged_into.is_some() {
                    theirs.record.stand_alone(other, id, &kept.record, by, at);
                    theirs = self.put(tenant, theirs, Some(id)).await?;
                }
                theirs.record
            }
            // It stood for itself and was erased before anybody came to this.
            None => ContactRecord::new(at),
        };
        // A third, by way of which it came, has what came with it, too.
        for third in kept.record.merged.iter().filter(|third| **third != other) {
            if let Some(mut third) = self.load(tenant, *third).await?
                && third.record.merged.contains(&other)
            {
                third.record.let_go(other, &theirs, by, at);
                self.put_pointer(tenant, third).await?;
            }
        }
        kept.record.let_go(other, &theirs, by, at);
        kept.record.end();
        let kept = self.put(tenant, kept, None).await?;
        self.standings.forget(&(tenant, other));
        Ok(kept)
    }
}
