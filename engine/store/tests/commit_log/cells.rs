//! What the cluster holds in the model, and what one statement does to it.
//! Invariant: a statement is done at one moment, whole or not at all, as a conditional statement in one partition is. What
//! must never be decided is looked for right where it would be.

use std::collections::BTreeMap;

/// A conversation's log.
pub(crate) type Log = u8;
/// A life of a node: started again, it writes a log of another name.
pub(crate) type Writer = u32;
pub(crate) type Epoch = u64;
pub(crate) type Seq = u64;

/// Above all epochs: the conversation is being erased.
pub(crate) const RETIRED: Epoch = Epoch::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) epoch: Epoch,
    pub(crate) id: u32,
}

/// Events of some logs, each in its place.
pub(crate) type Events = BTreeMap<(Log, Seq), Event>;

/// Whose a conversation is, and where its newest events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) epoch: Epoch,
    pub(crate) writer: Option<Writer>,
}

/// A segment of a node's log: one partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    /// Groups so far.
    pub(crate) head: u64,
    /// Marks that others have set so far. A group names the number that it knows of.
    pub(crate) fences: u64,
    pub(crate) is_sealed: bool,
    /// Its writer was held for dead: nothing is appended any more.
    pub(crate) is_closed: bool,
    /// The newest group.
    pub(crate) group: u32,
    pub(crate) events: Events,
    /// From which epoch on events of a log may come.
    pub(crate) marks: BTreeMap<Log, Epoch>,
}

/// One statement.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Owner(Log),
    Claim { log: Log, from: Epoch, writer: Writer },
    Forget { log: Log, epoch: Epoch },
    First(Writer),
    MoveFirst(Writer, u32),
    Segment(Writer, u32),
    Open { writer: Writer, segment: u32, mark: Option<(Log, Epoch)>, is_closed: bool },
    Group { writer: Writer, segment: u32, head: u64, fences: u64, group: u32, events: Events },
    Mark { writer: Writer, segment: u32, fences: u64, log: Log, epoch: Epoch },
    Close { writer: Writer, segment: u32 },
    Seal { writer: Writer, segment: u32, head: u64, fences: u64 },
    Remove(Writer, u32),
    Own(Log),
    Fold(Events),
    Clear(Log),
}

/// What it is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Done,
    Decided,
    Refused,
    Owner(Option<Owned>),
    First(u32),
    Segment(Option<Box<Segment>>),
    Own(BTreeMap<Seq, Event>),
    /// It may have been done, or may yet be.
    Unknown,
}

/// The tables.
#[derive(Default)]
pub(crate) struct Cells {
    pub(crate) owners: BTreeMap<Log, Owned>,
    first: BTreeMap<Writer, u32>,
    /// None where it was removed: that is later than whatever comes.
    pub(crate) segments: BTreeMap<(Writer, u32), Option<Segment>>,
    /// What is folded.
    pub(crate) own: BTreeMap<Log, BTreeMap<Seq, Event>>,
    cleared: Vec<Log>,
    /// All that was ever decided, in its order: what no node can see.
    pub(crate) decided: BTreeMap<Log, Vec<Event>>,
    claimed: BTreeMap<Log, Epoch>,
    pub(crate) faults: Vec<String>,
    /// A group that others have fenced is stored all the same.
    ignores_fences: bool,
}

impl Statement {
    /// Whether it only looks.
    pub(crate) const fn is_reading(&self) -> bool {
        matches!(self, Self::Owner(_) | Self::First(_) | Self::Segment(..) | Self::Own(_))
    }
}

impl Cells {
    pub(crate) fn with_logs(logs: u8, ignores_fences: bool) -> Self {
        let owners = (0..logs).map(|log| (log, Owned { epoch: 0, writer: None })).collect();
        Self { owners, ignores_fences, ..Self::default() }
    }

    pub(crate) fn run(&mut self, statement: &Statement) -> Answer {
        let decided = |is_decided| if is_decided { Answer::Decided } else { Answer::Refused };
        match statement {
            Statement::Owner(log) => Answer::Owner(self.owners.get(log).copied()),
            Statement::Claim { log, from, writer } => decided(self.claim(*log, *from, *writer)),
            Statement::Forget { log, epoch } => {
                let is_it = self.owners.get(log).is_some_and(|owned| owned.epoch == *epoch);
                if is_it {
                    self.owners.remove(log);
                    self.claimed.insert(*log, RETIRED);
                }
                decided(is_it)
            }
            Statement::First(writer) => Answer::First(self.first.get(writer).copied().unwrap_or_default()),
            Statement::MoveFirst(writer, to) => {
                let first = self.first.entry(*writer).or_default();
                *first = (*first).max(*to);
                Answer::Done
            }
            Statement::Segment(writer, segment) => {
                Answer::Segment(self.segments.get(&(*writer, *segment)).cloned().flatten().map(Box::new))
            }
            Statement::Open { writer, segment, mark, is_closed } => {
                let is_absent = self.segments.get(&(*writer, *segment)).is_none_or(Option::is_none);
                // Where it was removed the condition holds, and what is written is not seen.
                self.segments.entry((*writer, *segment)).or_insert_with(|| {
                    let marks: BTreeMap<_, _> = mark.iter().copied().collect();
                    Some(Segment { fences: marks.len() as u64, marks, is_closed: *is_closed, ..Segment::default() })
                });
                decided(is_absent)
            }
            Statement::Group { writer, segment, head, fences, group, events } => {
                let ignores = self.ignores_fences;
                let held = |it: &Segment| it.head == *head && (ignores || it.fences == *fences);
                let is_decided = self.change((*writer, *segment), held, |it| {
                    (it.head, it.group) = (head + 1, *group);
                    it.events.extend(events);
                });
                if is_decided {
                    self.look_at(events);
                }
                decided(is_decided)
            }
            Statement::Mark { writer, segment, fences, log, epoch } => decided(self.change(
                (*writer, *segment),
                |it| it.fences == *fences,
                |it| {
                    it.fences += 1;
                    it.marks.insert(*log, *epoch);
                },
            )),
            Statement::Close { writer, segment } => {
                decided(self.change((*writer, *segment), |_| true, |it| it.is_closed = true))
            }
            Statement::Seal { writer, segment, head, fences } => {
                let held = |it: &Segment| it.head == *head && it.fences == *fences;
                decided(self.change((*writer, *segment), held, |it| it.is_sealed = true))
            }
            Statement::Remove(writer, segment) => {
                self.segments.insert((*writer, *segment), None);
                Answer::Done
            }
            Statement::Own(log) => Answer::Own(self.own.get(log).cloned().unwrap_or_default()),
            Statement::Fold(events) => {
                for ((log, seq), event) in events.iter().filter(|((log, _), _)| !self.cleared.contains(log)) {
                    if let Some(other) = self.own.entry(*log).or_default().insert(*seq, *event)
                        && other != *event
                    {
                        self.faults.push(format!("log {log}, event {seq}: {event:?} is folded over {other:?}"));
                    }
                }
                Answer::Done
            }
            Statement::Clear(log) => {
                self.cleared.push(*log);
                self.own.remove(log);
                Answer::Done
            }
        }
    }

    fn claim(&mut self, log: Log, from: Epoch, writer: Writer) -> bool {
        let Some(owned) = self.owners.get_mut(&log).filter(|owned| owned.epoch == from) else { return false };
        *owned = Owned { epoch: from + 1, writer: Some(writer) };
        self.claimed.insert(log, from + 1);
        true
    }

    /// Changes a segment that is open, and as expected.
    fn change(
        &mut self,
        at: (Writer, u32),
        held: impl Fn(&Segment) -> bool,
        change: impl FnOnce(&mut Segment),
    ) -> bool {
        let open = self.segments.get_mut(&at).and_then(Option::as_mut);
        let Some(it) = open.filter(|it| !it.is_sealed && !it.is_closed && held(it)) else { return false };
        change(it);
        true
    }

    /// What was just decided continues its logs, and is by their owners.
    fn look_at(&mut self, events: &Events) {
        for ((log, seq), event) in events {
            let before = self.decided.entry(*log).or_default();
            if before.len() as u64 + 1 != *seq {
                self.faults.push(format!("log {log}: event {seq} is decided behind {}", before.len()));
            }
            if event.epoch < self.claimed.get(log).copied().unwrap_or_default() {
                self.faults.push(format!("log {log}: {event:?} is decided for a node that is fenced"));
            }
            before.push(*event);
        }
    }
}
