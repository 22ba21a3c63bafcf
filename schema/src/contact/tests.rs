//! What may be done to records, and what comes of it.

use super::*;
use crate::ContactId;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
}

fn identity(text: &str) -> Identity {
    text.parse().unwrap()
}

fn by() -> ChangedBy {
    "key 1".parse().unwrap()
}

fn record(identities: &[&str], attributes: &[(&str, &str)]) -> ContactRecord {
    let mut record = ContactRecord::new(at(0));
    let change = ContactChange {
        add_identities: identities.iter().map(|text| identity(text)).collect(),
        attributes: attributes
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), Some(value.parse().unwrap())))
            .collect(),
        ..ContactChange::default()
    };
    record.change(change, &by(), at(0)).unwrap();
    record
}

fn keys(record: &ContactRecord) -> Vec<String> {
    record.keys()
}

fn values(record: &ContactRecord) -> Vec<(&str, &str)> {
    record.attributes.iter().map(|(name, attribute)| (name.as_str(), attribute.value.as_str())).collect()
}

#[test]
fn a_change_says_what_changes_and_leaves_the_rest() {
    let mut ana = record(&["external:ana", "phone:+34600123456"], &[("plan", "pro"), ("size", "M")]);
    let change: ContactChange = serde_json::from_str(
        r#"{"version":1,"name":"Ana","language":"es","attributes":{"plan":null,"size":"L"},
            "remove_identities":[{"kind":"phone","value":"+34 600 123 456"}],
            "add_identities":[{"kind":"email","value":"Ana@Example.com"},{"kind":"external","value":"ana"}],
            "consents":{"news":{"given":true,"how":"form"}},"states":{"blocked":true,"opted_out":false}}"#,
    )
    .unwrap();
    ana.change(change, &by(), at(5)).unwrap();
    assert_eq!(keys(&ana), ["external:ana", "email:ana@example.com"]);
    assert_eq!(values(&ana), [("size", "L")]);
    assert_eq!((ana.identities[0].provenance.at, ana.identities[1].provenance.at), (at(0), at(5)));
    assert_eq!(ana.states.keys().copied().collect::<Vec<_>>(), [ContactState::Blocked]);
    assert!(ana.consents.values().all(|consent| consent.given && consent.provenance.at == at(5)));
    assert_eq!(ana.name.as_ref().map(PersonName::as_str), Some("Ana"));
    let (name, language) = (ana.name.clone(), ana.language.clone());
    ana.change(ContactChange::default(), &by(), at(6)).unwrap();
    assert_eq!((ana.name.clone(), ana.language.clone()), (name.clone(), language));
    ana.change(serde_json::from_str(r#"{"version":2,"name":null,"language":null}"#).unwrap(), &by(), at(7)).unwrap();
    assert_eq!((ana.name.as_ref(), ana.language.as_ref()), (None, None));
    assert_eq!(ana.changes.last().map(|changed| &changed.change), Some(&ChangeKind::Renamed { before: name }));
    let kept = serde_json::to_vec(&ana).unwrap();
    assert_eq!(serde_json::from_slice::<ContactRecord>(&kept).unwrap(), ana);
    assert_eq!(ana.shown(ContactId::generate()).as_str(), "ana");
}

#[test]
fn a_record_stays_within_its_bounds_and_as_it_was() {
    let many = |count: usize| (0..count).map(|n| identity(&format!("external:{n}"))).collect::<Vec<_>>();
    let value = "v".repeat(limits::ATTRIBUTE_VALUE_CHARS_MAX);
    let attributes = |count: usize, value: &str| {
        (0..count).map(|n| (format!("a{n}").parse().unwrap(), Some(value.parse().unwrap()))).collect()
    };
    let consents = |count: usize| {
        let said = ConsentIn { given: true, how: None, at: None };
        (0..count).map(|n| (format!("p{n}").parse().unwrap(), said.clone())).collect()
    };
    let none = ContactChange::default;
    for (change, refused) in [
        (ContactChange { add_identities: many(limits::IDENTITIES_MAX - 1), ..none() }, None),
        (ContactChange { add_identities: many(limits::IDENTITIES_MAX), ..none() }, Some(ContactError::Identities)),
        (ContactChange { attributes: attributes(limits::ATTRIBUTES_MAX, "v"), ..none() }, None),
        (
            ContactChange { attributes: attributes(limits::ATTRIBUTES_MAX + 1, "v"), ..none() },
            Some(ContactError::Attributes),
        ),
        (ContactChange { attributes: attributes(20, &value), ..none() }, Some(ContactError::Attributes)),
        (ContactChange { consents: consents(limits::CONSENTS_MAX), ..none() }, None),
        (ContactChange { consents: consents(limits::CONSENTS_MAX + 1), ..none() }, Some(ContactError::Consents)),
        (ContactChange { remove_identities: vec![identity("external:bo")], ..none() }, Some(ContactError::NotTheirs)),
    ] {
        let mut ana = record(&["external:ana"], &[]);
        let before = ana.clone();
        assert_eq!(ana.change(change, &by(), at(1)).err(), refused);
        assert_eq!(ana == before, refused.is_some());
    }
    let mut ana = record(&[], &[]);
    for n in 0..2 * limits::CONTACT_CHANGES_MAX {
        let name = format!("{n:0>200}").parse().ok();
        ana.change(ContactChange { name: Some(name), ..none() }, &by(), at(1)).unwrap();
    }
    assert_eq!(ana.changes.len(), limits::CONTACT_CHANGES_MAX);
    for n in 0..6 {
        let id = ContactId::from_bytes([n; 16]);
        let long: Vec<_> = (0..15).map(|n| (format!("a{n}"), "é".repeat(500))).collect();
        let long: Vec<_> = long.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut mine = record(&[], &long);
        std::mem::swap(&mut mine.changes, &mut ana.changes);
        let theirs: Vec<_> = long.iter().map(|(name, value)| (*name, value.replacen('é', "e", 1))).collect();
        let theirs: Vec<_> = theirs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        mine.take_in(id, &record(&[], &theirs), &by(), at(2));
        ana = mine;
        assert!(serde_json::to_vec(&ana.changes).unwrap().len() <= limits::CONTACT_CHANGES_BYTES_MAX + 2_048);
        assert!(matches!(ana.changes.last().unwrap().change, ChangeKind::Merged { other, .. } if other == id));
    }
}

#[test]
fn a_merge_keeps_what_the_one_who_goes_on_has_and_can_be_undone() {
    let [a, b, c] = [1, 2, 3].map(|n| ContactId::from_bytes([n; 16]));
    let mut ana = record(&["external:ana"], &[("plan", "pro")]);
    let mut bo = record(&["external:bo", "phone:+34600123456"], &[("plan", "free"), ("size", "M")]);
    let cy = record(&["email:cy@example.com"], &[("city", "Vigo")]);
    let consent = |given| ContactChange {
        consents: [("news".parse().unwrap(), ConsentIn { given, how: None, at: None })].into(),
        ..ContactChange::default()
    };
    ana.change(consent(true), &by(), at(1)).unwrap();
    bo.change(consent(false), &by(), at(1)).unwrap();
    bo.take_in(c, &cy, &by(), at(2));
    let before = ana.clone();
    assert_eq!(ana.may_take_in(a, b, &bo), Ok(()));
    ana.take_in(b, &bo, &by(), at(3));
    let once = ana.clone();
    ana.take_in(b, &bo, &by(), at(4));
    assert_eq!(ana, once, "twice is once");
    bo.point_to(a, &by(), at(3));
    assert_eq!(keys(&ana), ["external:ana", "external:bo", "phone:+34600123456", "email:cy@example.com"]);
    assert_eq!(values(&ana), [("city", "Vigo"), ("plan", "pro"), ("size", "M")]);
    assert_eq!(ana.family(a), [a, b, c]);
    assert!(ana.consents.values().all(|consent| !consent.given), "either's no is a no");
    let Some(ChangeKind::Merged { other, attributes, .. }) = ana.changes.last().map(|changed| &changed.change) else {
        panic!("a merge is noted");
    };
    assert_eq!((*other, attributes.values().next().map(AttributeValue::as_str)), (b, Some("free")));
    for (mine, other, theirs, refused) in [
        (&ana, a, &before, ContactError::Itself),
        (&ana, b, &bo, ContactError::Itself),
        (&before, b, &bo, ContactError::Busy),
    ] {
        assert_eq!(mine.may_take_in(a, other, theirs), Err(refused));
    }

    let mut again = bo.clone();
    again.stand_alone(b, a, &ana, &by(), at(5));
    ana.let_go(b, &bo, &by(), at(5));
    assert_eq!((keys(&ana), values(&ana)), (keys(&before), values(&before)));
    assert_eq!((ana.merged.as_slice(), again.merged_into, again.merged.as_slice()), (&[][..], None, &[c][..]));
    assert_eq!(keys(&again), ["external:bo", "phone:+34600123456", "email:cy@example.com"]);
    assert_eq!(values(&again), [("city", "Vigo"), ("plan", "free"), ("size", "M")]);
}

#[test]
fn a_split_takes_identities_and_what_came_with_them() {
    let [a, b, n] = [1, 2, 9].map(|n| ContactId::from_bytes([n; 16]));
    let mut ana = record(&["external:ana", "email:ana@example.com"], &[("plan", "pro")]);
    ana.take_in(b, &record(&["external:bo", "phone:+34600123456"], &[("size", "M")]), &by(), at(1));
    for (identities, refused) in [
        (&[][..], ContactError::NothingToSplit),
        (&["external:cy"][..], ContactError::NotTheirs),
        (&["external:ana", "external:cy"][..], ContactError::NotTheirs),
    ] {
        let identities: Vec<_> = identities.iter().map(|text| identity(text)).collect();
        assert_eq!(ana.may_split(&identities), Err(refused));
    }
    for (identities, new_keys, new_values, left) in [
        (&["email:ana@example.com"][..], &["email:ana@example.com"][..], &[][..], 3),
        // What came with somebody goes with the last identity that came with them.
        (&["external:bo"], &["external:bo"], &[], 3),
        (&["external:bo", "phone:+34600123456"], &["external:bo", "phone:+34600123456"], &[("size", "M")], 2),
    ] {
        let identities: Vec<_> = identities.iter().map(|text| identity(text)).collect();
        assert_eq!(ana.may_split(&identities), Ok(()));
        let new = ana.split_off(a, &identities, &by(), at(2));
        assert_eq!(
            (keys(&new).as_slice(), values(&new).as_slice()),
            (&*new_keys.iter().map(ToString::to_string).collect::<Vec<_>>(), new_values)
        );
        let mut rest = ana.clone();
        rest.give_away(n, &identities, &by(), at(2));
        assert_eq!(rest.identities.len(), left);
        assert_eq!(values(&rest).len() + new_values.len(), values(&ana).len());
    }
}

#[test]
fn of_two_records_one_change_goes_on_at_a_time() {
    let other = ContactId::generate();
    let mut ana = record(&["external:ana"], &[]);
    ana.begin(Step::Merge { other }, &by(), at(1)).unwrap();
    let kept = serde_json::to_vec(&ana).unwrap();
    assert_eq!(serde_json::from_slice::<ContactRecord>(&kept).unwrap(), ana);
    assert_eq!(ana.begin(Step::Unmerge { other }, &by(), at(1)), Err(ContactError::Busy));
    ana.begin(Step::Erase, &by(), at(1)).unwrap();
    assert!(ana.is_erasing());
    assert_eq!(ana.begin(Step::Merge { other }, &by(), at(1)), Err(ContactError::Erasing));
    ana.end();
    ana.point_to(other, &by(), at(2));
    assert_eq!(ana.begin(Step::Merge { other }, &by(), at(2)), Err(ContactError::Busy));
}

/// Somebody of whom everything is known, each value with the mark in it.
fn marked(mark: &str) -> ContactRecord {
    let mut record = record(&[&format!("external:{mark}")], &[("plan", mark), (&format!("only {mark}"), "1")]);
    let change = ContactChange {
        name: Some(Some(mark.parse().unwrap())),
        language: Some(Some("gl".parse().unwrap())),
        consents: [("news".parse().unwrap(), ConsentIn { given: false, how: Some(mark.parse().unwrap()), at: None })]
            .into(),
        ..ContactChange::default()
    };
    record.change(change, &by(), at(0)).unwrap();
    record
}

fn has(record: &ContactRecord, mark: &str) -> bool {
    String::from_utf8(serde_json::to_vec(record).unwrap()).unwrap().contains(mark)
}

#[test]
fn nothing_of_a_contact_stays_with_the_one_whom_they_leave() {
    let [a, b, c, n] = [1, 2, 3, 9].map(|n| ContactId::from_bytes([n; 16]));
    let nothing_own = || record(&["external:ana"], &[]);
    let all_own = || marked("own-7c1e");
    let renamed = |record: &mut ContactRecord| {
        let name = Some(Some("another".parse().unwrap()));
        record.change(ContactChange { name, ..ContactChange::default() }, &by(), at(4)).unwrap();
    };
    for (case, mine) in [("nothing", nothing_own()), ("all", all_own())] {
        for is_renamed in [false, true] {
            let mut ana = mine.clone();
            let bo = marked("canary-b-55aa");
            ana.take_in(b, &bo, &by(), at(3));
            assert!(has(&ana, "canary-b-55aa"), "{case}");
            assert_eq!(ana.language.as_ref().map(Locale::as_str), Some("gl"));
            if is_renamed {
                renamed(&mut ana);
            }
            let mut split = ana.clone();
            ana.let_go(b, &bo, &by(), at(5));
            assert!(!has(&ana, "canary-b-55aa"), "{case}: {ana:?}");
            assert_eq!(ana.language, mine.language, "{case}");
            assert!(is_renamed || ana.name == mine.name, "{case}");
            let is_noted = |changed: &Changed| matches!(changed.change, ChangeKind::Merged { other, .. } if other == b);
            assert!(ana.changes.iter().any(|changed| is_noted(changed) && changed.at == at(3)), "{case}");
            // The same when all by which they were known goes to somebody new.
            let goes = [identity("external:canary-b-55aa")];
            let new = split.split_off(a, &goes, &by(), at(5));
            split.give_away(n, &goes, &by(), at(5));
            assert!(!has(&split, "canary-b-55aa"), "{case}: {split:?}");
            if case == "nothing" && !is_renamed {
                assert_eq!((&new.name, &new.language), (&bo.name, &bo.language));
                assert!(new.name_provenance.is_some_and(|provenance| provenance.from.is_none()));
            }
        }
        // One who came by way of another leaves alone.
        let (mut ana, mut bo, cy) = (mine.clone(), record(&["external:bo"], &[]), marked("canary-c-91d0"));
        bo.take_in(c, &cy, &by(), at(2));
        ana.take_in(b, &bo, &by(), at(3));
        ana.let_go(c, &cy, &by(), at(5));
        assert!(!has(&ana, "canary-c-91d0") && ana.merged == [b], "{case}: {ana:?}");
    }
}

#[test]
fn a_record_that_does_not_say_where_its_name_came_from_is_read_and_keeps_it() {
    let b = ContactId::from_bytes([2; 16]);
    let mut kept = serde_json::to_value(marked("bo")).unwrap();
    for part in ["name_provenance", "language_provenance"] {
        assert!(kept.as_object_mut().unwrap().remove(part).is_some());
    }
    let mut bo: ContactRecord = serde_json::from_value(kept).unwrap();
    let (name, language) = (bo.name.clone(), bo.language.clone());
    assert!(name.is_some() && language.is_some() && bo.name_provenance.is_none());
    let mut ana = record(&["external:ana"], &[]);
    ana.take_in(b, &bo, &by(), at(3));
    assert_eq!((&ana.name, &ana.language), (&name, &language));
    ana.let_go(b, &bo, &by(), at(4));
    assert_eq!((&ana.name, &ana.language), (&None, &None));
    bo.let_go(ContactId::from_bytes([3; 16]), &record(&[], &[]), &by(), at(5));
    assert_eq!((bo.name, bo.language), (name, language));
}
