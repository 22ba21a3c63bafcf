//! A contact's record: who a person is to one tenant, with where each part of it came from. Pure data and the changes
//! that it may go through; the moment and the author of a change come as arguments.
//! Invariant: a record is bounded in number and bytes, and has each identity once.

mod change;
mod family;
mod split;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AttributeName, AttributeValue, ChangedBy, ConsentMeans, Contact, ContactId, Identity, IdentityKind, Locale,
    PersonName, Purpose, Timestamp, limits,
};

pub use change::{ConsentIn, ContactChange, StatesIn};
pub use family::{Family, StoredContact};

/// Why a record does not change as asked.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ContactError {
    #[error("a contact has at most {} identities", limits::IDENTITIES_MAX)]
    Identities,
    #[error(
        "a contact has at most {} attributes, of {} bytes together",
        limits::ATTRIBUTES_MAX,
        limits::ATTRIBUTES_BYTES_MAX
    )]
    Attributes,
    #[error("a contact has consents for at most {} purposes", limits::CONSENTS_MAX)]
    Consents,
    #[error("the moment of a consent lies in the future")]
    Future,
    #[error("at most {} contacts are merged into one", limits::MERGED_MAX)]
    Merged,
    #[error("a contact is not merged into itself, nor into one that was merged into it")]
    Itself,
    #[error("the contact does not have that identity")]
    NotTheirs,
    #[error(
        "the identities are of several contacts that were merged: undo the merge with `contact`, or name those of one of \
         them, which have the same `from`"
    )]
    OfSeveral,
    #[error("that contact was not merged into this one")]
    NotMerged,
    #[error("name `identities` that go to a new contact, or the `contact` whose merge is undone")]
    NothingToSplit,
    #[error("the contact was merged into another one, or is being changed by another request: read it again")]
    Busy,
    #[error("the contact is being erased")]
    Erasing,
}

/// Where something in a record came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub by: ChangedBy,
    /// By which way it came in.
    pub way: Way,
    /// The merged contact in whose record it stands; absent for what stands in the record of the contact itself, and
    /// wherever it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ContactId>,
}

/// By which way something came into a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The tenant's server wrote it into the record.
    Api,
    /// Somebody was named: a conversation was opened with them, or a token made for them.
    Named,
    /// It stood in what an earlier program had stored.
    Migration,
}

/// An identity of a contact, with where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownIdentity {
    /// By what the contact is known.
    #[serde(flatten)]
    pub identity: Identity,
    /// Where that came from.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// An attribute of a contact, with where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attribute {
    /// What it says.
    pub value: AttributeValue,
    /// Where that came from.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// What a contact has said to one purpose, the last time they said something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consent {
    /// Given; else withdrawn.
    pub given: bool,
    /// In which way they said so, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<ConsentMeans>,
    /// Where that came from; its moment is when the consent was given or withdrawn: what was said later stands.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// What a contact is, beside who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// The tenant does not want to hear from them.
    Blocked,
    /// They do not want to be written to unless they have asked something.
    OptedOut,
}

/// Something that was done to a record as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: ChangedBy,
    /// What was done.
    #[serde(flatten)]
    pub change: ChangeKind,
}

/// What was done to a record as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ChangeKind {
    /// The name became another one.
    Renamed {
        /// The name before; absent when there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<PersonName>,
    },
    /// Another contact was merged into this one.
    Merged {
        /// The other contact.
        other: ContactId,
    },
    /// This contact was merged into another one.
    MergedInto {
        /// The contact that goes on.
        into: ContactId,
    },
    /// Identities of this contact went to a new one.
    Split {
        /// The new contact.
        into: ContactId,
    },
    /// This contact was made of identities of another one.
    SplitFrom {
        /// The contact that they were of.
        from: ContactId,
    },
    /// A merge was undone, at the contact that goes on or at the one that was merged into it.
    Unmerged {
        /// The other one of the two.
        other: ContactId,
    },
}

/// A change of more than one record that has begun. Whoever reads a record with one does what is still to do, so that the
/// end of a node in the middle of it leaves nothing half done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// When it began.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: ChangedBy,
    /// What it is.
    #[serde(flatten)]
    pub step: Step,
}

/// Which change of more than one record has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Identities are going to a new contact.
    Split {
        /// The new contact's id.
        into: ContactId,
        /// The identities.
        identities: Vec<Identity>,
        /// What the new contact has refused from the first.
        #[serde(default)]
        refusals: Refusals,
    },
    /// Those who were merged into the contact take in what of a change of it holds for them, too.
    Change {
        /// The change, which the contact's own record has already.
        change: Box<ContactChange>,
        /// Who has something to take in.
        members: Vec<ContactId>,
    },
    /// The contact is being erased: its conversations first, the record last.
    Erase {
        /// Who was merged into it when that began: they are erased with it, if they still are then.
        #[serde(default)]
        members: Vec<ContactId>,
    },
}

/// What a person does not want, to be kept wherever their identities go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// Consents that were withdrawn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consents: BTreeMap<Purpose, Consent>,
    /// States that keep the tenant from writing to them, or them from writing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<ContactState, Provenance>,
}

/// What a tenant knows of a contact. A contact of whom nothing is known needs no record.
///
/// It is changed by compare-and-set. Of two contacts that turn out to be one person, one is merged into the other: its
/// record stays as it is and points to the one that goes on, see [`Family`], so that it can be undone and old tokens and
/// logs, which name it, stay right. The identities are found by one index, which has each for one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRecord {
    format: u32,
    /// When the record was made.
    pub created_at: Timestamp,
    /// What the person is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PersonName>,
    /// The person's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Locale>,
    /// By what the person is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<KnownIdentity>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<AttributeName, Attribute>,
    /// To what the person has agreed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consents: BTreeMap<Purpose, Consent>,
    /// What the person is, beside who.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<ContactState, Provenance>,
    /// Contacts whose pointers may lead here, directly: where to look, not who was merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<ContactId>,
    /// The contact into which this one was merged: it stands for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<ContactId>,
    /// A change of more than this record that is not at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// What was done to it, oldest first; bounded, so that the oldest go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Changed>,
}

impl ContactRecord {
    /// The newest way in which records are written. In the first one a merge copied what was known into the record of
    /// the one who went on.
    pub const FORMAT: u32 = 2;

    /// A record of somebody of whom nothing is known yet.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self {
            format: Self::FORMAT,
            created_at: at,
            name: None,
            language: None,
            identities: Vec::new(),
            attributes: BTreeMap::new(),
            consents: BTreeMap::new(),
            states: BTreeMap::new(),
            merged: Vec::new(),
            merged_into: None,
            begun: None,
            changes: Vec::new(),
        }
    }

    /// A record of somebody of whom one identity is known.
    #[must_use]
    pub fn known_by(identity: Identity, provenance: Provenance) -> Self {
        let mut record = Self::new(provenance.at);
        record.identities.push(KnownIdentity { identity, provenance });
        record
    }

    /// Whether a newer program has written it in a way that this one does not know.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        self.format > Self::FORMAT
    }

    /// Whether it is being erased, so that nothing more is written into it or said in its name.
    #[must_use]
    pub fn is_erasing(&self) -> bool {
        matches!(self.begun, Some(Begun { step: Step::Erase { .. }, .. }))
    }

    /// Says that a change of more than this record begins.
    ///
    /// # Errors
    /// [`ContactError::Busy`] while another one has begun, [`ContactError::Erasing`] when it is being erased.
    pub fn begin(&mut self, step: Step, by: &ChangedBy, at: Timestamp) -> Result<(), ContactError> {
        if self.is_erasing() {
            return Err(ContactError::Erasing);
        }
        if self.begun.is_some() {
            return Err(ContactError::Busy);
        }
        self.begun = Some(Begun { at, by: by.clone(), step });
        Ok(())
    }

    /// What has begun is done.
    pub fn end(&mut self) {
        self.begun = None;
    }

    /// Whether it has the identity.
    #[must_use]
    pub fn has(&self, identity: &Identity) -> bool {
        self.identities.iter().any(|known| known.identity == *identity)
    }

    /// The keys by which the index finds this record.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.identities.iter().map(|known| known.identity.key()).collect()
    }

    /// The tenant's own name for the contact, where it has one.
    #[must_use]
    pub fn external(&self) -> Option<Contact> {
        let mut identities = self.identities.iter().map(|known| &known.identity);
        let external = identities.find(|identity| identity.kind() == IdentityKind::External)?;
        external.value().parse().ok()
    }

    /// Checks the bounds of all that was added.
    ///
    /// # Errors
    /// The first bound that is passed.
    pub fn check(&self) -> Result<(), ContactError> {
        let bytes =
            |(name, attribute): (&AttributeName, &Attribute)| name.as_str().len() + attribute.value.as_str().len();
        let attribute_bytes: usize = self.attributes.iter().map(bytes).sum();
        if self.identities.len() > limits::IDENTITIES_MAX {
            Err(ContactError::Identities)
        } else if self.attributes.len() > limits::ATTRIBUTES_MAX || attribute_bytes > limits::ATTRIBUTES_BYTES_MAX {
            Err(ContactError::Attributes)
        } else if self.consents.len() > limits::CONSENTS_MAX {
            Err(ContactError::Consents)
        } else {
            Ok(())
        }
    }

    /// Notes what was done; the oldest notes go when there are too many or they are too long.
    fn note(&mut self, at: Timestamp, by: &ChangedBy, change: ChangeKind) {
        self.changes.push(Changed { at, by: by.clone(), change });
        let bytes = |changed: &Changed| serde_json::to_vec(changed).map_or(0, |json| json.len());
        let mut room = limits::CONTACT_CHANGES_BYTES_MAX;
        let mut kept = 0;
        for changed in self.changes.iter().rev().take(limits::CONTACT_CHANGES_MAX) {
            let Some(left) = room.checked_sub(bytes(changed)) else { break };
            room = left;
            kept += 1;
        }
        self.changes.drain(..self.changes.len() - kept);
    }
}
