//! Two contacts that are one person, and one contact that is two: the steps of each, one record at a time.
//!
//! Each change of two records is three writes: the record that goes on says what has begun; the other one is written,
//! and with it the matter is decided; the record that goes on takes in what came of it. Whoever next reads either record
//! finishes a change that was interrupted, and doing a step twice does no more than doing it once.
//!
//! What came with another contact says so (`from`), wherever it stands: it goes with them, and none of it stays in a note.

use super::{Begun, ChangeKind, Consent, ContactError, ContactRecord, KnownIdentity, Provenance, Step, Way};
use crate::{ChangedBy, ContactId, Identity, PersonName, Timestamp, limits};

impl ContactRecord {
    /// Says that a change of two records, or the erasure of this one, begins.
    ///
    /// # Errors
    /// [`ContactError::Busy`] while another one has begun or when this contact was merged away,
    /// [`ContactError::Erasing`] when it is being erased.
    pub fn begin(&mut self, step: Step, by: &ChangedBy, at: Timestamp) -> Result<(), ContactError> {
        match &self.begun {
            Some(_) if self.is_erasing() => return Err(ContactError::Erasing),
            // An erasure ends whatever else has begun.
            Some(_) if step != Step::Erase => return Err(ContactError::Busy),
            _ if self.merged_into.is_some() => return Err(ContactError::Busy),
            _ => {}
        }
        self.begun = Some(Begun { at, by: by.clone(), step });
        Ok(())
    }

    /// What has begun is done, or turned out not to be possible.
    pub fn end(&mut self) {
        self.begun = None;
    }

    /// Whether `other` can be merged into this contact.
    ///
    /// # Errors
    /// The bound that would be passed, or why not.
    pub fn may_take_in(&self, id: ContactId, other: ContactId, theirs: &Self) -> Result<(), ContactError> {
        if id == other || self.merged.contains(&other) || theirs.merged.contains(&id) {
            return Err(ContactError::Itself);
        }
        if theirs.is_erasing() {
            return Err(ContactError::Erasing);
        }
        if theirs.merged_into.is_some() || theirs.begun.is_some() {
            return Err(ContactError::Busy);
        }
        let mut tried = self.clone();
        tried.take_in(other, theirs, &ChangedBy::system(), Timestamp::default());
        tried.check()
    }

    /// This contact is another one from now on.
    pub fn point_to(&mut self, into: ContactId, by: &ChangedBy, at: Timestamp) {
        self.merged_into = Some(into);
        self.note(at, by, ChangeKind::MergedInto { into });
    }

    /// Takes in what is known of a contact that points here. Where both have something, this contact's stays, and the
    /// other's own is noted. What the other had from a third contact is not noted: it stands in the third one's record.
    pub fn take_in(&mut self, other: ContactId, theirs: &Self, by: &ChangedBy, at: Timestamp) {
        if self.merged.contains(&other) {
            return;
        }
        let with_them = |provenance: &Provenance| {
            let from = provenance.from.or(Some(other));
            Provenance { from, ..provenance.clone() }
        };
        for known in &theirs.identities {
            if self.identities.iter().all(|mine| mine.identity != known.identity) {
                let (identity, provenance) = (known.identity.clone(), with_them(&known.provenance));
                self.identities.push(KnownIdentity { identity, provenance });
            }
        }
        let mut aside = std::collections::BTreeMap::new();
        for (name, attribute) in &theirs.attributes {
            match self.attributes.get(name) {
                None => {
                    let mut attribute = attribute.clone();
                    attribute.provenance = with_them(&attribute.provenance);
                    self.attributes.insert(name.clone(), attribute);
                }
                Some(mine) if mine.value != attribute.value && attribute.provenance.from.is_none() => {
                    aside.insert(name.clone(), attribute.value.clone());
                }
                Some(_) => {}
            }
        }
        for (purpose, consent) in &theirs.consents {
            // Who has said no as either has said no.
            let keeps = self.consents.get(purpose).is_some_and(|mine| !mine.given || consent.given);
            if !keeps {
                let provenance = with_them(&consent.provenance);
                self.consents.insert(purpose.clone(), Consent { provenance, ..consent.clone() });
            }
        }
        for (state, provenance) in &theirs.states {
            self.states.entry(*state).or_insert_with(|| with_them(provenance));
        }
        let unknown = Provenance { at, by: by.clone(), way: Way::Migration, from: None };
        let came = |provenance: &Option<Provenance>| Some(with_them(provenance.as_ref().unwrap_or(&unknown)));
        let is_own = theirs.name_provenance.as_ref().is_none_or(|provenance| provenance.from.is_none());
        let noted = |name: &PersonName| is_own && self.name.as_ref().is_some_and(|mine| mine != name);
        let name = theirs.name.clone().filter(noted);
        if self.name.is_none() && theirs.name.is_some() {
            self.name.clone_from(&theirs.name);
            self.name_provenance = came(&theirs.name_provenance);
        }
        if self.language.is_none() && theirs.language.is_some() {
            self.language.clone_from(&theirs.language);
            self.language_provenance = came(&theirs.language_provenance);
        }
        self.merged.push(other);
        for older in &theirs.merged {
            if !self.merged.contains(older) {
                self.merged.push(*older);
            }
        }
        self.note(at, by, ChangeKind::Merged { other, name, attributes: aside });
    }

    /// Whether these identities can go to a new contact.
    ///
    /// # Errors
    /// [`ContactError::NothingToSplit`] when there is none, [`ContactError::NotTheirs`] when this contact has not all.
    pub fn may_split(&self, identities: &[Identity]) -> Result<(), ContactError> {
        if identities.is_empty() || identities.len() > limits::IDENTITIES_MAX {
            return Err(ContactError::NothingToSplit);
        }
        let has = |identity: &Identity| self.identities.iter().any(|known| known.identity == *identity);
        if identities.iter().all(has) { Ok(()) } else { Err(ContactError::NotTheirs) }
    }

    /// The record of a new contact who has these identities of this one, and what came with them in merges.
    #[must_use]
    pub fn split_off(&self, id: ContactId, identities: &[Identity], by: &ChangedBy, at: Timestamp) -> Self {
        let came_with = self.came_with(identities);
        let goes = |provenance: &Provenance| provenance.from.is_some_and(|from| came_with.contains(&from));
        let mut new = Self::new(at);
        new.identities = self.identities.iter().filter(|known| identities.contains(&known.identity)).cloned().collect();
        new.attributes = self.attributes.clone();
        new.attributes.retain(|_, attribute| goes(&attribute.provenance));
        new.consents = self.consents.clone();
        new.consents.retain(|_, consent| goes(&consent.provenance));
        if let Some(provenance) = self.name_provenance.as_ref().filter(|provenance| goes(provenance)) {
            new.name.clone_from(&self.name);
            new.name_provenance = Some(Provenance { from: None, ..provenance.clone() });
        }
        if let Some(provenance) = self.language_provenance.as_ref().filter(|provenance| goes(provenance)) {
            new.language.clone_from(&self.language);
            new.language_provenance = Some(Provenance { from: None, ..provenance.clone() });
        }
        for known in &mut new.identities {
            known.provenance.from = None;
        }
        for attribute in new.attributes.values_mut() {
            attribute.provenance.from = None;
        }
        for consent in new.consents.values_mut() {
            consent.provenance.from = None;
        }
        new.note(at, by, ChangeKind::SplitFrom { from: id });
        new
    }

    /// These identities, and what came with them, are another contact's now.
    pub fn give_away(&mut self, into: ContactId, identities: &[Identity], by: &ChangedBy, at: Timestamp) {
        let came_with = self.came_with(identities);
        self.identities.retain(|known| !identities.contains(&known.identity));
        self.forget_what_came_with(&came_with);
        self.note(at, by, ChangeKind::Split { into });
    }

    /// The merged contacts of whose identities none stays here when these go: what came with them goes, too.
    fn came_with(&self, identities: &[Identity]) -> Vec<ContactId> {
        let (go, stay): (Vec<_>, Vec<_>) =
            self.identities.iter().partition(|known| identities.contains(&known.identity));
        let from = |known: &&KnownIdentity| known.provenance.from;
        let stay: Vec<ContactId> = stay.iter().filter_map(from).collect();
        go.iter().filter_map(from).filter(|from| !stay.contains(from)).collect()
    }

    /// A contact that was merged into `into` stands for itself again: with the identities that `kept`, the record of
    /// `into`, has of it now, and all else as it was when it was merged.
    pub fn stand_alone(&mut self, own: ContactId, into: ContactId, kept: &Self, by: &ChangedBy, at: Timestamp) {
        let family = self.family(own);
        let is_theirs = |known: &&KnownIdentity| known.provenance.from.is_some_and(|from| family.contains(&from));
        self.identities = kept.identities.iter().filter(is_theirs).cloned().collect();
        for known in &mut self.identities {
            known.provenance.from = known.provenance.from.filter(|from| *from != own);
        }
        // One of them may have been taken out before.
        self.merged.retain(|merged| kept.merged.contains(merged));
        self.merged_into = None;
        self.note(at, by, ChangeKind::Unmerged { other: into });
    }

    /// Gives up what came with a contact that stands for itself again, and with those merged into it before.
    pub fn let_go(&mut self, other: ContactId, theirs: &Self, by: &ChangedBy, at: Timestamp) {
        let family = theirs.family(other);
        let stays = |provenance: &Provenance| provenance.from.is_none_or(|from| !family.contains(&from));
        self.identities.retain(|known| stays(&known.provenance));
        self.states.retain(|_, provenance| stays(provenance));
        self.forget_what_came_with(&family);
        self.merged.retain(|merged| !family.contains(merged));
        self.note(at, by, ChangeKind::Unmerged { other });
    }

    /// Drops what came with these contacts, but identities and states, and empties the notes of their merges: that they
    /// were merged, and when, stays.
    fn forget_what_came_with(&mut self, gone: &[ContactId]) {
        let stays = |provenance: &Provenance| provenance.from.is_none_or(|from| !gone.contains(&from));
        self.attributes.retain(|_, attribute| stays(&attribute.provenance));
        self.consents.retain(|_, consent| stays(&consent.provenance));
        if self.name_provenance.as_ref().is_some_and(|provenance| !stays(provenance)) {
            (self.name, self.name_provenance) = (None, None);
        }
        if self.language_provenance.as_ref().is_some_and(|provenance| !stays(provenance)) {
            (self.language, self.language_provenance) = (None, None);
        }
        for changed in &mut self.changes {
            if let ChangeKind::Merged { other, name, attributes } = &mut changed.change
                && gone.contains(other)
            {
                *name = None;
                attributes.clear();
            }
        }
    }
}
