//! What only the inside of the SQLite store can show: old files, foreign files, a writer in trouble.

use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use rusqlite::Connection;
use schema::{Author, ContactId, ConversationId, ConversationKey, Event, Fact, TenantId, Timestamp};

use super::job::Write;
use super::rows::Rows;
use super::scratch::Scratch;
use super::{SqliteOptions, SqliteStore, connect, migrate};
use crate::{
    Append, Behind, Claim, ConversationRow, DueChange, ListQuery, Log, LogCursor, Note, Opening, PageBounds,
    Projection, Projections, RecordName, Records, Scope, Seals, Snapshots, StoreError,
};

#[tokio::test]
async fn a_file_of_version_1_is_opened_with_all_it_holds() {
    let scratch = Scratch::new("version-1");
    let file = Connection::open(scratch.file()).unwrap();
    file.execute_batch(migrate::VERSION_1).unwrap();
    drop(file);

    let store = open(&scratch);
    let tenant: TenantId = "ten_018f0000000070008000000000000001".parse().unwrap();
    let conversation: ConversationId = "conv_018f00000000700080000000000000c1".parse().unwrap();
    let key = ConversationKey { tenant, conversation };
    let page = store.read(key, 0, PageBounds::FULL).await.unwrap();
    let said: Vec<_> = page.events.iter().map(|event| (event.seq, event.author, event.fact.name())).collect();
    let wanted = [(1, Author::System, "opened"), (2, Author::Contact, "message"), (3, Author::Assistant, "message")];
    assert_eq!((said.as_slice(), page.head), (wanted.as_slice(), 3));
    let Fact::Message { text, reply, .. } = &page.events[2].fact else { panic!("event 3 is no message") };
    assert_eq!((text.as_str(), reply.as_ref().unwrap().answers), ("Sí.", 2));
    // The name by which it was with somebody is found in the record of a contact.
    let ana = store.find(Scope::Tenant(tenant), "contact", "external:ana".into()).await.unwrap().unwrap();
    let ana: ContactId = ana.id.parse().unwrap();
    assert!(matches!(page.events[0].fact, Fact::Opened { contact, .. } if contact == ana));
    let query = ListQuery { tenant, contacts: Some(vec![ana]), before: None, limit: 9 };
    let listed = store.list(query).await.unwrap();
    let last_at = Timestamp::from_millis(1_700_000_002_000);
    // Until its log has been read the list shows of it what it has always shown.
    let listed: Vec<_> = listed.iter().map(|row| (row.id, row.head, row.last_at, row.contact.is_some())).collect();
    assert_eq!(listed, [(conversation, 3, last_at, true)]);
    assert_eq!(store.row(key).await, Ok(None), "to be folded from the beginning");
    let behind = store.behind(Projection::Conversations, LogCursor(0), 9).await.unwrap();
    assert_eq!(behind, Behind { keys: vec![key], cursor: LogCursor(3), is_all: true });
    let mut row = ConversationRow::default();
    row.fold(&page.events);
    store.project(key, 0, row).await.unwrap();
    let query = ListQuery { tenant, contacts: None, before: None, limit: 9 };
    let listed = store.list(query).await.unwrap();
    assert_eq!(listed[0].last_words.as_ref().map(schema::Text::as_str), Some("¿Está abierto? 🕯"));
    let name = RecordName { scope: Scope::Node, kind: "tenant", id: tenant.to_string() };
    assert_eq!(store.get(name).await.unwrap().unwrap().version, 2);
    let claim = store.claim(key, None).await.unwrap();
    assert_eq!(claim, Claim { epoch: 4, head: 3, due: claim.due });
    assert!(claim.due.is_some(), "it may have something to do");
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_alone() {
    for (name, sql, words) in [
        ("foreign", "CREATE TABLE notes (x)".to_string(), "is not a Tertulia database"),
        ("other-application", "PRAGMA application_id = 7".to_string(), "is not a Tertulia database"),
        (
            "newer",
            format!("PRAGMA application_id = 1415934580; PRAGMA user_version = {}", migrate::STEPS.len() + 1),
            "use a newer one",
        ),
    ] {
        let scratch = Scratch::new(name);
        Connection::open(scratch.file()).unwrap().execute_batch(&sql).unwrap();
        let before = schema(&scratch);
        let opened = SqliteStore::open(&scratch.file(), SqliteOptions::default()).map(drop);
        for found in [opened, SqliteStore::see(&scratch.file()).map(drop)] {
            let Err(error) = found else { panic!("{name} taken") };
            assert!(matches!(&error, StoreError::Unavailable(line) if line.contains(words)), "{name}: {error}");
        }
        assert_eq!(schema(&scratch), before, "{name}");
    }
}

#[tokio::test]
async fn a_panic_while_writing_leaves_nobody_waiting() {
    let scratch = Scratch::new("panic");
    let store = open(&scratch);
    let release = hold(&store);
    let (before, panics) = (store.put(record("before"), 0, vec![]), store.write(Panics));
    let after = store.put(record("after"), 0, vec![]);
    release.send(()).unwrap();
    assert!(matches!(before.await, Err(StoreError::Unknown(_))), "it was done, and undone with the other");
    assert!(matches!(panics.await, Err(StoreError::Unavailable(_))));
    assert!(matches!(after.await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.get(record("before")).await, Ok(None));
    assert_eq!(store.put(record("before"), 0, vec![]).await, Ok(1), "the next write finds a new connection");
    assert_eq!(store.stats().reopened, 1);
}

#[tokio::test]
async fn nothing_is_sealed_under_a_key_that_no_conversation_has() {
    // The batch is undone by a panic, or its commit fails.
    for by_panic in [true, false] {
        let scratch = Scratch::new("no-row");
        let store = open(&scratch);
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::from_millis(0) };
        let note = || vec![Note { seq: 1, bytes: b"words".to_vec() }];
        let release = hold(&store);
        let claim = store.claim(key, Some(opening.clone()));
        let (inside, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let paused = store.write(Paused { inside: Arc::clone(&inside), go_on: Arc::clone(&go_on) });
        let fails = if by_panic { store.write(Panics) } else { store.write(Sql("ROLLBACK")) };
        release.send(()).unwrap();
        inside.wait();
        // In the middle of the transaction.
        let early = store.seal(key, note());
        go_on.wait();
        assert!(claim.await.is_err() && paused.await.is_err() && fails.await.is_err());
        assert!(early.await.is_err(), "{by_panic}: sealed under a key that may never be the conversation's");
        store.probe().await.unwrap();
        assert_eq!(store.seal(key, note()).await, Err(StoreError::NotFound), "{by_panic}");
        store.claim(key, Some(opening)).await.unwrap();
        let sealed = store.seal(key, note()).await.unwrap();
        assert_eq!(store.unseal(key, sealed).await, Ok(Some(note())), "{by_panic}");
    }
}

#[tokio::test]
async fn a_damaged_conversation_fails_alone() {
    let scratch = Scratch::new("damaged");
    let store = open(&scratch);
    let (damaged, sound) = (opened(&store).await, opened(&store).await);
    // Its row says head 0, and yet there is an event 1.
    let event = "INSERT INTO events (conversation, seq, w_epoch, format, body) VALUES (1, 1, 1, 1, '{}')";
    store.write(Sql(event)).await.unwrap();
    let append = |key, head| {
        let at = Timestamp::from_millis(0);
        let event = Event { seq: head + 1, at, author: Author::System, fact: Fact::Reopened {} };
        store.append(Append { key, epoch: 1, head, events: Arc::new([event]), due: DueChange::Keep })
    };
    let release = hold(&store);
    let (before, fails, after) = (append(sound, 0), append(damaged, 0), append(sound, 1));
    release.send(()).unwrap();
    assert_eq!((before.await, after.await), (Ok(()), Ok(())));
    assert!(matches!(fails.await, Err(StoreError::Corrupt(_))));
    assert_eq!(store.read(sound, 0, PageBounds::FULL).await.unwrap().events.len(), 2);
    assert_eq!(store.stats().reopened, 0, "the connection is fine");
}

#[tokio::test]
async fn what_cannot_be_read_is_said_without_quoting_it() {
    let scratch = Scratch::new("unreadable");
    let store = open(&scratch);
    for (format, body, head, words) in [
        (1, r#"{"seq":1,"text":"secret"}"#, 1, "is not a readable event"),
        (9, "secret", 1, "has a format this program does not know"),
        (1, "", 2, "is missing"),
    ] {
        let key = opened(&store).await;
        store.write(Damage { format, body, head }).await.unwrap();
        let Err(StoreError::Corrupt(line)) = store.read(key, head - 1, PageBounds::FULL).await else {
            panic!("{words}: was read")
        };
        assert!(line.contains(words) && !line.contains("secret"), "{line}");
    }
}

#[tokio::test]
async fn what_a_stopped_process_has_not_removed_is_removed_by_the_next() {
    let scratch = Scratch::new("remains");
    let events_left = |scratch: &Scratch| -> i64 {
        let connection = connect::open_reader(&scratch.file()).unwrap();
        let theirs = "SELECT count(*) FROM events WHERE conversation > 0";
        connection.query_row(theirs, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let store = open(&scratch);
    let key = opened(&store).await;
    let events = |head: u64| {
        let event = |seq| Event { seq, at: Timestamp::from_millis(0), author: Author::System, fact: Fact::Reopened {} };
        Append { key, epoch: 1, head, events: (head + 1..=head + 200).map(event).collect(), due: DueChange::Keep }
    };
    for head in (0..1_000).step_by(200) {
        store.append(events(head)).await.unwrap();
    }
    let release = hold(&store);
    let erased = store.erase(key, None);
    let last = store.put(record("last"), 0, vec![]);
    release.send(()).unwrap();
    erased.await.unwrap();
    last.await.unwrap();
    drop(store);
    let left = events_left(&scratch);

    let store = open(&scratch);
    assert_eq!(store.read(key, 0, PageBounds::HEAD).await.map(|page| page.head), Err(StoreError::NotFound));
    // Each write is followed by a piece of it, so that load does not keep it from ending.
    for _ in 0..=left {
        store.probe().await.unwrap();
        if events_left(&scratch) == 0 {
            break;
        }
    }
    assert_eq!(events_left(&scratch), 0, "{left} were left");
}

#[tokio::test]
async fn one_event_of_nobodys_holds_the_newest_place() {
    let scratch = Scratch::new("places");
    let store = open(&scratch);
    let newest = || -> (i64, i64) {
        let connection = connect::open_reader(&scratch.file()).unwrap();
        let rows = "SELECT max(row_id), count(*) FILTER (WHERE conversation = 0) FROM events";
        connection.query_row(rows, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let say = async |key| {
        let event = Event { seq: 1, at: Timestamp::from_millis(0), author: Author::System, fact: Fact::Reopened {} };
        store.append(Append { key, epoch: 1, head: 0, events: Arc::new([event]), due: DueChange::Keep }).await.unwrap();
    };
    let mut highest = 0;
    for round in 0..4 {
        let (first, last) = (opened(&store).await, opened(&store).await);
        say(first).await;
        say(last).await;
        assert!(newest().0 > highest, "round {round}");
        store.erase(first, None).await.unwrap();
        highest = newest().0;
        assert_eq!(newest().1, i64::from(round > 0), "nothing new is held for one that is not the newest");
        store.erase(last, None).await.unwrap();
        assert_eq!(newest(), (highest + 1, 1), "round {round}");
        highest += 1;
    }
}

#[tokio::test]
async fn rows_of_another_version_are_listed_and_made_anew() {
    let scratch = Scratch::new("row-version");
    let store = open(&scratch);
    let key = opened(&store).await;
    let contact = ContactId::generate();
    let fact = Fact::Opened { contact, channel: schema::Channel::Web, locale: None };
    let event = Event { seq: 1, at: Timestamp::from_millis(5), author: Author::System, fact };
    let mut row = ConversationRow::default();
    row.fold([&event]);
    store.append(Append { key, epoch: 1, head: 0, events: Arc::new([event]), due: DueChange::Keep }).await.unwrap();
    store.project(key, 0, row.clone()).await.unwrap();
    store.advance(Projection::Conversations, LogCursor(1)).await.unwrap();
    let listed = async || {
        let query = ListQuery { tenant: key.tenant, contacts: Some(vec![contact]), before: None, limit: 9 };
        store.list(query).await.map(|rows| rows.iter().map(|row| (row.id, row.head, row.unread)).collect::<Vec<_>>())
    };
    assert_eq!(store.row(key).await, Ok(Some(row.clone())));

    store.write(Sql("UPDATE conversation_rows SET body = 'not JSON'")).await.unwrap();
    assert_eq!(listed().await, Ok(vec![(key.conversation, 1, None)]), "what is in its columns is shown");
    assert_eq!(store.row(key).await, Ok(None));
    store.project(key, 0, row.clone()).await.unwrap();
    assert_eq!(store.row(key).await, Ok(Some(row.clone())));
    assert_eq!(store.project(key, 0, row.clone()).await, Err(StoreError::Conflict { found: 1 }));

    store.write(Sql("UPDATE conversation_rows SET version = 99; ")).await.unwrap();
    store.write(Sql("UPDATE projections SET version = 99")).await.unwrap();
    assert_eq!(listed().await, Ok(vec![(key.conversation, 1, None)]), "how many are unread is not known");
    assert_eq!(store.row(key).await, Ok(None));
    assert_eq!(store.cursor(Projection::Conversations).await, Ok(LogCursor(0)));
    let behind = store.behind(Projection::Conversations, LogCursor(0), 9).await.unwrap();
    assert_eq!(behind.keys, [key]);
    store.project(key, 0, row.clone()).await.unwrap();
    assert_eq!(store.row(key).await, Ok(Some(row)));
}

#[tokio::test]
async fn what_was_erased_is_in_no_file() {
    let scratch = Scratch::new("in-no-file");
    let word = "quetzalcoatl";
    let holds = |scratch: &Scratch| {
        let folder = scratch.file().parent().unwrap().to_path_buf();
        let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
    };
    let store = open(&scratch);
    let file = Connection::open(scratch.file()).unwrap();
    // What is left sealed nobody can read, and a new conversation of the same number would find it.
    let left = |file: &Connection| -> i64 {
        let tables = ["conversations", "events WHERE conversation <> 0", "snapshots", "conversation_rows", "due"];
        let count = |table| file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        tables.into_iter().map(|table| count(table).unwrap()).sum()
    };
    // A short conversation goes at once, a long one piece by piece; a text may need more than a page.
    for (count, length) in [(2, 1), (2, 2_000), (300, 40)] {
        let key = opened(&store).await;
        let text = schema::Text::from(word.repeat(length));
        let said = |seq| Event {
            seq,
            at: Timestamp::from_millis(0),
            author: Author::Contact,
            fact: Fact::Message { text: text.clone(), r#ref: None, agent: None, reply: None },
        };
        store
            .append(Append { key, epoch: 1, head: 0, events: (1..=count).map(said).collect(), due: DueChange::Keep })
            .await
            .unwrap();
        store.set_snapshot(key, 1, count, word.repeat(length).into()).await.unwrap();
        let mut row = ConversationRow::default();
        row.fold([&said(1)]);
        store.project(key, 0, row).await.unwrap();
        store.put(record(word), 0, word.repeat(length).into()).await.unwrap();
        assert!(holds(&scratch));
        store.delete(record(word), 1).await.unwrap();
        store.erase(key, None).await.unwrap();
        let begun = std::time::Instant::now();
        while holds(&scratch) || left(&file) > 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{count} times {length}: it stands in a file");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn an_erasure_asked_for_twice_at_once_is_done_for_both() {
    let scratch = Scratch::new("erased-twice");
    let store = open(&scratch);
    let key = opened(&store).await;
    // One transaction removes it and finds it removed: the end of its key is before both answers.
    let release = hold(&store);
    let (first, again) = (store.erase(key, None), store.erase(key, Some(6)));
    release.send(()).unwrap();
    assert_eq!((first.await, again.await), (Ok(()), Ok(())));
    assert_eq!(store.erase(key, None).await, Err(StoreError::NotFound));
}

fn open(scratch: &Scratch) -> SqliteStore {
    SqliteStore::open(&scratch.file(), SqliteOptions::default()).unwrap()
}

async fn opened(store: &SqliteStore) -> ConversationKey {
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::from_millis(0) };
    store.claim(key, Some(opening)).await.unwrap();
    key
}

/// Keeps the writer in a transaction of its own until told, so that what is asked for meanwhile
/// is one batch.
fn hold(store: &SqliteStore) -> mpsc::Sender<()> {
    let (entered, inside) = mpsc::channel();
    let (release, released) = mpsc::channel();
    drop(store.write(Held(Mutex::new((entered, released)))));
    inside.recv().unwrap();
    release
}

fn record(id: &str) -> RecordName {
    RecordName { scope: Scope::Node, kind: "test", id: id.into() }
}

fn schema(scratch: &Scratch) -> Vec<String> {
    let connection = connect::open_reader(&scratch.file()).unwrap();
    let mut rows = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
    let names = rows.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// A write that says when it begins, and takes until it is released.
struct Held(Mutex<(mpsc::Sender<()>, mpsc::Receiver<()>)>);

impl Write for Held {
    type Output = ();

    fn apply(&self, _: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let held = self.0.lock().unwrap();
        held.0.send(()).unwrap();
        held.1.recv().unwrap();
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// A write that stops in the middle of its transaction.
struct Paused {
    inside: Arc<Barrier>,
    go_on: Arc<Barrier>,
}

impl Write for Paused {
    type Output = ();

    fn apply(&self, _: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        self.inside.wait();
        self.go_on.wait();
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// A write with a bug in it.
struct Panics;

impl Write for Panics {
    type Output = ();

    fn apply(&self, _: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        panic!("on purpose");
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// Damage done to the file, on the writer's own connection.
struct Sql(&'static str);

impl Write for Sql {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        rows.connection.execute(self.0, []).map(|_| Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}

/// The newest conversation gets a strange event 1, and a head.
struct Damage {
    format: i64,
    body: &'static str,
    head: u64,
}

impl Write for Damage {
    type Output = ();

    fn apply(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Result<(), StoreError>> {
        let newest = "(SELECT max(row_id) FROM conversations)";
        let head = super::rows::integer(self.head);
        rows.connection.execute(&format!("UPDATE conversations SET head = ?1 WHERE row_id = {newest}"), [head])?;
        rows.connection.execute(
            &format!("INSERT INTO events (conversation, seq, w_epoch, format, body) VALUES ({newest}, 1, 1, ?1, ?2)"),
            rusqlite::params![self.format, self.body],
        )?;
        Ok(Ok(()))
    }

    fn cost(&self) -> (usize, usize) {
        (1, 0)
    }
}
