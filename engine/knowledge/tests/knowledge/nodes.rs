//! Several nodes over one store: whatever they do at once, and whoever of them dies, in the end each finds what the
//! store has, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine_knowledge::{Knowledge, Now};
use engine_store::memory::MemoryStore;
use engine_store::{RecordName, Records, Scope};
use schema::{TenantId, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::document;
use crate::wired::{Fate, Gate, Wired};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Every text of these tests says it.
const COMMON: &str = "stone";
const SOURCES: [&str; 3] = ["a.md", "b.md", "c.md"];

/// Found or stored: each document's source and text.
type Texts = BTreeSet<(String, String)>;

async fn found(knowledge: &Knowledge, tenant: TenantId) -> Texts {
    let passages = knowledge.search(tenant, COMMON, 50).await.unwrap();
    passages.into_iter().map(|passage| (passage.source, passage.text.as_str().to_owned())).collect()
}

async fn stored(knowledge: &Knowledge, tenant: TenantId) -> Texts {
    let mut texts = Texts::new();
    for view in knowledge.list(tenant).await.unwrap() {
        if let Some(text) = knowledge.markdown(tenant, view.source.clone(), 0).await.unwrap() {
            texts.insert((view.source, text.markdown.as_str().to_owned()));
        }
    }
    texts
}

/// Waits for a fact, and says how long that took.
async fn until<F: Future<Output = bool>>(mut fact: impl FnMut() -> F) -> Duration {
    let begun = Instant::now();
    while !fact().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never came to be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

/// A clock that only the test moves.
#[derive(Clone)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW.as_millis())))
    }

    fn forward(&self, minutes: i64) {
        self.0.fetch_add(minutes * 60_000, Ordering::SeqCst);
    }

    fn now(&self) -> Now {
        let millis = Arc::clone(&self.0);
        Arc::new(move || Timestamp::from_millis(millis.load(Ordering::SeqCst)))
    }
}

/// Nodes with a folder each.
struct Nodes {
    store: Arc<MemoryStore>,
    clock: Clock,
    folders: Vec<TempDir>,
    tenant: TenantId,
}

impl Nodes {
    fn new(nodes: usize) -> Self {
        let folders = (0..nodes).map(|_| tempfile::tempdir().unwrap()).collect();
        Self { store: Arc::default(), clock: Clock::new(), folders, tenant: TenantId::generate() }
    }

    fn folder(&self, node: usize) -> &Path {
        self.folders[node].path()
    }

    fn open(&self, node: usize, records: Arc<dyn Records>) -> Knowledge {
        Knowledge::with_clock(self.folder(node), records, 64, self.clock.now())
    }

    /// All of them, with nothing in their way.
    fn all(&self) -> Vec<Knowledge> {
        (0..self.folders.len()).map(|node| self.open(node, self.store.clone())).collect()
    }

    fn stamp(&self) -> RecordName {
        RecordName { scope: Scope::Tenant(self.tenant), kind: "knowledge", id: "stamp".into() }
    }

    async fn learn(&self, knowledge: &Knowledge, source: &str, text: &str) {
        knowledge.learn(self.tenant, vec![document(source, text)], NOW).await.unwrap();
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}

/// What one call of the model came to: why it failed, if it did.
type Call = JoinHandle<Option<String>>;

/// One seed of the model.
struct World {
    nodes: Nodes,
    gate: Arc<Gate>,
    dice: Dice,
    with_faults: bool,
    alive: Vec<(Arc<Wired>, Knowledge)>,
    running: Vec<Option<Call>>,
    /// What was let through, to be read when it went wrong.
    trace: Vec<String>,
    texts: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let nodes = Nodes::new(2 + dice.below(2));
        let gate = Arc::<Gate>::default();
        let count = nodes.folders.len();
        let mut world = Self {
            nodes,
            gate,
            dice,
            with_faults: !seed.is_multiple_of(3),
            alive: Vec::new(),
            running: Vec::new(),
            trace: Vec::new(),
            texts: 0,
        };
        for node in 0..count {
            let begun = world.begin_node(node);
            world.alive.push(begun);
            world.running.push(None);
        }
        world
    }

    fn begin_node(&self, node: usize) -> (Arc<Wired>, Knowledge) {
        let wired = Wired::gated(&self.nodes.store, &self.gate, node);
        let knowledge = self.nodes.open(node, wired.clone());
        (wired, knowledge)
    }

    /// Has a node do something.
    fn call(&mut self, node: usize) {
        let (knowledge, tenant, gate) = (self.alive[node].1.clone(), self.nodes.tenant, Arc::clone(&self.gate));
        let source = SOURCES[self.dice.below(SOURCES.len())];
        let what = self.dice.below(10);
        self.texts += 1;
        let kind = self.texts;
        let other = (self.dice.below(2) == 0).then(|| SOURCES[self.dice.below(SOURCES.len())]);
        self.trace.push(format!("node {node}: {what} of {source} and {other:?}, text {}", self.texts));
        self.running[node] = Some(tokio::spawn(async move {
            // No two say the same: a search shows that once.
            let say = |source| document(source, &format!("A {COMMON} of kind x{kind} in {source}."));
            let documents = || [Some(source), other].into_iter().flatten().map(say).collect();
            let done = match what {
                0..=4 => knowledge.learn(tenant, documents(), NOW).await.map(drop),
                5..=6 => knowledge.forget(tenant, source.into()).await.map(drop),
                7 => knowledge.search(tenant, COMMON, 5).await.map(drop),
                _ => knowledge.refresh(tenant).await.map(drop),
            };
            gate.changed.notify_one();
            done.err().map(|error| error.to_string())
        }));
    }

    /// Lets one call to the store through, once every node that runs has got to one.
    async fn step(&mut self, heal: bool) {
        loop {
            let waiting = self.gate.waiting();
            let is_ready = |(node, call): (usize, &Option<Call>)| {
                call.as_ref().is_none_or(|call| call.is_finished() || waiting.contains(&node))
            };
            if self.running.iter().enumerate().all(is_ready) {
                if waiting.is_empty() {
                    return;
                }
                let at = self.dice.below(waiting.len());
                let fate = match self.dice.below(100) {
                    _ if heal || !self.with_faults => Fate::Done,
                    0..=1 => Fate::Refused,
                    2 => Fate::DoneUnknown,
                    3 => Fate::GoneBefore,
                    4 => Fate::GoneAfter,
                    _ => Fate::Done,
                };
                self.trace.push(format!("node {}: {fate:?}", waiting[at]));
                return self.gate.release(at, fate);
            }
            // A task's end is told before the task has ended.
            let _told = tokio::time::timeout(Duration::from_millis(2), self.gate.changed.notified()).await;
        }
    }

    /// Takes calls in that have ended; a node that is gone begins again.
    async fn collect(&mut self) {
        for node in 0..self.running.len() {
            let Some(call) = self.running[node].take_if(|call| call.is_finished()) else { continue };
            let ended = call.await;
            if let Ok(Some(error)) = &ended {
                self.trace.push(format!("node {node}: {error}"));
                assert!(self.with_faults, "nothing was in its way: {error}");
            }
            if self.alive[node].0.is_gone() {
                let wired = Arc::downgrade(&self.alive[node].0);
                let (fresh, knowledge) = self.begin_node(node);
                self.alive[node] = (fresh, knowledge);
                // What ran on its threads is over once nothing holds its store.
                until(|| std::future::ready(wired.upgrade().is_none())).await;
            }
        }
    }

    async fn run(&mut self, calls: usize) {
        let mut left = calls;
        while left > 0 {
            self.collect().await;
            for node in 0..self.running.len() {
                if self.running[node].is_none() && left > 0 && self.dice.below(3) == 0 {
                    left -= 1;
                    self.call(node);
                }
            }
            self.step(false).await;
        }
        while self.running.iter().any(Option::is_some) || !self.gate.waiting().is_empty() {
            self.step(true).await;
            self.collect().await;
        }
    }

    /// When all is quiet, every node holds what the store does.
    async fn check(mut self, seed: u64) {
        let tenant = self.nodes.tenant;
        if self.with_faults {
            self.nodes.clock.forward(11);
        }
        let truth = {
            let elsewhere = tempfile::tempdir().unwrap();
            stored(&Knowledge::open(elsewhere.path(), self.nodes.store.clone()), tenant).await
        };
        // As they are, and as after a restart.
        for restarted in [false, true] {
            for node in 0..self.alive.len() {
                if restarted {
                    let fresh = self.nodes.open(node, self.nodes.store.clone());
                    self.alive[node].1 = fresh;
                }
                let (knowledge, gate) = (self.alive[node].1.clone(), Arc::clone(&self.gate));
                let looking = tokio::spawn(async move {
                    found(&knowledge, tenant).await;
                    knowledge.refresh(tenant).await.unwrap();
                    let found = found(&knowledge, tenant).await;
                    gate.changed.notify_one();
                    found
                });
                while !looking.is_finished() {
                    if let Some(at) = self.gate.waiting().len().checked_sub(1) {
                        self.gate.release(at, Fate::Done);
                    }
                    let _told = tokio::time::timeout(Duration::from_millis(2), self.gate.changed.notified()).await;
                }
                let held = looking.await.unwrap();
                assert_eq!(held, truth, "seed {seed}, node {node}: {:#?}", self.trace);
            }
        }
    }
}

/// `KNOWLEDGE_SEEDS=from..to` runs others.
#[tokio::test]
async fn every_node_ends_with_what_the_store_has() {
    let asked = std::env::var("KNOWLEDGE_SEEDS").ok();
    let asked = asked.as_deref().and_then(|seeds| seeds.split_once(".."));
    let (from, to) = asked.map_or((1, 13), |(from, to)| (from.parse().unwrap(), to.parse().unwrap()));
    for seed in from..to {
        let mut world = World::new(seed);
        world.run(24).await;
        world.check(seed).await;
    }
}

/// What is found out about another node's change is read; nothing else is.
#[tokio::test]
async fn one_changed_document_of_many_is_one_text_that_is_read() {
    const DOCUMENTS: usize = 5_000;
    let nodes = Nodes::new(2);
    let counted = Wired::counting(&nodes.store);
    let (writer, reader) = (nodes.open(0, nodes.store.clone()), nodes.open(1, counted.clone()));
    let documents =
        (0..DOCUMENTS).map(|n| document(&format!("{n}.md"), &format!("A {COMMON} of kind x{n}."))).collect();
    writer.learn(nodes.tenant, documents, NOW).await.unwrap();
    writer.learn(nodes.tenant, vec![document("empty.md", " \n")], NOW).await.unwrap();
    until(|| async { reader.search(nodes.tenant, "x4999", 5).await.is_ok_and(|found| !found.is_empty()) }).await;
    assert!(counted.reads("document_text").0 >= DOCUMENTS, "it is built from all texts");

    nodes.learn(&writer, "17.md", "A pebble lies here.").await;
    assert!(reader.refresh(nodes.tenant).await.unwrap());
    assert_eq!(counted.reads("document_text"), (1, DOCUMENTS / 100 + 1));
    assert_eq!(reader.search(nodes.tenant, "pebble", 5).await.unwrap()[0].source, "17.md");
    assert!(writer.forget(nodes.tenant, "18.md".into()).await.unwrap());
    assert!(reader.refresh(nodes.tenant).await.unwrap());
    assert_eq!(counted.reads("document_text").0, 0, "what is gone is not read");
    assert!(reader.search(nodes.tenant, "x18", 5).await.unwrap().iter().all(|found| found.source != "18.md"));
    assert!(!reader.refresh(nodes.tenant).await.unwrap());
    assert_eq!(counted.reads("document_text"), (0, 0), "what is up to date is not looked through");
}

/// An index whose refresh waits for the store answers as before.
#[tokio::test]
async fn searches_go_on_with_what_was_found_before_while_an_index_is_refreshed() {
    let nodes = Nodes::new(2);
    let gate = Arc::<Gate>::default();
    let writer = nodes.open(0, nodes.store.clone());
    nodes.learn(&writer, "a.md", "An old stone.").await;
    let reader = nodes.open(1, Wired::gated(&nodes.store, &gate, 1));
    let tenant = nodes.tenant;
    assert!(!reader.refresh(tenant).await.unwrap(), "nothing is open");
    let let_through = |calls: usize| {
        let gate = Arc::clone(&gate);
        async move {
            for _ in 0..calls {
                until(|| std::future::ready(!gate.waiting().is_empty())).await;
                gate.release(0, Fate::Done);
            }
        }
    };
    let opening = tokio::spawn({
        let reader = reader.clone();
        async move { found(&reader, tenant).await }
    });
    while !opening.is_finished() {
        let _none = tokio::time::timeout(Duration::from_millis(5), let_through(1)).await;
    }
    let old = opening.await.unwrap();
    nodes.learn(&writer, "a.md", "A new stone.").await;
    let refreshing = tokio::spawn({
        let reader = reader.clone();
        async move { reader.refresh(tenant).await }
    });
    let mut let_by = 0;
    while !refreshing.is_finished() {
        if tokio::time::timeout(Duration::from_millis(5), let_through(1)).await.is_ok() {
            let_by += 1;
            // The text is read by the fifth call or later; until then nothing else can be found.
            if let_by < 5 {
                assert_eq!(found(&reader, tenant).await, old);
            }
        }
    }
    assert!(refreshing.await.unwrap().unwrap() && let_by >= 5);
    assert_eq!(found(&reader, tenant).await, [("a.md".into(), "A new stone.".into())].into());
}

#[tokio::test]
async fn a_change_is_seen_on_all_nodes_within_two_seconds_and_at_once_where_they_are_told() {
    let nodes = Nodes::new(3);
    let all = nodes.all();
    let tenant = nodes.tenant;
    nodes.learn(&all[0], "a.md", "A first stone.").await;
    for knowledge in &all {
        found(knowledge, tenant).await;
    }
    // The first tells the second; nobody tells the third, who follows.
    let told = Arc::<Mutex<Vec<TenantId>>>::default();
    let (second, telling) = (all[1].clone(), Arc::clone(&told));
    assert!(all[0].on_change(Arc::new(move |tenant| {
        telling.lock().unwrap().push(tenant);
        second.changed(tenant);
    })));
    assert!(!all[0].on_change(Arc::new(|_| ())), "one is told, and nobody else");
    let follower = all[2].clone();
    let following = tokio::spawn(async move { follower.follow().await });
    for n in 0..3 {
        let text = format!("A stone of round x{n}.");
        nodes.learn(&all[0], "a.md", &text).await;
        let truth: Texts = [("a.md".to_owned(), text)].into();
        let at_once = until(|| async { found(&all[1], tenant).await == truth }).await;
        let in_time = until(|| async { found(&all[2], tenant).await == truth }).await;
        assert!(at_once + in_time < Duration::from_secs(2), "{at_once:?}, {in_time:?}");
    }
    all[0].forget(tenant, "a.md".into()).await.unwrap();
    until(|| async { found(&all[2], tenant).await.is_empty() }).await;
    assert!(!all[0].forget(tenant, "a.md".into()).await.unwrap());
    assert_eq!(*told.lock().unwrap(), [tenant; 4], "what changes nothing is not told");
    following.abort();
}

/// A learner that is gone leaves what it stored after the others' last look: it is found once its time is over.
#[tokio::test]
async fn what_a_dead_node_stored_last_is_found_when_its_time_is_over() {
    let nodes = Nodes::new(2);
    let tenant = nodes.tenant;
    let gate = Arc::<Gate>::default();
    let living = nodes.open(0, nodes.store.clone());
    nodes.learn(&living, "a.md", "A first stone.").await;
    let wired = Wired::gated(&nodes.store, &gate, 1);
    let dying = nodes.open(1, wired.clone());
    let learning =
        tokio::spawn(async move { dying.learn(tenant, vec![document("b.md", "A late stone.")], NOW).await.map(drop) });
    // It goes on until it has announced itself; then the other one learns, and has all there is …
    let announced = || async {
        let stamp = nodes.store.get(nodes.stamp()).await.unwrap().unwrap();
        String::from_utf8(stamp.body).unwrap().contains("since")
    };
    while !announced().await {
        until(|| std::future::ready(!gate.waiting().is_empty())).await;
        gate.release(0, Fate::Done);
    }
    nodes.learn(&living, "c.md", "An early stone.").await;
    assert!(!living.refresh(tenant).await.unwrap());
    // … and then the late document is stored, and its node is gone.
    while stored(&living, tenant).await.len() < 3 {
        until(|| std::future::ready(!gate.waiting().is_empty())).await;
        gate.release(0, Fate::Done);
    }
    until(|| std::future::ready(!gate.waiting().is_empty())).await;
    gate.release(0, Fate::GoneBefore);
    assert!(learning.await.unwrap().is_err() && wired.is_gone());
    assert!(!living.refresh(tenant).await.unwrap(), "it may go on any moment");
    assert_eq!(found(&living, tenant).await.len(), 2);
    nodes.clock.forward(9);
    assert!(!living.refresh(tenant).await.unwrap());
    nodes.clock.forward(2);
    assert!(living.refresh(tenant).await.unwrap());
    assert_eq!(found(&living, tenant).await.len(), 3);
    assert!(!announced().await, "its stint is taken out");
}

#[tokio::test]
async fn what_is_gone_from_the_store_leaves_every_nodes_disk() {
    let nodes = Nodes::new(3);
    let tenant = nodes.tenant;
    let mut all = nodes.all();
    nodes.learn(&all[0], "a.md", "A first stone.").await;
    let folder = |node: usize| nodes.folder(node).join("knowledge").join(tenant.to_string());
    for knowledge in &all {
        assert_eq!(found(knowledge, tenant).await.len(), 1);
    }
    all[2] = nodes.open(2, nodes.store.clone());
    let scope = Scope::Tenant(tenant);
    for kind in ["document", "document_text", "knowledge"] {
        for record in nodes.store.scan(scope, kind, None, 9).await.unwrap() {
            nodes.store.delete(RecordName { scope, kind, id: record.id }, record.version).await.unwrap();
        }
    }
    for open in &all[..2] {
        open.refresh(tenant).await.unwrap();
    }
    for (node, knowledge) in all.iter().enumerate() {
        assert!(found(knowledge, tenant).await.is_empty());
        assert!(!folder(node).exists(), "node {node}");
    }
    // What is learned after that is counted anew, and not taken for what was there before.
    for knowledge in &all {
        nodes.learn(knowledge, "b.md", "A stone of the same count.").await;
    }
    for knowledge in &all {
        knowledge.refresh(tenant).await.unwrap();
        assert_eq!(found(knowledge, tenant).await, stored(knowledge, tenant).await);
    }
}
