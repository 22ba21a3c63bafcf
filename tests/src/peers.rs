//! Several nodes in one process: a membership that tests decide, and cables in place of the transport's links. A cable
//! is slow, silent one way, or cut; what it carries it never reorders.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actors::{Living, OutboxItem, Peers, System};
use bytestring::ByteString;
use futures_util::StreamExt;
use schema::NodeId;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Frames that two kernels hold.
const UNDER_WAY_MAX: usize = 64;

/// Who lives, as all nodes see it.
pub struct Membership {
    living: watch::Sender<Living>,
    /// Of those, and of others, who owns nothing.
    without: watch::Sender<BTreeSet<NodeId>>,
}

struct Member {
    me: NodeId,
    living: watch::Receiver<Living>,
    without: watch::Receiver<BTreeSet<NodeId>>,
}

impl Default for Membership {
    fn default() -> Self {
        Self { living: watch::Sender::new(Living::from([])), without: watch::Sender::default() }
    }
}

impl Membership {
    /// A node's part in it.
    #[must_use]
    pub fn of(&self, me: NodeId) -> Arc<dyn Peers> {
        Arc::new(Member { me, living: self.living.subscribe(), without: self.without.subscribe() })
    }

    /// It owns nothing, from before it comes.
    pub fn owns_nothing(&self, node: NodeId) {
        self.without.send_modify(|without| {
            without.insert(node);
        });
    }

    /// All see it live from now on.
    pub fn comes(&self, node: NodeId) {
        self.change(|living| living.insert(node));
    }

    /// All hold it for dead from now on, whether it is or not.
    pub fn goes(&self, node: NodeId) {
        self.change(|living| living.remove(&node));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<NodeId>) -> bool) {
        self.living.send_if_modified(|living| {
            let mut set: BTreeSet<NodeId> = living.iter().copied().collect();
            let changed = change(&mut set);
            *living = set.into_iter().collect();
            changed
        });
    }
}

impl Peers for Member {
    fn me(&self) -> NodeId {
        self.me
    }

    fn living(&self) -> watch::Receiver<Living> {
        self.living.clone()
    }

    fn owns(&self) -> bool {
        !self.without.borrow().contains(&self.me)
    }

    fn owner_of(&self, hash: u64, among: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        let weight = |node: &NodeId| {
            let mut hasher = DefaultHasher::new();
            (node, hash).hash(&mut hasher);
            hasher.finish()
        };
        let (living, without) = (self.living.borrow(), self.without.borrow());
        living.iter().copied().filter(|node| !without.contains(node) && among(*node)).max_by_key(weight)
    }
}

/// How a cable carries.
#[derive(Clone)]
pub struct Speed {
    /// How long a frame is under way.
    pub delay: Rc<dyn Fn() -> Duration>,
    /// Bytes a second; as they come where there is no such number.
    pub bytes: Option<u64>,
    /// Whether a frame arrives; those that do not are a fault of the cable that nobody is to notice.
    pub arrives: Rc<dyn Fn(&str) -> bool>,
    /// How long it takes until an end notices that the other is gone.
    pub unnoticed: Duration,
}

impl Default for Speed {
    fn default() -> Self {
        let delay = Rc::new(|| Duration::from_millis(1));
        Self { delay, bytes: None, arrives: Rc::new(|_| true), unnoticed: Duration::ZERO }
    }
}

/// A cable between two nodes.
#[derive(Clone, Default)]
pub struct Cable {
    cut: CancellationToken,
    /// Nothing arrives any more at the second end, or at the first; nobody notices.
    silent: [Arc<AtomicBool>; 2],
}

/// A node's end of a cable.
pub struct End {
    out: mpsc::Sender<ByteString>,
    come: mpsc::Receiver<ByteString>,
}

impl Cable {
    /// A new one. It carries as a task of its own, which is no node's.
    #[must_use]
    pub fn lay(speed: &Speed) -> (Self, [End; 2]) {
        let cable = Self::default();
        let (a_out, a_taken) = mpsc::channel(1);
        let (b_out, b_taken) = mpsc::channel(1);
        let (to_a, a_come) = mpsc::channel(1);
        let (to_b, b_come) = mpsc::channel(1);
        let [to_second, to_first] = cable.silent.clone();
        let (cut, unnoticed) = (cable.cut.clone(), speed.unnoticed);
        let mut there = Box::pin(carry(a_taken, to_b, speed.clone(), to_second));
        let mut back = Box::pin(carry(b_taken, to_a, speed.clone(), to_first));
        tokio::task::spawn_local(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => {}
                () = &mut there => {}
                () = &mut back => {}
            }
            cut.cancel();
            sleep(unnoticed).await;
            drop((there, back));
        });
        (cable, [End { out: a_out, come: a_come }, End { out: b_out, come: b_come }])
    }

    /// Cuts it: what is under way is lost, and both ends notice.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Whether it carries no more, for whatever reason.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// Loses what is sent from one end on (0: the first), and nobody notices.
    pub fn silence(&self, from: usize) {
        self.silent[from].store(true, Ordering::Relaxed);
    }
}

async fn carry(
    mut taken: mpsc::Receiver<ByteString>,
    arrives: mpsc::Sender<ByteString>,
    speed: Speed,
    silent: Arc<AtomicBool>,
) {
    let (on_it, mut under_way) = mpsc::channel::<(Instant, ByteString)>(UNDER_WAY_MAX);
    let is_silent = || silent.load(Ordering::Relaxed);
    let take = async {
        let mut last = Instant::now();
        while let Some(frame) = taken.recv().await {
            if let Some(bytes) = speed.bytes {
                sleep(Duration::from_micros(frame.len() as u64 * 1_000_000 / bytes.max(1))).await;
            }
            last = last.max(Instant::now() + (speed.delay)());
            if !is_silent() && on_it.send((last, frame)).await.is_err() {
                return;
            }
        }
    };
    let arrive = async {
        while let Some((at, frame)) = under_way.recv().await {
            sleep_until(at).await;
            if !is_silent() && (speed.arrives)(&frame) && arrives.send(frame).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = take => {}
        () = arrive => {}
        () = arrives.closed() => {}
    }
}

/// Serves a node's end, as the node's own task, until it is gone.
pub async fn serve(system: Arc<System>, other: NodeId, mut end: End) {
    let Some(link) = system.linked(other) else { return };
    let mut items = link.stream();
    let send = async {
        while let Some(OutboxItem::Frame(frame)) = items.next().await {
            if end.out.send(frame).await.is_err() {
                return;
            }
        }
    };
    let receive = async {
        while let Some(frame) = end.come.recv().await {
            if link.receive(&frame).is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = receive => {}
        () = send => {}
    }
}
