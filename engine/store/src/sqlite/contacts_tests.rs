//! Files whose conversations were with names: what becomes of the names.

use std::collections::BTreeMap;

use rusqlite::Connection;
use schema::{ContactId, ContactRecord, ConversationId, ConversationKey, Fact, TenantId, Way};

use super::scratch::Scratch;
use super::{SqliteOptions, SqliteStore, migrate};
use crate::{ListQuery, Log, PageBounds, Projections, Record, RecordName, Records, Scope, Snapshots, UnspokenQuery};

/// The last schema whose logs named contacts by their tenants' names.
const WITH_NAMES: usize = 6;
/// A name that stands nowhere by chance, with all that JSON escapes.
const NAME: &str = "Quetzal \"Q\" \\ Cóatl 🕯";
const ANONYMOUS: &str = "anon_018f00000000700080000000000000aa";

fn tenant(n: u8) -> TenantId {
    TenantId::from_bytes([n; 16])
}

fn key(tenant_n: u8, n: u8) -> ConversationKey {
    ConversationKey { tenant: tenant(tenant_n), conversation: ConversationId::from_bytes([n; 16]) }
}

/// A file as the last program left it that named contacts in logs: two tenants, each with one of the same name.
fn left_behind(scratch: &Scratch) {
    let mut file = Connection::open(scratch.file()).unwrap();
    file.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL").unwrap();
    migrate::migrate(&mut file, &migrate::STEPS[..WITH_NAMES]).unwrap();
    for (row, tenant, contact, head) in [
        (1u8, 1u8, NAME, 2),
        (2, 1, NAME, 1),
        (3, 2, NAME, 1),
        (4, 1, ANONYMOUS, 1),
        (5, 1, "anon_ymous", 1),
        (6, 1, "bo", 0),
    ] {
        let values = (row, [tenant; 16], [row; 16], contact, head);
        file.execute("INSERT INTO conversations VALUES (?1, ?2, ?3, ?4, 1, ?5, 5)", values).unwrap();
        for seq in 1..=head {
            let fact = if seq == 1 {
                serde_json::json!({"type": "opened", "contact": contact, "channel": "web", "locale": "es"})
            } else {
                serde_json::json!({"type": "message", "text": "hello"})
            };
            let mut event = serde_json::json!({"seq": seq, "at": "2023-11-14T22:13:20.000Z", "author": "contact"});
            event.as_object_mut().unwrap().extend(fact.as_object().unwrap().clone());
            let insert = "INSERT INTO events (conversation, seq, w_epoch, format, body) VALUES (?1, ?2, 1, 1, ?3)";
            file.execute(insert, (row, seq, event.to_string())).unwrap();
        }
        if head > 0 {
            let insert = "INSERT INTO conversation_rows VALUES (?1, ?2, ?3, ?4, ?5, 5, 1, '{}')";
            file.execute(insert, (row, [tenant; 16], [row; 16], contact, head)).unwrap();
        }
        file.execute("INSERT INTO snapshots VALUES (?1, 1, ?2)", (row, contact.as_bytes())).unwrap();
    }
    let insert = "INSERT INTO records (scope, kind, id, version, body) VALUES (?1, ?2, ?3, 3, CAST(?4 AS BLOB))";
    let usage = serde_json::json!({"format": 1, "visitors": {NAME: 7, ANONYMOUS: 8, "only here": 9}, "tokens": 5});
    for (kind, id, body) in [
        ("logout", NAME, r#"{"format":1}"#),
        ("logout", "gone", r#"{"format":1}"#),
        ("usage", "today", &usage.to_string()),
    ] {
        file.execute(insert, ([1u8; 16].as_slice(), kind, id, body)).unwrap();
    }
    file.execute(insert, ([2u8; 16].as_slice(), "usage", "today", r#"{"format":1,"visitors":{},"tokens":5}"#)).unwrap();
}

fn open(scratch: &Scratch) -> SqliteStore {
    SqliteStore::open(&scratch.file(), SqliteOptions::default()).unwrap()
}

fn holds(scratch: &Scratch, words: &str) -> bool {
    let folder = scratch.file().parent().unwrap().to_path_buf();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(words.len()).any(|part| part == words.as_bytes()))
}

async fn named(store: &SqliteStore, n: u8, name: &str) -> (Record, ContactId, ContactRecord) {
    let found = store.find(Scope::Tenant(tenant(n)), "contact", format!("external:{name}")).await.unwrap().unwrap();
    let (id, body) = (found.id.parse().unwrap(), serde_json::from_slice(&found.body).unwrap());
    (found, id, body)
}

#[tokio::test]
async fn names_become_identities_and_stand_nowhere_else() {
    let scratch = Scratch::new("names");
    left_behind(&scratch);
    assert!(holds(&scratch, "Quetzal"));
    let store = open(&scratch);
    let anonymous: ContactId = format!("ct_{}", &ANONYMOUS[5..]).parse().unwrap();
    let (record, quetzal, known) = named(&store, 1, NAME).await;
    let (_, other, _) = named(&store, 2, NAME).await;
    assert_ne!(quetzal, other, "tenants do not share contacts");
    assert_eq!((record.version, known.identities.len()), (1, 1));
    assert_eq!((known.identities[0].identity.value(), known.identities[0].provenance.way), (NAME, Way::Migration));
    assert!(!known.is_newer() && known.created_at > schema::Timestamp::from_millis(1_700_000_000_000));
    assert_eq!(quetzal.as_bytes()[6] >> 4, 7, "an id as others are");

    let ymous = named(&store, 1, "anon_ymous").await.1;
    for (row, tenant, contact) in [(1, 1, quetzal), (2, 1, quetzal), (3, 2, other), (4, 1, anonymous), (5, 1, ymous)] {
        let page = store.read(key(tenant, row), 0, PageBounds::FULL).await.unwrap();
        let Fact::Opened { contact: opened, locale, .. } = &page.events[0].fact else { panic!("it was opened") };
        assert_eq!((*opened, locale.is_some()), (contact, true), "{row}");
        let theirs =
            ListQuery { tenant: key(tenant, row).tenant, contacts: Some(vec![contact]), before: None, limit: 9 };
        let listed = store.list(theirs).await.unwrap();
        assert!(listed.iter().any(|page| page.id == key(tenant, row).conversation), "{row}");
        assert_eq!(store.snapshot(key(tenant, row)).await, Ok(None), "{row}");
    }
    let query = ListQuery { tenant: tenant(1), contacts: Some(vec![quetzal, anonymous]), before: None, limit: 9 };
    let mut listed: Vec<_> = store.list(query).await.unwrap().iter().map(|page| page.id.as_bytes()[0]).collect();
    listed.sort_unstable();
    assert_eq!(listed, [1, 2, 4]);
    // Somebody whose tenant had named them is missed, whatever the name; nobody has waited for the one never opened.
    let before = schema::Timestamp::from_millis(6);
    let unspoken = store.unspoken(UnspokenQuery { before, after: None, limit: 9 }).await.unwrap();
    assert_eq!(unspoken.iter().map(|one| one.key).collect::<Vec<_>>(), [key(1, 4), key(1, 6)]);

    let scope = Scope::Tenant(tenant(1));
    let (gone, only_here) = (named(&store, 1, "gone").await.1, named(&store, 1, "only here").await.1);
    let logouts = store.scan(scope, "logout", None, 9).await.unwrap();
    let mut logouts: Vec<_> = logouts.iter().map(|record| (record.id.parse().unwrap(), record.version)).collect();
    logouts.sort_unstable();
    let mut wanted = [(quetzal, 3), (gone, 3)];
    wanted.sort_unstable();
    assert_eq!(logouts, wanted);
    let usage = async |n| {
        let name = RecordName { scope: Scope::Tenant(tenant(n)), kind: "usage", id: "today".into() };
        let body = store.get(name).await.unwrap().unwrap().body;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let visitors: BTreeMap<ContactId, u64> = serde_json::from_value(body["visitors"].clone()).unwrap();
        (visitors, body["tokens"].as_u64())
    };
    assert_eq!(usage(1).await, ([(quetzal, 7), (anonymous, 8), (only_here, 9)].into(), Some(5)));
    assert_eq!(usage(2).await, (BTreeMap::new(), Some(5)));
    assert_eq!(store.scan(scope, "contact", None, 99).await.unwrap().len(), 5, "anonymous ones need no record");

    // With the records and their keys the name is gone, so it stood nowhere else.
    for n in [1, 2] {
        let (record, id, _) = named(&store, n, NAME).await;
        let name = RecordName { scope: Scope::Tenant(tenant(n)), kind: "contact", id: id.to_string() };
        store.delete(name, record.version).await.unwrap();
    }
    store.close();
    drop(store);
    assert!(!holds(&scratch, "Quetzal"));
    assert!(holds(&scratch, "only here"), "the search finds what is there");
    assert_eq!(named(&open(&scratch), 1, "gone").await.1, gone, "it happened once");
}
