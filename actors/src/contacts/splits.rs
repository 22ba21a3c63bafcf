//! One contact that is two: identities go to a new one, step by step.
//! Invariant: each step is one conditional write. Once the record that has the identities says what has begun, whoever
//! reads it finishes that.

use engine_store::StoreError;
use schema::wire::{ContactView, SplitIn};
use schema::{Begun, ChangedBy, ContactError, ContactId, Identity, Step, StoredContact, TenantId};

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
                return Err(ContactsError::Erasing);
            }
            let mut holder = family.holder_of(identities)?.clone();
            let (into, identities, refusals) = (ContactId::generate(), identities.to_vec(), family.refusals());
            holder.record.begin(Step::Split { into, identities, refusals }, by, self.clock.now())?;
            let begun = match self.put(tenant, holder).await {
                Ok(begun) => begun,
                Err(ContactsError::Version { .. }) => continue,
                Err(error) => return Err(error),
            };
            self.gone_on_with(tenant, begun).await?;
            return self.view(tenant, into).await?.ok_or(ContactsError::Erasing);
        }
        Err(StoreError::Busy.into())
    }

    /// Does what is still to do of a split that has begun with a record, and gives the record after that; none when it
    /// was erased meanwhile.
    pub(super) async fn gone_on_with(
        &self,
        tenant: TenantId,
        stored: StoredContact,
    ) -> Result<Option<StoredContact>, ContactsError> {
        let mut stored = stored;
        for _ in 0..ATTEMPTS_MAX {
            let Some(Begun { at, by, step: Step::Split { into, identities, refusals } }) = stored.record.begun.clone()
            else {
                return Ok(Some(stored));
            };
            let record = stored.record.split_off(stored.id, &identities, &refusals, &by, at);
            let new = StoredContact { id: into, version: 0, record };
            match self.put_taking(tenant, new, Some(stored.id)).await {
                // Where it is there, or the index has the identities for somebody else or nobody, it was made, and much
                // may have happened to it since.
                Ok(_)
                | Err(
                    ContactsError::Version { .. }
                    | ContactsError::Held { .. }
                    | ContactsError::Store(StoreError::NotFound),
                ) => {}
                Err(error) => return Err(error),
            }
            let id = stored.id;
            stored.record.give_away(into, &identities, &by, at);
            stored.record.end();
            match self.put(tenant, stored).await {
                Ok(done) => return Ok(Some(done)),
                // Somebody else goes on with it, too: look where it stands.
                Err(ContactsError::Version { .. }) => match self.load(tenant, id).await? {
                    Some(found) => stored = found,
                    None => return Ok(None),
                },
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Busy.into())
    }
}
