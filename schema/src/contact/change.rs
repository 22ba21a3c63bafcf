//! A change of one record, as a tenant's server asks for it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Attribute, ChangeKind, Consent, ContactRecord, ContactState, KnownIdentity, Provenance, Way};
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
    /// When that was; left out, now. Where something was said later, that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What is there is given, also where it is null.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl ContactRecord {
    /// Takes a change in. Whether it has the identities that are taken away, and the bounds, are checked for all of a
    /// contact's records together: see [`super::Family::change`].
    pub(super) fn change(&mut self, change: &ContactChange, by: &ChangedBy, now: Timestamp) {
        self.follow(change, by, now);
        if let Some(Some(name)) = &change.name
            && self.name.as_ref() != Some(name)
        {
            let before = self.name.replace(name.clone());
            self.note(now, by, ChangeKind::Renamed { before });
        }
        if let Some(Some(language)) = &change.language {
            self.language = Some(language.clone());
        }
        for identity in &change.add_identities {
            self.identities.push(KnownIdentity { identity: identity.clone(), provenance: from_api(by, now) });
        }
        for (name, value) in &change.attributes {
            if let Some(value) = value {
                let attribute = Attribute { value: value.clone(), provenance: from_api(by, now) };
                self.attributes.insert(name.clone(), attribute);
            }
        }
    }

    /// Takes in what of a change holds for those, too, who were merged into the contact: what is taken away, and what
    /// was agreed to or refused. Doing it twice does no more than doing it once. Gives whether anything has changed.
    pub fn follow(&mut self, change: &ContactChange, by: &ChangedBy, now: Timestamp) -> bool {
        let before = self.clone();
        self.take_away(change, by, now);
        self.say(change, by, now);
        *self != before
    }

    fn take_away(&mut self, change: &ContactChange, by: &ChangedBy, now: Timestamp) {
        if change.name == Some(None)
            && let Some(before) = self.name.take()
        {
            self.note(now, by, ChangeKind::Renamed { before: Some(before) });
        }
        if change.language == Some(None) {
            self.language = None;
        }
        self.identities.retain(|known| !change.remove_identities.contains(&known.identity));
        self.attributes.retain(|name, _| change.attributes.get(name) != Some(&None));
    }

    fn say(&mut self, change: &ContactChange, by: &ChangedBy, now: Timestamp) {
        for (purpose, ConsentIn { given, how, at }) in &change.consents {
            let provenance = from_api(by, at.unwrap_or(now));
            // An import may come with what was said long before.
            if self.consents.get(purpose).is_some_and(|said| said.provenance.at > provenance.at) {
                continue;
            }
            self.consents.insert(purpose.clone(), Consent { given: *given, how: how.clone(), provenance });
        }
        let StatesIn { blocked, opted_out } = change.states;
        for (state, begins) in [(ContactState::Blocked, blocked), (ContactState::OptedOut, opted_out)] {
            match begins {
                Some(true) => {
                    self.states.entry(state).or_insert_with(|| from_api(by, now));
                }
                Some(false) => {
                    self.states.remove(&state);
                }
                None => {}
            }
        }
    }
}

fn from_api(by: &ChangedBy, at: Timestamp) -> Provenance {
    Provenance { at, by: by.clone(), way: Way::Api, from: None }
}
