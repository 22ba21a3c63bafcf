//! A run of the model: nodes that crash and are wrongly held for dead, clients that go from one to another, readers, an
//! erasure; and what must hold of it all, meanwhile and at the end.
//! Invariant: whoever judges knows what was decided and acknowledged, and tells no node.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use crate::cells::{Log, Seq, Writer};
use crate::cluster::{Cluster, Plant};
use crate::node::{Node, until};
use crate::passing::{erase, read, take_over, tidy};

const NODES: usize = 2;
const LOGS: Log = 4;
const STEPS: usize = 1_500;
const EVENTS: u32 = 30;
/// After the faults everything comes to its end, or hangs.
const QUIET_STEPS: usize = 50_000;

/// What is done, and with whose life it ends, if with any.
type Work = (Option<Writer>, Pin<Box<dyn Future<Output = ()>>>);

/// How much of everything there was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) decided: usize,
    pub(crate) acknowledged: usize,
    pub(crate) crashed: usize,
    pub(crate) closed: usize,
    pub(crate) taken: usize,
    pub(crate) readings: usize,
    pub(crate) erased: usize,
}

#[derive(Default)]
struct Journal {
    acked: BTreeMap<Log, BTreeMap<Seq, u32>>,
    erasing: BTreeSet<Log>,
    erased: BTreeSet<Log>,
    faults: Vec<String>,
    seen: Seen,
}

#[derive(Clone)]
struct World {
    cluster: Cluster,
    nodes: Rc<RefCell<Vec<Rc<Node>>>>,
    works: Rc<RefCell<Vec<Work>>>,
    journal: Rc<RefCell<Journal>>,
    writers: Rc<RefCell<Writer>>,
}

/// Runs a seed. What went wrong, and how much there was.
pub(crate) fn run(seed: u64, plant: Option<Plant>) -> (Vec<String>, Seen) {
    let world = World {
        cluster: Cluster::new(seed, LOGS, plant),
        nodes: Rc::default(),
        works: Rc::default(),
        journal: Rc::default(),
        writers: Rc::default(),
    };
    for _ in 0..NODES {
        let node = world.begin();
        world.nodes.borrow_mut().push(node);
    }
    for log in 0..LOGS {
        let client = world.clone();
        world.work(None, async move { client.client(log).await });
    }
    let dice = |percent| world.cluster.dice(|dice| dice.happens(percent));
    let below = |sides| world.cluster.dice(|dice| dice.below(sides));
    let erased_at = if dice(40) { below(STEPS) } else { STEPS };
    for step in 0..STEPS {
        world.poll();
        world.replace_ended();
        world.cluster.step();
        match below(300) {
            0 => world.crash(below(NODES)),
            1..6 => world.look(below(LOGS.into()) as Log),
            6..8 => {
                let (node, writer) = (world.node(below(NODES)), below(*world.writers.borrow() as usize) as Writer);
                world.work(Some(node.writer), tidy(node, writer, dice(30)));
            }
            _ => {}
        }
        if step == erased_at {
            world.erase(world.node(below(NODES)), below(LOGS.into()) as Log);
        }
    }
    world.end();
    world.judge()
}

impl World {
    /// A node begins a life.
    fn begin(&self) -> Rc<Node> {
        let writer = *self.writers.borrow();
        *self.writers.borrow_mut() += 1;
        let node = Node::new(self.cluster.clone(), writer);
        self.work(Some(writer), Rc::clone(&node).commit());
        self.work(Some(writer), Rc::clone(&node).fold());
        node
    }

    fn node(&self, at: usize) -> Rc<Node> {
        Rc::clone(&self.nodes.borrow()[at])
    }

    fn work(&self, of: Option<Writer>, work: impl Future<Output = ()> + 'static) {
        self.works.borrow_mut().push((of, Box::pin(work)));
    }

    /// Goes on with everything that can go on.
    fn poll(&self) {
        let works = self.works.take();
        let mut context = Context::from_waker(Waker::noop());
        for (of, mut work) in works {
            let is_over = of.is_some_and(|writer| {
                self.nodes.borrow().iter().all(|node| node.writer != writer || node.has_ended.get())
            });
            if !is_over && work.as_mut().poll(&mut context).is_pending() {
                self.works.borrow_mut().push((of, work));
            }
        }
    }

    fn crash(&self, at: usize) {
        self.node(at).has_ended.set(true);
        self.journal.borrow_mut().seen.crashed += 1;
    }

    /// A node whose life is over begins another one.
    fn replace_ended(&self) {
        for at in 0..NODES {
            if self.node(at).has_ended.get() {
                let node = self.begin();
                self.nodes.borrow_mut()[at] = node;
            }
        }
    }

    /// Appends to a conversation, one event after the other, wherever it comes to.
    async fn client(&self, log: Log) {
        let mut at = 0;
        for id in 0..EVENTS {
            loop {
                if self.cluster.dice(|dice| dice.happens(15)) {
                    at = self.cluster.dice(|dice| dice.below(NODES));
                }
                until(|| !self.node(at).has_ended.get()).await;
                let node = self.node(at);
                until(|| node.is_ready.get() || node.has_ended.get()).await;
                if let Some((seq, outcome)) = node.append(log, u32::from(log) * 1_000 + id) {
                    until(|| outcome.get().is_some() || node.has_ended.get()).await;
                    if outcome.get() == Some(true) {
                        self.acknowledged(log, seq, u32::from(log) * 1_000 + id);
                    }
                    break;
                }
                self.claim(&node, log).await;
                if self.journal.borrow().erasing.contains(&log) {
                    return;
                }
            }
        }
    }

    async fn claim(&self, node: &Rc<Node>, log: Log) {
        let closes = self.cluster.dice(|dice| dice.happens(20));
        let is_over = Rc::new(RefCell::new(false));
        let (taking, told, journal) = (Rc::clone(node), Rc::clone(&is_over), Rc::clone(&self.journal));
        self.work(Some(node.writer), async move {
            let is_taken = take_over(taking, log, closes).await;
            let seen = &mut journal.borrow_mut().seen;
            seen.taken += usize::from(is_taken);
            seen.closed += usize::from(closes);
            *told.borrow_mut() = true;
        });
        until(|| *is_over.borrow() || node.has_ended.get()).await;
    }

    fn acknowledged(&self, log: Log, seq: Seq, id: u32) {
        let mut journal = self.journal.borrow_mut();
        let acked = journal.acked.entry(log).or_default();
        let is_behind = acked.last_key_value().is_none_or(|(last, _)| *last < seq);
        acked.insert(seq, id);
        journal.seen.acknowledged += 1;
        if !is_behind {
            journal.faults.push(format!("log {log}: event {seq} is acknowledged out of order"));
        }
        let decided =
            self.cluster.cells(|cells| cells.decided.get(&log).and_then(|all| all.get(seq as usize - 1)).copied());
        if decided.map(|event| event.id) != Some(id) {
            journal.faults.push(format!("log {log}: event {seq} is acknowledged, and {decided:?} was decided"));
        }
    }

    /// Reads a conversation from somewhere.
    fn look(&self, log: Log) {
        let world = self.clone();
        let acked = self.journal.borrow().acked.get(&log).cloned().unwrap_or_default();
        self.work(None, async move {
            let found = read(&world.cluster, log).await;
            let mut journal = world.journal.borrow_mut();
            if journal.erasing.contains(&log) {
                return;
            }
            journal.seen.readings += 1;
            let found = found.unwrap_or_default();
            let ids: Vec<u32> = found.values().map(|event| event.id).collect();
            let decided: Vec<u32> = world.cluster.cells(|cells| {
                cells.decided.get(&log).into_iter().flatten().map(|event| event.id).take(ids.len()).collect()
            });
            if !found.keys().copied().eq(1..=found.len() as u64) || ids != decided {
                journal.faults.push(format!("log {log}: {found:?} is read, and {decided:?} was decided"));
            }
            if acked.last_key_value().is_some_and(|(last, _)| *last > found.len() as u64) {
                let missed = format!("log {log}: {} events are read, and more were acknowledged before", found.len());
                journal.faults.push(missed);
            }
        });
    }

    fn erase(&self, node: Rc<Node>, log: Log) {
        self.journal.borrow_mut().erasing.insert(log);
        let journal = Rc::clone(&self.journal);
        self.work(Some(node.writer), async move {
            erase(node, log).await;
            let mut journal = journal.borrow_mut();
            if journal.erased.insert(log) {
                journal.seen.erased += 1;
            }
        });
    }

    /// No more faults; all nodes end, and one that comes after them does what is left.
    fn end(&self) {
        self.works.borrow_mut().clear();
        self.cluster.heal();
        let last = *self.writers.borrow();
        let node = self.begin();
        *self.nodes.borrow_mut() = vec![Rc::clone(&node)];
        let erasing = self.journal.borrow().erasing.clone();
        for log in erasing {
            self.erase(Rc::clone(&node), log);
        }
        for writer in 0..last {
            self.work(Some(node.writer), tidy(Rc::clone(&node), writer, true));
        }
        for _ in 0..QUIET_STEPS {
            self.poll();
            self.cluster.step();
            // Its own two go on for ever.
            if self.works.borrow().len() <= 2 {
                return;
            }
        }
        self.journal.borrow_mut().faults.push("it does not come to an end".to_owned());
    }

    fn judge(&self) -> (Vec<String>, Seen) {
        let mut journal = self.journal.borrow_mut();
        let Journal { acked, erased, faults, seen, .. } = &mut *journal;
        self.cluster.cells(|cells| {
            faults.append(&mut cells.faults);
            for log in 0..LOGS {
                let own = cells.own.get(&log).cloned().unwrap_or_default();
                let decided = cells.decided.get(&log).cloned().unwrap_or_default();
                seen.decided += decided.len();
                if erased.contains(&log) {
                    if !own.is_empty() {
                        faults.push(format!("log {log}: it is erased, and has {own:?}"));
                    }
                    continue;
                }
                if !own.iter().map(|(seq, event)| (*seq, *event)).eq((1..).zip(decided.iter().copied())) {
                    faults.push(format!("log {log}: {own:?} is folded, and {decided:?} was decided"));
                }
                let ids: BTreeSet<u32> = decided.iter().map(|event| event.id).collect();
                if ids.len() != decided.len() {
                    faults.push(format!("log {log}: {decided:?} has an event twice"));
                }
                for (seq, id) in acked.get(&log).into_iter().flatten() {
                    if own.get(seq).map(|event| event.id) != Some(*id) {
                        faults.push(format!("log {log}: event {seq} was acknowledged, and is {:?}", own.get(seq)));
                    }
                }
            }
            let left = cells.segments.iter().filter_map(|(at, segment)| Some((at, segment.as_ref()?)));
            for (at, segment) in left.filter(|(_, segment)| !segment.events.is_empty()) {
                faults.push(format!("segment {at:?} is left with {:?}", segment.events));
            }
        });
        (std::mem::take(faults), *seen)
    }
}
