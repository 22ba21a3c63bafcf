//! What of a contact's erasure stands in records: that it was asked for, and the end of the record.
//! Invariant: a contact is erased only if its own record says that its erasure was asked for. The erasure takes along those
//! who were merged into it at that moment, and nobody who was parted before or merged in later.

use std::sync::atomic::Ordering;

use engine_store::{RecordName, Scope, StoreError};
use schema::{Begun, ChangedBy, ContactId, Family, Step, TenantId};

use super::{ATTEMPTS_MAX, Contacts, ContactsError, Standing, name};

/// The kind of the node's records of what is to be erased; their ids are `tenant/contact`.
const ASKED: &str = "contact_erasure";
/// Of these, so many are read at a time.
const AT_ONCE: usize = 64;

/// How many erasures have come to their end here, and how many changes of records by other nodes were heard of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErasedSoFar {
    here: u64,
    elsewhere: u64,
}

/// A page of the contacts whose erasure was asked for.
pub(crate) struct Asked {
    pub(crate) contacts: Vec<(TenantId, ContactId)>,
    /// Where the next page begins; none after the last.
    pub(crate) next: Option<String>,
}

impl Contacts {
    /// Writes down that a contact is to be erased; from then on nothing is begun with them. Gives the contact that the
    /// id stands for, and before all who are erased with it.
    pub(crate) async fn begin_erasing(
        &self,
        tenant: TenantId,
        id: ContactId,
    ) -> Result<(ContactId, Vec<ContactId>), ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            let now = self.clock.now();
            let family = self.settled_or_new(tenant, id, now).await?;
            let (named, id) = (id, family.root().id);
            self.ask_to_erase(tenant, id).await?;
            // Written first: from here on nobody parts the named one from the family that is to be erased.
            if !self.stays_with(tenant, named, &family).await? {
                continue;
            }
            let members = match &family.root().record.begun {
                Some(Begun { step: Step::Erase { members }, .. }) => members.clone(),
                _ => {
                    let members: Vec<_> = family.ids().into_iter().filter(|member| *member != id).collect();
                    let mut root = family.into_root();
                    root.record.begin(Step::Erase { members: members.clone() }, &ChangedBy::system(), now)?;
                    match self.put(tenant, root).await {
                        // Somebody else has changed it.
                        Err(ContactsError::Version { .. }) => continue,
                        put => put.map(|_| ())?,
                    }
                    // Whoever looked before the record said so has taken back that it was asked for.
                    self.ask_to_erase(tenant, id).await?;
                    members
                }
            };
            let mut erased = vec![id];
            // Those nearest to the contact come first: who was parted from it in the meantime keeps their own.
            for member in members {
                if self.is_erased_along(tenant, member, &erased).await? {
                    erased.push(member);
                }
            }
            return Ok((id, erased));
        }
        Err(StoreError::Busy.into())
    }

    /// Whether a contact whose erasure was asked for is still a part of its family; then the records on the way to the
    /// one who stands for all say that they end, and it stays one.
    async fn stays_with(&self, tenant: TenantId, named: ContactId, family: &Family) -> Result<bool, ContactsError> {
        let (path, all) = (family.path_from(named), family.ids());
        if !path.is_empty() {
            self.ask_to_erase(tenant, named).await?;
        }
        for member in &path {
            if !self.is_erased_along(tenant, *member, &all).await? {
                return Ok(false);
            }
        }
        if !path.is_empty() {
            // Whoever looked before its record said so has taken back that it was asked for.
            self.ask_to_erase(tenant, named).await?;
        }
        Ok(true)
    }

    /// Whether a contact is still a part of those who are erased; then their record says, too, that it ends, so that
    /// nobody can part them any more.
    async fn is_erased_along(
        &self,
        tenant: TenantId,
        member: ContactId,
        erased: &[ContactId],
    ) -> Result<bool, ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            // Without a record: they were removed before a stop, and their conversations may be looked for once more.
            let Some(mut stored) = self.current(tenant, member).await? else { return Ok(true) };
            if stored.record.is_erasing() {
                return Ok(true);
            }
            if stored.record.merged_into.is_none_or(|into| !erased.contains(&into)) {
                return Ok(false);
            }
            let step = Step::Erase { members: Vec::new() };
            stored.record.begin(step, &ChangedBy::system(), self.clock.now())?;
            match self.put(tenant, stored).await {
                Ok(_) => return Ok(true),
                Err(ContactsError::Version { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Removes what is known of a contact whose conversations are erased, and then that it was asked for.
    pub(crate) async fn end_erasing(
        &self,
        tenant: TenantId,
        id: ContactId,
        erased: &[ContactId],
    ) -> Result<(), ContactsError> {
        // Before the records go: who finds none knows by it that there may have been one.
        self.erased.fetch_add(1, Ordering::SeqCst);
        // Who came too late to be erased along is on no list but this one, and stays.
        if let Some(root) = self.load(tenant, id).await? {
            for late in root.record.merged.iter().filter(|other| !erased.contains(other)) {
                self.let_go(tenant, *late, id).await?;
            }
        }
        // Those that point to the contact go before it: it says who goes with it.
        for gone in erased.iter().rev() {
            self.remove(name(tenant, *gone)).await?;
            self.forget(tenant);
        }
        // Also of those who were named in its place.
        for gone in erased.iter().filter(|gone| **gone != id).chain([&id]) {
            self.remove(asked(tenant, *gone)).await?;
        }
        Ok(())
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

    /// What was erased until now; to be asked for before [`Self::standing`] is.
    pub(crate) fn erased_so_far(&self) -> ErasedSoFar {
        ErasedSoFar { here: self.erased.load(Ordering::SeqCst), elsewhere: self.elsewhere().count() }
    }

    /// Whether a contact is being erased, or may have been since it was looked up whom its `id` stands for, when this much
    /// was `erased`. One of whom nothing was known leaves no trace: any erasure here may have been theirs, and any change
    /// of their record that was heard of.
    pub(crate) async fn may_be_erased(
        &self,
        tenant: TenantId,
        id: ContactId,
        whom: &Standing,
        erased: ErasedSoFar,
    ) -> Result<bool, ContactsError> {
        let now = self.looked_up(tenant, id).await?;
        let was_erased = || {
            self.erased.load(Ordering::SeqCst) != erased.here || self.elsewhere().since(erased.elsewhere, tenant, id)
        };
        let may_be_gone = !now.is_known && (whom.is_known || was_erased());
        Ok(now.is_erasing || may_be_gone)
    }

    async fn says_that_it_ends(&self, tenant: TenantId, id: ContactId) -> Result<bool, ContactsError> {
        let found = self.load(tenant, id).await?;
        Ok(found.is_some_and(|stored| stored.record.is_erasing()))
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
    use std::time::Duration;

    use engine_store::Records;
    use engine_store::memory::{Fate, MemoryStore, Scripted};
    use schema::wire::SplitIn;
    use schema::{Contact, ContactError};

    use super::*;
    use crate::clock::SystemClock;

    fn contacts() -> (Arc<MemoryStore>, Contacts, TenantId) {
        let store = Arc::<MemoryStore>::default();
        (store.clone(), Contacts::new(store, Arc::new(SystemClock)), TenantId::generate())
    }

    fn name(text: &str) -> Contact {
        text.parse().unwrap()
    }

    fn undo(contact: ContactId) -> SplitIn {
        SplitIn { contact: Some(contact), ..SplitIn::default() }
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
        let ana = contacts.named(tenant, &ana).await.unwrap().own;
        let bo = contacts.named(tenant, &bo).await.unwrap().own;
        let cy = contacts.named(tenant, &cy).await.unwrap().own;
        // It was asked for, and Bo's record could not say so; then Bo was merged.
        let lost = Scripted { fate: Fate::LostUnknown, ..Scripted::default() };
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
        assert_eq!(contacts.named(tenant, &name("Cy")).await, Err(ContactError::Erasing.into()));
        assert_eq!(contacts.named(tenant, &cy.into()).await, Err(ContactError::Erasing.into()));
    }

    /// Who was in a merge when its end was asked for, and is parted from it before that is known everywhere.
    #[tokio::test]
    async fn who_was_parted_in_time_is_not_erased_with_the_other() {
        let (_, contacts, tenant) = contacts();
        let mut ids = Vec::new();
        for n in 0..4 {
            ids.push(contacts.named(tenant, &name(&format!("c{n}"))).await.unwrap().own);
        }
        let by = ChangedBy::system();
        let [a, b, c, d] = ids[..] else { panic!("there are four") };
        // C in B, B and D in A.
        for (into, other) in [(b, c), (a, b), (a, d)] {
            contacts.merge(tenant, into, other, &by).await.unwrap();
        }
        let mut root = contacts.settled(tenant, a).await.unwrap().unwrap().into_root();
        root.record.begin(Step::Erase { members: vec![b, d, c] }, &by, contacts.clock.now()).unwrap();
        contacts.put(tenant, root).await.unwrap();
        assert_eq!(
            contacts.split(tenant, a, undo(b), &by).await,
            Err(ContactError::Erasing.into()),
            "nobody parts them now"
        );
        // One that was on its way.
        let mut parted = contacts.load(tenant, b).await.unwrap().unwrap();
        parted.record.stand_alone(&by, contacts.clock.now());
        contacts.put(tenant, parted).await.unwrap();
        assert_eq!(contacts.begin_erasing(tenant, d).await, Ok((a, vec![a, d])));
        let mut late = contacts.load(tenant, d).await.unwrap().unwrap();
        late.version -= 1;
        late.record.stand_alone(&by, contacts.clock.now());
        assert!(matches!(contacts.put(tenant, late).await, Err(ContactsError::Version { .. })));
        contacts.end_erasing(tenant, a, &[a, d]).await.unwrap();
        assert_eq!(contacts.family_of(tenant, b).await, Ok(vec![b, c]));
        for (n, is_left) in [(0, false), (1, true), (2, true), (3, false)] {
            let found = contacts.meant(tenant, &name(&format!("c{n}"))).await.unwrap();
            assert_eq!(found.is_some(), is_left, "{n}");
        }
    }

    /// One who is named, and is parted from the others at that moment, is never left while these are erased.
    #[tokio::test(start_paused = true)]
    async fn whoever_is_erased_it_is_with_the_one_who_was_named() {
        let mut alone = 0;
        for seed in 0..40_u64 {
            let (store, contacts, tenant) = contacts();
            let mut ids = Vec::new();
            for n in 0..4 {
                ids.push(contacts.named(tenant, &name(&format!("c{n}"))).await.unwrap().own);
            }
            let by = ChangedBy::system();
            let [a, b, c, d] = ids[..] else { panic!("there are four") };
            // D in C, C in B, B in A.
            for (into, other) in [(c, d), (b, c), (a, b)] {
                contacts.merge(tenant, into, other, &by).await.unwrap();
            }
            let wait = |millis| Scripted { delay: Duration::from_millis(millis), ..Scripted::default() };
            store.script((0..32).map(|n| wait((seed * 7 + n * 5) % 4)));
            let [parted, middle] = if seed % 2 == 0 { [c, d] } else { [d, d] };
            let other = Contacts::new(store.clone(), Arc::new(SystemClock));
            let (begun, _) = tokio::join!(contacts.begin_erasing(tenant, middle), async {
                tokio::time::sleep(Duration::from_millis(seed % 10)).await;
                other.split(tenant, a, undo(parted), &by).await
            });
            let (root, erased) = begun.unwrap();
            assert!(erased.contains(&d) && erased[0] == root, "seed {seed}: {erased:?}");
            alone += usize::from(root != a);
            store.forget_script();
            contacts.end_erasing(tenant, root, &erased).await.unwrap();
            let left: Vec<_> =
                contacts.list(tenant, None, 9).await.unwrap().contacts.iter().map(|view| view.id).collect();
            assert_eq!(left, if root == a { vec![] } else { vec![a] }, "seed {seed}: {erased:?}");
            // One who was asked for on the way there, and was not begun with, is forgotten.
            for (tenant, id) in all_asked(&contacts).await {
                assert_eq!((contacts.is_to_be_erased(tenant, id).await, id), (Ok(false), a), "seed {seed}");
            }
            assert!(all_asked(&contacts).await.is_empty(), "seed {seed}");
        }
        assert!((1..40).contains(&alone), "{alone}");
    }

    /// Who points to somebody who is gone stands for itself.
    #[tokio::test]
    async fn a_pointer_to_nobody_leads_nowhere() {
        let (_, contacts, tenant) = contacts();
        let by = ChangedBy::system();
        let ana = contacts.named(tenant, &name("Ana")).await.unwrap().own;
        let bo = contacts.named(tenant, &name("Bo")).await.unwrap().own;
        contacts.merge(tenant, ana, bo, &by).await.unwrap();
        contacts.remove(super::super::name(tenant, ana)).await.unwrap();
        contacts.forget(tenant);
        assert_eq!(contacts.meant(tenant, &name("Bo")).await, Ok(Some(super::super::Meant { own: bo, id: bo })));
        assert_eq!(contacts.load(tenant, bo).await.unwrap().unwrap().record.merged_into, None, "it is ended");
        assert_eq!(contacts.list(tenant, None, 9).await.unwrap().contacts.len(), 1);
        let cy = contacts.named(tenant, &name("Cy")).await.unwrap().own;
        contacts.merge(tenant, cy, bo, &by).await.unwrap();
        assert_eq!(contacts.family_of(tenant, bo).await, Ok(vec![cy, bo]));
        contacts.begin_erasing(tenant, bo).await.unwrap();
        assert_eq!(contacts.is_to_be_erased(tenant, cy).await, Ok(true));
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
        let ana = contacts.named(tenant, &name("Ana")).await.unwrap().own;
        let bo = contacts.named(tenant, &name("Bo")).await.unwrap().own;
        contacts.merge(tenant, ana, bo, &ChangedBy::system()).await.unwrap();
        for bos in [name("Bo"), bo.into()] {
            let meant = contacts.meant(tenant, &bos).await.unwrap().unwrap();
            assert_eq!((meant.own, meant.id), (bo, ana), "{bos}");
        }
    }
}
