//! The consumer that keeps the list, in this process: many conversations, stores that fail, words that are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actors::{Options, rebuild_listing};
use engine_conversation::Command;
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use engine_store::{Append, Claim, ConversationRow, DueChange, ListCursor, ListQuery, SharedStore, StoreError};
use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schema::wire::ConversationSummary;
use schema::{
    Author, CloseReason, ContactId, ConversationId, ConversationKey, Event, Fact, HandoffReason, Seq, Timestamp,
};
use tests::bench::{Bench, NoPassages, in_time, says};
use tests::look_again;
use tests::moody::{Mood, Moody};
use tests::store::{bring_on, fresh_key, opened, opening, seed};

/// More than wait for their turn at once.
const MANY: usize = schema::limits::PROJECTION_WAITING_MAX + 500;

/// Says nothing.
struct Silent;

impl engine_model::Model for Silent {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<engine_model::Prompt>) -> engine_model::ChunkStream {
        Box::pin(stream::pending())
    }
}

async fn bench(store: SharedStore) -> Bench {
    let options = Options { work_min: 2 * MANY, ..Options::default() };
    Bench::start(store, Arc::new(NoPassages), Arc::new(Silent), options).await
}

fn sweep(bench: &Bench) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_local(Arc::clone(bench.worker.system()).sweep())
}

async fn page(bench: &Bench, before: Option<ListCursor>, limit: usize) -> Vec<ConversationSummary> {
    let query = ListQuery { tenant: bench.tenant, contacts: None, before, limit };
    bench.worker.system().store().list(query).await.unwrap()
}

/// Waits until the row of each conversation tells all of its log.
async fn followed(bench: &Bench, keys: &[ConversationKey]) {
    let store = bench.worker.system().store();
    in_time(async {
        for key in keys {
            loop {
                let head = store.read(*key, 0, engine_store::PageBounds::HEAD).await.unwrap().head;
                if store.row(*key).await.unwrap().is_some_and(|row| row.head == head) {
                    break;
                }
                look_again().await;
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn thousands_are_paged_through_while_they_move() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("store"), SqliteOptions::default()).unwrap();
    let bench = bench(Arc::new(store)).await;
    let open = stream::iter(0..MANY).map(|_| bench.open()).buffer_unordered(64);
    let keys: Vec<ConversationKey> = open.collect().await;
    // More than can be remembered were opened before anybody listened: they are found by looking.
    let swept = sweep(&bench);
    followed(&bench, &keys).await;

    let (begun, over) = (bench.worker.system().clock().now(), AtomicBool::new(false));
    let mut moved = BTreeSet::new();
    let moving = async {
        let mut n = 0;
        while !over.load(Ordering::Relaxed) {
            // From the oldest up, from the newest down, and some again and again.
            let key = [keys[n % MANY], keys[MANY - 1 - n % MANY], keys[n % 7]][n % 3];
            let agent = "Zoe".into();
            bench.worker.submit(key, Command::Take { agent }).await.unwrap();
            bench.worker.submit(key, Command::HandBack { agent: "Zoe".into() }).await.unwrap();
            moved.insert(key.conversation);
            n += 1;
        }
    };
    let walking = async {
        let mut walks = Vec::new();
        for limit in [100, 37] {
            let (mut seen, mut before): (Vec<ConversationId>, _) = (Vec::new(), None);
            loop {
                let rows = page(&bench, before, limit).await;
                seen.extend(rows.iter().map(|row| row.id));
                let Some(last) = rows.last().filter(|_| rows.len() == limit) else { break };
                before = Some(ListCursor { last_at: last.last_at, id: last.id });
                // Those who move get their turn.
                tokio::task::yield_now().await;
            }
            walks.push(seen);
        }
        over.store(true, Ordering::Relaxed);
        walks
    };
    let ((), walks) = in_time(async { tokio::join!(moving, walking) }).await;
    assert!(!moved.is_empty());
    followed(&bench, &keys).await;
    let newest = page(&bench, None, MANY).await;
    assert_eq!(newest.len(), MANY);
    assert!(newest.is_sorted_by_key(|row| std::cmp::Reverse((row.last_at, row.id))));
    let after: BTreeMap<_, _> = newest.iter().map(|row| (row.id, row.last_at)).collect();
    for seen in walks {
        let once: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(once.len(), seen.len(), "none is met twice");
        for key in &keys {
            // One that moved up while others were read stands among the newest now.
            let at_top = moved.contains(&key.conversation) && after[&key.conversation] >= begun;
            assert!(once.contains(&key.conversation) || at_top, "{key} is missing");
        }
    }
    swept.abort();
}

#[actix_web::test]
async fn much_that_is_said_is_few_rows() {
    let store = Moody::default();
    let bench = bench(Arc::new(store.clone())).await;
    let swept = sweep(&bench);
    let key = bench.open().await;
    followed(&bench, &[key]).await;
    bench.worker.submit(key, Command::Take { agent: "Zoe".into() }).await.unwrap();
    followed(&bench, &[key]).await;
    store.hold_rows(true);
    let before = store.rows_written();
    for n in 0..200 {
        bench.worker.submit(key, says(&format!("r{n}"), "One word more.")).await.unwrap();
    }
    store.hold_rows(false);
    followed(&bench, &[key]).await;
    let rows = store.rows_written() - before;
    assert!(rows <= 4, "{rows} rows for 200 messages");
    swept.abort();
}

#[actix_web::test]
async fn a_store_that_fails_costs_time_and_no_row() {
    let store = Moody::default();
    let bench = bench(Arc::new(store.clone())).await;
    let swept = sweep(&bench);
    let keys: Vec<ConversationKey> = stream::iter(0..20).then(|_| bench.open()).collect().await;
    followed(&bench, &keys).await;
    for moods in [
        [Mood::Away, Mood::Away, Mood::Away],
        [Mood::Lost, Mood::Good, Mood::Busy],
        [Mood::Unanswered, Mood::Lost, Mood::Unanswered],
    ] {
        store.will_project(moods);
        for (n, key) in keys.iter().enumerate() {
            bench.worker.submit(*key, says(&format!("{moods:?}{n}"), "One word more.")).await.unwrap();
        }
        followed(&bench, &keys).await;
        in_time(async {
            while store.left() > 0 {
                bench.worker.submit(keys[0], says(&format!("{moods:?}{}", store.left()), "More.")).await.unwrap();
                look_again().await;
            }
        })
        .await;
        followed(&bench, &keys).await;
    }
    swept.abort();
}

#[tokio::test]
async fn where_the_row_of_one_is_torn_all_others_are_listed() {
    let (torn, mut random) = (Moody::default(), StdRng::seed_from_u64(7));
    let store: SharedStore = Arc::new(torn.clone());
    let mut logs = Vec::new();
    for _ in 0..5 {
        logs.push(begin(&store, &mut random).await);
    }
    let (bad, ..) = logs.remove(2);
    torn.tear_row(bad);
    assert_eq!(rebuild_listing(&store).await, Ok(4));
    assert!(rows(&store, &logs).await.iter().all(Option::is_some));
    assert!(matches!(store.row(bad).await, Err(StoreError::Corrupt(_))));
}

#[actix_web::test]
async fn whoever_asks_waits_for_what_was_said_before_and_not_for_ever() {
    let store = Moody::default();
    let bench = bench(Arc::new(store.clone())).await;
    let swept = sweep(&bench);
    let key = bench.open().await;
    bench.worker.system().listing().caught_up().await;
    followed(&bench, &[key]).await;
    bench.worker.submit(key, says("r1", "Is it listed?")).await.unwrap();
    bench.worker.system().listing().caught_up().await;
    assert_eq!(page(&bench, None, 9).await[0].unread, Some(1));
    store.hold_rows(true);
    let outcome = bench.worker.submit(key, says("r2", "And now?")).await.unwrap();
    in_time(bench.worker.system().listing().caught_up()).await;
    assert!(page(&bench, None, 9).await[0].head < outcome.seq.unwrap(), "it is told as it is");
    store.hold_rows(false);
    followed(&bench, &[key]).await;
    swept.abort();
}

/// Logs at random, rows brought on at random moments, erasures between: made anew, the list is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_anew_the_list_is_what_it_was() {
    let seed = seed();
    let directory = tempfile::tempdir().unwrap();
    for (n, store) in [
        Arc::new(engine_store::memory::MemoryStore::default()) as SharedStore,
        Arc::new(SqliteStore::open(&directory.path().join("store"), SqliteOptions::default()).unwrap()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(n as u64));
        let mut logs: Vec<(ConversationKey, Claim, Seq)> = Vec::new();
        for _ in 0..1_500 {
            match random.random_range(0..20) {
                0..3 => logs.push(begin(&store, &mut random).await),
                3..15 if !logs.is_empty() => {
                    let at = random.random_range(0..logs.len());
                    say(&store, &mut logs[at], &mut random).await;
                }
                15..19 if !logs.is_empty() => {
                    let at = random.random_range(0..logs.len());
                    bring_on(&store, logs[at].0).await.unwrap();
                }
                19 if logs.len() > 5 => {
                    let (key, ..) = logs.swap_remove(random.random_range(0..logs.len()));
                    store.erase(key, None).await.unwrap();
                    let late = store.project(key, 0, ConversationRow::default()).await;
                    assert_eq!(late, Err(StoreError::NotFound), "seed {seed}");
                }
                _ => {}
            }
        }
        for (key, ..) in &logs {
            bring_on(&store, *key).await.unwrap();
        }
        let before = rows(&store, &logs).await;
        let rebuilt = rebuild_listing(&store).await.unwrap();
        assert_eq!(rebuilt, logs.len() as u64, "seed {seed}");
        let after = rows(&store, &logs).await;
        assert!(before == after, "seed {seed}: {before:?} {after:?}");
        assert!(logs.len() > 50, "seed {seed}: {} conversations", logs.len());
    }
}

async fn rows(store: &SharedStore, logs: &[(ConversationKey, Claim, Seq)]) -> Vec<Option<ConversationRow>> {
    stream::iter(logs).then(|(key, ..)| async move { store.row(*key).await.unwrap() }).collect().await
}

async fn begin(store: &SharedStore, random: &mut StdRng) -> (ConversationKey, Claim, Seq) {
    let key = fresh_key();
    let contact = ContactId::from_bytes([random.random_range(0..9); 16]);
    let claim = store.claim(key, opening(contact, 0)).await.unwrap();
    let events = [opened(contact, random.random_range(0..10_000))].into();
    store.append(Append { key, epoch: claim.epoch, head: 0, events, due: DueChange::Keep }).await.unwrap();
    (key, Claim { head: 1, ..claim }, 0)
}

/// Something happens in a conversation, at a moment that may lie before the last one.
async fn say(store: &SharedStore, log: &mut (ConversationKey, Claim, Seq), random: &mut StdRng) {
    let (key, claim, asked) = log;
    let mut events = Vec::new();
    for seq in claim.head + 1..=claim.head + random.random_range(1..6) {
        let message = |reply| Fact::Message { text: format!("{seq} words").into(), r#ref: None, agent: None, reply };
        let (author, fact) = match random.random_range(0..12) {
            0..5 => {
                *asked = seq;
                (Author::Contact, message(None))
            }
            5..7 => {
                let answers = random.random_range(0..=*asked);
                let made = schema::Made::default();
                let reply = schema::Reply { turn: 1, end: schema::End::Completed, answers, made };
                (Author::Assistant, message(Some(Box::new(reply))))
            }
            7 => (Author::Human, message(None)),
            8 => (Author::Human, Fact::TakenOver { agent: "Zoe".into(), ownership: 1 }),
            9 => (Author::Human, Fact::HandedBack { agent: "Zoe".into(), ownership: 1 }),
            10 => (Author::Assistant, Fact::HandoffRequested { reason: HandoffReason::Asked }),
            _ if random.random_bool(0.5) => (Author::System, Fact::Closed { reason: CloseReason::Idle }),
            _ => (Author::System, Fact::Reopened {}),
        };
        events.push(Event { seq, at: Timestamp::from_millis(random.random_range(0..100_000)), author, fact });
    }
    let (epoch, head) = (claim.epoch, claim.head);
    claim.head += events.len() as Seq;
    let (events, due) = (events.into(), DueChange::Keep);
    store.append(Append { key: *key, epoch, head, events, due }).await.unwrap();
}
