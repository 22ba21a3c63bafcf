//! The one spelling of what a change gives a contact.
//! Invariant: a refusal reaches every purpose that people cannot tell from the one refused, also one that an earlier
//! program stored in another spelling.

use std::collections::BTreeMap;
use std::fmt::Display;

use schema::wire::ContactView;
use schema::{AttributeName, ContactChange, ErrorCode, Purpose, VisibleError, is_invisible, limits, visible};

use crate::error::ApiError;

/// Brings what a contact gets into its one spelling. What it has no longer is named as it is stored, or in that
/// spelling.
pub(super) fn spell(change: &mut ContactChange, stored: Option<&ContactView>) -> Result<(), ApiError> {
    if let Some(Some(name)) = &mut change.name {
        *name = name.checked().map_err(|error| refused("name", &error))?;
    }
    for identity in &mut change.add_identities {
        *identity = identity.checked().map_err(|error| refused("add_identities", &error))?;
    }
    let attributes: Vec<&AttributeName> = stored.iter().flat_map(|view| view.attributes.keys()).collect();
    let written = std::mem::take(&mut change.attributes);
    let (given, taken): (Vec<_>, Vec<_>) = written.into_iter().partition(|(_, value)| value.is_some());
    for (name, value) in given {
        let one = name.checked();
        put(&mut change.attributes, "attributes", one, value)?;
        // It is the same one to whoever reads it.
        for other in attributes.iter().filter(|other| alike(other.as_str(), name.as_str())) {
            change.attributes.entry((*other).clone()).or_insert(None);
        }
    }
    for (name, _) in taken {
        if let Ok(one) = name.checked() {
            change.attributes.entry(one).or_insert(None);
        }
        change.attributes.entry(name).or_insert(None);
    }
    let purposes: Vec<&Purpose> = stored.iter().flat_map(|view| view.consents.keys()).collect();
    for (purpose, consent) in std::mem::take(&mut change.consents) {
        let one = purpose.checked();
        for other in purposes.iter().filter(|other| alike(other.as_str(), purpose.as_str())) {
            if one.as_ref() != Ok(*other) {
                put(&mut change.consents, "consents", Ok((*other).clone()), consent.clone())?;
            }
        }
        if one.is_ok() || !purposes.contains(&&purpose) {
            put(&mut change.consents, "consents", one, consent)?;
        }
    }
    Ok(())
}

/// Two spellings of one name in one change would say two things of it.
fn put<K: Ord, V>(
    map: &mut BTreeMap<K, V>,
    field: &str,
    name: Result<K, VisibleError>,
    value: V,
) -> Result<(), ApiError> {
    match map.insert(name.map_err(|error| refused(field, &error))?, value) {
        Some(_) => Err(refused(field, &"one of the names stands there in two spellings")),
        None => Ok(()),
    }
}

/// Whether people read the same in both.
fn alike(one: &str, other: &str) -> bool {
    let read = |text: &str| {
        let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
        visible(&seen, limits::ATTRIBUTE_NAME_CHARS_MAX.max(limits::PURPOSE_CHARS_MAX))
    };
    one == other || read(one).is_ok_and(|one| read(other) == Ok(one))
}

fn refused(field: &str, error: &dyn Display) -> ApiError {
    ApiError::new(ErrorCode::BadField, format!("`{field}`: {error}"))
}
