//! The tenants' contacts: finds them by any of their names, makes a record where there is something to know, and
//! changes records so that a crash leaves nothing half done.
//! Invariant: an identity is one contact's; who asks for the same one at the same time gets the same contact.

mod erasing;
mod error;
mod steps;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use engine_store::{Record, RecordKeys, RecordName, Records, Scope, StoreError};
use schema::wire::{ContactList, ContactView};
use schema::{
    ChangedBy, Contact, ContactChange, ContactId, ContactRecord, Identity, IdentityKind, PersonName, Provenance,
    TenantId, Timestamp, Way, limits,
};

use crate::clock::Clock;
use crate::memory::Memory;
use crate::record_body;

pub use error::ContactsError;

const KIND: &str = "contact";
/// Others may change the same record meanwhile; more often than this is a fault.
const ATTEMPTS_MAX: usize = 16;

/// All tenants' contacts.
///
/// One for the node. Somebody of whom nothing is known has no record and costs no write. What stands in records is read
/// through [`Contacts::standing`], which remembers it for a few seconds and follows merges; every change forgets what it
/// makes untrue. Changes of two records are done in steps, see [`schema::Step`]: whoever reads a record in the middle of
/// one goes on with it.
pub struct Contacts {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    standings: Memory<(TenantId, ContactId), Standing>,
    /// Erasures that have come to their end.
    erased: AtomicU64,
}

/// Whom somebody speaks of who shows a name or an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The contact whose name or id it is, and will be when a merge is undone.
    pub own: ContactId,
    /// The contact whom that one stands for now: itself, or the one that it was merged into.
    pub id: ContactId,
}

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

/// A record that goes on, and where it stands.
#[derive(Clone)]
struct Kept {
    id: ContactId,
    /// 0: it is not stored yet.
    version: u64,
    record: ContactRecord,
}

impl Contacts {
    /// Contacts whose records are in `records`.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, standings: Memory::default(), erased: AtomicU64::new(0) }
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
        let look = self.standings.look();
        let standing = match self.settled(tenant, id).await? {
            Some(Kept { id, record, .. }) => {
                let (shown, is_erasing) = (record.shown(id), record.is_erasing());
                Standing { id, shown, name: record.name, is_known: true, is_erasing }
            }
            None => Standing { id, shown: id.into(), name: None, is_known: false, is_erasing: false },
        };
        self.standings.put((tenant, id), standing.clone(), now, look);
        Ok(standing)
    }

    /// The contact whom a request names, made where the tenant has not used the name before.
    ///
    /// # Errors
    /// [`ContactsError::Erasing`] while the contact is being erased; what the store says; a name that cannot be one.
    pub async fn named(&self, tenant: TenantId, name: &Contact) -> Result<ContactId, ContactsError> {
        if let Some(id) = name.id() {
            let Standing { id, is_erasing, .. } = self.standing(tenant, id).await?;
            return if is_erasing { Err(ContactsError::Erasing) } else { Ok(id) };
        }
        let identity = self.spelt(tenant, name).await?;
        for _ in 0..ATTEMPTS_MAX {
            match self.by_identity(tenant, &identity).await? {
                Some(kept) if kept.record.is_erasing() => return Err(ContactsError::Erasing),
                Some(kept) => return Ok(kept.id),
                None => {}
            }
            let at = self.clock.now();
            let provenance = Provenance { at, by: ChangedBy::system(), way: Way::Named, from: None };
            let record = ContactRecord::known_by(identity.clone(), provenance);
            match self.put(tenant, Kept { id: ContactId::generate(), version: 0, record }, None).await {
                Ok(kept) => return Ok(kept.id),
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
        let Some(Kept { id, record, .. }) = self.by_identity(tenant, &identity).await? else { return Ok(None) };
        let theirs = record.identities.iter().find(|known| known.identity == identity);
        let came_with = theirs.and_then(|known| known.provenance.from).filter(|from| record.merged.contains(from));
        Ok(Some(Meant { own: came_with.unwrap_or(id), id }))
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
        Ok(found.map(|kept| kept.record.family(kept.id)).unwrap_or_default())
    }

    /// A contact with all who were merged into it: in conversations of any of them they are who it is with.
    ///
    /// # Errors
    /// What the store says.
    pub async fn family_of(&self, tenant: TenantId, id: ContactId) -> Result<Vec<ContactId>, ContactsError> {
        let found = self.settled(tenant, id).await?;
        Ok(found.map_or_else(|| vec![id], |kept| kept.record.family(kept.id)))
    }

    /// What is known of a contact; none when there is no record.
    ///
    /// # Errors
    /// What the store says.
    pub async fn view(&self, tenant: TenantId, id: ContactId) -> Result<Option<ContactView>, ContactsError> {
        Ok(self.settled(tenant, id).await?.filter(|kept| !kept.record.is_erasing()).map(Kept::view))
    }

    /// The contact who has an identity.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find(&self, tenant: TenantId, identity: &Identity) -> Result<Option<ContactView>, ContactsError> {
        Ok(self.by_identity(tenant, identity).await?.filter(|kept| !kept.record.is_erasing()).map(Kept::view))
    }

    /// Contacts with a record, by id, after `after`.
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
        let (mut contacts, mut last, is_full) = (Vec::new(), None, page.len() == limit);
        for record in &page {
            let kept = read(record)?;
            last = Some(kept.id);
            if kept.record.merged_into.is_none() && !kept.record.is_erasing() {
                contacts.push(kept.view());
            }
        }
        Ok(ContactList { contacts, next: last.filter(|_| is_full) })
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
        let mut kept = self.settled_or_new(tenant, id, now).await?;
        if kept.version != change.version {
            return Err(ContactsError::Version { found: kept.version });
        }
        if kept.record.is_erasing() {
            return Err(schema::ContactError::Erasing.into());
        }
        kept.record.change(change, by, now)?;
        Ok(self.put(tenant, kept, None).await?.view())
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

    async fn by_identity(&self, tenant: TenantId, identity: &Identity) -> Result<Option<Kept>, ContactsError> {
        match self.records.find(Scope::Tenant(tenant), KIND, identity.key()).await? {
            Some(record) => self.settled(tenant, read(&record)?.id).await,
            None => Ok(None),
        }
    }

    /// The record that an id stands for, after everything that has begun with it is done.
    async fn settled(&self, tenant: TenantId, id: ContactId) -> Result<Option<Kept>, ContactsError> {
        let mut next = id;
        for _ in 0..limits::MERGE_STEPS_MAX {
            let Some(kept) = self.load(tenant, next).await? else { return Ok(None) };
            let Some(kept) = self.gone_on_with(tenant, kept).await? else { return Ok(None) };
            match kept.record.merged_into {
                Some(into) => next = into,
                None => return Ok(Some(kept)),
            }
        }
        Err(StoreError::Corrupt(format!("{tenant}/{id} was merged in a circle")).into())
    }

    /// The same, or a record that is not stored yet.
    async fn settled_or_new(&self, tenant: TenantId, id: ContactId, now: Timestamp) -> Result<Kept, ContactsError> {
        let new = || Kept { id, version: 0, record: ContactRecord::new(now) };
        Ok(self.settled(tenant, id).await?.unwrap_or_else(new))
    }

    async fn load(&self, tenant: TenantId, id: ContactId) -> Result<Option<Kept>, ContactsError> {
        let found = self.records.get(name(tenant, id)).await?;
        found.as_ref().map(read).transpose()
    }

    /// Writes a record where it stands, with its keys; `taken_from` gives up those that it had. Gives it as it stands
    /// then.
    async fn put(
        &self,
        tenant: TenantId,
        mut kept: Kept,
        taken_from: Option<ContactId>,
    ) -> Result<Kept, ContactsError> {
        let body = serde_json::to_vec(&kept.record).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let keys = RecordKeys { keys: kept.record.keys(), taken_from: taken_from.map(|id| id.to_string()) };
        let written = self.records.put_with_keys(name(tenant, kept.id), kept.version, body, keys).await;
        // Also where it is not known whether it was written.
        self.forget(tenant, &kept);
        kept.version = written?;
        Ok(kept)
    }

    /// The same without its keys, which another record is about to have.
    async fn put_pointer(&self, tenant: TenantId, mut kept: Kept) -> Result<Kept, ContactsError> {
        let written = record_body::save(&*self.records, name(tenant, kept.id), kept.version, &kept.record).await;
        self.forget(tenant, &kept);
        kept.version = written?;
        Ok(kept)
    }

    fn forget(&self, tenant: TenantId, kept: &Kept) {
        for id in kept.record.family(kept.id) {
            self.standings.forget(&(tenant, id));
        }
    }
}

impl Kept {
    fn view(self) -> ContactView {
        ContactView::new(self.id, self.version, Some(self.record))
    }
}

fn name(tenant: TenantId, id: ContactId) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: KIND, id: id.to_string() }
}

fn read(record: &Record) -> Result<Kept, ContactsError> {
    let (version, body) = record_body::read::<ContactRecord>(KIND, record).map_err(|_| unreadable())?;
    if body.is_newer() {
        return Err(StoreError::Corrupt("a contact's record was written by a newer program".into()).into());
    }
    let id = record.id.parse().map_err(|_| unreadable())?;
    Ok(Kept { id, version, record: body })
}

// What serde says may quote the record.
fn unreadable() -> StoreError {
    StoreError::Corrupt("a contact's record cannot be read".into())
}
