//! Two contacts who are one person, and the end of that.
//! Invariant: who is merged into whom is decided by one conditional write of one record; what comes before it only says
//! where to look, and what comes after it only notes it.

use std::time::Duration;

use engine_store::StoreError;
use schema::wire::ContactView;
use schema::{ChangedBy, ContactError, ContactId, Family, StoredContact, TenantId};

use super::{ATTEMPTS_MAX, Contacts, ContactsError};

/// Two who merge each into the other keep each other from it; each waits longer each time, and not both the same.
const STEP_BACK: Duration = Duration::from_millis(4);

impl Contacts {
    /// Merges `other` into a contact. Both may have been merged before: then those that they were merged into are
    /// meant.
    ///
    /// # Errors
    /// Why they cannot be merged, or what the store says. After an answer that leaves it open whether they were, it is
    /// asked for again: what was merged is not merged twice.
    pub async fn merge(
        &self,
        tenant: TenantId,
        id: ContactId,
        other: ContactId,
        by: &ChangedBy,
    ) -> Result<ContactView, ContactsError> {
        if id == other {
            return Err(ContactError::Itself.into());
        }
        for attempt in 1..=ATTEMPTS_MAX {
            let now = self.clock.now();
            let family = self.settled_or_new(tenant, id, now).await?;
            let theirs = self.settled_or_new(tenant, other, now).await?;
            let root = family.root().id;
            if root == theirs.root().id {
                return self.merged_already(tenant, &family, other, by).await;
            }
            let is_first = root < theirs.root().id;
            match self.take_in(tenant, family, theirs, by).await {
                Ok(()) => return self.view(tenant, root).await?.ok_or_else(|| ContactError::Erasing.into()),
                Err(ContactsError::Version { .. }) => {}
                Err(error) => return Err(error),
            }
            let waits = STEP_BACK.saturating_mul(u32::try_from(attempt).unwrap_or(u32::MAX));
            tokio::time::sleep(if is_first { waits } else { 2 * waits }).await;
        }
        Err(StoreError::Busy.into())
    }

    async fn take_in(
        &self,
        tenant: TenantId,
        family: Family,
        theirs: Family,
        by: &ChangedBy,
    ) -> Result<(), ContactsError> {
        let now = self.clock.now();
        family.may_take_in(&theirs)?;
        let lead_here = family.ids();
        let (mut root, mut other) = (family.into_root(), theirs.into_root());
        // Written although it may stand there: the new version is what ends a merge the other way round.
        root.record.expect(other.id, &lead_here);
        let root = self.put(tenant, root).await?;
        other.record.point_to(root.id, by, now);
        let other = self.put(tenant, other).await?;
        self.note_pointer(tenant, root.id, other.id, true, by).await?;
        // An erasure that began before the pointer was there knows nothing of it, and leaves nobody whom it could lead to.
        let is_over = self.load(tenant, root.id).await?.is_none_or(|root| root.record.is_erasing());
        if is_over && self.let_go(tenant, other.id, root.id).await? {
            return Err(ContactError::Erasing.into());
        }
        Ok(())
    }

    /// Notes what an earlier request did that ended before it could note it.
    async fn merged_already(
        &self,
        tenant: TenantId,
        family: &Family,
        other: ContactId,
        by: &ChangedBy,
    ) -> Result<ContactView, ContactsError> {
        if let Some(into) = family.member(other).and_then(|stored| stored.record.merged_into)
            && family.member(into).is_some()
        {
            self.note_pointer(tenant, into, other, true, by).await?;
        }
        self.view(tenant, family.root().id).await?.ok_or_else(|| ContactError::Erasing.into())
    }

    /// Undoes a merge: the other contact, with those who were merged into it, stands for itself again.
    pub(super) async fn unmerge(
        &self,
        tenant: TenantId,
        id: ContactId,
        other: ContactId,
        by: &ChangedBy,
    ) -> Result<ContactView, ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            let family = self.settled(tenant, id).await?.ok_or(ContactError::NotMerged)?;
            if family.is_erasing() {
                return Err(ContactError::Erasing.into());
            }
            let pointing = family.member(other).filter(|stored| stored.id != family.root().id).cloned();
            let mut pointing = pointing.ok_or(ContactError::NotMerged)?;
            if pointing.record.is_erasing() {
                return Err(ContactError::Erasing.into());
            }
            let into = pointing.record.merged_into.ok_or(ContactError::NotMerged)?;
            pointing.record.stand_alone(by, self.clock.now());
            match self.put(tenant, pointing).await {
                Ok(_) => {}
                Err(ContactsError::Version { .. }) => continue,
                Err(error) => return Err(error),
            }
            self.note_pointer(tenant, into, other, false, by).await?;
            return self.view(tenant, other).await?.ok_or_else(|| ContactError::Erasing.into());
        }
        Err(StoreError::Busy.into())
    }

    /// Takes a pointer away that leads to somebody who is erased without the one who points there; gives whether it did.
    pub(super) async fn let_go(
        &self,
        tenant: TenantId,
        pointing: ContactId,
        into: ContactId,
    ) -> Result<bool, ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(mut stored) = self.load(tenant, pointing).await? else { return Ok(false) };
            // One that is erased, too, keeps it: it says with whom.
            if stored.record.merged_into != Some(into) || stored.record.is_erasing() {
                return Ok(false);
            }
            stored.record.stand_alone(&ChangedBy::system(), self.clock.now());
            match self.put(tenant, stored).await {
                Err(ContactsError::Version { .. }) => {}
                put => return put.map(|_| true),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Has a record look for a pointer that leads there and that it does not look for.
    pub(super) async fn look_for(
        &self,
        tenant: TenantId,
        into: ContactId,
        other: ContactId,
    ) -> Result<(), ContactsError> {
        let Some(root) = self.current(tenant, into).await? else { return Ok(()) };
        let family = self.family_at(tenant, root).await?;
        let lead_here = family.ids();
        let mut root = family.into_root();
        root.record.expect(other, &lead_here);
        match self.put(tenant, root).await {
            Ok(_) | Err(ContactsError::Version { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Notes in a record that another one's pointer leads there now, or does no longer.
    async fn note_pointer(
        &self,
        tenant: TenantId,
        into: ContactId,
        other: ContactId,
        leads_there: bool,
        by: &ChangedBy,
    ) -> Result<(), ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            // One who is erased meanwhile needs no note.
            let Some(StoredContact { id, version, mut record }) = self.current(tenant, into).await? else {
                return Ok(());
            };
            let is_looked_for = record.expects(other);
            let is_noted = !record.note_pointer(other, leads_there, by, self.clock.now());
            if record.is_erasing() || is_noted && (is_looked_for || !leads_there) {
                return Ok(());
            }
            if leads_there {
                // Another merge may have taken its place.
                let lead_here = self.family_of(tenant, into).await?;
                record.expect(other, &lead_here);
            }
            match self.put(tenant, StoredContact { id, version, record }).await {
                Err(ContactsError::Version { .. }) => {}
                noted => return noted.map(|_| ()),
            }
        }
        Err(StoreError::Busy.into())
    }
}
