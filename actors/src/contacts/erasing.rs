//! What of a contact's erasure stands in records: that it was asked for, and the end of the record.

use engine_store::{RecordName, Scope, StoreError};
use schema::{ChangedBy, ContactId, Step, TenantId};

use super::{ATTEMPTS_MAX, Contacts, ContactsError, name};

/// The kind of the node's records of what is to be erased; their ids are `tenant/contact`.
const ASKED: &str = "contact_erasure";
/// Of these, so many are read at a time.
const AT_ONCE: usize = 64;

impl Contacts {
    /// Writes down that a contact is to be erased; from then on nothing is begun with them. Gives the contact that the
    /// id stands for, and all who were merged into it.
    pub(crate) async fn begin_erasing(
        &self,
        tenant: TenantId,
        id: ContactId,
    ) -> Result<(ContactId, Vec<ContactId>), ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            let now = self.clock.now();
            let mut kept = self.settled_or_new(tenant, id, now).await?;
            match self.records.put(asked(tenant, kept.id), 0, Vec::new()).await {
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if !kept.record.is_erasing() {
                kept.record.begin(Step::Erase, &ChangedBy::system(), now)?;
                kept = match self.put(tenant, kept, None).await {
                    // Somebody else has changed it.
                    Err(ContactsError::Version { .. }) => continue,
                    put => put?,
                };
            }
            return Ok((kept.id, kept.record.family(kept.id)));
        }
        Err(StoreError::Busy.into())
    }

    /// Removes what is known of a contact whose conversations are erased, and then that it was asked for.
    pub(crate) async fn end_erasing(
        &self,
        tenant: TenantId,
        id: ContactId,
        family: &[ContactId],
    ) -> Result<(), ContactsError> {
        // Those that point to the contact go before it, or they would stand for themselves.
        for gone in family.iter().rev() {
            self.remove(name(tenant, *gone)).await?;
            self.standings.forget(&(tenant, *gone));
        }
        Ok(self.remove(asked(tenant, id)).await?)
    }

    async fn remove(&self, name: RecordName) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(found) = self.records.get(name.clone()).await? else { return Ok(()) };
            match self.records.delete(name.clone(), found.version).await {
                Err(StoreError::Conflict { .. }) => {}
                removed => return removed,
            }
        }
        Err(StoreError::Busy)
    }

    /// Contacts whose erasure was asked for and is not at its end.
    pub(crate) async fn asked_to_erase(&self) -> Result<Vec<(TenantId, ContactId)>, StoreError> {
        let page = self.records.scan(Scope::Node, ASKED, None, AT_ONCE).await?;
        let names = page.iter().filter_map(|record| record.id.split_once('/'));
        Ok(names.filter_map(|(tenant, contact)| Some((tenant.parse().ok()?, contact.parse().ok()?))).collect())
    }
}

fn asked(tenant: TenantId, id: ContactId) -> RecordName {
    RecordName { scope: Scope::Node, kind: ASKED, id: format!("{tenant}/{id}") }
}
