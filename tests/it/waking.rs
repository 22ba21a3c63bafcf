//! Waking from a snapshot: a conversation of any length is read from its snapshot and what follows it, and whatever
//! becomes of snapshots, the conversation is the same.

mod watched;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use actors::{Clock, Options, System, SystemClock, Worker};
use engine_conversation::Conversation;
use engine_model::{Chunk, ChunkStream, Model, ModelSettings, Prompt, Registry, Stop};
use engine_store::memory::MemoryStore;
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use engine_store::{Append, DueChange, Opening, SharedStore, Snapshot, StoreError};
use schema::{
    Author, Channel, ContactId, ConversationId, ConversationKey, Event, Fact, Made, Reply, Seq, TenantId, Timestamp,
    limits,
};
use serde_json::Value;
use tests::bench::{Bench, NoPassages, in_time, says};
use tests::look_again;
use tests::stream::text_of;
use tokio::sync::mpsc;
use watched::{Instead, Watched};

/// Says what it is given, piece by piece, until there is no more; by default it says one word.
#[derive(Default)]
struct Speaker(Mutex<Option<mpsc::UnboundedReceiver<String>>>);

impl Model for Speaker {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        let given = self.0.lock().unwrap().take();
        Box::pin(async_stream::stream! {
            if let Some(mut given) = given {
                while let Some(piece) = given.recv().await {
                    yield Ok(Chunk::Text(piece));
                }
            }
            yield Ok(Chunk::Text("Yes.".into()));
            yield Ok(Chunk::End(Stop::Completed));
        })
    }
}

/// The node as it is after a start: nothing is awake.
fn started(store: &Arc<Watched>, tenant: TenantId, options: Options, speaker: Speaker) -> Bench {
    let settings = ModelSettings { list: vec!["builtin".into()], ..ModelSettings::default() };
    let models = Registry::unchecked(settings, Some(Arc::new(speaker)));
    let store = Arc::clone(store) as SharedStore;
    let system = System::new(store, Arc::new(NoPassages), Arc::new(SystemClock), options);
    Bench { worker: Worker::new(system, models), tenant }
}

/// A tenant whom nobody serves yet.
async fn tenant(store: &Arc<Watched>) -> TenantId {
    let store = Arc::clone(store) as SharedStore;
    Bench::start(store, Arc::new(NoPassages), Arc::new(Speaker::default()), Options::default()).await.tenant
}

fn restarted(store: &Arc<Watched>, tenant: TenantId) -> Bench {
    store.events_read();
    started(store, tenant, Options::default(), Speaker::default())
}

fn snapshots_every(snapshot_events: u64) -> Options {
    Options { snapshot_events, ..Options::default() }
}

/// What the contact says at event `seq`, and with which ref.
fn words(seq: Seq) -> (String, String) {
    (format!("r{seq}"), format!("Is number {seq} on its way?"))
}

/// A conversation of `1 + 3 * exchanges` events that nobody has woken.
async fn spoken(store: &SharedStore, tenant: TenantId, exchanges: u32) -> ConversationKey {
    let key = ConversationKey { tenant, conversation: ConversationId::generate() };
    let contact = ContactId::from_bytes([7; 16]);
    let opening = Opening { contact, is_anonymous: true, at: Timestamp::default() };
    let claim = store.claim(key, Some(opening)).await.unwrap();
    // Of late: a conversation that was left alone for long closes when it wakes.
    let event = |seq, author, fact| Event { seq, at: SystemClock.now(), author, fact };
    let mut events = vec![event(1, Author::System, Fact::Opened { contact, channel: Channel::Web, locale: None })];
    for turn in 1..=exchanges {
        let seq = 3 * Seq::from(turn) - 1;
        let (r#ref, text) = words(seq);
        let said = Fact::Message { text: text.into(), r#ref: r#ref.parse().ok(), agent: None, reply: None };
        let reply = Reply { turn, end: schema::End::Completed, answers: seq, made: Made::default() };
        let reply = Fact::Message { text: "Yes.".into(), r#ref: None, agent: None, reply: Some(Box::new(reply)) };
        events.push(event(seq, Author::Contact, said));
        events.push(event(seq + 1, Author::Assistant, Fact::TurnStarted { turn }));
        events.push(event(seq + 2, Author::Assistant, reply));
    }
    let append = Append { key, epoch: claim.epoch, head: 0, events: events.into(), due: DueChange::Keep };
    store.append(append).await.unwrap();
    key
}

/// How a conversation stands, whoever runs it.
async fn view(bench: &Bench, key: ConversationKey) -> Value {
    let view = bench.find(key).await.view().await.unwrap();
    let mut view = serde_json::to_value(view).unwrap();
    view.as_object_mut().unwrap().remove("epoch").unwrap();
    view
}

/// Waits until the snapshot of an event, or of one after it, is kept.
async fn kept(store: &SharedStore, key: ConversationKey, head: Seq) -> Snapshot {
    in_time(async {
        loop {
            match store.snapshot(key).await.unwrap() {
                Some(snapshot) if snapshot.head >= head => return snapshot,
                _ => look_again().await,
            }
        }
    })
    .await
}

/// The very state that the snapshot holds is what the log says.
async fn check(store: &SharedStore, key: ConversationKey, snapshot: &Snapshot) {
    let mut folded = Conversation::default();
    while folded.state().head < snapshot.head {
        let bounds = engine_store::PageBounds::FULL;
        let page = store.read(key, folded.state().head, bounds).await.unwrap();
        page.events.iter().take_while(|event| event.seq <= snapshot.head).for_each(|event| folded.fold(event));
    }
    let held = Conversation::from_snapshot(key, &snapshot.bytes).expect("it can be used");
    assert!(held.state() == folded.state(), "the snapshot of {} is not what the log says", snapshot.head);
}

#[actix_web::test]
async fn a_long_conversation_is_read_from_its_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&directory.path().join("store"), SqliteOptions::default()).unwrap();
    for store in [Arc::new(MemoryStore::default()) as SharedStore, Arc::new(sqlite)] {
        let store = Watched::new(store);
        let tenant = tenant(&store).await;
        let key = spoken(&store.store, tenant, 1_000).await;

        let bench = restarted(&store, tenant);
        let before = view(&bench, key).await;
        assert_eq!((store.events_read(), &before["head"]), (3_001, &3_001.into()), "it was never woken before");
        let snapshot = kept(&store.store, key, 3_001).await;
        check(&store.store, key, &snapshot).await;
        assert!(snapshot.bytes.len() < limits::SNAPSHOT_BYTES / 2, "{}", snapshot.bytes.len());

        let bench = restarted(&store, tenant);
        assert_eq!(view(&bench, key).await, before);
        assert_eq!(store.events_read(), 0, "all of it is in the snapshot");
        let (r#ref, text) = words(2_999);
        let again = bench.worker.submit(key, says(&r#ref, &text)).await.unwrap();
        assert_eq!(again.seq, Some(2_999), "a message of long ago is known again");
        let conflict = bench.worker.submit(key, says(&r#ref, "Another text.")).await.unwrap_err();
        assert_eq!(conflict.code.name(), "ref_conflict");
        let asked = bench.say_until_taken(key, "new").await;
        assert_eq!(asked, 3_002);
        let reply = bench.reply(key, asked).await;
        assert_eq!((text_of(&reply), reply.seq), ("Yes.", 3_004));

        let bench = restarted(&store, tenant);
        assert_eq!(view(&bench, key).await["head"], 3_004);
        assert_eq!(store.events_read(), 3, "the snapshot, and what follows it");
        assert_eq!(store.snapshots_set(), 1, "the next one is not due");
    }
}

#[actix_web::test]
async fn whatever_becomes_of_snapshots_changes_nothing() {
    let store = Watched::new(Arc::new(MemoryStore::default()));
    let tenant = tenant(&store).await;
    let (key, other) = (spoken(&store.store, tenant, 200).await, spoken(&store.store, tenant, 200).await);
    let bench = started(&store, tenant, snapshots_every(50), Speaker::default());
    let before = view(&bench, key).await;
    view(&bench, other).await;
    kept(&store.store, key, 601).await;
    kept(&store.store, other, 601).await;

    // What is given, and how many events are then read.
    let rows: &[(&str, Instead, u64)] = &[
        ("as it is", Ok, 0),
        ("none: all were deleted", |_| Ok(None), 601),
        ("garbage", |found| changed(found, |it| it.bytes = b"garbage".to_vec()), 601),
        ("nothing in it", |found| changed(found, |it| it.bytes.clear()), 601),
        ("a half", |found| changed(found, |it| it.bytes.truncate(it.bytes.len() / 2)), 601),
        ("another version", |found| changed(found, another_version), 601),
        ("an older head than it has", |found| changed(found, |it| it.head -= 1), 601),
        ("a newer head than it has", |found| changed(found, |it| it.head += 1), 601),
        ("a store that cannot read it", |_| Err(StoreError::Corrupt("damaged".into())), 601),
        ("a store that is away", |_| Err(StoreError::Unavailable("away".into())), 601),
    ];
    for (what, instead, read) in rows {
        store.gives(*instead);
        let bench = restarted(&store, tenant);
        assert_eq!(view(&bench, key).await, before, "{what}");
        assert_eq!(store.events_read(), *read, "{what}");
        let (r#ref, text) = words(599);
        let again = bench.worker.submit(key, says(&r#ref, &text)).await.unwrap();
        assert_eq!(again.seq, Some(599), "{what}");
    }
    store.gives(Ok);

    // One of another conversation, of as many events: it is told by its name.
    let (epoch, theirs) = (store.store.claim(key, None).await.unwrap().epoch, kept(&store.store, other, 601).await);
    store.store.set_snapshot(key, epoch, theirs.head, theirs.bytes).await.unwrap();
    let bench = restarted(&store, tenant);
    assert_eq!(view(&bench, key).await, before);
    assert_eq!(store.events_read(), 601);
    // What could not be used is replaced by what can.
    in_time(async {
        while Conversation::from_snapshot(key, &kept(&store.store, key, 601).await.bytes).is_none() {
            look_again().await;
        }
    })
    .await;
    let bench = restarted(&store, tenant);
    assert_eq!(view(&bench, key).await, before);
    assert_eq!(store.events_read(), 0);
}

fn changed(found: Option<Snapshot>, change: fn(&mut Snapshot)) -> Result<Option<Snapshot>, StoreError> {
    Ok(found.map(|mut found| {
        change(&mut found);
        found
    }))
}

fn another_version(snapshot: &mut Snapshot) {
    let text = String::from_utf8(std::mem::take(&mut snapshot.bytes)).unwrap();
    let newer = format!("\"version\":{}", engine_conversation::SNAPSHOT_VERSION + 1);
    let changed = text.replacen(&format!("\"version\":{}", engine_conversation::SNAPSHOT_VERSION), &newer, 1);
    assert_ne!(changed, text);
    snapshot.bytes = changed.into_bytes();
}

#[actix_web::test]
async fn snapshots_are_written_between_replies_and_after_so_many_events() {
    let store = Watched::new(Arc::new(MemoryStore::default()));
    let tenant = tenant(&store).await;
    let (speak, given) = mpsc::unbounded_channel();
    let bench = started(&store, tenant, snapshots_every(5), Speaker(Mutex::new(Some(given))));
    let key = bench.open().await;
    let asked = bench.say_until_taken(key, "r1").await;
    // Each piece is stored before the next one comes: far more events than five, and all of them in mid-reply.
    for _ in 0..20 {
        let stored = bench.log(key).await.len();
        speak.send("word ".repeat(limits::CHECKPOINT_BYTES / 2)).unwrap();
        in_time(async {
            while bench.log(key).await.len() == stored {
                look_again().await;
            }
        })
        .await;
    }
    assert_eq!(view(&bench, key).await["floor"], "speaking");
    assert_eq!(store.snapshots_set(), 0, "no word waits for a snapshot");
    drop(speak);
    let reply = bench.reply(key, asked).await;
    let snapshot = kept(&store.store, key, reply.seq).await;
    check(&store.store, key, &snapshot).await;
    for n in 2..20 {
        let asked = bench.say_until_taken(key, &format!("r{n}")).await;
        let reply = bench.reply(key, asked).await;
        // Three events an exchange: two exchanges are more than five events.
        let snapshot = kept(&store.store, key, reply.seq.saturating_sub(5)).await;
        check(&store.store, key, &snapshot).await;
    }
    let events = bench.log(key).await.len() as u64;
    assert!(store.snapshots_set() <= events / 6, "{} snapshots of {events} events", store.snapshots_set());
}

#[actix_web::test]
async fn a_snapshot_that_is_not_kept_costs_nothing_and_is_made_up_for() {
    let store = Watched::new(Arc::new(MemoryStore::default()));
    let tenant = tenant(&store).await;
    let bench = started(&store, tenant, snapshots_every(5), Speaker::default());
    let key = bench.open().await;
    store.refuses.store(true, Ordering::Relaxed);
    for n in 0..10 {
        let asked = bench.say_until_taken(key, &format!("r{n}")).await;
        assert_eq!(text_of(&bench.reply(key, asked).await), "Yes.");
    }
    let head = view(&bench, key).await["head"].as_u64().unwrap();
    assert_eq!(head, 31);
    assert!((2..=head / 6).contains(&store.snapshots_set()), "it was tried {} times", store.snapshots_set());
    assert_eq!(store.store.snapshot(key).await.unwrap(), None);
    store.refuses.store(false, Ordering::Relaxed);
    for n in 10..13 {
        let asked = bench.say_until_taken(key, &format!("r{n}")).await;
        bench.reply(key, asked).await;
    }
    let snapshot = kept(&store.store, key, head).await;
    check(&store.store, key, &snapshot).await;
}
