//! A node of the model, in one of its lives: it commits what its conversations append as groups into its own log, and
//! folds it behind.
//! Invariant: an append is acknowledged when its group is known to be decided; a segment goes when all of it is folded.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::cells::{Answer, Epoch, Event, Events, Log, Segment, Seq, Statement, Writer};
use crate::cluster::{Cluster, Plant};

const GROUP_MAX: usize = 3;
const SEGMENT_MAX: usize = 5;

/// An event on its way, and what becomes of it: whether it is decided.
pub(crate) struct Item {
    pub(crate) log: Log,
    pub(crate) seq: Seq,
    pub(crate) event: Event,
    pub(crate) outcome: Rc<Cell<Option<bool>>>,
}

/// A node's memory.
pub(crate) struct Node {
    pub(crate) cluster: Cluster,
    pub(crate) writer: Writer,
    pub(crate) has_ended: Cell<bool>,
    pub(crate) is_ready: Cell<bool>,
    /// What it owns: under which epoch, and the head.
    pub(crate) owned: RefCell<BTreeMap<Log, (Epoch, Seq)>>,
    /// Logs with an event on its way.
    pub(crate) busy: RefCell<BTreeSet<Log>>,
    waiting: RefCell<VecDeque<Item>>,
    marks: RefCell<BTreeMap<Log, Epoch>>,
    unfolded: RefCell<Events>,
    sealed: RefCell<Vec<u32>>,
    groups: Cell<u32>,
}

/// Where it writes.
struct End {
    segment: u32,
    head: u64,
    fences: u64,
    events: usize,
}

/// Its log was closed.
pub(crate) struct Closed;

/// Waits for a fact.
pub(crate) async fn until(fact: impl Fn() -> bool) {
    poll_fn(|_| if fact() { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Node {
    pub(crate) fn new(cluster: Cluster, writer: Writer) -> Rc<Self> {
        Rc::new(Self {
            cluster,
            writer,
            has_ended: Cell::default(),
            is_ready: Cell::default(),
            owned: RefCell::default(),
            busy: RefCell::default(),
            waiting: RefCell::default(),
            marks: RefCell::default(),
            unfolded: RefCell::default(),
            sealed: RefCell::default(),
            groups: Cell::default(),
        })
    }

    /// An event behind the head of a conversation that is this node's.
    pub(crate) fn append(&self, log: Log, id: u32) -> Option<(Seq, Rc<Cell<Option<bool>>>)> {
        let (epoch, head) = *self.owned.borrow().get(&log)?;
        if !self.busy.borrow_mut().insert(log) {
            return None;
        }
        let outcome = Rc::default();
        let item = Item { log, seq: head + 1, event: Event { epoch, id }, outcome: Rc::clone(&outcome) };
        self.waiting.borrow_mut().push_back(item);
        Some((head + 1, outcome))
    }

    /// Commits what waits, until its log is closed.
    pub(crate) async fn commit(self: Rc<Self>) {
        let Closed = self.commit_until_closed().await.unwrap_err();
        self.has_ended.set(true);
    }

    async fn commit_until_closed(&self) -> Result<(), Closed> {
        let mut end = self.open(0).await?;
        self.is_ready.set(true);
        loop {
            until(|| !self.waiting.borrow().is_empty()).await;
            let count = self.waiting.borrow().len().min(GROUP_MAX);
            let mut items: Vec<Item> = self.waiting.borrow_mut().drain(..count).collect();
            if end.events + items.len() > SEGMENT_MAX {
                self.seal(&mut end).await?;
                let sealed = end.segment;
                if self.cluster.is_planted(Plant::NoneOpen) {
                    self.sealed.borrow_mut().push(sealed);
                    end = self.open(sealed + 1).await?;
                } else {
                    end = self.open(sealed + 1).await?;
                    // Not sooner: where the first segment is absent, its writer has been closed.
                    self.sealed.borrow_mut().push(sealed);
                }
            }
            self.decide(&mut end, &mut items).await?;
        }
    }

    /// Brings a group to its log, without those that others have taken over meanwhile.
    async fn decide(&self, end: &mut End, items: &mut Vec<Item>) -> Result<(), Closed> {
        loop {
            self.drop_fenced(items);
            if items.is_empty() {
                return Ok(());
            }
            let group = self.groups.get() + 1;
            self.groups.set(group);
            let events: Events = items.iter().map(|item| ((item.log, item.seq), item.event)).collect();
            let (segment, head, fences) = (end.segment, end.head, end.fences);
            let statement = Statement::Group { writer: self.writer, segment, head, fences, group, events };
            // The same group again, until it is decided or cannot be any more.
            while end.fences == fences {
                let answer = self.cluster.ask(statement.clone()).await;
                let is_taken = matches!(answer, Answer::Unknown) && self.cluster.is_planted(Plant::UnknownAcknowledged);
                if matches!(answer, Answer::Decided) || is_taken {
                    self.decided(end, items);
                    return Ok(());
                }
                let found = self.segment(segment).await;
                if found.as_ref().is_some_and(|found| found.group == group) {
                    self.decided(end, items);
                    return Ok(());
                }
                let found = found.filter(|found| !found.is_closed).ok_or(Closed)?;
                self.learn(&found);
                end.fences = found.fences;
            }
        }
    }

    fn decided(&self, end: &mut End, items: &mut Vec<Item>) {
        end.head += 1;
        for Item { log, seq, event, outcome } in items.drain(..) {
            end.events += 1;
            self.unfolded.borrow_mut().insert((log, seq), event);
            if let Some((epoch, head)) = self.owned.borrow_mut().get_mut(&log)
                && *epoch == event.epoch
            {
                *head = seq;
            }
            self.busy.borrow_mut().remove(&log);
            outcome.set(Some(true));
        }
    }

    fn drop_fenced(&self, items: &mut Vec<Item>) {
        items.retain(|Item { log, event, outcome, .. }| {
            let is_fenced = self.marks.borrow().get(log).is_some_and(|mark| event.epoch < *mark);
            if is_fenced {
                self.busy.borrow_mut().remove(log);
                outcome.set(Some(false));
                return false;
            }
            true
        });
    }

    /// What others have set in its log.
    fn learn(&self, segment: &Segment) {
        for (log, epoch) in &segment.marks {
            self.mark(*log, *epoch);
        }
    }

    /// Events of a log under lower epochs are not to come any more.
    pub(crate) fn mark(&self, log: Log, epoch: Epoch) {
        let mut marks = self.marks.borrow_mut();
        let mark = marks.entry(log).or_default();
        *mark = epoch.max(*mark);
        self.owned.borrow_mut().retain(|owned, (under, _)| *owned != log || *under >= *mark);
    }

    async fn segment(&self, segment: u32) -> Option<Box<Segment>> {
        match self.cluster.ask_until_answered(Statement::Segment(self.writer, segment)).await {
            Answer::Segment(found) => found,
            _ => None,
        }
    }

    async fn open(&self, segment: u32) -> Result<End, Closed> {
        let writer = self.writer;
        loop {
            let open = Statement::Open { writer, segment, mark: None, is_closed: false };
            let answer = self.cluster.ask(open).await;
            match self.segment(segment).await {
                Some(found) if found.is_closed => return Err(Closed),
                Some(found) => {
                    self.learn(&found);
                    return Ok(End { segment, head: found.head, fences: found.fences, events: 0 });
                }
                // Others have removed it: what was opened is not seen.
                None if matches!(answer, Answer::Decided) => return Err(Closed),
                None => {}
            }
        }
    }

    async fn seal(&self, end: &mut End) -> Result<(), Closed> {
        let (writer, segment, head) = (self.writer, end.segment, end.head);
        loop {
            self.cluster.ask(Statement::Seal { writer, segment, head, fences: end.fences }).await;
            let found = self.segment(segment).await.filter(|found| !found.is_closed).ok_or(Closed)?;
            self.learn(&found);
            if found.is_sealed {
                return Ok(());
            }
            end.fences = found.fences;
        }
    }

    /// Folds what was decided into the conversations' own partitions, and removes what that empties.
    pub(crate) async fn fold(self: Rc<Self>) {
        loop {
            until(|| !self.unfolded.borrow().is_empty() && self.cluster.dice(|dice| dice.happens(10))).await;
            let (events, sealed) = (self.unfolded.take(), self.sealed.take());
            let is_early = self.cluster.is_planted(Plant::RemovedEarly);
            for log in logs(&events) {
                let of_log = events.iter().filter(|((of, _), _)| *of == log).map(|(at, event)| (*at, *event)).collect();
                if is_early {
                    self.cluster.ask(Statement::Fold(of_log)).await;
                } else {
                    self.cluster.ask_until_answered(Statement::Fold(of_log)).await;
                }
            }
            for segment in sealed {
                self.remove(self.writer, segment).await;
            }
        }
    }

    /// Whoever starts from the first segment must not look for one that is gone.
    pub(crate) async fn remove(&self, writer: Writer, segment: u32) {
        self.cluster.ask_until_answered(Statement::MoveFirst(writer, segment + 1)).await;
        self.cluster.ask_until_answered(Statement::Remove(writer, segment)).await;
    }
}

pub(crate) fn logs(events: &Events) -> BTreeSet<Log> {
    events.keys().map(|(log, _)| *log).collect()
}
