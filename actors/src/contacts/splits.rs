//! One contact that is two: identities go to a new one, step by step.
//! Invariant: each step is one conditional write. Once the record that has the identities says what has begun, whoever
//! reads it finishes that.

use engine_store::StoreError;
use schema::wire::{ContactView, SplitIn};
use schema::{ChangedBy, ContactError, ContactId, Identity, Refusals, Step, StoredContact, TenantId, Timestamp};

use super::{ATTEMPTS_MAX, Contacts, ContactsError};

impl Contacts {
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
        match asked.contact {
            Some(other) if asked.identities.is_empty() => self.unmerge(tenant, id, other, by).await,
            Some(_) => Err(ContactError::NothingToSplit.into()),
            None => self.split_off(tenant, id, &asked.identities, by).await,
        }
    }

    async fn split_off(
        &self,
        tenant: TenantId,
        id: ContactId,
        identities: &[Identity],
        by: &ChangedBy,
    ) -> Result<ContactView, ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            let family = self.settled(tenant, id).await?.ok_or(ContactError::NotTheirs)?;
            if family.is_erasing() {
                return Err(ContactError::Erasing.into());
            }
            let (root, mut holder) = (family.root().id, family.holder_of(identities)?.clone());
            let (into, identities, refusals) = (ContactId::generate(), identities.to_vec(), family.refusals());
            holder.record.begin(Step::Split { into, identities, refusals }, by, self.clock.now())?;
            let begun = match self.put(tenant, holder).await {
                Ok(begun) => begun,
                Err(ContactsError::Version { .. }) => continue,
                Err(error) => return Err(error),
            };
            let is_anothers = begun.id != root;
            self.gone_on_with(tenant, begun).await?;
            if is_anothers {
                self.note_split(tenant, root, into, by).await?;
            }
            return self.view(tenant, into).await?.ok_or_else(|| ContactError::Erasing.into());
        }
        Err(StoreError::Busy.into())
    }

    /// Does what is still to do of a split that has begun with a record.
    pub(super) async fn go_on_splitting(
        &self,
        tenant: TenantId,
        mut stored: StoredContact,
        going: Going<'_>,
    ) -> Result<StoredContact, ContactsError> {
        let Going { into, identities, refusals, by, at } = going;
        let record = stored.record.split_off(stored.id, identities, refusals, by, at);
        let new = StoredContact { id: into, version: 0, record };
        match self.put_taking(tenant, new, Some(stored.id)).await {
            // Where it is there, or the index has the identities for somebody else or nobody, it was made, and much may
            // have happened to it since.
            Ok(_)
            | Err(
                ContactsError::Version { .. } | ContactsError::Held { .. } | ContactsError::Store(StoreError::NotFound),
            ) => {}
            Err(error) => return Err(error),
        }
        stored.record.give_away(into, identities, by, at);
        stored.record.end();
        self.put(tenant, stored).await
    }

    /// Notes in the record of the one who stands for all what went from the record of another one of them.
    async fn note_split(
        &self,
        tenant: TenantId,
        root: ContactId,
        into: ContactId,
        by: &ChangedBy,
    ) -> Result<(), ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(mut stored) = self.current(tenant, root).await?.filter(|stored| !stored.record.is_erasing())
            else {
                return Ok(());
            };
            stored.record.note_split(into, by, self.clock.now());
            match self.put(tenant, stored).await {
                Err(ContactsError::Version { .. }) => {}
                noted => return noted.map(|_| ()),
            }
        }
        Err(StoreError::Busy.into())
    }
}

/// What goes to a new contact, as the step says.
pub(super) struct Going<'a> {
    pub(super) into: ContactId,
    pub(super) identities: &'a [Identity],
    pub(super) refusals: &'a Refusals,
    pub(super) by: &'a ChangedBy,
    pub(super) at: Timestamp,
}
