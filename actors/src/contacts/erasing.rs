//! What of a contact's erasure stands in records: that it was asked for, and the end of the record.
//! Invariant: what was asked for is done to a contact who stands for itself and whose own record says so, and to nobody
//! else.

use std::sync::atomic::Ordering;

use engine_store::{RecordName, Scope, StoreError};
use schema::{ChangedBy, ContactId, Step, TenantId};

use super::{ATTEMPTS_MAX, Contacts, ContactsError, Standing, name};

/// The kind of the node's records of what is to be erased; their ids are `tenant/contact`.
const ASKED: &str = "contact_erasure";
/// Of these, so many are read at a time.
const AT_ONCE: usize = 64;

/// A page of the contacts whose erasure was asked for.
pub(crate) struct Asked {
    pub(crate) contacts: Vec<(TenantId, ContactId)>,
    /// Where the next page begins; none after the last.
    pub(crate) next: Option<String>,
}

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
            self.ask_to_erase(tenant, kept.id).await?;
            if !kept.record.is_erasing() {
                kept.record.begin(Step::Erase, &ChangedBy::system(), now)?;
                kept = match self.put(tenant, kept, None).await {
                    // Somebody else has changed it.
                    Err(ContactsError::Version { .. }) => continue,
                    put => put?,
                };
                // Whoever looked before the record said so has taken back that it was asked for.
                self.ask_to_erase(tenant, kept.id).await?;
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
        // Before the records go: who finds none knows by it that there may have been one.
        self.erased.fetch_add(1, Ordering::SeqCst);
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

    /// Contacts whose erasure was asked for and is not at its end, a page of them after `after`.
    pub(crate) async fn asked_to_erase(&self, after: Option<String>) -> Result<Asked, StoreError> {
        let page = self.records.scan(Scope::Node, ASKED, after, AT_ONCE).await?;
        let names = page.iter().filter_map(|record| record.id.split_once('/'));
        let contacts = names.filter_map(|(tenant, contact)| Some((tenant.parse().ok()?, contact.parse().ok()?)));
        let next = page.last().filter(|_| page.len() == AT_ONCE).map(|record| record.id.clone());
        Ok(Asked { contacts: contacts.collect(), next })
    }

    /// Whether an erasure that was asked for is to be done. One whose contact does not say so was never begun, or is
    /// done, or the contact is another's part by now: then it is forgotten that it was asked for. Whoever asked was told
    /// that it failed, and asks again.
    pub(crate) async fn is_to_be_erased(&self, tenant: TenantId, id: ContactId) -> Result<bool, ContactsError> {
        if self.says_that_it_ends(tenant, id).await? {
            return Ok(true);
        }
        self.remove(asked(tenant, id)).await?;
        // Whoever began it after the first look may have found that it was asked for, and relied on it.
        let is_begun = self.says_that_it_ends(tenant, id).await?;
        if is_begun {
            self.ask_to_erase(tenant, id).await?;
        }
        Ok(is_begun)
    }

    /// How many erasures have come to their end; to be asked for before [`Self::standing`] is.
    pub(crate) fn erased(&self) -> u64 {
        self.erased.load(Ordering::SeqCst)
    }

    /// Whether a contact is being erased, or may have been since `whom` was looked up, when so many were `erased`. One
    /// of whom nothing was known leaves no trace: any erasure may have been theirs.
    pub(crate) async fn may_be_erased(
        &self,
        tenant: TenantId,
        whom: &Standing,
        erased: u64,
    ) -> Result<bool, ContactsError> {
        let now = self.standing(tenant, whom.id).await?;
        let may_be_gone = !now.is_known && (whom.is_known || self.erased() != erased);
        Ok(now.is_erasing || may_be_gone)
    }

    async fn says_that_it_ends(&self, tenant: TenantId, id: ContactId) -> Result<bool, ContactsError> {
        let found = self.load(tenant, id).await?;
        Ok(found.is_some_and(|kept| kept.record.merged_into.is_none() && kept.record.is_erasing()))
    }

    async fn ask_to_erase(&self, tenant: TenantId, id: ContactId) -> Result<(), StoreError> {
        let name = asked(tenant, id);
        if self.records.get(name.clone()).await?.is_some() {
            return Ok(());
        }
        match self.records.put(name, 0, Vec::new()).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn asked(tenant: TenantId, id: ContactId) -> RecordName {
    RecordName { scope: Scope::Node, kind: ASKED, id: format!("{tenant}/{id}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use engine_store::Records;
    use engine_store::memory::{MemoryStore, Outcome, Scripted};
    use schema::Contact;

    use super::*;
    use crate::clock::SystemClock;

    fn contacts() -> (Arc<MemoryStore>, Contacts, TenantId) {
        let store = Arc::<MemoryStore>::default();
        (store.clone(), Contacts::new(store, Arc::new(SystemClock)), TenantId::generate())
    }

    fn name(text: &str) -> Contact {
        text.parse().unwrap()
    }

    /// All pages; a page that comes twice is none that ends.
    async fn all_asked(contacts: &Contacts) -> Vec<(TenantId, ContactId)> {
        let (mut all, mut after) = (Vec::new(), None);
        for _ in 0..9 {
            let page = contacts.asked_to_erase(after).await.unwrap();
            all.extend(page.contacts);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
        panic!("there is no end: {after:?}");
    }

    #[tokio::test]
    async fn one_whose_record_does_not_say_so_is_not_erased_whomever_it_stands_for() {
        let (store, contacts, tenant) = contacts();
        let [ana, bo, cy] = [name("Ana"), name("Bo"), name("Cy")];
        let ana = contacts.named(tenant, &ana).await.unwrap();
        let bo = contacts.named(tenant, &bo).await.unwrap();
        let cy = contacts.named(tenant, &cy).await.unwrap();
        // It was asked for, and Bo's record could not say so; then Bo was merged.
        let lost = Scripted { outcome: Outcome::LostUnknown, ..Scripted::default() };
        store.script([Scripted::default(), lost]);
        assert!(contacts.begin_erasing(tenant, bo).await.is_err());
        assert_eq!((store.script_left(), all_asked(&contacts).await), (0, vec![(tenant, bo)]));
        contacts.merge(tenant, ana, bo, &ChangedBy::system()).await.unwrap();
        contacts.begin_erasing(tenant, cy).await.unwrap();
        for (id, is_erased) in [(bo, false), (cy, true), (ContactId::generate(), false)] {
            assert_eq!(contacts.is_to_be_erased(tenant, id).await, Ok(is_erased), "{id}");
        }
        assert_eq!(all_asked(&contacts).await, [(tenant, cy)], "the other is forgotten");
        assert!(!contacts.standing(tenant, ana).await.unwrap().is_erasing);
        // Whoever is erased is nobody whom one may name.
        assert_eq!(contacts.named(tenant, &name("Cy")).await, Err(ContactsError::Erasing));
        assert_eq!(contacts.named(tenant, &cy.into()).await, Err(ContactsError::Erasing));
    }

    #[tokio::test]
    async fn each_that_was_asked_for_is_seen_though_none_comes_to_its_end() {
        let (_, contacts, tenant) = contacts();
        let mut ids = BTreeSet::new();
        for _ in 0..2 * AT_ONCE + 1 {
            let id = ContactId::generate();
            contacts.begin_erasing(tenant, id).await.unwrap();
            ids.insert((tenant, id));
        }
        let seen = all_asked(&contacts).await;
        assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>()), (ids.len(), ids));
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_looked_for_without_a_record() {
        let (store, contacts, tenant) = contacts();
        assert_eq!(contacts.meant(tenant, &name("Ana")).await, Ok(None));
        assert!(store.scan(Scope::Tenant(tenant), super::super::KIND, None, 9).await.unwrap().is_empty());
        let ana = contacts.named(tenant, &name("Ana")).await.unwrap();
        let bo = contacts.named(tenant, &name("Bo")).await.unwrap();
        contacts.merge(tenant, ana, bo, &ChangedBy::system()).await.unwrap();
        for bos in [name("Bo"), bo.into()] {
            let meant = contacts.meant(tenant, &bos).await.unwrap().unwrap();
            assert_eq!((meant.own, meant.id), (bo, ana), "{bos}");
        }
    }
}
