//! Changes of several records that have begun: whoever reads the record that says so goes on with them.
//! Invariant: each write is conditional, and doing a step twice does no more than doing it once.

use engine_store::StoreError;
use schema::{Begun, ChangedBy, ContactChange, ContactId, Step, StoredContact, TenantId, Timestamp};

use super::splits::Going;
use super::{ATTEMPTS_MAX, Contacts, ContactsError};

impl Contacts {
    /// Finishes the step that a record says was begun, and gives the record as it is afterwards; none when the contact
    /// was erased meanwhile. The step of an erasure stays: [`Contacts::end_erasing`] finishes it.
    pub(super) async fn gone_on_with(
        &self,
        tenant: TenantId,
        stored: StoredContact,
    ) -> Result<Option<StoredContact>, ContactsError> {
        let mut stored = stored;
        for _ in 0..ATTEMPTS_MAX {
            let id = stored.id;
            let Some(Begun { at, by, step }) = stored.record.begun.clone() else { return Ok(Some(stored)) };
            let stepped = match &step {
                Step::Erase { .. } => return Ok(Some(stored)),
                Step::Split { into, identities, refusals } => {
                    let going = Going { into: *into, identities, refusals, by: &by, at };
                    self.go_on_splitting(tenant, stored, going).await
                }
                Step::Change { change, members } => {
                    self.go_on_changing(tenant, stored, change, members, (&by, at)).await
                }
            };
            match stepped {
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

    /// Has those who were merged take in what holds for them, too. A member's record is read before it is seen that the
    /// root's still says so: whatever changes the member after this change writes the root first, so that who comes late
    /// finds either record at another version, and changes nothing back.
    async fn go_on_changing(
        &self,
        tenant: TenantId,
        mut root: StoredContact,
        change: &ContactChange,
        members: &[ContactId],
        (by, at): (&ChangedBy, Timestamp),
    ) -> Result<StoredContact, ContactsError> {
        for member in members {
            for attempt in 1..=ATTEMPTS_MAX {
                // Something may have begun with it, too, but not such a change: it stands for nobody.
                let Some(mut theirs) = Box::pin(self.current(tenant, *member)).await? else { break };
                let found = self.load(tenant, root.id).await?.map_or(0, |found| found.version);
                if found != root.version {
                    return Err(ContactsError::Version { found });
                }
                if !theirs.record.follow(change, by, at) {
                    break;
                }
                match self.put(tenant, theirs).await {
                    Ok(_) => break,
                    Err(ContactsError::Version { .. }) if attempt < ATTEMPTS_MAX => {}
                    Err(ContactsError::Version { .. }) => return Err(StoreError::Busy.into()),
                    Err(error) => return Err(error),
                }
            }
        }
        root.record.end();
        self.put(tenant, root).await
    }
}
