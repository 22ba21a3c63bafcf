//! The first part of the schema's step 10: what was taken away from a contact while it was merged goes from its own
//! record, too. Merges had copied it into the record of the one who goes on, and changes were made there alone; the
//! member's record stayed as it was, and would bring it back.
//! Invariant: only what the record at the end of the pointers surely had of this member, and has no more, is taken away.

use serde_json::Value;

use super::contact_records::{Body, Contacts, PARTS, STEPS_MAX, pointer};

/// The parts of which there is one, each with where it came from.
const SINGLE: [(&str, &str); 2] = [("name", "name_provenance"), ("language", "language_provenance")];

impl Contacts<'_> {
    /// Takes from a member's record what was taken away while it was merged, and notes what was said for all.
    pub(super) fn follow_removals(&self, id: &str, record: &mut Body) -> rusqlite::Result<()> {
        let Some(root) = self.end_of_pointers(record)? else { return Ok(()) };
        let merged: Vec<&str> = root.get("merged").map(ids).unwrap_or_default();
        // A merge that was interrupted before the copy has pointed here, and copied nothing.
        if !merged.contains(&id) {
            return Ok(());
        }
        for (part, provenance) in SINGLE {
            if !record.contains_key(part) {
                continue;
            }
            let own = from(record.get(provenance)).unwrap_or(id);
            let stays = root.contains_key(part) && has_had(own, from(root.get(provenance)), &merged);
            if !stays {
                record.remove(part);
                record.remove(provenance);
            }
        }
        for part in PARTS {
            let there = root.get(part).and_then(Value::as_object);
            let Some(values) = record.get_mut(part).and_then(Value::as_object_mut) else { continue };
            // A refusal that came later took the place of a consent, and nobody took that one away.
            let replaced = part == "consents";
            values.retain(|name, value| {
                let own = from(Some(value)).unwrap_or(id);
                let found = there.and_then(|there| there.get(name));
                found.is_some_and(|found| replaced || has_had(own, from(Some(found)), &merged))
            });
        }
        note_refusals(record, &root);
        let said = root.get("consents").and_then(Value::as_object);
        let Some(consents) = record.get_mut("consents").and_then(Value::as_object_mut) else { return Ok(()) };
        for (purpose, consent) in consents {
            let Some(said) = said.and_then(|said| said.get(purpose)).filter(|said| from(Some(said)).is_none()) else {
                continue;
            };
            // Moments have one form, in which later ones sort after earlier ones.
            if moment(said) > moment(consent) {
                *consent = said.clone();
            }
        }
        Ok(())
    }

    /// The record in which changes were made; none where no pointer leads away, or none comes to a record.
    fn end_of_pointers(&self, record: &Body) -> rusqlite::Result<Option<Body>> {
        let Some(mut next) = pointer(record) else { return Ok(None) };
        for _ in 0..STEPS_MAX {
            let Some(found) = self.read(&next)? else { return Ok(None) };
            let Some(into) = pointer(&found) else { return Ok(Some(found)) };
            next = into;
        }
        Ok(None)
    }
}

/// Notes with a member what was refused for all while it was merged: whoever was meant, a refusal stays with everybody
/// whom it may be of.
fn note_refusals(record: &mut Body, root: &Body) {
    let since = merged_at(record).map(str::to_owned);
    for part in ["consents", "states"] {
        let there = root.get(part).and_then(Value::as_object).into_iter().flatten();
        let refused = there.filter(|(_, said)| {
            let is_refusal = part == "states" || said.get("given") == Some(&Value::Bool(false));
            is_refusal && from(Some(said)).is_none() && moment(said) > since.as_deref()
        });
        for (name, said) in refused {
            let own = record.entry(part).or_insert_with(|| Value::Object(Body::new()));
            if let Some(own) = own.as_object_mut() {
                own.entry(name.clone()).or_insert_with(|| said.clone());
            }
        }
    }
}

/// When it was last merged, as far as its list of changes goes back.
fn merged_at(record: &Body) -> Option<&str> {
    let changes = record.get("changes")?.as_array()?;
    let is_merge = |change: &&Value| change.get("change").and_then(Value::as_str) == Some("merged_into");
    changes.iter().rev().find(is_merge).and_then(moment)
}

/// Whether what is found under a name leaves room for what `own` had under it: it is theirs; or it stands there without
/// an origin, or from one who was merged before, so that theirs was not copied. If it is from one who was merged later,
/// theirs had been taken away by then.
fn has_had(own: &str, found_from: Option<&str>, merged: &[&str]) -> bool {
    let Some(other) = found_from.filter(|other| *other != own) else { return true };
    let place = |id: &str| merged.iter().position(|merged| *merged == id);
    match (place(other), place(own)) {
        (Some(other), Some(own)) => other < own,
        // One of them is no part of this contact any more: nobody knows.
        _ => true,
    }
}

fn from(value: Option<&Value>) -> Option<&str> {
    value?.get("from")?.as_str()
}

fn moment(value: &Value) -> Option<&str> {
    value.get("at")?.as_str()
}

fn ids(merged: &Value) -> Vec<&str> {
    merged.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::contact_records::tests::{id, left_behind, read, with};
    use super::*;

    /// A value with where it came from.
    fn came(value: Value, from: Option<u8>) -> Value {
        with(value, from)
    }

    fn said(given: bool, year: u16, from: Option<u8>) -> Value {
        let mut said = with(json!({"given": given}), from);
        said["at"] = format!("{year}-01-01T00:00:00.000Z").into();
        said
    }

    #[test]
    fn what_was_taken_away_while_merged_does_not_come_back() {
        let value = |text: &str, from| came(json!({"value": text}), from);
        let attribute = |text: &str, from| json!({"attributes": {"plan": value(text, from)}});
        let state = |from| json!({"states": {"opted_out": came(json!({}), from)}});
        let consent = |given, year, from| json!({"consents": {"news": said(given, year, from)}});
        let opted_out = |year: u16| {
            let mut opted_out = came(json!({}), None);
            opted_out["at"] = format!("{year}-01-01T00:00:00.000Z").into();
            json!({"states": {"opted_out": opted_out}})
        };
        let mut merged = came(json!({"change": "merged_into", "into": id(1)}), None);
        merged["at"] = "2026-06-01T00:00:00.000Z".into();
        merged.as_object_mut().unwrap().remove("way");
        let changes = json!([merged]);
        let name = |text: &str, from| json!({"name": text, "name_provenance": came(json!({}), from)});
        let language = |text: &str, from| json!({"language": text, "language_provenance": came(json!({}), from)});
        let nothing = json!({});
        // Bo (2) and then Cy (3) were merged into Ana (1). What Ana has, what Bo has, and what Bo is left with.
        let rows = [
            ("an attribute that was copied", attribute("pro", Some(2)), attribute("pro", None), attribute("pro", None)),
            ("one that was taken away", nothing.clone(), attribute("pro", None), nothing.clone()),
            (
                "one of which Ana had another value",
                attribute("x", None),
                attribute("pro", None),
                attribute("pro", None),
            ),
            (
                "one that was taken away before Cy came",
                attribute("x", Some(3)),
                attribute("pro", None),
                nothing.clone(),
            ),
            ("one from somebody parted since", attribute("x", Some(9)), attribute("pro", None), attribute("pro", None)),
            ("one of somebody forgotten", attribute("x", Some(8)), attribute("x", Some(8)), attribute("x", None)),
            ("that one taken away", nothing.clone(), attribute("x", Some(8)), nothing.clone()),
            ("a state that was copied", state(Some(2)), state(None), state(None)),
            ("one that both had", state(None), state(None), state(None)),
            ("one that was lifted", nothing.clone(), state(None), nothing.clone()),
            ("a name that was copied", name("Bo", Some(2)), name("Bo", None), name("Bo", None)),
            ("one that was taken away", nothing.clone(), name("Bo", None), nothing.clone()),
            ("one beside Ana's", name("Ana", None), name("Bo", None), name("Bo", None)),
            ("a language that was copied", language("es", Some(2)), language("es", None), language("es", None)),
            ("one that was taken away", nothing.clone(), language("es", None), nothing.clone()),
            (
                "a consent said for both",
                consent(false, 2027, None),
                consent(true, 2026, None),
                consent(false, 2027, None),
            ),
            ("a refusal lifted", consent(true, 2027, None), consent(false, 2026, None), consent(true, 2027, None)),
            ("one from before", consent(false, 2025, None), consent(true, 2026, None), consent(true, 2026, None)),
            ("one that was copied", consent(true, 2026, Some(2)), consent(true, 2026, None), consent(true, 2026, None)),
            ("Cy's refusal", consent(false, 2027, Some(3)), consent(true, 2026, None), consent(true, 2026, None)),
            ("one that went with a split", nothing.clone(), consent(true, 2026, None), nothing.clone()),
            ("a refusal said for both", consent(false, 2027, None), nothing.clone(), consent(false, 2027, None)),
            ("a refusal from before the merge", consent(false, 2025, None), nothing.clone(), nothing.clone()),
            (
                "a consent said for both, of which Bo had none",
                consent(true, 2027, None),
                nothing.clone(),
                nothing.clone(),
            ),
            ("a state said for both", opted_out(2027), nothing.clone(), opted_out(2027)),
            ("a state from before the merge", opted_out(2025), nothing.clone(), nothing),
        ];
        for (what, root, member, wanted) in rows {
            let merge = |mut record: Value, more: Value| {
                record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                record
            };
            let file = left_behind(
                &[
                    (1, merge(root.clone(), json!({"merged": [id(2), id(3)]}))),
                    (2, merge(member.clone(), json!({"merged_into": id(1), "changes": changes}))),
                    (3, json!({"merged_into": id(1)})),
                ],
                &[],
            );
            let (bo, _) = read(&file, 2);
            for part in ["attributes", "consents", "states"] {
                let left = |record: &Value| {
                    let values = record.get(part).and_then(Value::as_object).cloned().unwrap_or_default();
                    Value::Object(values)
                };
                assert_eq!(left(&bo), left(&wanted), "{what}: {part}");
            }
            for part in ["name", "language"] {
                assert_eq!(bo.get(part), wanted.get(part), "{what}: {part}");
            }
            // A merge that was interrupted had copied nothing: nothing was taken away.
            let file = left_behind(
                &[
                    (1, root),
                    (2, merge(member.clone(), json!({"merged_into": id(1)}))),
                    (3, json!({"merged_into": id(1)})),
                ],
                &[],
            );
            let (bo, _) = read(&file, 2);
            for part in ["attributes", "consents", "states", "name", "language"] {
                assert_eq!(bo.get(part).is_some(), member.get(part).is_some(), "{what}, interrupted: {part}");
            }
        }
    }

    #[test]
    fn in_a_chain_the_record_at_its_end_was_changed() {
        let plan = |from| json!({"plan": came(json!({"value": "pro"}), from)});
        for (anas, cy_keeps) in [(json!({}), false), (plan(Some(3)), true)] {
            let file = left_behind(
                &[
                    (1, json!({"attributes": anas, "merged": [id(2), id(3)]})),
                    (2, json!({"attributes": plan(Some(3)), "merged": [id(3)], "merged_into": id(1)})),
                    (3, json!({"attributes": plan(None), "merged_into": id(2)})),
                ],
                &[],
            );
            let left = [1, 2, 3].map(|n| read(&file, n).1.attributes.len());
            assert_eq!(left, [0, 0, usize::from(cy_keeps)]);
        }
    }

    #[test]
    fn where_pointers_lead_to_nobody_or_in_a_circle_everything_stays() {
        let attributes = json!({"plan": came(json!({"value": "pro"}), None)});
        let file = left_behind(
            &[
                (1, json!({"attributes": attributes, "merged": [id(2)], "merged_into": id(2)})),
                (2, json!({"attributes": attributes, "merged": [id(1)], "merged_into": id(1)})),
                (3, json!({"attributes": attributes, "merged_into": id(9)})),
                (4, json!({"attributes": attributes})),
            ],
            &[],
        );
        assert_eq!([1, 2, 3, 4].map(|n| read(&file, n).1.attributes.len()), [1; 4]);
    }
}
