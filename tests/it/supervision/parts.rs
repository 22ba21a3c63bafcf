//! A panic in each part that is not a conversation's handler: what the store answers, a turn's search, its
//! model, the tenant's actor. Each costs what it was doing, says so, and nothing else.

use std::panic::panic_any;
use std::sync::{Arc, Mutex};

use actors::Options;
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{Chunk, ChunkStream, Model, Prompt, Stop};
use engine_store::memory::MemoryStore;
use engine_store::{
    Append, Claim, Log, Opening, Owner, Page, PageBounds, Pending, Record, RecordKeys, RecordName, Records, Scope,
};
use futures_util::future::BoxFuture;
use schema::{ConversationKey, End, Passage, Seq, TenantId};
use tests::bench::Bench;
use tests::stream::{reply_of, text_of};

/// Where the next panic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Append,
    AppendAnswer,
    Put,
    PutAnswer,
    Search,
    FirstWord,
    SecondWord,
}

/// Armed once, it goes off once.
#[derive(Default)]
struct Fuse(Mutex<Option<At>>);

impl Fuse {
    fn arm(&self, at: At) {
        *self.0.lock().unwrap() = Some(at);
    }

    fn is_armed(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }

    fn passes(&self, at: At) {
        let goes_off = self.0.lock().unwrap().take_if(|armed| *armed == at).is_some();
        if goes_off {
            panic_any("a test asked for it");
        }
    }
}

/// A store of which a call or its answer panics.
struct Treacherous {
    store: MemoryStore,
    fuse: Arc<Fuse>,
}

impl Treacherous {
    fn then<T: Send + 'static>(&self, answer: Pending<T>, at: At) -> Pending<T> {
        let fuse = Arc::clone(&self.fuse);
        Box::pin(async move {
            let answer = answer.await;
            fuse.passes(at);
            answer
        })
    }
}

impl Log for Treacherous {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        self.store.claim(key, open)
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        self.store.owner(key)
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        self.store.claim_from(key, owner)
    }

    fn append(&self, append: Append) -> Pending<()> {
        self.fuse.passes(At::Append);
        self.then(self.store.append(append), At::AppendAnswer)
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        self.store.read(key, after, bounds)
    }

    tests::forward!(erase, ending, with_contacts, unspoken, probe);
}

tests::forward!(DueIndex for Treacherous);

tests::forward!(Snapshots for Treacherous);

tests::forward!(Seals for Treacherous);

tests::forward!(Projections for Treacherous);

impl Records for Treacherous {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.store.get(name)
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.fuse.passes(At::Put);
        self.then(self.store.put(name, expected, body), At::PutAnswer)
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.store.put_with_keys(name, expected, body, keys)
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.store.find(scope, kind, key)
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.store.delete(name, expected)
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.store.scan(scope, kind, after, limit)
    }
}

struct Search(Arc<Fuse>);

impl Retriever for Search {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        let fuse = Arc::clone(&self.0);
        Box::pin(async move {
            fuse.passes(At::Search);
            Ok(Vec::new())
        })
    }
}

struct Brain(Arc<Fuse>);

impl Model for Brain {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        let fuse = Arc::clone(&self.0);
        Box::pin(async_stream::stream! {
            fuse.passes(At::FirstWord);
            yield Ok(Chunk::Text("One".into()));
            fuse.passes(At::SecondWord);
            yield Ok(Chunk::Text(" two.".into()));
            yield Ok(Chunk::End(Stop::Completed));
        })
    }
}

/// Actors on a store, a search and a model that share a fuse.
async fn start() -> (Bench, Arc<Fuse>) {
    let fuse = Arc::<Fuse>::default();
    let store = Arc::new(Treacherous { store: MemoryStore::default(), fuse: Arc::clone(&fuse) });
    let (search, brain) = (Search(Arc::clone(&fuse)), Brain(Arc::clone(&fuse)));
    (Bench::start(store, Arc::new(search), Arc::new(brain), Options::default()).await, fuse)
}

#[actix_web::test]
async fn a_store_that_panics_costs_a_restart_and_nothing_else() {
    // A turn that had begun with what was stored is marked, as after every restart.
    for (at, said) in [(At::Append, "One two."), (At::AppendAnswer, "")] {
        let (bench, fuse) = start().await;
        let (id, quiet) = (bench.open().await, bench.open().await);
        fuse.arm(at);
        let failure = bench.say(id, "r1").await.unwrap_err();
        assert_eq!(failure.code.name(), "restarting", "{at:?}");
        assert!(!fuse.is_armed());
        let asked = bench.say_until_taken(id, "r1").await;
        assert_eq!(asked, 2, "{at:?}: stored before or after, it is there once");
        assert_eq!(text_of(&bench.reply(id, asked).await), said, "{at:?}");
        for (id, r#ref) in [(id, "r2"), (quiet, "r1")] {
            let asked = bench.say(id, r#ref).await.unwrap().seq.unwrap();
            assert_eq!(text_of(&bench.reply(id, asked).await), "One two.", "{at:?}");
        }
    }
}

#[actix_web::test]
async fn a_turn_that_panics_ends_incomplete_and_the_next_is_whole() {
    for (at, said) in [(At::Search, ""), (At::FirstWord, ""), (At::SecondWord, "One")] {
        let (bench, fuse) = start().await;
        let id = bench.open().await;
        fuse.arm(at);
        let asked = bench.say(id, "r1").await.unwrap().seq.unwrap();
        let event = bench.reply(id, asked).await;
        let reply = reply_of(&event).unwrap();
        assert_eq!((reply.end, reply.made.error.as_deref()), (End::Incomplete, Some("internal")), "{at:?}");
        assert_eq!(text_of(&event), said, "{at:?}: what was said stays");
        let asked = bench.say(id, "r2").await.unwrap().seq.unwrap();
        assert_eq!(
            text_of(&bench.reply(id, asked).await),
            "One two.",
            "{at:?}: the conversation itself has not crashed"
        );
        assert_eq!(bench.worker.find(id).await.unwrap().view().await.unwrap().epoch, 1, "{at:?}");
    }
}

#[actix_web::test]
async fn a_tenants_crash_leaves_its_conversations_running() {
    for (at, version) in [(At::Put, 0), (At::PutAnswer, 1)] {
        let (bench, fuse) = start().await;
        let id = bench.open().await;
        let tenant = bench.worker.tenant(bench.tenant).await.unwrap();
        let mut profile = tenant.profile();
        profile.assistant.instructions = "Be brief.".into();
        fuse.arm(at);
        let failure = tenant.put_profile(0, profile.clone(), &[]).await.unwrap_err();
        assert_eq!(failure.code.name(), "restarting", "{at:?}");
        let asked = bench.say(id, "r1").await.unwrap().seq.unwrap();
        assert_eq!(text_of(&bench.reply(id, asked).await), "One two.", "{at:?}");
        assert_eq!(bench.worker.find(id).await.unwrap().view().await.unwrap().epoch, 1, "{at:?}");
        // Whether it was written before the crash is found out by the next one who writes.
        if version > 0 {
            let conflict = tenant.put_profile(0, profile.clone(), &[]).await.unwrap_err();
            assert_eq!(conflict.code.name(), "version_conflict", "{at:?}");
        }
        assert_eq!(tenant.view().version, version, "{at:?}");
        profile.assistant.instructions = "Be kind.".into();
        let view = tenant.put_profile(version, profile, &[]).await.unwrap();
        assert_eq!((view.version, view.profile.assistant.instructions.as_str()), (version + 1, "Be kind."), "{at:?}");
    }
}
