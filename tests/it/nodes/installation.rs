//! Nodes of one installation in this process: one store, one membership, cables between all of them, virtual time.
//! A node runs on tasks of its own, and dies with them without a word.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::{
    Audience, Clock, Failure, Format, Joined, Listener, Options, Outbox, OutboxItem, OutboxStream, ReplyTo, System,
    TenantRecord, Worker,
};
use engine_conversation::{Command, Outcome};
use engine_model::{Chunk, ChunkStream, Model, ModelSettings, Prompt, Registry, Stop};
use engine_store::memory::MemoryStore;
use engine_store::{Log, PageBounds, SharedStore};
use futures_util::StreamExt;
use schema::wire::{ErrorFace, ServerFrame};
use schema::{ContactId, ConversationKey, Epoch, Event, NodeId, Position, SessionId, TenantId, Timestamp};
use tests::bench::NoPassages;
use tests::peers::{Cable, Membership, Speed, serve};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, timeout};

/// When these worlds begin.
const EPOCH_MS: i64 = 1_800_000_000_000;
/// Longest wait for a fact, in virtual time.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// Goes as virtual time does.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// What every node's model says: what tests give it for each question, or one word.
#[derive(Clone, Default)]
pub(super) struct Speakers(Arc<Mutex<Vec<mpsc::UnboundedReceiver<String>>>>);

impl Speakers {
    /// The next reply, wherever it is made: it says what is sent, and ends when that is dropped.
    pub(super) fn next(&self) -> mpsc::UnboundedSender<String> {
        let (say, said) = mpsc::unbounded_channel();
        self.0.lock().unwrap().push(said);
        say
    }
}

impl Model for Speakers {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        let mut given = self.0.lock().unwrap();
        let given = (!given.is_empty()).then(|| given.remove(0));
        Box::pin(async_stream::stream! {
            match given {
                Some(mut given) => while let Some(piece) = given.recv().await {
                    yield Ok(Chunk::Text(piece));
                },
                None => yield Ok(Chunk::Text("Yes.".into())),
            }
            yield Ok(Chunk::End(Stop::Completed));
        })
    }
}

type Job = Box<dyn FnOnce(Rc<Worker>)>;

/// A node that runs.
pub(super) struct Node {
    pub(super) id: NodeId,
    jobs: mpsc::UnboundedSender<Job>,
    pub(super) system: Arc<System>,
    life: JoinHandle<()>,
}

/// All of them.
pub(super) struct Installation {
    pub(super) store: MemoryStore,
    pub(super) membership: Membership,
    pub(super) tenant: TenantId,
    pub(super) speakers: Speakers,
    pub(super) began: Instant,
    cables: RefCell<BTreeMap<(NodeId, NodeId), Cable>>,
}

/// Runs a test under virtual time, on the ground that is no node's.
pub(super) fn run<F: Future<Output = ()>>(test: impl FnOnce(Rc<Installation>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let tenant = TenantId::generate();
        let store = MemoryStore::default();
        TenantRecord::new(tenant, "shop", Timestamp::default()).save(&store, 0).await.unwrap();
        let installation = Rc::new(Installation {
            store,
            membership: Membership::default(),
            tenant,
            speakers: Speakers::default(),
            began: Instant::now(),
            cables: RefCell::default(),
        });
        test(installation).await;
    }));
}

impl Installation {
    /// A node that all see live, without a cable yet.
    pub(super) fn start(&self) -> Node {
        self.start_as(NodeId::generate())
    }

    /// The same, that owns nothing.
    pub(super) fn start_without(&self) -> Node {
        let id = NodeId::generate();
        self.membership.owns_nothing(id);
        self.start_as(id)
    }

    fn start_as(&self, id: NodeId) -> Node {
        let store = Arc::new(self.store.of_node(id)) as SharedStore;
        let clock = Arc::new(Virtual(self.began)) as Arc<dyn Clock>;
        let options = Options {
            peers: Some(self.membership.of(id)),
            alone: false,
            jitter: || 0.5,
            rest_after: Duration::from_secs(3),
            ..Options::default()
        };
        let system = System::new(store, Arc::new(NoPassages), clock, options);
        let settings = ModelSettings { list: vec!["builtin".into()], ..ModelSettings::default() };
        let models = Registry::unchecked(settings, Some(Arc::new(self.speakers.clone())));
        let (jobs, mut work) = mpsc::unbounded_channel::<Job>();
        let tasks = LocalSet::new();
        let its = Arc::clone(&system);
        tasks.spawn_local(async move {
            let worker = Worker::new(Arc::clone(&its), models);
            tokio::task::spawn_local(Rc::clone(&worker).attend());
            tokio::task::spawn_local(its.sweep());
            while let Some(job) = work.recv().await {
                job(Rc::clone(&worker));
            }
        });
        self.membership.comes(id);
        Node { id, jobs, system, life: tokio::task::spawn_local(tasks) }
    }

    /// So many, each with a cable to each.
    pub(super) async fn nodes<const N: usize>(&self) -> [Node; N] {
        let nodes = std::array::from_fn(|_| self.start());
        for (n, node) in nodes.iter().enumerate() {
            nodes[..n].iter().for_each(|other| self.lay(other, node, &Speed::default()));
        }
        // The loops of each have begun.
        tokio::time::sleep(Duration::from_millis(50)).await;
        nodes
    }

    /// A cable between two nodes, in place of the one before.
    pub(super) fn lay(&self, a: &Node, b: &Node, speed: &Speed) {
        let (cable, [first, second]) = Cable::lay(speed);
        for (node, other, end) in [(a, b.id, first), (b, a.id, second)] {
            node.work(move |worker| drop(tokio::task::spawn_local(serve(Arc::clone(worker.system()), other, end))));
        }
        if let Some(older) = self.cables.borrow_mut().insert(ends(a, b), cable) {
            older.cut();
        }
    }

    /// The cable between two nodes: cut, with both noticing.
    pub(super) fn cut(&self, a: &Node, b: &Node) {
        self.cables.borrow()[&ends(a, b)].cut();
    }

    /// Nothing of what `from` sends arrives at `to`, and nobody notices.
    pub(super) fn silence(&self, from: &Node, to: &Node) {
        let cables = self.cables.borrow();
        match cables.get(&(from.id, to.id)) {
            Some(cable) => cable.silence(0),
            None => cables[&(to.id, from.id)].silence(1),
        }
    }

    pub(super) async fn log(&self, key: ConversationKey) -> Vec<Event> {
        let mut log = Vec::new();
        loop {
            let page = self.store.read(key, log.len() as u64, PageBounds::FULL).await.unwrap();
            log.extend(page.events);
            if log.len() as u64 >= page.head {
                return log;
            }
        }
    }

    /// How often it was claimed.
    pub(super) async fn claims(&self, key: ConversationKey) -> Epoch {
        self.store.owner(key).await.unwrap().epoch
    }

    pub(super) async fn owner(&self, key: ConversationKey) -> Option<NodeId> {
        self.store.owner(key).await.unwrap().node
    }
}

fn ends(a: &Node, b: &Node) -> (NodeId, NodeId) {
    (a.id, b.id)
}

impl Node {
    /// Does something as the node's own.
    fn work(&self, job: impl FnOnce(Rc<Worker>) + 'static) {
        assert!(self.jobs.send(Box::new(job)).is_ok(), "the node lives");
    }

    pub(super) async fn on<T, F>(&self, work: impl FnOnce(Rc<Worker>) -> F + 'static) -> T
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.work(|worker| {
            let work = work(worker);
            tokio::task::spawn_local(async move {
                let _ = answer.send(work.await);
            });
        });
        timeout(LONG, answered).await.expect("in time").expect("the node lives")
    }

    pub(super) async fn open(&self, tenant: TenantId) -> ConversationKey {
        self.on(move |worker| async move { worker.open(tenant, ContactId::generate(), None).await }).await.unwrap().0
    }

    pub(super) async fn submit(&self, key: ConversationKey, command: Command) -> Result<Outcome, Failure> {
        self.on(move |worker| async move { worker.submit(key, command).await }).await
    }

    /// As a client does: again with the same ref, while it is told to.
    pub(super) async fn submit_until_taken(&self, key: ConversationKey, command: Command) -> Outcome {
        let until = Instant::now() + LONG;
        loop {
            match self.submit(key, command.clone()).await {
                Ok(outcome) => return outcome,
                Err(failure) => {
                    let wait = failure.retry_after.unwrap_or_else(|| panic!("{failure:?}"));
                    assert!(Instant::now() < until, "{failure:?}");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Dies without a word.
    pub(super) fn crash(self) {
        self.life.abort();
    }
}

/// A session without a socket, and what it has seen.
pub(super) struct Ear {
    pub(super) session: SessionId,
    pub(super) outbox: Arc<Outbox>,
    frames: OutboxStream,
    pub(super) events: Vec<Event>,
    /// The running reply as it was heard.
    pub(super) heard: String,
    pub(super) signals: Vec<String>,
    pub(super) told: Vec<ErrorFace>,
}

impl Ear {
    /// One that listens to a conversation by way of a node.
    pub(super) async fn at(node: &Node, key: ConversationKey, from: Position) -> Self {
        let ear = Self::new();
        ear.join(node, key, from).await.unwrap();
        ear
    }

    pub(super) fn new() -> Self {
        let outbox = Outbox::new();
        Self {
            session: SessionId::generate(),
            frames: outbox.stream(),
            outbox,
            events: Vec::new(),
            heard: String::new(),
            signals: Vec::new(),
            told: Vec::new(),
        }
    }

    pub(super) async fn join(&self, node: &Node, key: ConversationKey, from: Position) -> Result<Joined, Failure> {
        let (session, outbox) = (self.session, Arc::clone(&self.outbox));
        node.on(move |worker| async move {
            let (reply, answer) = ReplyTo::call();
            let listener = Listener { session, outbox, format: Format::Socket, audience: Audience::Team };
            worker.find_here(key).await?.join(listener, from, reply);
            answer.await.unwrap_or_else(|_| panic!("a reply answers"))
        })
        .await
    }

    /// Takes the next frame.
    pub(super) async fn next(&mut self) -> ServerFrame {
        let item = timeout(LONG, self.frames.next()).await.expect("in time");
        let Some(OutboxItem::Frame(raw)) = item else { panic!("{item:?}") };
        let frame: ServerFrame = serde_json::from_str(&raw).unwrap();
        match &frame {
            ServerFrame::Event { event, .. } => {
                let due = self.events.last().map_or(event.seq, |last| last.seq + 1);
                assert_eq!(event.seq, due, "events follow each other, each once");
                self.events.push(event.clone());
                if event.fact.name() == "message" && event.author == schema::Author::Assistant {
                    self.heard.clear();
                }
            }
            ServerFrame::Delta(delta) => {
                if delta.offset == 0 {
                    self.heard.clear();
                }
                assert_eq!(delta.offset, self.heard.chars().count(), "nothing of a reply is missing or doubled");
                self.heard.push_str(delta.text.as_str());
            }
            ServerFrame::Signal(signal) => self.signals.push(serde_json::to_string(&signal.kind).unwrap()),
            ServerFrame::Error { error, .. } => self.told.push(error.clone()),
            _ => {}
        }
        frame
    }

    /// Takes frames until the facts are there.
    pub(super) async fn until(&mut self, is_there: impl Fn(&Self) -> bool) {
        while !is_there(self) {
            self.next().await;
        }
    }

    /// Until it has heard so much of a reply.
    pub(super) async fn hears(&mut self, text: &str) {
        self.until(|ear| ear.heard == text).await;
    }

    /// Until it has had an event.
    pub(super) async fn has(&mut self, seq: u64) {
        self.until(|ear| ear.events.last().is_some_and(|last| last.seq >= seq)).await;
    }

    /// Until a reply has ended whose text is this.
    pub(super) async fn reply(&mut self, text: &str) {
        self.until(|ear| ear.events.iter().any(|event| said(event) == Some(text))).await;
    }

    /// Whether nothing waits for it.
    pub(super) fn has_all(&self) -> bool {
        self.outbox.waiting_bytes() == 0
    }
}

/// What somebody said in an event.
pub(super) fn said(event: &Event) -> Option<&str> {
    match &event.fact {
        schema::Fact::Message { text, .. } => Some(text.as_str()),
        _ => None,
    }
}
