//! A node of the simulated world: the actors as they are, on a set of tasks that a crash drops.

use std::cell::Cell;
use std::panic::panic_any;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actors::{Clock, Options, Peers, System, Worker};
use engine_conversation::Command;
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{ModelSettings, Registry, SharedModel};
use engine_store::SharedStore;
use futures_util::future::BoxFuture;
use schema::{ConversationKey, NodeId, Passage, TenantId, Timestamp};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::chance::{panics, system_draw};
use super::disk::{Way, Weather};
use super::line::NodeEnd;
use super::past::full_passages;
use super::session::Sessions;

/// When every simulated world begins.
pub(super) const EPOCH_MS: i64 = 1_800_000_000_000;

/// What a node is like.
pub(super) struct Kind {
    /// Whether its documents say as much as they may.
    pub(super) passages: bool,
    /// Whether no other node has the disk.
    pub(super) alone: bool,
    /// Who it is, and what it knows of others.
    pub(super) peers: Option<Arc<dyn Peers>>,
}

pub(super) struct Node {
    pub(super) tasks: LocalSet,
    /// Two, as on a machine of two cores. They share a thread here: what they do to the directory they do
    /// under its locks, one at a time, and in all orders.
    workers: [Rc<Worker>; 2],
    accepted: Cell<usize>,
    /// It is told so by others, where nodes know each other.
    pub(super) id: Option<NodeId>,
    pub(super) is_draining: Cell<bool>,
    pub(super) weather: Arc<Weather>,
    pub(super) clock: Arc<Skewed>,
    pub(super) sessions: Sessions,
}

/// A clock that goes right and shows wrong.
pub(super) struct Skewed {
    began: Instant,
    skew_ms: AtomicI64,
}

/// Documents that say the same whatever is asked, or nothing.
struct Documents {
    full: bool,
}

impl Node {
    pub(super) fn start(way: Way, brain: &SharedModel, began: Instant, sessions: Sessions, kind: Kind) -> Self {
        let weather = Arc::clone(&way.weather);
        let clock = Arc::new(Skewed { began, skew_ms: AtomicI64::new(0) });
        let options = Options {
            rest_after: Duration::from_secs(2),
            unspoken_after: Duration::from_secs(24 * 3_600),
            wakes_at_once: 4,
            snapshot_events: 5,
            threads: 1,
            work_min: 64,
            before: Some(maybe_panic),
            alone: kind.alone,
            peers: kind.peers.clone(),
            jitter: system_draw,
        };
        let system = System::new(
            Arc::new(way) as SharedStore,
            Arc::new(Documents { full: kind.passages }),
            Arc::clone(&clock) as Arc<dyn Clock>,
            options,
        );
        let settings = ModelSettings { list: vec!["builtin".into()], ..ModelSettings::default() };
        let models = || Registry::unchecked(settings.clone(), Some(Arc::clone(brain)));
        let workers = [(); 2].map(|()| Worker::new(Arc::clone(&system), models()));
        let tasks = LocalSet::new();
        tasks.spawn_local(system.sweep());
        for worker in &workers {
            tasks.spawn_local(Rc::clone(worker).attend());
        }
        tasks.spawn_local(sessions.clone().sweep());
        let (id, is_draining) = (kind.peers.map(|peers| peers.me()), Cell::new(false));
        Self { tasks, workers, accepted: Cell::new(0), id, is_draining, weather, clock, sessions }
    }

    /// One of the workers: the other one than the last time.
    pub(super) fn worker(&self) -> Rc<Worker> {
        self.accepted.set(self.accepted.get() + 1);
        Rc::clone(&self.workers[self.accepted.get() % self.workers.len()])
    }

    /// Serves a client.
    pub(super) fn accept(&self, key: ConversationKey, end: NodeEnd) {
        self.tasks.spawn_local(self.sessions.clone().serve(self.worker(), key, end));
    }
}

#[allow(clippy::panic, reason = "a crash is what it is for")]
fn maybe_panic(_: &Command) {
    if panics() {
        panic_any(Planted);
    }
}

/// What a planted panic carries, so that it can be told from a real one.
pub(super) struct Planted;

impl Skewed {
    pub(super) fn jump_to(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(EPOCH_MS + passed + self.skew_ms.load(Ordering::Relaxed))
    }
}

impl Retriever for Documents {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        let passages = if self.full { full_passages() } else { Vec::new() };
        Box::pin(async { Ok(passages) })
    }
}
