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
    record.change(&change, &by(), at(0));
    record
}

fn id(n: u8) -> ContactId {
    ContactId::from_bytes([n; 16])
}

fn stored(n: u8, record: ContactRecord) -> StoredContact {
    StoredContact { id: id(n), version: 1, record }
}

/// The first one, with the others merged into it.
fn family(records: &[&ContactRecord]) -> Family {
    let mut all = (1..).zip(records).map(|(n, record)| stored(n, (*record).clone()));
    Family::new(all.next().unwrap(), all.collect())
}

/// A change of one who is alone.
fn changed(record: &ContactRecord, change: &ContactChange, now: Timestamp) -> Result<ContactRecord, ContactError> {
    let root = family(&[record]).change(change.clone(), &by(), now)?;
    assert!(root.record.begun.is_none(), "nobody else has to follow");
    Ok(root.record)
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
    ana = changed(&ana, &change, at(5)).unwrap();
    assert_eq!(keys(&ana), ["external:ana", "email:ana@example.com"]);
    assert_eq!(values(&ana), [("size", "L")]);
    assert_eq!((ana.identities[0].provenance.at, ana.identities[1].provenance.at), (at(0), at(5)));
    assert_eq!(ana.states.keys().copied().collect::<Vec<_>>(), [ContactState::Blocked]);
    assert!(ana.consents.values().all(|consent| consent.given && consent.provenance.at == at(5)));
    assert_eq!(ana.name.as_ref().map(PersonName::as_str), Some("Ana"));
    let (name, language) = (ana.name.clone(), ana.language.clone());
    ana = changed(&ana, &ContactChange::default(), at(6)).unwrap();
    assert_eq!((ana.name.clone(), ana.language.clone()), (name.clone(), language));
    let nameless = serde_json::from_str(r#"{"version":2,"name":null,"language":null}"#).unwrap();
    ana = changed(&ana, &nameless, at(7)).unwrap();
    assert_eq!((ana.name.as_ref(), ana.language.as_ref()), (None, None));
    assert_eq!(ana.changes.last().map(|changed| &changed.change), Some(&ChangeKind::Renamed { before: name }));
    let kept = serde_json::to_vec(&ana).unwrap();
    assert_eq!(serde_json::from_slice::<ContactRecord>(&kept).unwrap(), ana);
    assert_eq!(family(&[&ana]).shown().as_str(), "ana");
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
        let ana = record(&["external:ana"], &[]);
        assert_eq!(changed(&ana, &change, at(1)).err(), refused);
    }
    let mut ana = record(&[], &[]);
    for n in 0..2 * limits::CONTACT_CHANGES_MAX {
        let name = format!("{n:0>200}").parse().ok();
        ana = changed(&ana, &ContactChange { name: Some(name), ..none() }, at(1)).unwrap();
    }
    assert_eq!(ana.changes.len(), limits::CONTACT_CHANGES_MAX);
    let wide = "\u{1F56F}".repeat(limits::PERSON_NAME_CHARS_MAX - 3);
    for n in 0..2 * limits::CONTACT_CHANGES_MAX {
        let name = format!("{wide}{n:03}").parse().ok();
        ana = changed(&ana, &ContactChange { name: Some(name), ..none() }, at(1)).unwrap();
    }
    assert!(
        ana.changes.len() > 9
            && serde_json::to_vec(&ana.changes).unwrap().len() <= limits::CONTACT_CHANGES_BYTES_MAX + 66
    );
}

#[test]
fn those_who_are_one_are_shown_as_one_and_keep_their_own() {
    let ana = record(&["external:ana"], &[("plan", "pro")]);
    let bo = record(&["external:bo", "phone:+34600123456"], &[("plan", "free"), ("size", "M")]);
    let cy = marked("cy");
    let said = |given| ContactChange {
        consents: [("news".parse().unwrap(), ConsentIn { given, how: None, at: None })].into(),
        ..ContactChange::default()
    };
    let ana = changed(&ana, &said(true), at(1)).unwrap();
    let all = family(&[&ana, &bo, &cy]);
    let one = all.as_one();
    assert_eq!(keys(&one), ["external:ana", "external:bo", "phone:+34600123456", "external:cy"]);
    assert_eq!(values(&one), [("only cy", "1"), ("plan", "pro"), ("size", "M")]);
    let from = |provenance: &Provenance| provenance.from;
    assert_eq!(
        one.identities.iter().map(|known| from(&known.provenance)).collect::<Vec<_>>(),
        [None, Some(id(2)), Some(id(2)), Some(id(3))]
    );
    assert_eq!((one.name.as_ref(), one.language.as_ref()), (cy.name.as_ref(), cy.language.as_ref()));
    let news = &one.consents[&"news".parse().unwrap()];
    assert!(!news.given && from(&news.provenance) == Some(id(3)), "either's no is a no");
    assert_eq!((all.ids(), one.merged), (vec![id(1), id(2), id(3)], vec![id(2), id(3)]));
    // Without the last of them nothing of them is left.
    let rest = family(&[&ana, &bo]);
    assert!(!has(&rest.as_one(), "cy") && rest.as_one().name.is_none(), "{rest:?}");
    assert!(rest.as_one().consents[&"news".parse().unwrap()].given);
}

#[test]
fn what_is_said_while_they_are_one_holds_for_each_and_what_is_new_is_the_ones_who_goes_on() {
    let mut ana = record(&["external:ana"], &[("plan", "pro")]);
    ana.expect(id(2), &[]);
    let mut bo = marked("bo");
    bo.point_to(id(1), &by(), at(1));
    let change = |json: &str| serde_json::from_str::<ContactChange>(json).unwrap();
    for (asked, is_followed, anas, bos) in [
        // (what is asked for, whether Bo's record follows, what is in them then)
        (r#"{"version":1,"name":"New"}"#, false, "\"name\":\"New\"", "\"name\":\"bo\""),
        (r#"{"version":1,"name":null}"#, true, "", "\"change\":\"renamed\",\"before\":\"bo\""),
        (r#"{"version":1,"attributes":{"plan":null}}"#, true, "\"merged\"", "only bo"),
        (r#"{"version":1,"attributes":{"plan":"free"}}"#, false, "\"free\"", "\"plan\":{\"value\":\"bo\""),
        (r#"{"version":1,"states":{"opted_out":true}}"#, true, "opted_out", "opted_out"),
        (r#"{"version":1,"consents":{"ads":{"given":false}}}"#, true, "ads", "ads"),
        (r#"{"version":1,"consents":{"news":{"given":true}}}"#, true, "\"given\":true", "\"given\":true"),
        (r#"{"version":1,"remove_identities":[{"kind":"external","value":"bo"}]}"#, true, "external", ""),
        (r#"{"version":1,"add_identities":[{"kind":"external","value":"bo"}]}"#, false, "external", "external"),
        (
            r#"{"version":1,"add_identities":[{"kind":"external","value":"bo"}],
                "remove_identities":[{"kind":"external","value":"bo"}]}"#,
            false,
            "external",
            "external",
        ),
    ] {
        let root = family(&[&ana, &bo]).change(change(asked), &by(), at(2)).unwrap();
        let kept = serde_json::to_vec(&root.record).unwrap();
        let mut one: ContactRecord = serde_json::from_slice(&kept).unwrap();
        assert_eq!(one, root.record, "{asked}");
        let mut other = bo.clone();
        match one.begun.take().map(|begun| begun.step) {
            Some(Step::Change { change, members }) => {
                assert!(is_followed && members == [id(2)], "{asked}");
                assert!(other.follow(&change, &by(), at(2)), "{asked}");
                assert!(!other.follow(&change, &by(), at(2)), "{asked}: twice is once");
            }
            begun => assert!(!is_followed && begun.is_none(), "{asked}"),
        }
        assert!(has(&one, anas) && has(&other, bos), "{asked}: {one:?} {other:?}");
        let mut names = keys(&family(&[&one, &other]).as_one());
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{asked}: each once");
    }
    let of_nobody = change(r#"{"version":1,"remove_identities":[{"kind":"external","value":"cy"}]}"#);
    assert_eq!(family(&[&ana, &bo]).change(of_nobody, &by(), at(2)), Err(ContactError::NotTheirs));
    ana.begin(Step::Erase { members: vec![id(2)] }, &by(), at(3)).unwrap();
    assert_eq!(family(&[&ana, &bo]).change(ContactChange::default(), &by(), at(4)), Err(ContactError::Erasing));
}

#[test]
fn what_was_said_last_stands_whenever_it_comes_in() {
    let said = |given, moment| ContactChange {
        consents: [("news".parse().unwrap(), ConsentIn { given, how: None, at: moment })].into(),
        ..ContactChange::default()
    };
    let now = at(1_000);
    let later = now.plus(limits::CLOCKS_APART_MAX).plus(std::time::Duration::from_millis(1));
    for (first, second, given) in [
        (said(false, None), said(true, Some(at(1))), false),
        (said(false, Some(at(1))), said(true, None), true),
        (said(false, Some(at(1))), said(true, Some(at(1))), true),
        (said(true, Some(at(2))), said(false, Some(at(1))), true),
    ] {
        let ana = changed(&record(&[], &[]), &first, now).unwrap();
        let ana = changed(&ana, &second, now).unwrap();
        assert_eq!(ana.consents.values().next().map(|said| said.given), Some(given), "{first:?} {second:?}");
    }
    assert_eq!(changed(&record(&[], &[]), &said(true, Some(later)), now), Err(ContactError::Future));
}

#[test]
fn a_merge_is_refused_where_there_is_no_room_or_they_are_one() {
    let ana = record(&["external:ana"], &[]);
    let many = |count: usize, from: usize| {
        let texts: Vec<_> = (from..from + count).map(|n| format!("external:{n}")).collect();
        record(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    };
    let alone = |n, record: &ContactRecord| Family::new(stored(n, record.clone()), Vec::new());
    let half = limits::IDENTITIES_MAX / 2;
    let mut looked_for = ana.clone();
    for n in 100..100 + limits::MERGED_MAX {
        looked_for.expect(id(u8::try_from(n).unwrap()), &[]);
    }
    // Where there is no room, those go who are not there.
    assert_eq!(looked_for.merged.len(), limits::MERGED_MAX);
    let there = looked_for.merged[3];
    looked_for.expect(id(9), &[there]);
    assert_eq!(looked_for.merged, [there, id(9)]);
    let erasing = {
        let mut record = ana.clone();
        record.begin(Step::Erase { members: Vec::new() }, &by(), at(1)).unwrap();
        record
    };
    let splitting = {
        let mut record = ana.clone();
        let step = Step::Split { into: id(7), identities: Vec::new(), refusals: Refusals::default() };
        record.begin(step, &by(), at(1)).unwrap();
        record
    };
    for (case, mine, other, refused) in [
        ("two", alone(1, &ana), alone(9, &many(1, 0)), None),
        ("as many as fit", alone(1, &many(half, 0)), alone(9, &many(half, half)), None),
        ("one too many", alone(1, &many(half, 0)), alone(9, &many(half + 1, half)), Some(ContactError::Identities)),
        ("they are one", family(&[&ana, &ana]), alone(2, &ana), Some(ContactError::Itself)),
        ("itself", alone(1, &ana), alone(1, &ana), Some(ContactError::Itself)),
        ("it ends", alone(1, &erasing), alone(9, &ana), Some(ContactError::Erasing)),
        ("the other ends", alone(1, &ana), alone(9, &erasing), Some(ContactError::Erasing)),
        ("something has begun", alone(1, &ana), alone(9, &splitting), Some(ContactError::Busy)),
    ] {
        assert_eq!(mine.may_take_in(&other).err(), refused, "{case}");
    }
    let crowd: Vec<_> = (0..=limits::MERGED_MAX).map(|_| ContactRecord::new(at(0))).collect();
    let crowd = family(&crowd.iter().collect::<Vec<_>>());
    assert_eq!(crowd.may_take_in(&alone(200, &ana)), Err(ContactError::Merged));
}

#[test]
fn a_pointer_is_noted_once_at_either_end_and_only_the_pointer_goes() {
    let (mut ana, mut bo) = (record(&["external:ana"], &[]), marked("bo"));
    let before = bo.clone();
    ana.expect(id(2), &[]);
    ana.expect(id(2), &[]);
    assert!(ana.expects(id(2)) && ana.merged.len() == 1);
    bo.point_to(id(1), &by(), at(1));
    for (leads_here, is_noted) in [(true, true), (true, false), (false, true), (false, false), (true, true)] {
        let before = ana.changes.len();
        assert_eq!(ana.note_pointer(id(2), leads_here, &by(), at(2)), is_noted);
        assert_eq!(ana.changes.len(), before + usize::from(is_noted));
    }
    bo.stand_alone(&by(), at(3));
    bo.stand_alone(&by(), at(4));
    let said: Vec<_> = bo.changes.iter().map(|changed| (changed.at, &changed.change)).collect();
    let [into, other] = [id(1); 2];
    assert_eq!(
        said[said.len() - 2..],
        [(at(1), &ChangeKind::MergedInto { into }), (at(3), &ChangeKind::Unmerged { other })]
    );
    bo.changes.clone_from(&before.changes);
    assert_eq!(bo, before);
}

#[test]
fn a_split_takes_identities_of_one_and_every_refusal() {
    let (ana, mut bo) = (record(&["external:ana", "email:ana@example.com"], &[("plan", "pro")]), marked("bo"));
    let out = ContactChange { states: StatesIn { opted_out: Some(true), blocked: None }, ..ContactChange::default() };
    bo = changed(&bo, &out, at(1)).unwrap();
    let all = family(&[&ana, &bo]);
    for (identities, found) in [
        (&[][..], Err(ContactError::NothingToSplit)),
        (&["external:cy"][..], Err(ContactError::NotTheirs)),
        (&["external:ana", "external:cy"][..], Err(ContactError::NotTheirs)),
        (&["external:ana", "external:bo"][..], Err(ContactError::OfSeveral)),
        (&["external:bo"][..], Ok(id(2))),
        (&["email:ana@example.com"][..], Ok(id(1))),
    ] {
        let identities: Vec<_> = identities.iter().map(|text| identity(text)).collect();
        assert_eq!(all.holder_of(&identities).map(|stored| stored.id), found, "{identities:?}");
    }
    let goes = [identity("email:ana@example.com")];
    let new = ana.split_off(id(1), &goes, &all.refusals(), &by(), at(2));
    assert_eq!((keys(&new), values(&new)), (vec!["email:ana@example.com".to_owned()], vec![]));
    assert!(new.consents.values().all(|consent| !consent.given && consent.provenance.from.is_none()));
    assert_eq!((new.consents.len(), new.states.keys().copied().collect::<Vec<_>>()), (1, vec![ContactState::OptedOut]));
    let mut rest = ana.clone();
    rest.give_away(id(9), &goes, &by(), at(2));
    assert_eq!((keys(&rest), values(&rest)), (vec!["external:ana".to_owned()], values(&ana)));
    assert!(matches!(rest.changes.last().unwrap().change, ChangeKind::Split { into } if into == id(9)));
}

#[test]
fn of_a_record_one_change_goes_on_at_a_time() {
    let mut ana = record(&["external:ana"], &[]);
    let split =
        || Step::Split { into: id(9), identities: vec![identity("external:ana")], refusals: Refusals::default() };
    ana.begin(split(), &by(), at(1)).unwrap();
    let kept = serde_json::to_vec(&ana).unwrap();
    assert_eq!(serde_json::from_slice::<ContactRecord>(&kept).unwrap(), ana);
    assert_eq!(ana.begin(split(), &by(), at(1)), Err(ContactError::Busy));
    let erase = || Step::Erase { members: vec![id(2)] };
    assert_eq!(ana.begin(erase(), &by(), at(1)), Err(ContactError::Busy));
    ana.end();
    ana.begin(erase(), &by(), at(1)).unwrap();
    assert!(ana.is_erasing());
    assert_eq!(ana.begin(split(), &by(), at(1)), Err(ContactError::Erasing));
    // As an earlier program wrote it.
    assert_eq!(serde_json::from_str::<Step>(r#"{"step":"erase"}"#).unwrap(), Step::Erase { members: Vec::new() });
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
    record.change(&change, &by(), at(0));
    record
}

fn has(record: &ContactRecord, mark: &str) -> bool {
    String::from_utf8(serde_json::to_vec(record).unwrap()).unwrap().contains(mark)
}
