//! Erasures that are stopped: whoever asked goes away, at any moment, or a part of it panics. All that an erasure took
//! to itself is given back, and what is told is true.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actors::{Audience, Failure, Format, Listener, Options, Outbox, OutboxItem, OutboxStream, ReplyTo};
use engine_model::{Chunk, ChunkStream, Model, Prompt, Stop};
use engine_store::memory::MemoryStore;
use engine_store::{
    Append, Claim, Log, Opening, Owner, Page, PageBounds, Pending, Record, RecordKeys, RecordName, Records, Scope,
    StoreError, Unspoken, UnspokenQuery,
};
use futures_util::{StreamExt, poll};
use schema::wire::{ServerFrame, Verdict};
use schema::{ContactId, ConversationId, ConversationKey, Position, Seq, SessionId, TenantId, Timestamp};
use tests::bench::{Bench, NoPassages, in_time};
use tests::look_again;
use tokio::sync::{oneshot, watch};

/// How many calls and answers of the store go well from now on, before one panics; none does while it is not set.
#[derive(Default)]
struct Fuse(Mutex<Option<usize>>);

impl Fuse {
    fn set(&self, left: Option<usize>) -> Option<usize> {
        std::mem::replace(&mut self.0.lock().unwrap(), left)
    }

    fn pass(&self) {
        let mut left = self.0.lock().unwrap();
        match *left {
            Some(0) => {
                *left = None;
                drop(left);
                std::panic::panic_any("a test asked for it");
            }
            Some(more) => *left = Some(more - 1),
            None => {}
        }
    }
}

/// A store that panics when a test wants it, that opens conversations when the test lets it, and some of whose keys have
/// not ended yet.
struct Brittle {
    store: Arc<MemoryStore>,
    /// Conversations that are gone, and whether their keys can end.
    ending: Mutex<BTreeMap<ConversationKey, bool>>,
    fuse: Arc<Fuse>,
    claims_held: watch::Sender<bool>,
    claimed: Arc<AtomicUsize>,
}

impl Brittle {
    fn new() -> Arc<Self> {
        let (store, fuse, claimed) = (Arc::default(), Arc::default(), Arc::default());
        Arc::new(Self { store, ending: Mutex::default(), fuse, claims_held: watch::Sender::new(false), claimed })
    }

    fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&MemoryStore) -> Pending<T>) -> Pending<T> {
        self.fuse.pass();
        let (answer, fuse) = (ask(&self.store), Arc::clone(&self.fuse));
        Box::pin(async move {
            let answer = answer.await;
            fuse.pass();
            answer
        })
    }
}

impl Log for Brittle {
    /// It is done when it is let, whether or not anybody waits for the answer.
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        let (store, claimed) = (Arc::clone(&self.store), Arc::clone(&self.claimed));
        let (reply, answer) = oneshot::channel();
        let mut held = self.claims_held.subscribe();
        actix_web::rt::spawn(async move {
            held.wait_for(|held| !held).await.unwrap();
            let done = store.claim(key, open).await;
            claimed.fetch_add(1, Ordering::Relaxed);
            drop(reply.send(done));
        });
        Box::pin(async { answer.await.unwrap_or_else(|_| Err(StoreError::Unknown("the test is over".into()))) })
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        self.store.owner(key)
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        self.store.claim_from(key, owner)
    }

    fn append(&self, append: Append) -> Pending<()> {
        self.store.append(append)
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        self.ask(|store| store.read(key, after, bounds))
    }

    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()> {
        let can_end = self.ending.lock().unwrap().get(&key).copied();
        match can_end {
            Some(true) => {
                self.ending.lock().unwrap().remove(&key);
                Box::pin(async { Ok(()) })
            }
            Some(false) => Box::pin(async { Err(StoreError::Corrupt("there is no such key".into())) }),
            None => self.ask(|store| store.erase(key, head)),
        }
    }

    fn ending(&self, _: TenantId, _: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>> {
        let left = self.ending.lock().unwrap().keys().copied().take(limit).collect();
        Box::pin(async { Ok(left) })
    }

    fn with_contacts(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>> {
        self.ask(|store| store.with_contacts(tenant, contacts, limit))
    }

    fn unspoken(&self, query: UnspokenQuery) -> Pending<Vec<Unspoken>> {
        self.store.unspoken(query)
    }

    fn probe(&self) -> Pending<()> {
        self.store.probe()
    }
}

tests::forward!(DueIndex for Brittle);

tests::forward!(Snapshots for Brittle);

tests::forward!(Seals for Brittle);

tests::forward!(Projections for Brittle);

impl Records for Brittle {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.store.get(name)
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.ask(|store| store.put(name, expected, body))
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.store.put_with_keys(name, expected, body, keys)
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.store.find(scope, kind, key)
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.ask(|store| store.delete(name, expected))
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.ask(|store| store.scan(scope, kind, after, limit))
    }
}

struct Brief;

impl Model for Brief {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        Box::pin(futures_util::stream::iter([Ok(Chunk::Text("Much.".into())), Ok(Chunk::End(Stop::Completed))]))
    }
}

/// A conversation whose question stands on the board, and a session that listens to it.
struct Scene {
    bench: Bench,
    key: ConversationKey,
    frames: OutboxStream,
    _outbox: Arc<Outbox>,
}

impl Scene {
    async fn new(store: &Arc<Brittle>) -> Self {
        let bench = Bench::start(store.clone(), Arc::new(NoPassages), Arc::new(Brief), Options::default()).await;
        let key = bench.open().await;
        let asked = bench.say(key, "r1").await.unwrap().seq.unwrap();
        let reply = bench.reply(key, asked).await.seq;
        let (session, outbox) = (SessionId::generate(), Outbox::new());
        let frames = outbox.stream();
        let listener =
            Listener { session, outbox: Arc::clone(&outbox), format: Format::Socket, audience: Audience::Team };
        let (joined, answer) = ReplyTo::call();
        bench.find(key).await.join(listener, Position::after(reply), joined);
        in_time(answer).await.unwrap().unwrap();
        let board = bench.worker.system().unanswered();
        assert!(board.judge(key, reply, Verdict::Wrong, None, Timestamp::default()).await.unwrap());
        let scene = Self { bench, key, frames, _outbox: outbox };
        assert_eq!(scene.listed().await, 1);
        scene
    }

    async fn listed(&self) -> usize {
        self.bench.worker.system().unanswered().page(self.bench.tenant, None, 9).await.unwrap().len()
    }

    async fn cleaned(&self) {
        in_time(async {
            while self.listed().await > 0 {
                look_again().await;
            }
        })
        .await;
    }

    /// What the listener is told of the conversation.
    async fn told(&mut self) -> &'static str {
        loop {
            let Some(OutboxItem::Frame(frame)) = in_time(self.frames.next()).await else { panic!("it goes on") };
            if let ServerFrame::Error { conversation, error } = serde_json::from_str(&frame).unwrap() {
                assert_eq!(conversation, Some(self.key.conversation));
                return error.code.name();
            }
        }
    }

    /// Whether it is there. The directory holds nothing of an erasure: that would be found as erased.
    async fn is_there(&self) -> bool {
        match self.bench.worker.find(self.key).await {
            Ok(_) => true,
            Err(failure) => {
                assert_eq!(failure, Failure::store(&StoreError::NotFound));
                false
            }
        }
    }
}

#[actix_web::test]
async fn whoever_asked_may_go_at_any_moment() {
    let (mut n, mut is_answered) = (0, false);
    while !is_answered {
        let store = Brittle::new();
        let mut scene = Scene::new(&store).await;
        {
            let system = Arc::clone(scene.bench.worker.system());
            let mut erasing = pin!(system.erase(scene.key));
            for _ in 0..n {
                if let std::task::Poll::Ready(erased) = poll!(erasing.as_mut()) {
                    assert_eq!(erased, Ok(()));
                    is_answered = true;
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        if n == 0 {
            assert!(scene.is_there().await, "nobody has asked");
            assert_eq!(scene.listed().await, 1);
        } else {
            assert_eq!(scene.told().await, "unknown_conversation", "gone after {n}");
            assert!(!scene.is_there().await, "gone after {n}");
            scene.cleaned().await;
        }
        n += 1;
    }
    assert!(n > 2, "it was answered at once");
}

#[actix_web::test]
async fn a_panic_anywhere_gives_all_back() {
    let (mut n, mut codes) = (0, Vec::new());
    loop {
        let store = Brittle::new();
        let mut scene = Scene::new(&store).await;
        let system = Arc::clone(scene.bench.worker.system());
        store.fuse.set(Some(n));
        let erased = in_time(system.erase(scene.key)).await;
        if store.fuse.set(None).is_some() {
            assert_eq!(erased, Ok(()), "{n}");
            break;
        }
        assert_eq!(erased.unwrap_err().code.name(), "restarting", "{n}");
        let (told, is_there) = (scene.told().await, scene.is_there().await);
        codes.push((told, is_there));
        // Whoever was told that it is gone does not come back.
        assert!(told == "restarting" || !is_there, "{n}: {told}");
        actix_web::rt::spawn(Arc::clone(&system).sweep());
        if is_there {
            assert_eq!(system.erase(scene.key).await, Ok(()), "{n}");
        }
        scene.cleaned().await;
        system.drain(tokio::time::Instant::now(), std::time::Duration::ZERO).await;
        n += 1;
    }
    for seen in [("restarting", true), ("restarting", false), ("unknown_conversation", false)] {
        assert!(codes.contains(&seen), "{seen:?} in {codes:?}");
    }
}

/// A contact's erasure looks for conversations while one is on its way to the store, and whoever opened it hangs up.
#[actix_web::test]
async fn a_conversation_that_an_erasure_has_missed_goes_though_nobody_waits() {
    for n in 1..6 {
        let store = Brittle::new();
        let bench = Bench::start(store.clone(), Arc::new(NoPassages), Arc::new(Brief), Options::default()).await;
        let system = Arc::clone(bench.worker.system());
        actix_web::rt::spawn(Arc::clone(&system).sweep());
        let contact = ContactId::generate();
        let key = ConversationKey { tenant: bench.tenant, conversation: ConversationId::generate() };
        store.claims_held.send_replace(true);
        {
            let mut opening = pin!(bench.worker.open_as(key, contact, None));
            for _ in 0..n {
                assert!(poll!(opening.as_mut()).is_pending(), "the store is held");
                tokio::task::yield_now().await;
            }
        }
        in_time(system.erase_contact(bench.tenant, contact)).await.unwrap();
        store.claims_held.send_replace(false);
        in_time(async {
            while store.claimed.load(Ordering::Relaxed) == 0 || store.store.read(key, 0, PageBounds::HEAD).await.is_ok()
            {
                look_again().await;
            }
        })
        .await;
        system.drain(tokio::time::Instant::now(), std::time::Duration::ZERO).await;
    }
}

/// More than are looked at together, and those that cannot end come first.
#[actix_web::test]
async fn keys_that_cannot_end_hold_no_place_for_those_that_can() {
    for (misfits, owed) in [(0, 3), (3, 130), (64, 1), (150, 150)] {
        let store = Brittle::new();
        let bench = Bench::start(store.clone(), Arc::new(NoPassages), Arc::new(Brief), Options::default()).await;
        let system = Arc::clone(bench.worker.system());
        actix_web::rt::spawn(Arc::clone(&system).sweep());
        for n in 0..misfits + owed {
            let mut bytes = [0; 16];
            (bytes[0], bytes[1]) = (u8::from(n >= misfits), u8::try_from(n % 256).unwrap());
            bytes[2] = u8::from(n >= 256);
            let key = ConversationKey { tenant: bench.tenant, conversation: ConversationId::from_bytes(bytes) };
            store.ending.lock().unwrap().insert(key, n >= misfits);
        }
        in_time(system.erase_contact(bench.tenant, ContactId::generate())).await.unwrap();
        let left: Vec<bool> = store.ending.lock().unwrap().values().copied().collect();
        assert_eq!(left, vec![false; misfits], "{misfits} and {owed}");
        system.drain(tokio::time::Instant::now(), std::time::Duration::ZERO).await;
    }
}
