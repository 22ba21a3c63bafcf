//! The tenants' contacts: finds them by any of their names, makes a record where there is something to know, and
//! changes records so that a crash leaves nothing half done.
//! Invariant: an identity is one contact's; who asks for the same one at the same time gets the same contact.

mod elsewhere;
mod erasing;
mod error;
mod merges;
mod splits;
mod steps;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_store::{Record, RecordKeys, RecordName, Records, Scope, StoreError};
use schema::wire::{ContactList, ContactView};
use schema::{
    ChangedBy, Contact, ContactChange, ContactError, ContactId, ContactRecord, Family, Identity, IdentityKind,
    PersonName, Provenance, StoredContact, TenantId, Timestamp, Way, limits,
};

use crate::clock::Clock;
use crate::memory::Memory;
use crate::record_body;

use elsewhere::Elsewhere;
pub(crate) use erasing::ErasedSoFar;
pub use error::ContactsError;

/// The kind of the records of contacts.
pub const CONTACT_KIND: &str = "contact";
const KIND: &str = CONTACT_KIND;
/// Others may change the same record meanwhile; more often than this is a fault.
const ATTEMPTS_MAX: usize = 16;

/// All tenants' contacts.
///
/// One for the node. Somebody of whom nothing is known has no record and costs no write. What stands in records is read
/// through [`Contacts::standing`], which remembers it for a few seconds and follows merges; every change forgets what it
/// may make untrue. A merge is one pointer, see [`schema::Family`]; other changes of several records are done in steps,
/// see [`schema::Step`]: whoever reads a record in the middle of one goes on with it.
pub struct Contacts {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    standings: Memory<(TenantId, ContactId), Standing>,
    /// Erasures that have come to their end.
    erased: AtomicU64,
    elsewhere: Mutex<Elsewhere>,
}

/// Whom somebody speaks of who shows a name or an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The contact whose name or id it is, and will be when a merge is undone.
    pub own: ContactId,
    /// The contact whom that one stands for now: itself, or the one that it was merged into.
    pub id: ContactId,
}

/// A pointer that is not looked for where it leads: from whom and to whom.
type Unexpected = Option<(ContactId, ContactId)>;

/// Whom an id stands for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The contact: itself, or the one that it was merged into.
    pub id: ContactId,
    /// As answers name the contact.
    pub shown: Contact,
    /// What the person is called.
    pub name: Option<PersonName>,
    /// Something is known of the contact; else there is no record.
    pub is_known: bool,
    /// The contact is being erased: nothing new is begun with them.
    pub is_erasing: bool,
}

impl Contacts {
    /// Contacts whose records are in `records`.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, standings: Memory::default(), erased: AtomicU64::new(0), elsewhere: Mutex::default() }
    }

    /// Whom an id stands for. One that nobody has given out stands for somebody of whom nothing is known.
    ///
    /// # Errors
    /// What the store says.
    pub async fn standing(&self, tenant: TenantId, id: ContactId) -> Result<Standing, ContactsError> {
        let now = self.clock.now();
        if let Some(standing) = self.standings.get(&(tenant, id), now) {
            return Ok(standing);
        }
        self.looked_up(tenant, id).await
    }

    /// The same as the store says it now, whatever is remembered here: another node may have changed it.
    async fn looked_up(&self, tenant: TenantId, id: ContactId) -> Result<Standing, ContactsError> {
        let (now, look) = (self.clock.now(), self.standings.look());
        let standing = match self.settled(tenant, id).await? {
            Some(family) => Standing {
                id: family.root().id,
                shown: family.shown(),
                name: family.name().cloned(),
                is_known: true,
                is_erasing: family.is_erasing(),
            },
            None => Standing { id, shown: id.into(), name: None, is_known: false, is_erasing: false },
        };
        self.standings.put((tenant, id), standing.clone(), now, look);
        Ok(standing)
    }

    /// The contact whom a request names, made where the tenant has not used the name before.
    ///
    /// # Errors
    /// [`ContactError::Erasing`] while the contact is being erased; what the store says; a name that cannot be one.
    pub async fn named(&self, tenant: TenantId, name: &Contact) -> Result<Meant, ContactsError> {
        if let Some(own) = name.id() {
            let Standing { id, is_erasing, .. } = self.standing(tenant, own).await?;
            return if is_erasing { Err(ContactError::Erasing.into()) } else { Ok(Meant { own, id }) };
        }
        let identity = self.spelt(tenant, name).await?;
        for _ in 0..ATTEMPTS_MAX {
            match self.by_identity(tenant, &identity).await? {
                Some((_, family)) if family.is_erasing() => return Err(ContactError::Erasing.into()),
                Some((own, family)) => return Ok(Meant { own, id: family.root().id }),
                None => {}
            }
            let at = self.clock.now();
            let provenance = Provenance { at, by: ChangedBy::system(), way: Way::Named, from: None };
            let record = ContactRecord::known_by(identity.clone(), provenance);
            match self.put(tenant, StoredContact { id: ContactId::generate(), version: 0, record }).await {
                Ok(StoredContact { id, .. }) => return Ok(Meant { own: id, id }),
                // Somebody else was quicker, and is found now.
                Err(ContactsError::Held { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The contact whom a token or a request names, if there is one by that name; nobody is made. An id that nobody has
    /// given out is there.
    ///
    /// # Errors
    /// What the store says.
    pub async fn meant(&self, tenant: TenantId, name: &Contact) -> Result<Option<Meant>, ContactsError> {
        if let Some(own) = name.id() {
            return Ok(Some(Meant { own, id: self.standing(tenant, own).await?.id }));
        }
        let identity = match self.spelt(tenant, name).await {
            Err(ContactsError::Identity(_)) => return Ok(None),
            identity => identity?,
        };
        let found = self.by_identity(tenant, &identity).await?;
        Ok(found.map(|(own, family)| Meant { own, id: family.root().id }))
    }

    /// The contact whom a request names, if there is one by that name, with all who were merged into it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn family(&self, tenant: TenantId, name: &Contact) -> Result<Vec<ContactId>, ContactsError> {
        let found = match name.id() {
            Some(id) => return self.family_of(tenant, id).await,
            None => match self.spelt(tenant, name).await {
                Ok(identity) => self.by_identity(tenant, &identity).await?,
                Err(ContactsError::Identity(_)) => None,
                Err(error) => return Err(error),
            },
        };
        Ok(found.map(|(_, family)| family.ids()).unwrap_or_default())
    }

    /// A contact with all who were merged into it: in conversations of any of them they are who it is with.
    ///
    /// # Errors
    /// What the store says.
    pub async fn family_of(&self, tenant: TenantId, id: ContactId) -> Result<Vec<ContactId>, ContactsError> {
        let found = self.settled(tenant, id).await?;
        Ok(found.map_or_else(|| vec![id], |family| family.ids()))
    }

    /// What is known of a contact; none when there is no record.
    ///
    /// # Errors
    /// What the store says.
    pub async fn view(&self, tenant: TenantId, id: ContactId) -> Result<Option<ContactView>, ContactsError> {
        Ok(self.settled(tenant, id).await?.as_ref().and_then(shown))
    }

    /// The contact who has an identity.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find(&self, tenant: TenantId, identity: &Identity) -> Result<Option<ContactView>, ContactsError> {
        Ok(self.by_identity(tenant, identity).await?.and_then(|(_, family)| shown(&family)))
    }

    /// Contacts with a record, by id, after `after`. One whose record cannot be read is left out, and the log says so.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        tenant: TenantId,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<ContactList, ContactsError> {
        let after = after.map(|id| id.to_string());
        let page = self.records.scan(Scope::Tenant(tenant), KIND, after, limit).await?;
        let next = page.last().filter(|_| page.len() == limit).map(|record| record.id.parse()).transpose();
        let next = next.map_err(|_| unreadable())?;
        let mut contacts = Vec::new();
        for record in &page {
            match self.listed(tenant, record).await {
                Ok(view) => contacts.extend(view),
                Err(ContactsError::Store(StoreError::Corrupt(error))) => {
                    let contact = &record.id;
                    tracing::warn!(%tenant, %contact, %error, "a contact is left out of the list");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ContactList { contacts, next })
    }

    async fn listed(&self, tenant: TenantId, record: &Record) -> Result<Option<ContactView>, ContactsError> {
        let stored = read(record)?;
        let id = stored.id;
        // Most have nothing to do with others; and each family is put together once, for the one who is shown.
        let family = match &stored.record {
            ContactRecord { begun: None, merged_into: None, merged, .. } if merged.is_empty() => {
                Some(Family::new(stored, Vec::new()))
            }
            ContactRecord { begun: None, merged_into: Some(into), .. } if self.load(tenant, *into).await?.is_some() => {
                None
            }
            _ => self.settled(tenant, id).await?,
        };
        Ok(family.filter(|family| family.root().id == id).as_ref().and_then(shown))
    }

    /// Changes a contact's record if it is still at the version that the change was made from.
    ///
    /// # Errors
    /// [`ContactsError::Version`] when it is not, [`ContactsError::Held`] when another contact has an identity, a bound
    /// that would be passed, or what the store says.
    pub async fn change(
        &self,
        tenant: TenantId,
        id: ContactId,
        change: ContactChange,
        by: &ChangedBy,
    ) -> Result<ContactView, ContactsError> {
        let now = self.clock.now();
        let family = self.settled_or_new(tenant, id, now).await?;
        if family.is_erasing() {
            return Err(ContactError::Erasing.into());
        }
        let found = family.root().version;
        if found != change.version {
            return Err(ContactsError::Version { found });
        }
        let changed = self.put(tenant, family.change(change, by, now)?).await?;
        let root = changed.id;
        self.gone_on_with(tenant, changed).await?;
        self.view(tenant, root).await?.ok_or_else(|| ContactError::Erasing.into())
    }

    /// A tenant's own name for somebody as it stands in the index: as an earlier program took it where one did, and
    /// else in its one spelling.
    async fn spelt(&self, tenant: TenantId, name: &Contact) -> Result<Identity, ContactsError> {
        let one = Identity::try_from(name);
        match Identity::as_before(IdentityKind::External, name.as_str()) {
            Some(before) if one.as_ref() != Ok(&before) && self.by_identity(tenant, &before).await?.is_some() => {
                Ok(before)
            }
            _ => Ok(one?),
        }
    }

    /// In whose record an identity stands, and whom that one stands for.
    async fn by_identity(
        &self,
        tenant: TenantId,
        identity: &Identity,
    ) -> Result<Option<(ContactId, Family)>, ContactsError> {
        let mut before = None;
        for _ in 0..ATTEMPTS_MAX {
            let Some(record) = self.records.find(Scope::Tenant(tenant), KIND, identity.key()).await? else {
                return Ok(None);
            };
            let found = read(&record)?;
            if let Some(family) = self.settled(tenant, found.id).await?
                && let Some(own) = family.holder(identity).map(|stored| stored.id)
            {
                return Ok(Some((own, family)));
            }
            // It was just given to somebody else, perhaps by what was gone on with here; or else nobody changes it.
            let found = Some((found.id, found.version));
            if before == found {
                return Err(StoreError::Corrupt("a contact is found by what its record does not have".into()).into());
            }
            before = found;
        }
        Err(StoreError::Busy.into())
    }

    /// The contact whom an id stands for, once the steps that were begun with the records on the way to it are
    /// finished; none when there is no record. A contact whose pointer leads to an erased one loses the pointer and
    /// stands for itself.
    async fn settled(&self, tenant: TenantId, id: ContactId) -> Result<Option<Family>, ContactsError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((root, unexpected)) = self.at_the_end(tenant, id).await? else { return Ok(None) };
            let family = self.family_at(tenant, root).await?;
            if family.member(id).is_some() {
                return Ok(Some(family));
            }
            // Its place was given to another one while its pointer was on its way, and who wrote that went; or else it
            // was parted between the two looks, and stands for somebody else by now.
            if let Some((child, parent)) = unexpected {
                self.look_for(tenant, parent, child).await?;
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The record at the end of the pointers that begin with an id, and the last pointer that its own record does not
    /// look for: from whom and to whom.
    async fn at_the_end(
        &self,
        tenant: TenantId,
        id: ContactId,
    ) -> Result<Option<(StoredContact, Unexpected)>, ContactsError> {
        let Some(mut root) = self.current(tenant, id).await? else { return Ok(None) };
        let mut unexpected = None;
        for _ in 0..limits::MERGE_STEPS_MAX {
            let into = match root.record.merged_into {
                Some(into) => self.current(tenant, into).await?,
                None => None,
            };
            let Some(into) = into else {
                // Ended, so that it leads nowhere when the id is used again.
                if let Some(nobody) = root.record.merged_into
                    && self.let_go(tenant, root.id, nobody).await?
                {
                    return Ok(self.load(tenant, root.id).await?.map(|root| (root, unexpected)));
                }
                return Ok(Some((root, unexpected)));
            };
            if !into.record.expects(root.id) {
                unexpected = Some((root.id, into.id));
            }
            root = into;
        }
        Err(StoreError::Corrupt(format!("{tenant}/{id} was merged in a circle")).into())
    }

    /// All whose pointers lead to a record, those of the fewest steps first.
    async fn family_at(&self, tenant: TenantId, root: StoredContact) -> Result<Family, ContactsError> {
        let mut members: Vec<StoredContact> = Vec::new();
        let mut looked = 0;
        let mut next = Some(&root);
        while let Some(StoredContact { id: into, record, .. }) = next {
            let (into, expected) = (*into, record.merged.clone());
            for id in expected {
                if id == root.id || members.iter().any(|member| member.id == id) {
                    continue;
                }
                let pointing = self.current(tenant, id).await?;
                members.extend(pointing.filter(|stored| stored.record.merged_into == Some(into)));
            }
            next = members.get(looked);
            looked += 1;
        }
        Ok(Family::new(root, members))
    }

    /// The same as [`Self::settled`], or a record that is not stored yet.
    async fn settled_or_new(&self, tenant: TenantId, id: ContactId, now: Timestamp) -> Result<Family, ContactsError> {
        let new = || StoredContact { id, version: 0, record: ContactRecord::new(now) };
        Ok(self.settled(tenant, id).await?.unwrap_or_else(|| Family::new(new(), Vec::new())))
    }

    /// A record after what has begun with it is done.
    async fn current(&self, tenant: TenantId, id: ContactId) -> Result<Option<StoredContact>, ContactsError> {
        match self.load(tenant, id).await? {
            Some(stored) => self.gone_on_with(tenant, stored).await,
            None => Ok(None),
        }
    }

    async fn load(&self, tenant: TenantId, id: ContactId) -> Result<Option<StoredContact>, ContactsError> {
        let found = self.records.get(name(tenant, id)).await?;
        found.as_ref().map(read).transpose()
    }

    /// Writes a record where it stands, with its keys. Gives it as it stands then.
    async fn put(&self, tenant: TenantId, stored: StoredContact) -> Result<StoredContact, ContactsError> {
        self.put_taking(tenant, stored, None).await
    }

    /// The same; its keys are taken from another record, which has them all.
    async fn put_taking(
        &self,
        tenant: TenantId,
        mut stored: StoredContact,
        taken_from: Option<ContactId>,
    ) -> Result<StoredContact, ContactsError> {
        let body = serde_json::to_vec(&stored.record).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let keys = RecordKeys { keys: stored.record.keys(), taken_from: taken_from.map(|id| id.to_string()) };
        let written = self.records.put_with_keys(name(tenant, stored.id), stored.version, body, keys).await;
        // Also where it is not known whether it was written. Who stands for whom follows from several records.
        self.forget(tenant);
        stored.version = written?;
        Ok(stored)
    }

    /// Another node has changed these contacts' records, or removed them.
    pub fn changed_elsewhere(&self, tenant: TenantId, ids: &[ContactId]) {
        {
            let mut elsewhere = self.elsewhere();
            ids.iter().for_each(|id| elsewhere.heard(tenant, *id));
        }
        self.forget(tenant);
    }

    fn elsewhere(&self) -> MutexGuard<'_, Elsewhere> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a tenant's contacts holds no longer.
    pub fn forget(&self, tenant: TenantId) {
        self.standings.forget_all(|(of, _)| *of == tenant);
    }
}

/// A contact as it is shown, unless it is being erased.
fn shown(family: &Family) -> Option<ContactView> {
    (!family.is_erasing()).then(|| ContactView::of(family))
}

fn name(tenant: TenantId, id: ContactId) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: KIND, id: id.to_string() }
}

fn read(record: &Record) -> Result<StoredContact, ContactsError> {
    let (version, body) = record_body::read::<ContactRecord>(KIND, record).map_err(|_| unreadable())?;
    if body.is_newer() {
        return Err(StoreError::Corrupt("a contact's record was written by a newer program".into()).into());
    }
    let id = record.id.parse().map_err(|_| unreadable())?;
    Ok(StoredContact { id, version, record: body })
}

// What serde says may quote the record.
fn unreadable() -> StoreError {
    StoreError::Corrupt("a contact's record cannot be read".into())
}
