//! Contacts over HTTP: what a tenant knows of the people it serves.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contact::{
    Attribute, Changed, Consent, ContactRecord, ContactState, Family, KnownIdentity, Provenance, StoredContact,
};
use crate::{AttributeName, Contact, ContactId, Identity, Locale, PersonName, Purpose, Timestamp, limits};

/// `GET /v1/contacts/{id}`: a contact, by its own id or that of a contact which was merged into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactView {
    /// The contact's id.
    pub id: ContactId,
    /// As other answers name it: the first identity of the kind `external`, else the id.
    pub contact: Contact,
    /// The record's version: give it back on a change. 0: there is no record.
    pub version: u64,
    /// When the record was made; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// What the person is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PersonName>,
    /// The person's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Locale>,
    /// By what the person is known.
    pub identities: Vec<KnownIdentity>,
    /// What else is known, each with where it came from.
    pub attributes: BTreeMap<AttributeName, Attribute>,
    /// What the person has said to each purpose.
    pub consents: BTreeMap<Purpose, Consent>,
    /// States that the person is in, each with where it came from.
    pub states: BTreeMap<ContactState, Provenance>,
    /// The contacts that were merged into this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<ContactId>,
    /// Names, merges and splits, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Changed>,
}

impl ContactView {
    /// A contact as it is shown, with what is known of those who were merged into it.
    #[must_use]
    pub fn of(family: &Family) -> Self {
        let StoredContact { id, version, .. } = *family.root();
        let contact = family.shown();
        let ContactRecord {
            created_at, name, language, identities, attributes, consents, states, merged, changes, ..
        } = family.as_one();
        let created_at = Some(created_at);
        Self {
            id,
            contact,
            version,
            created_at,
            name,
            language,
            identities,
            attributes,
            consents,
            states,
            merged,
            changes,
        }
    }

    /// Somebody of whom nothing is known.
    #[must_use]
    pub fn unknown(id: ContactId) -> Self {
        Self {
            id,
            contact: id.into(),
            version: 0,
            created_at: None,
            name: None,
            language: None,
            identities: Vec::new(),
            attributes: BTreeMap::new(),
            consents: BTreeMap::new(),
            states: BTreeMap::new(),
            merged: Vec::new(),
            changes: Vec::new(),
        }
    }
}

/// `GET /v1/contacts`: contacts with a record, by id; those that were merged into others are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactList {
    /// At most `limit` contacts; a page may have fewer and not be the last.
    pub contacts: Vec<ContactView>,
    /// Give this as `?after=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ContactId>,
}

/// `POST /v1/contacts/{id}/merge`: another contact is the same person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeIn {
    /// The contact that is merged into this one.
    pub other: ContactId,
}

/// `POST /v1/contacts/{id}/split`: part of what is known belongs to somebody else. Either `identities` or `contact`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitIn {
    /// Identities that go to a new contact; of contacts that were merged, those of one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::IDENTITIES_MAX))]
    pub identities: Vec<Identity>,
    /// A contact that was merged into this one: it stands for itself again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
}
