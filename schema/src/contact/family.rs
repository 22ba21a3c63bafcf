//! A contact with those who were merged into it: several records of one person, read and changed as one.
//! Invariant: each record keeps what is its own; what is shown for all of them is put together on reading, so that who
//! leaves has what they had and leaves nothing behind.

use super::{ChangeKind, Changed, ConsentIn, ContactChange, ContactError, ContactRecord, Provenance, Refusals, Step};
use crate::{ChangedBy, Contact, ContactId, Identity, PersonName, Timestamp, limits};

/// A record, whose it is, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredContact {
    /// Whose record it is.
    pub id: ContactId,
    /// Its version in the store; 0: it is not stored yet.
    pub version: u64,
    /// What is known.
    pub record: ContactRecord,
}

/// A contact who stands for itself, and all whose records point to it, directly or by way of others.
///
/// The pointer in a record (`merged_into`) is the only truth about who is merged into whom. It is written and taken away
/// by one conditional write of one record, so a merge, and the end of one, has happened or has not. The list `merged` says
/// where to look for pointers that lead here: an id enters it before the pointer is written and stays at least as long as
/// the pointer, so that it may name too many and not too few. The entry changes the record of the contact that goes on,
/// and the pointer of the other merge is written only to the version of its record that was read. So of two merges that
/// would close a circle one fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    root: StoredContact,
    members: Vec<StoredContact>,
}

impl Family {
    /// The one who stands for all, and the others, those first to whom the fewest steps lead.
    #[must_use]
    pub const fn new(root: StoredContact, members: Vec<StoredContact>) -> Self {
        Self { root, members }
    }

    /// The one who stands for all.
    #[must_use]
    pub const fn root(&self) -> &StoredContact {
        &self.root
    }

    /// The one who stands for all, alone.
    #[must_use]
    pub fn into_root(self) -> StoredContact {
        self.root
    }

    /// Everybody: the one who stands for all is the first.
    #[must_use]
    pub fn ids(&self) -> Vec<ContactId> {
        self.all().map(|stored| stored.id).collect()
    }

    /// Their record, if they are one of them.
    #[must_use]
    pub fn member(&self, id: ContactId) -> Option<&StoredContact> {
        self.all().find(|stored| stored.id == id)
    }

    /// Those over whose pointers one comes from one of them to the one who stands for all: the first is that one, and the
    /// one who stands for all is not among them.
    #[must_use]
    pub fn path_from(&self, id: ContactId) -> Vec<ContactId> {
        let mut path = Vec::new();
        let mut next = self.member(id);
        while let Some(stored) = next.filter(|stored| stored.id != self.root.id && !path.contains(&stored.id)) {
            path.push(stored.id);
            next = stored.record.merged_into.and_then(|into| self.member(into));
        }
        path
    }

    /// As answers name the contact: by the tenant's own name where one of them has one, else by the id.
    #[must_use]
    pub fn shown(&self) -> Contact {
        self.all().find_map(|stored| stored.record.external()).unwrap_or_else(|| self.root.id.into())
    }

    /// What the person is called.
    #[must_use]
    pub fn name(&self) -> Option<&PersonName> {
        self.all().find_map(|stored| stored.record.name.as_ref())
    }

    /// Whether the contact is being erased, so that nothing more is written or said in their name.
    #[must_use]
    pub fn is_erasing(&self) -> bool {
        self.root.record.is_erasing()
    }

    /// What is known of all, as one record. What does not stand in the record of the one who goes on says whose it is.
    /// Of what several have, the one's who goes on is shown, then that of those nearest to it; a consent is given only
    /// where nobody of them has withdrawn it.
    #[must_use]
    pub fn as_one(&self) -> ContactRecord {
        let mut one = self.root.record.clone();
        one.merged = self.members.iter().map(|member| member.id).collect();
        for StoredContact { id, record, .. } in &self.members {
            let from = |provenance: &Provenance| Provenance { from: Some(*id), ..provenance.clone() };
            one.name = one.name.or_else(|| record.name.clone());
            one.language = one.language.or_else(|| record.language.clone());
            for known in &record.identities {
                let mut known = known.clone();
                known.provenance = from(&known.provenance);
                one.identities.push(known);
            }
            for (name, attribute) in &record.attributes {
                one.attributes.entry(name.clone()).or_insert_with(|| {
                    let mut attribute = attribute.clone();
                    attribute.provenance = from(&attribute.provenance);
                    attribute
                });
            }
            for (purpose, consent) in &record.consents {
                if one.consents.get(purpose).is_none_or(|shown| shown.given && !consent.given) {
                    let mut consent = consent.clone();
                    consent.provenance = from(&consent.provenance);
                    one.consents.insert(purpose.clone(), consent);
                }
            }
            for (state, provenance) in &record.states {
                one.states.entry(*state).or_insert_with(|| from(provenance));
            }
        }
        one
    }

    /// What each of them has refused: who becomes somebody new has refused it, too.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        let one = self.as_one();
        let mut refusals = Refusals { consents: one.consents, states: one.states };
        refusals.consents.retain(|_, consent| !consent.given);
        for consent in refusals.consents.values_mut() {
            consent.provenance.from = None;
        }
        for provenance in refusals.states.values_mut() {
            provenance.from = None;
        }
        refusals
    }

    /// Whether another contact, with all that were merged into it, can become a part of this one.
    ///
    /// # Errors
    /// The bound that would be passed, or why not.
    pub fn may_take_in(&self, other: &Self) -> Result<(), ContactError> {
        if self.member(other.root.id).is_some() {
            return Err(ContactError::Itself);
        }
        if self.is_erasing() || other.is_erasing() {
            return Err(ContactError::Erasing);
        }
        if self.all().chain(other.all()).any(|stored| stored.record.begun.is_some()) {
            return Err(ContactError::Busy);
        }
        if self.members.len() + other.all().count() > limits::MERGED_MAX {
            return Err(ContactError::Merged);
        }
        let members = self.members.iter().chain(other.all()).cloned().collect();
        Self::new(self.root.clone(), members).as_one().check()
    }

    /// Takes a change in. Gives the record of the one who stands for all, which says what has begun where others have
    /// something to take in, too: with its writing the change is decided, and its version tells of it.
    ///
    /// What is new stands in the record of the one who goes on. What is taken away is taken from all. A yes or a no is
    /// said by all of them, so that it holds for each, whoever leaves later. An identity that is both added and taken away
    /// stays where it is.
    ///
    /// # Errors
    /// A bound that would be passed, an identity that nobody of them has, or that the contact is being erased.
    pub fn change(
        mut self,
        mut change: ContactChange,
        by: &ChangedBy,
        now: Timestamp,
    ) -> Result<StoredContact, ContactError> {
        let is_to_come = |said: &ConsentIn| said.at.is_some_and(|at| at > now.plus(limits::CLOCKS_APART_MAX));
        if change.consents.values().any(is_to_come) {
            return Err(ContactError::Future);
        }
        let has = |identity: &Identity| self.holder(identity).is_some();
        if !change.remove_identities.iter().all(has) {
            return Err(ContactError::NotTheirs);
        }
        // What one of them has already is nothing new.
        let added: Vec<Identity> =
            change.add_identities.iter().filter(|identity| self.holder(identity).is_none()).cloned().collect();
        change.remove_identities.retain(|identity| !change.add_identities.contains(identity));
        change.add_identities = added;
        let mut members = Vec::new();
        for member in &mut self.members {
            if member.record.follow(&change, by, now) {
                members.push(member.id);
            }
        }
        self.root.record.change(&change, by, now);
        self.as_one().check()?;
        if self.root.record.begun.is_some() || !members.is_empty() {
            self.root.record.begin(Step::Change { change: Box::new(change), members }, by, now)?;
        }
        Ok(self.root)
    }

    /// In whose record these identities stand, so that they can go to a new contact.
    ///
    /// # Errors
    /// [`ContactError::NothingToSplit`] when there is none, [`ContactError::NotTheirs`] when nobody of them has one,
    /// [`ContactError::OfSeveral`] when they are not one's.
    pub fn holder_of(&self, identities: &[Identity]) -> Result<&StoredContact, ContactError> {
        let first = identities.first().ok_or(ContactError::NothingToSplit)?;
        if identities.iter().any(|identity| self.holder(identity).is_none()) {
            return Err(ContactError::NotTheirs);
        }
        let holder = self.holder(first).ok_or(ContactError::NotTheirs)?;
        let is_all = identities.iter().all(|identity| holder.record.has(identity));
        if is_all { Ok(holder) } else { Err(ContactError::OfSeveral) }
    }

    /// In whose record an identity stands.
    #[must_use]
    pub fn holder(&self, identity: &Identity) -> Option<&StoredContact> {
        self.all().find(|stored| stored.record.has(identity))
    }

    fn all(&self) -> impl Iterator<Item = &StoredContact> {
        std::iter::once(&self.root).chain(&self.members)
    }
}

impl ContactRecord {
    /// Whether pointers of `other` are looked for from here.
    #[must_use]
    pub fn expects(&self, other: ContactId) -> bool {
        self.merged.contains(&other)
    }

    /// From now on a pointer of `other` is looked for from here. Where there is no room for it, those go whose pointers
    /// do not lead here now; if one is on its way here, whoever has written it enters it again.
    pub fn expect(&mut self, other: ContactId, lead_here: &[ContactId]) {
        if self.expects(other) {
            return;
        }
        if self.merged.len() >= limits::MERGED_MAX {
            self.merged.retain(|looked_for| lead_here.contains(looked_for));
        }
        self.merged.push(other);
    }

    /// This contact is a part of another one from now on.
    pub fn point_to(&mut self, into: ContactId, by: &ChangedBy, at: Timestamp) {
        self.merged_into = Some(into);
        self.note(at, by, ChangeKind::MergedInto { into });
    }

    /// A contact that was merged stands for itself again, as it is, with those that were merged into it.
    pub fn stand_alone(&mut self, by: &ChangedBy, at: Timestamp) {
        if let Some(other) = self.merged_into.take() {
            self.note(at, by, ChangeKind::Unmerged { other });
        }
    }

    /// Notes that another contact's pointer leads here now, or does no longer, if that is not the last thing noted of it.
    /// Gives whether there was something to note.
    pub fn note_pointer(&mut self, other: ContactId, leads_here: bool, by: &ChangedBy, at: Timestamp) -> bool {
        let said = self.changes.iter().rev().find_map(|Changed { change, .. }| match change {
            ChangeKind::Merged { other: named } if *named == other => Some(true),
            ChangeKind::Unmerged { other: named } if *named == other => Some(false),
            _ => None,
        });
        if said == Some(leads_here) {
            return false;
        }
        let change = if leads_here { ChangeKind::Merged { other } } else { ChangeKind::Unmerged { other } };
        self.note(at, by, change);
        true
    }
}
