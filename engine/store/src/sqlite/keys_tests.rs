//! What a copy of the store's files shows, before and after an erasure, and stores whose keys are lost, mixed up or
//! older than the data.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_privacy::{FileKeys, Keys, KeysError};
use rusqlite::Connection;
use schema::{Author, ContactId, ConversationId, ConversationKey, Event, Fact, Seq, TenantId, Text, Timestamp};

use super::erase::EraseWrite;
use super::scratch::Scratch;
use super::{SqliteOptions, SqliteStore, migrate};
use crate::{
    Append, Claim, ConversationRow, DueChange, ListQuery, Log, Note, Opening, PageBounds, Projections, Seals,
    Snapshots, StoreError,
};

const WORD: &str = "quetzalcoatl";
/// Longer than anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn open_in(data: &Path, keys: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open_with(data, SqliteOptions::default(), |wanted| {
        FileKeys::open(keys, wanted).map(|keys| Arc::new(keys) as _)
    })
}

fn fresh() -> ConversationKey {
    ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() }
}

fn said(seq: Seq, words: &str) -> Event {
    let fact = Fact::Message { text: Text::from(words), r#ref: None, agent: Some("Zoe Quetzal".into()), reply: None };
    Event { seq, at: Timestamp::from_millis(0), author: Author::Contact, fact }
}

async fn opened(store: &SqliteStore, key: ConversationKey) -> Claim {
    let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::from_millis(0) };
    store.claim(key, Some(opening)).await.unwrap()
}

async fn append(store: &SqliteStore, key: ConversationKey, head: Seq, words: &[&str]) -> Result<(), StoreError> {
    let events = (head + 1..).zip(words).map(|(seq, words)| said(seq, words)).collect();
    store.append(Append { key, epoch: 1, head, events, due: DueChange::Keep }).await
}

/// A conversation in which the word is everywhere where it can be. Gives a note on it, sealed.
async fn talk(store: &SqliteStore, key: ConversationKey) -> Note {
    opened(store, key).await;
    append(store, key, 0, &[WORD, &WORD.repeat(2_000), "and more of it"]).await.unwrap();
    assert!(store.set_snapshot(key, 1, 3, WORD.repeat(50).into()).await.unwrap());
    let mut row = ConversationRow::default();
    row.fold([&said(1, WORD)]);
    store.project(key, 0, row).await.unwrap();
    let note = Note { seq: 2, bytes: WORD.into() };
    let sealed = store.seal(key, vec![note.clone()]).await.unwrap().remove(0);
    assert_eq!(store.unseal(key, vec![sealed.clone()]).await.unwrap(), Some(vec![note]));
    sealed
}

async fn words_of(store: &SqliteStore, key: ConversationKey) -> Vec<String> {
    let page = store.read(key, 0, PageBounds::FULL).await.unwrap();
    let words = page.events.iter().map(|event| match &event.fact {
        Fact::Message { text, .. } => text.as_str().to_owned(),
        _ => String::new(),
    });
    words.collect()
}

/// Whether a word stands in a file of a folder, or of a folder in it.
fn holds(folder: &Path, word: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, word);
        }
        fs::read(path).unwrap().windows(word.len()).any(|part| part == word.as_bytes())
    })
}

fn folder(scratch: &Scratch) -> std::path::PathBuf {
    scratch.file().parent().unwrap().to_path_buf()
}

/// What the files are at this moment: a backup of a store that is open.
fn back_up(scratch: &Scratch, name: &str) -> Scratch {
    let backup = Scratch::new(name);
    for file in fs::read_dir(folder(scratch)).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, folder(&backup).join(file.file_name().unwrap())).unwrap();
    }
    backup
}

#[tokio::test]
async fn what_is_said_stands_in_no_file_and_after_its_key_has_ended_no_copy_can_be_read() {
    let (scratch, other) = (Scratch::new("sealed"), Scratch::new("sealed-keys"));
    let keys = other.file();
    let store = open_in(&scratch.file(), &keys).unwrap();
    let (key, kept) = (fresh(), fresh());
    let note = talk(&store, key).await;
    talk(&store, kept).await;
    assert!(!holds(&folder(&scratch), WORD) && !holds(&folder(&scratch), "Zoe Quetzal"));
    assert_eq!(words_of(&store, key).await[0], WORD);
    let backup = back_up(&scratch, "sealed-backup");
    assert_eq!(store.snapshot(key).await.unwrap().unwrap().bytes, WORD.repeat(50).as_bytes());

    store.erase(key, None).await.unwrap();
    assert_eq!(store.unseal(key, vec![note.clone()]).await, Ok(None));
    assert_eq!(store.seal(key, vec![note.clone()]).await, Err(StoreError::NotFound));
    assert_eq!(words_of(&store, kept).await[0], WORD, "others are as they were");
    drop(store);

    // The backup from before, with the keys of after. The connection that holds the log shows what is in it.
    let ids: Vec<(i64, i64)> = {
        let connection = Connection::open(backup.file()).unwrap();
        let mut rows = connection.prepare("SELECT key_id, head FROM conversations ORDER BY row_id").unwrap();
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(ids.iter().map(|(_, head)| *head).collect::<Vec<_>>(), [3, 3], "both are in the backup");
    let apart = FileKeys::open(&keys, None).unwrap();
    let opens = |id: i64| apart.open(engine_privacy::KeyNumber(u64::try_from(id).unwrap())).map(drop);
    assert!(matches!((opens(ids[0].0), opens(ids[1].0)), (Err(KeysError::Ended), Ok(()))));
    drop(apart);
    let store = open_in(&backup.file(), &keys).unwrap();
    assert_eq!(store.claim(key, None).await, Err(StoreError::NotFound));
    assert_eq!(store.unseal(key, vec![note]).await, Ok(None));
    assert_eq!(store.snapshot(key).await, Ok(None));
    // Until it is removed, it folds without a word.
    match store.read(key, 0, PageBounds::FULL).await {
        Ok(page) => {
            assert!(page.erased && page.head == 3 && page.events.len() == 3, "{page:?}");
            let mut row = ConversationRow::default();
            row.fold(&page.events);
            assert_eq!(row.head, 3);
            assert!(!serde_json::to_string(&page.events).unwrap().contains(WORD));
        }
        Err(error) => assert_eq!(error, StoreError::NotFound),
    }
    let list = async || {
        let query = ListQuery { tenant: key.tenant, contacts: None, before: None, limit: 9 };
        store.list(query).await.unwrap()
    };
    assert!(list().await.iter().all(|row| row.last_words.is_none()));
    let begun = Instant::now();
    while store.read(key, 0, PageBounds::HEAD).await.is_ok() || !list().await.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "what was erased came back with the backup");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(words_of(&store, kept).await[0], WORD);
}

#[tokio::test]
async fn a_key_ends_though_the_process_stops_before() {
    let (scratch, other) = (Scratch::new("ends"), Scratch::new("ends-keys"));
    let keys = other.file();
    let store = open_in(&scratch.file(), &keys).unwrap();
    let key = fresh();
    talk(&store, key).await;
    at_rest(&store).await;
    // The rows are gone and the key is noted; nobody has told the keeper.
    let id = store.write(EraseWrite { key, head: None }).await.unwrap()[0];
    drop(store);
    let is_open = || FileKeys::open(&keys, None).unwrap().open(id).is_ok();
    assert!(is_open());
    let store = open_in(&scratch.file(), &keys).unwrap();
    all_have_ended(&store).await;
    drop(store);
    assert!(!is_open(), "the next start has ended it");
}

/// Waits until the keeper has done all its chores: what comes now it does not find by itself.
async fn at_rest(store: &SqliteStore) {
    let begun = Instant::now();
    while store.queues.read(super::old_events::SealedToRead).await != Ok(i64::MAX) {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until no key is on the list of those to end.
async fn all_have_ended(store: &SqliteStore) {
    let noted = async || {
        store.queues.read(super::ending::EndingRead { after: engine_privacy::KeyNumber(0), limit: 9 }).await.unwrap()
    };
    let begun = Instant::now();
    while !noted().await.is_empty() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn keys_from_before_an_erasure_are_refused_under_what_came_after_it() {
    let (scratch, other) = (Scratch::new("revived"), Scratch::new("revived-keys"));
    let (keys, early) = (other.file(), other.file().with_extension("early"));
    let store = open_in(&scratch.file(), &keys).unwrap();
    let (key, kept) = (fresh(), fresh());
    talk(&store, key).await;
    talk(&store, kept).await;
    fs::copy(&keys, &early).unwrap();
    let old_data = back_up(&scratch, "revived-backup");
    store.erase(key, None).await.unwrap();
    drop(store);

    let refused = |data: &Scratch| {
        let Err(error) = open_in(&data.file(), &early) else { panic!("ended keys are open again") };
        let line = error.to_string();
        for words in ["the keys are older than the data", "put back the newest keys"] {
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
    };
    refused(&scratch);
    // Both from before the erasure: a whole backup of another day.
    assert_eq!(words_of(&open_in(&old_data.file(), &early).unwrap(), key).await[0], WORD);
    // Older data with newer keys, and from then on with no older ones.
    let store = open_in(&old_data.file(), &keys).unwrap();
    assert_eq!(store.claim(key, None).await, Err(StoreError::NotFound));
    assert_eq!(words_of(&store, kept).await[0], WORD);
    drop(store);
    refused(&old_data);
    assert_eq!(words_of(&open_in(&scratch.file(), &keys).unwrap(), kept).await[0], WORD);
}

#[tokio::test]
async fn a_stop_between_the_two_notes_of_an_end_refuses_the_right_keys_in_no_case_and_older_ones_never_open_it() {
    let (scratch, other) = (Scratch::new("between"), Scratch::new("between-keys"));
    let (keys, early) = (other.file(), other.file().with_extension("early"));
    let store = open_in(&scratch.file(), &keys).unwrap();
    let (key, kept) = (fresh(), fresh());
    talk(&store, key).await;
    talk(&store, kept).await;
    fs::copy(&keys, &early).unwrap();
    at_rest(&store).await;
    // Its key ends, and the file does not learn that it has.
    let id = store.write(EraseWrite { key, head: None }).await.unwrap()[0];
    store.sealing.end(&[id]).unwrap();
    drop(store);
    let copy = back_up(&scratch, "between-backup");

    let store = open_in(&scratch.file(), &keys).expect("these are the right ones");
    all_have_ended(&store).await;
    assert_eq!(words_of(&store, kept).await[0], WORD);
    drop(store);
    assert!(open_in(&scratch.file(), &early).is_err(), "and from now on the only ones");

    // Under the same data, keys from before: they open what is there, and the end is done in them, too.
    let store = open_in(&copy.file(), &early).unwrap();
    all_have_ended(&store).await;
    assert_eq!(words_of(&store, kept).await[0], WORD);
    drop(store);
    assert!(matches!(FileKeys::open(&early, None).unwrap().open(id), Err(KeysError::Ended)));
}

#[tokio::test]
async fn who_appends_without_knowing_the_key_is_sealed_for_all_the_same() {
    let (scratch, other) = (Scratch::new("unknown-key"), Scratch::new("unknown-key-keys"));
    let store = open_in(&scratch.file(), &other.file()).unwrap();
    let (key, stranger) = (fresh(), fresh());
    opened(&store, key).await;
    opened(&store, stranger).await;
    store.sealing.forget(key);
    append(&store, key, 0, &[WORD]).await.unwrap();
    // What is remembered may be another conversation's, which was erased and opened again.
    store.sealing.make_known([(key, store.sealing.known(stranger))]);
    append(&store, key, 1, &["zopilote"]).await.unwrap();
    assert_eq!(words_of(&store, key).await, [WORD, "zopilote"]);
    assert!(!holds(&folder(&scratch), WORD) && !holds(&folder(&scratch), "zopilote"));
}

#[tokio::test]
async fn what_an_earlier_version_left_in_the_clear_is_sealed_by_and_by() {
    let (scratch, other) = (Scratch::new("old"), Scratch::new("old-keys"));
    let file = Connection::open(scratch.file()).unwrap();
    file.execute_batch(migrate::VERSION_1).unwrap();
    drop(file);
    let (word, keys) = ("abierto", other.file());
    assert!(holds(&folder(&scratch), word));
    let store = open_in(&scratch.file(), &keys).unwrap();
    let key = ConversationKey {
        tenant: "ten_018f0000000070008000000000000001".parse().unwrap(),
        conversation: "conv_018f00000000700080000000000000c1".parse().unwrap(),
    };
    let before = store.read(key, 0, PageBounds::FULL).await.unwrap().events;
    let begun = Instant::now();
    while holds(&folder(&scratch), word) {
        assert!(begun.elapsed() < PATIENCE, "it stands in a file");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.read(key, 0, PageBounds::FULL).await.unwrap().events, before);
    let backup = back_up(&scratch, "old-backup");
    store.erase(key, None).await.unwrap();
    drop(store);
    let store = open_in(&backup.file(), &keys).unwrap();
    assert_eq!(store.claim(key, None).await, Err(StoreError::NotFound), "its key covers what is old as well");
}

#[tokio::test]
async fn keys_that_do_not_fit_are_refused_in_words() {
    let (scratch, other) = (Scratch::new("misfit"), Scratch::new("misfit-keys"));
    let keys = other.file();
    let store = open_in(&scratch.file(), &keys).unwrap();
    opened(&store, fresh()).await;
    // Both are seen beside the one that has them.
    let wanted = SqliteStore::see(&scratch.file()).unwrap().unwrap();
    FileKeys::see(&keys, wanted).unwrap();
    drop(store);
    assert_eq!(SqliteStore::see(&scratch.file().with_extension("none")), Ok(None));
    let early = keys.with_extension("early");
    fs::copy(&keys, &early).unwrap();
    let foreign = keys.with_extension("foreign");
    drop(FileKeys::open(&foreign, None).unwrap());
    // As a backup of the keys that is older than the conversation.
    let mut bytes = fs::read(&early).unwrap();
    bytes[32..40].copy_from_slice(&1_u64.to_le_bytes());
    bytes[48..56].fill(0);
    fs::write(&early, bytes).unwrap();
    for (path, words) in [
        (keys.with_extension("lost"), "is missing"),
        (foreign, "is of installation"),
        (early, "the keys are older than the data"),
    ] {
        let Err(error) = open_in(&scratch.file(), &path) else { panic!("{} was taken", path.display()) };
        let line = error.to_string();
        assert!(line.contains(words) && !line.contains('\n'), "{line}");
        // What the file alone says is seen without opening it.
        let seen = FileKeys::see(&path, wanted).map_err(|error| error.to_string());
        assert_eq!(seen.is_ok(), words.contains("older"), "{seen:?}");
        assert!(seen.err().is_none_or(|line| line.contains(words)));
    }
    assert!(!keys.with_extension("lost").exists(), "nothing was put in its place");
    assert!(open_in(&scratch.file(), &keys).is_ok());
}

#[tokio::test]
async fn keys_older_than_any_number_in_use_are_refused() {
    let (scratch, other) = (Scratch::new("older"), Scratch::new("older-keys"));
    let file = Connection::open(scratch.file()).unwrap();
    file.execute_batch(migrate::VERSION_1).unwrap();
    drop(file);
    let (keys, early) = (other.file(), other.file().with_extension("early"));
    let store = open_in(&scratch.file(), &keys).unwrap();
    opened(&store, fresh()).await;
    drop(store);
    fs::copy(&keys, &early).unwrap();
    // An older conversation gets a later key than the newest one has.
    let store = open_in(&scratch.file(), &keys).unwrap();
    let key = ConversationKey {
        tenant: "ten_018f0000000070008000000000000001".parse().unwrap(),
        conversation: "conv_018f00000000700080000000000000c2".parse().unwrap(),
    };
    store.claim(key, None).await.unwrap();
    drop(store);
    let Err(error) = open_in(&scratch.file(), &early) else { panic!("its next numbers are in use") };
    assert!(error.to_string().contains("the keys are older than the data"), "{error}");
    assert!(open_in(&scratch.file(), &keys).is_ok());
}

#[tokio::test]
async fn keys_copied_while_they_were_in_use_open_what_was_said_after_the_next_start_or_are_refused() {
    let (scratch, other) = (Scratch::new("copied"), Scratch::new("copied-keys"));
    let (keys, early) = (other.file(), other.file().with_extension("early"));
    let store = open_in(&scratch.file(), &keys).unwrap();
    let first = fresh();
    talk(&store, first).await;
    fs::copy(&keys, &early).unwrap();
    drop(store);
    let store = open_in(&scratch.file(), &keys).unwrap();
    let later = fresh();
    talk(&store, later).await;
    drop(store);
    let again = early.with_extension("again");
    fs::copy(&early, &again).unwrap();
    // More spare keys may have been made since than the copy has.
    match open_in(&scratch.file(), &again) {
        Ok(store) => {
            for key in [first, later] {
                assert_eq!(words_of(&store, key).await[0], WORD);
            }
        }
        Err(error) => assert!(error.to_string().contains("the keys are older than the data"), "{error}"),
    }
    // Once keys are in use that it lacks, it is refused.
    let store = open_in(&scratch.file(), &keys).unwrap();
    for _ in 0..300 {
        opened(&store, fresh()).await;
    }
    drop(store);
    let Err(error) = open_in(&scratch.file(), &early) else { panic!("it lacks keys that are in use") };
    assert!(error.to_string().contains("the keys are older than the data"), "{error}");
    assert_eq!(words_of(&open_in(&scratch.file(), &keys).unwrap(), later).await[0], WORD);
}

#[tokio::test]
async fn how_far_keys_are_in_use_is_noted_once_for_all_that_are_spare() {
    let (scratch, other) = (Scratch::new("noted"), Scratch::new("noted-keys"));
    let store = open_in(&scratch.file(), &other.file()).unwrap();
    let noted = || -> u64 {
        let connection = Connection::open(scratch.file()).unwrap();
        connection
            .query_row("SELECT keys_to FROM installation", [], |row| row.get::<_, i64>(0))
            .unwrap()
            .cast_unsigned()
    };
    assert_eq!(noted(), 0);
    let mut raised = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let key = fresh();
        opened(&store, key).await;
        let id = store.sealing.known(key).unwrap().0;
        raised.insert(noted());
        assert!(raised.last().is_some_and(|to| id <= *to), "{id} is in use: {raised:?}");
    }
    assert!(raised.len() <= 4, "{raised:?}");
}

#[tokio::test]
async fn one_key_that_does_not_fit_holds_up_no_other() {
    let (scratch, other) = (Scratch::new("one-misfit"), Scratch::new("one-misfit-keys"));
    let keys = other.file();
    let ending = FileKeys::open(&keys, None).unwrap().allot(1).unwrap()[0];
    let mut file = Connection::open(scratch.file()).unwrap();
    file.execute_batch(migrate::VERSION_1).unwrap();
    migrate::migrate(&mut file, migrate::STEPS).unwrap();
    file.execute_batch(
        "UPDATE conversations SET key_id = 999999 WHERE row_id = 2;
         INSERT INTO ending_keys (key_id) VALUES (1), (888888);",
    )
    .unwrap();
    drop(file);
    assert_eq!(ending.0, 1);
    let word = "abierto";
    let store = open_in(&scratch.file(), &keys).unwrap();
    let begun = Instant::now();
    while holds(&folder(&scratch), word) {
        assert!(begun.elapsed() < PATIENCE, "what is in the clear is not sealed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = super::ending::EndingRead { after: engine_privacy::KeyNumber(0), limit: 9 };
    assert_eq!(store.queues.read(left).await, Ok(vec![engine_privacy::KeyNumber(888_888)]), "it stays noted");
    drop(store);
    assert!(matches!(FileKeys::open(&keys, None).unwrap().open(ending), Err(KeysError::Ended)));
}
