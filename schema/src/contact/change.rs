//! A change of one record, as a tenant's server asks for it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Attribute, ChangeKind, Consent, ContactError, ContactRecord, ContactState, KnownIdentity, Provenance, Way,
};
use crate::{
    AttributeName, AttributeValue, ChangedBy, ConsentMeans, Identity, Locale, PersonName, Purpose, Timestamp, limits,
};

/// `PATCH /v1/contacts/{id}`: changes parts of a contact's record, if it is still at `version`. What is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactChange {
    /// The version that this change was made from; 0 where there is no record yet.
    pub version: u64,
    /// What the person is called; null takes the name away.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<PersonName>>,
    /// The person's language; null takes it away.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub language: Option<Option<Locale>>,
    /// Identities that the contact gets. One that another contact has is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::IDENTITIES_MAX))]
    pub add_identities: Vec<Identity>,
    /// Identities that the contact has no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::IDENTITIES_MAX))]
    pub remove_identities: Vec<Identity>,
    /// Attributes that are written; null takes one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = limits::ATTRIBUTES_MAX, "propertyNames" = name_schema(limits::ATTRIBUTE_NAME_CHARS_MAX)))]
    pub attributes: BTreeMap<AttributeName, Option<AttributeValue>>,
    /// Consents that were given or withdrawn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = limits::CONSENTS_MAX, "propertyNames" = name_schema(limits::PURPOSE_CHARS_MAX)))]
    pub consents: BTreeMap<Purpose, ConsentIn>,
    /// States that begin (true) or end (false).
    #[serde(default)]
    pub states: StatesIn,
}

/// States that begin (true) or end (false); what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StatesIn {
    /// The tenant does not want to hear from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
    /// They do not want to be written to unless they have asked something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<bool>,
}

/// One line of so many characters, for the names in an object.
fn name_schema(chars: usize) -> serde_json::Value {
    serde_json::json!({"minLength": 1, "maxLength": chars, "pattern": limits::LINE_PATTERN})
}

/// A consent that was given or withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentIn {
    /// Given; else withdrawn.
    pub given: bool,
    /// In which way: a form, a message, a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<ConsentMeans>,
    /// When that was; left out, now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What is there is given, also where it is null.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl ContactRecord {
    /// Takes a change in, or stays as it is.
    ///
    /// # Errors
    /// A bound that would be passed, or an identity that the contact does not have.
    pub fn change(&mut self, change: ContactChange, by: &ChangedBy, now: Timestamp) -> Result<(), ContactError> {
        let mut next = self.clone();
        let from_api = |at| Provenance { at, by: by.clone(), way: Way::Api, from: None };
        if let Some(name) = change.name {
            let provenance = name.is_some().then(|| from_api(now));
            let provenance = std::mem::replace(&mut next.name_provenance, provenance);
            if name != next.name {
                let before = std::mem::replace(&mut next.name, name);
                // A note would keep it when the one with whom it came is no part of this contact any more.
                let before = before.filter(|_| provenance.is_none_or(|provenance| provenance.from.is_none()));
                next.note(now, by, ChangeKind::Renamed { before });
            }
        }
        if let Some(language) = change.language {
            next.language_provenance = language.is_some().then(|| from_api(now));
            next.language = language;
        }
        for identity in change.remove_identities {
            let before = next.identities.len();
            next.identities.retain(|known| known.identity != identity);
            if next.identities.len() == before {
                return Err(ContactError::NotTheirs);
            }
        }
        for identity in change.add_identities {
            if next.identities.iter().all(|known| known.identity != identity) {
                next.identities.push(KnownIdentity { identity, provenance: from_api(now) });
            }
        }
        for (name, value) in change.attributes {
            match value {
                Some(value) => next.attributes.insert(name, Attribute { value, provenance: from_api(now) }),
                None => next.attributes.remove(&name),
            };
        }
        for (purpose, ConsentIn { given, how, at }) in change.consents {
            let provenance = from_api(at.unwrap_or(now));
            next.consents.insert(purpose, Consent { given, how, provenance });
        }
        let StatesIn { blocked, opted_out } = change.states;
        for (state, begins) in [(ContactState::Blocked, blocked), (ContactState::OptedOut, opted_out)] {
            match begins {
                Some(true) => {
                    next.states.entry(state).or_insert_with(|| from_api(now));
                }
                Some(false) => {
                    next.states.remove(&state);
                }
                None => {}
            }
        }
        next.check()?;
        *self = next;
        Ok(())
    }
}
