//! The schema's step 10: contacts' records that were merged have their own again. Until then a merge copied what was
//! known into the record of the contact who went on, marked with where it came from (`from`), and gave that one the keys
//! in the index; the other record stayed as it was and pointed there. One record at a time.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

/// The format that this step writes.
const FORMAT: u64 = 2;
/// No pointer leads over more records than this.
pub(super) const STEPS_MAX: usize = 64;
/// The parts of a record in which each value says where it came from.
pub(super) const PARTS: [&str; 3] = ["attributes", "consents", "states"];

const NEXT: &str = "SELECT scope, id, body FROM records
    WHERE +kind = 'contact' AND (scope, kind, id) > (?1, 'contact', ?2) ORDER BY scope, kind, id LIMIT 1";
const BODY: &str = "SELECT body FROM records WHERE scope = ?1 AND kind = 'contact' AND id = ?2";
const WRITE: &str = "UPDATE records SET body = ?3 WHERE scope = ?1 AND kind = 'contact' AND id = ?2";
const HOLDER: &str = "SELECT id FROM record_keys WHERE scope = ?1 AND kind = 'contact' AND key = ?2";
const HOLD: &str = "UPDATE record_keys SET id = ?3 WHERE scope = ?1 AND kind = 'contact' AND key = ?2";

/// Gives each record its own. Inside the step's transaction.
pub(super) fn part(connection: &Connection) -> rusqlite::Result<()> {
    // While the copies still say where they came from, one can see which of them was taken away.
    each(connection, |contacts, id, record| contacts.follow_removals(id, record))?;
    // All copies go back before it is looked at which identities nobody finds any more.
    each(connection, |contacts, id, record| contacts.give_back(id, record))?;
    each(connection, |contacts, id, record| contacts.reconcile(id, record))
}

pub(super) type Body = Map<String, Value>;

/// Hands over every record that can be read; one that cannot be stays as it is.
fn each(
    connection: &Connection,
    change: impl Fn(&Contacts<'_>, &str, &mut Body) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut next = connection.prepare(NEXT)?;
    let (mut scope, mut id) = (Vec::new(), String::new());
    loop {
        let found = next
            .query_row(params![scope, id], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)))
            .optional()?;
        let Some(found) = found else { return Ok(()) };
        let body;
        (scope, id, body) = found;
        let Ok(Value::Object(mut record)) = serde_json::from_slice(&body) else { continue };
        let contacts = Contacts { connection, scope: &scope };
        change(&contacts, &id, &mut record)?;
        contacts.write(&id, record)?;
    }
}

/// The records of one tenant.
pub(super) struct Contacts<'a> {
    connection: &'a Connection,
    scope: &'a [u8],
}

impl Contacts<'_> {
    /// What came with others goes from this record; the index has their identities for them again.
    fn give_back(&self, id: &str, record: &mut Body) -> rusqlite::Result<()> {
        for known in list(record, "identities") {
            let Some(from) = known.get("from").and_then(Value::as_str) else { continue };
            if let (Some(key), Some(theirs)) = (key(known), self.read(from)?)
                && self.holder(&key)?.as_deref() == Some(id)
                && theirs.get("identities").and_then(Value::as_array).into_iter().flatten().any(|has| same(has, known))
            {
                self.connection.prepare_cached(HOLD)?.execute(params![self.scope, key, from])?;
            }
        }
        let known = self.exist(record)?;
        let came = |value: &Value| {
            let from = value.get("from").and_then(Value::as_str);
            from.is_some_and(|from| known.iter().any(|id| id == from))
        };
        for (part, provenance) in [("name", "name_provenance"), ("language", "language_provenance")] {
            if record.remove(provenance).is_some_and(|provenance| came(&provenance)) {
                record.remove(part);
            }
        }
        for part in PARTS {
            let Some(values) = record.get_mut(part).and_then(Value::as_object_mut) else { continue };
            values.retain(|_, value| !came(value));
            values.values_mut().for_each(forget_from);
        }
        list(record, "identities").for_each(forget_from);
        for changed in list(record, "changes").filter_map(Value::as_object_mut) {
            if changed.get("change").is_some_and(|change| change == "merged") {
                changed.remove("name");
                changed.remove("attributes");
            }
        }
        let step = record.get("begun").and_then(|begun| begun.get("step")).and_then(Value::as_str).map(str::to_owned);
        match step.as_deref() {
            // The pointer says whether it was done.
            Some("merge" | "unmerge") => drop(record.remove("begun")),
            Some("erase") => {
                let members = record.get("merged").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
                if let Some(begun) = record.get_mut("begun").and_then(Value::as_object_mut) {
                    begun.insert("members".into(), members);
                }
            }
            _ => {}
        }
        record.insert("format".into(), FORMAT.into());
        Ok(())
    }

    /// An identity that the index has for somebody else, or nobody, was given or taken away meanwhile. A pointer is looked
    /// for from where it leads, and leads to an end.
    fn reconcile(&self, id: &str, record: &mut Body) -> rusqlite::Result<()> {
        let mut own = Vec::new();
        for known in list(record, "identities") {
            let Some(key) = key(known) else { continue };
            if self.holder(&key)?.as_deref() == Some(id) {
                own.push(known.clone());
            }
        }
        if record.contains_key("identities") {
            record.insert("identities".into(), Value::Array(own));
        }
        if let Some(into) = pointer(record) {
            if self.comes_to_an_end(&into)? {
                self.expect(&into, id)?;
            } else {
                record.remove("merged_into");
            }
        }
        Ok(())
    }

    fn comes_to_an_end(&self, into: &str) -> rusqlite::Result<bool> {
        let mut next = into.to_owned();
        for _ in 0..STEPS_MAX {
            match self.read(&next)?.as_ref().and_then(pointer) {
                Some(into) => next = into,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    fn expect(&self, into: &str, other: &str) -> rusqlite::Result<()> {
        let Some(mut record) = self.read(into)? else { return Ok(()) };
        let merged = record.entry("merged").or_insert_with(|| Value::Array(Vec::new()));
        let Some(merged) = merged.as_array_mut().filter(|merged| merged.iter().all(|id| id != other)) else {
            return Ok(());
        };
        merged.push(other.into());
        self.write(into, record)
    }

    /// Those of the contacts named as the origin of something in a record who have a record.
    fn exist(&self, record: &Body) -> rusqlite::Result<Vec<String>> {
        let parts = ["identities", "name_provenance", "language_provenance"].into_iter().chain(PARTS);
        let values = parts.filter_map(|part| record.get(part)).flat_map(|part| match part {
            Value::Array(values) => values.iter().collect::<Vec<_>>(),
            Value::Object(values) => values.values().chain([part]).collect(),
            _ => Vec::new(),
        });
        let mut named: Vec<_> = values.filter_map(|value| value.get("from")?.as_str().map(str::to_owned)).collect();
        named.sort_unstable();
        named.dedup();
        let mut known = Vec::new();
        for id in named {
            if self.read(&id)?.is_some() {
                known.push(id);
            }
        }
        Ok(known)
    }

    pub(super) fn read(&self, id: &str) -> rusqlite::Result<Option<Body>> {
        let body: Option<Vec<u8>> =
            self.connection.prepare_cached(BODY)?.query_row(params![self.scope, id], |row| row.get(0)).optional()?;
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()))
    }

    fn write(&self, id: &str, record: Body) -> rusqlite::Result<()> {
        let body = Value::Object(record).to_string().into_bytes();
        self.connection.prepare_cached(WRITE)?.execute(params![self.scope, id, body]).map(drop)
    }

    fn holder(&self, key: &str) -> rusqlite::Result<Option<String>> {
        self.connection.prepare_cached(HOLDER)?.query_row(params![self.scope, key], |row| row.get(0)).optional()
    }
}

fn list<'a>(record: &'a mut Body, part: &str) -> impl Iterator<Item = &'a mut Value> {
    record.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten()
}

pub(super) fn pointer(record: &Body) -> Option<String> {
    record.get("merged_into")?.as_str().map(str::to_owned)
}

fn forget_from(value: &mut Value) {
    if let Some(value) = value.as_object_mut() {
        value.remove("from");
    }
}

fn key(known: &Value) -> Option<String> {
    Some(format!("{}:{}", known.get("kind")?.as_str()?, known.get("value")?.as_str()?))
}

fn same(one: &Value, other: &Value) -> bool {
    key(one).is_some_and(|key_of_one| key(other) == Some(key_of_one))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::sqlite::migrate::{STEPS, migrate};

    const BEFORE: usize = 9;

    pub(in crate::sqlite) fn id(n: u8) -> String {
        format!("ct_{}", format!("{n:02x}").repeat(16))
    }

    fn known(value: &str, from: Option<u8>) -> Value {
        with(json!({"kind": "external", "value": value}), from)
    }

    pub(in crate::sqlite) fn with(mut value: Value, from: Option<u8>) -> Value {
        let provenance = json!({"at": "2026-01-01T00:00:00.000Z", "by": "key 1", "way": "api"});
        value.as_object_mut().unwrap().extend(provenance.as_object().unwrap().clone());
        if let Some(from) = from {
            value["from"] = id(from).into();
        }
        value
    }

    /// A file as the last program left it that copied: `(id, record)`, and who is found by what.
    pub(in crate::sqlite) fn left_behind(records: &[(u8, Value)], keys: &[(&str, u8)]) -> Connection {
        let mut file = Connection::open_in_memory().unwrap();
        migrate(&mut file, &STEPS[..BEFORE]).unwrap();
        for (n, record) in records {
            let mut body = json!({"format": 1, "created_at": "2026-01-01T00:00:00.000Z"});
            body.as_object_mut().unwrap().extend(record.as_object().unwrap().clone());
            let insert = "INSERT INTO records (scope, kind, id, version, body) VALUES (x'01', 'contact', ?1, 3, ?2)";
            file.execute(insert, params![id(*n), body.to_string().into_bytes()]).unwrap();
        }
        for (name, n) in keys {
            let insert = "INSERT INTO record_keys (scope, kind, key, id) VALUES (x'01', 'contact', ?1, ?2)";
            file.execute(insert, params![format!("external:{name}"), id(*n)]).unwrap();
        }
        migrate(&mut file, &STEPS[..=BEFORE]).unwrap();
        file
    }

    pub(in crate::sqlite) fn read(file: &Connection, n: u8) -> (Value, schema::ContactRecord) {
        let contacts = Contacts { connection: file, scope: &[1] };
        let record = Value::Object(contacts.read(&id(n)).unwrap().unwrap());
        let parsed = serde_json::from_value(record.clone()).unwrap();
        (record, parsed)
    }

    fn holder(file: &Connection, name: &str) -> Option<String> {
        Contacts { connection: file, scope: &[1] }.holder(&format!("external:{name}")).unwrap()
    }

    fn names(record: &Value) -> Vec<&str> {
        let all = record["identities"].as_array().into_iter().flatten();
        all.map(|known| known["value"].as_str().unwrap()).collect()
    }

    #[test]
    fn what_was_copied_stands_with_whom_it_came_from_and_nowhere_else() {
        // Cy in Bo, both in Ana; of Bo's names one was taken away while merged, and one has gone to Dora.
        let file = left_behind(
            &[
                (
                    1,
                    json!({"name": "Bo B.", "name_provenance": with(json!({}), Some(2)), "language": "es",
                    "language_provenance": with(json!({}), None),
                    "identities": [known("ana", None), known("bo", Some(2)), known("cy", Some(3)), known("lost", Some(8))],
                    "attributes": {"plan": with(json!({"value": "pro"}), None), "size": with(json!({"value": "M"}), Some(2)),
                        "seen": with(json!({"value": "1"}), Some(8))},
                    "consents": {"news": with(json!({"given": false}), Some(3))},
                    "states": {"opted_out": with(json!({}), Some(3))}, "merged": [id(2), id(3)],
                    "changes": [{"at": "2026-01-01T00:00:00.000Z", "by": "key 1", "change": "merged", "other": id(2),
                        "name": "Bo B.", "attributes": {"plan": "free"}}]}),
                ),
                (
                    2,
                    json!({"name": "Bo B.", "name_provenance": with(json!({}), None),
                    "identities": [known("bo", None), known("gone", None), known("doras", None), known("cy", Some(3))],
                    "attributes": {"plan": with(json!({"value": "free"}), None), "size": with(json!({"value": "M"}), None)},
                    "merged": [id(3)], "merged_into": id(1)}),
                ),
                (
                    3,
                    json!({"identities": [known("cy", None)], "consents": {"news": with(json!({"given": false}), None)},
                    "states": {"opted_out": with(json!({}), None)}, "merged_into": id(2)}),
                ),
                (4, json!({"identities": [known("doras", None)]})),
            ],
            &[("ana", 1), ("bo", 1), ("cy", 1), ("lost", 1), ("doras", 4)],
        );
        let [(ana, anas), (bo, bos), (cy, cys), (dora, _)] = [1, 2, 3, 4].map(|n| read(&file, n));
        // Of whom there is no record any more, everything stays where it is.
        assert_eq!(names(&ana), ["ana", "lost"]);
        assert_eq!((names(&bo), names(&cy), names(&dora)), (vec!["bo"], vec!["cy"], vec!["doras"]));
        for (name, n) in [("ana", 1), ("lost", 1), ("bo", 2), ("cy", 3), ("doras", 4)] {
            assert_eq!(holder(&file, name), Some(id(n)), "{name}");
        }
        assert_eq!(holder(&file, "gone"), None);
        assert!(ana.get("name").is_none() && ana["language"] == "es" && bo["name"] == "Bo B.");
        assert_eq!(anas.attributes.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["plan", "seen"]);
        assert_eq!((bos.attributes.len(), anas.consents.len(), anas.states.len()), (2, 0, 0));
        assert_eq!((cys.consents.len(), cys.states.len()), (1, 1));
        assert!(!ana.to_string().contains("\"from\"") && !ana.to_string().contains("free"), "{ana}");
        assert!(anas.expects(id(2).parse().unwrap()) && bos.expects(id(3).parse().unwrap()));
        assert!([&ana, &bo, &cy, &dora].iter().all(|record| record["format"] == FORMAT));
        assert_eq!(bo["merged_into"], id(1));
    }

    #[test]
    fn what_had_begun_is_as_the_pointers_say_and_an_erasure_goes_on_with_whom_it_had() {
        let begun = |step: Value| {
            let mut begun = json!({"at": "2026-01-01T00:00:00.000Z", "by": "key 1"});
            begun.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
            begun
        };
        let split = json!({"step": "split", "into": id(9), "identities": [{"kind": "external", "value": "six"}]});
        let file = left_behind(
            &[
                // The other one points here already, and the list does not say so.
                (
                    1,
                    json!({"identities": [known("one", None)], "begun": begun(json!({"step": "merge", "other": id(2)}))}),
                ),
                (2, json!({"identities": [known("two", None)], "merged_into": id(1)})),
                // The other one stands for itself already.
                (
                    3,
                    json!({"identities": [known("three", None), known("four", Some(4))], "merged": [id(4)],
                    "begun": begun(json!({"step": "unmerge", "other": id(4)}))}),
                ),
                (4, json!({"identities": [known("four", None)]})),
                (5, json!({"merged": [id(7)], "begun": begun(json!({"step": "erase"}))})),
                (6, json!({"identities": [known("six", None)], "begun": begun(split)})),
                // Nobody could say who these are.
                (10, json!({"merged": [id(11)], "merged_into": id(11)})),
                (11, json!({"merged": [id(10)], "merged_into": id(10)})),
            ],
            &[("one", 1), ("two", 2), ("three", 3), ("four", 4), ("six", 6)],
        );
        for n in [1, 3] {
            assert!(read(&file, n).1.begun.is_none(), "{n}");
        }
        assert!(read(&file, 1).1.expects(id(2).parse().unwrap()));
        assert_eq!((holder(&file, "two"), holder(&file, "four")), (Some(id(2)), Some(id(4))));
        assert_eq!(names(&read(&file, 3).0), ["three"]);
        let members = vec![id(7).parse().unwrap()];
        assert_eq!(read(&file, 5).1.begun.unwrap().step, schema::Step::Erase { members });
        assert!(matches!(read(&file, 6).1.begun.unwrap().step, schema::Step::Split { .. }));
        let ends = [10, 11].map(|n| read(&file, n).1.merged_into.is_some());
        assert_eq!(ends.iter().filter(|has| **has).count(), 1, "one of the two stands for itself");
    }

    #[test]
    fn a_record_that_cannot_be_read_stays_and_each_is_found_by_an_index() {
        let mut file = Connection::open_in_memory().unwrap();
        migrate(&mut file, &STEPS[..BEFORE]).unwrap();
        let insert = "INSERT INTO records (scope, kind, id, version, body) VALUES (x'01', 'contact', ?1, 3, ?2)";
        file.execute(insert, params![id(1), b"{\"form"]).unwrap();
        migrate(&mut file, STEPS).unwrap();
        let body: Vec<u8> = file.query_row("SELECT body FROM records", [], |row| row.get(0)).unwrap();
        assert_eq!(body, b"{\"form");
        for sql in [NEXT, BODY, WRITE, HOLDER, HOLD] {
            let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let found = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
            assert!(found.iter().all(|step| step.starts_with("SEARCH")), "{sql}: {found:?}");
        }
    }
}
