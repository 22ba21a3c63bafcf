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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_reads_alike_is_one_attribute_and_one_purpose() {
        let said = |given| json!({"given": given, "at": "2026-01-01T00:00:00.000Z"});
        let from = json!({"at": "2026-01-01T00:00:00.000Z", "by": "key_1", "way": "api"});
        for (stored, attributes, purposes, found) in [
            ("x", json!({"cafe\u{301}": "1"}), json!([" news"]), Some((json!({"café": "1"}), vec!["news"]))),
            (
                " news",
                json!({"news": "1"}),
                json!(["news"]),
                Some((json!({"news": "1", " news": null}), vec![" news", "news"])),
            ),
            ("news\u{200b}", json!({}), json!(["news"]), Some((json!({}), vec!["news", "news\u{200b}"]))),
            (
                "news\u{200b}",
                json!({"news\u{200b}": null}),
                json!(["news\u{200b}"]),
                Some((json!({"news\u{200b}": null}), vec!["news\u{200b}"])),
            ),
            ("x", json!({" a": null}), json!([]), Some((json!({" a": null, "a": null}), vec![]))),
            ("x", json!({" a": null, "a": "1"}), json!([]), Some((json!({" a": null, "a": "1"}), vec![]))),
            ("x", json!({"a": "1", "a ": "2"}), json!([]), None),
            ("x", json!({"a\u{200b}": "1"}), json!([]), None),
            ("x", json!({}), json!(["news", "news "]), None),
            ("x", json!({}), json!(["news\u{200b}"]), None),
            ("x", json!({"a": " 1\u{200b}"}), json!([]), Some((json!({"a": " 1\u{200b}"}), vec![]))),
        ] {
            let consents: serde_json::Map<_, _> =
                purposes.as_array().unwrap().iter().map(|name| (name.as_str().unwrap().into(), said(false))).collect();
            let case = format!("{stored:?} {attributes} {purposes}");
            let mut change: ContactChange =
                serde_json::from_value(json!({"version": 1, "attributes": attributes, "consents": consents})).unwrap();
            let mut view = ContactView::unknown(schema::ContactId::generate());
            let attribute = json!({"value": "0", "at": from["at"], "by": from["by"], "way": "api"});
            let consent = json!({"given": true, "at": from["at"], "by": from["by"], "way": "api"});
            view.attributes = serde_json::from_value(json!({stored: attribute})).unwrap();
            view.consents = serde_json::from_value(json!({stored: consent})).unwrap();
            let spelt = spell(&mut change, Some(&view)).is_ok();
            assert_eq!(spelt, found.is_some(), "{case}");
            let Some((attributes, purposes)) = found else { continue };
            assert_eq!(serde_json::to_value(&change.attributes).unwrap(), attributes, "{case}");
            assert_eq!(change.consents.keys().map(Purpose::as_str).collect::<Vec<_>>(), purposes, "{case}");
            assert!(change.consents.values().all(|consent| !consent.given), "{case}");
        }
    }
}
