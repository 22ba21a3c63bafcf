//! The store of the simulated world: one disk for all nodes, and a node's way to it, on which
//! requests are slow, lost, answered too late or done without an answer.
//! Invariant: a log only grows, and no epoch writes after a higher one has; looked at after each write.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_store::memory::MemoryStore;
use engine_store::{
    Append, Claim, DueEntry, DueIndex, DueQuery, Hasten, Hastened, Log, Opening, Owner, Page, PageBounds, Pending,
    Record, RecordName, Reschedule, StoreError, Unspoken, UnspokenQuery,
};
use schema::{ContactId, ConversationKey, Epoch, Event, NodeId, Seq, TenantId, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::chance::Chance;
use super::node::EPOCH_MS;
use super::plant::Plant;
use super::projected::Projected;
use super::snapshots::Kept;

/// Longer than any answer takes; what is unknown by then stays so.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// A request that comes back to life after its sender has given it up.
const LATE_MS: u64 = 6_000;

/// Work that goes on whatever becomes of the node that asked for it.
pub(super) type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is durable.
#[derive(Default)]
pub(super) struct Disk {
    /// Before the logs, where both are locked.
    projected: Mutex<Projected>,
    rows: Mutex<BTreeMap<ConversationKey, Row>>,
    pub(super) records: MemoryStore,
    /// Profiles as they were before their last change, for a planted fault.
    stale: Mutex<BTreeMap<RecordName, Record>>,
    pub(super) snapshots: Kept,
    plant: Option<Plant>,
}

#[derive(Default)]
struct Row {
    epoch: Epoch,
    /// The node of the last claim, and how often it was another one's than that before.
    node: Option<NodeId>,
    moves: usize,
    events: Vec<Event>,
    newest_writer: Epoch,
    due: Option<Timestamp>,
    /// What must never be, and was.
    broken: Vec<String>,
}

/// How a node's requests fare at present.
#[derive(Default)]
pub(super) struct Weather {
    now: Mutex<Troubles>,
    dead: AtomicBool,
}

/// Shares of requests that suffer each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Troubles {
    pub(super) lost: f64,
    pub(super) unanswered: f64,
    pub(super) late: f64,
    pub(super) refused: f64,
    pub(super) slow: bool,
}

/// A node's way to the disk.
pub(super) struct Way {
    pub(super) disk: Arc<Disk>,
    pub(super) weather: Arc<Weather>,
    pub(super) errands: mpsc::UnboundedSender<Errand>,
    pub(super) chance: Chance,
    pub(super) usual_ms: u64,
    /// Whose way it is, where nodes tell each other apart.
    pub(super) node: Option<NodeId>,
}

impl Disk {
    pub(super) fn new(plant: Option<Plant>) -> Self {
        Self { plant, ..Self::default() }
    }

    /// A conversation's log, as it stands.
    pub(super) fn log(&self, key: ConversationKey) -> Vec<Event> {
        self.rows().get(&key).map(|row| row.events.clone()).unwrap_or_default()
    }

    /// A conversation's newest event.
    pub(super) fn head(&self, key: ConversationKey) -> Seq {
        self.rows().get(&key).map_or(0, |row| row.events.len() as Seq)
    }

    /// A conversation's owner and newest event, if there is such a conversation.
    pub(super) fn fence(&self, key: ConversationKey) -> Option<(Epoch, Seq)> {
        self.rows().get(&key).map(|row| (row.epoch, row.events.len() as Seq))
    }

    pub(super) const fn plant(&self) -> Option<Plant> {
        self.plant
    }

    pub(super) fn stale(&self) -> MutexGuard<'_, BTreeMap<RecordName, Record>> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a conversation there that nobody runs, as earlier versions of a store leave one: due at once.
    pub(super) fn begin(&self, key: ConversationKey, events: Vec<Event>) {
        self.projected().appended(key, &events);
        let due = Timestamp::from_millis(EPOCH_MS);
        self.rows().insert(key, Row { epoch: 1, newest_writer: 1, events, due: Some(due), ..Row::default() });
    }

    /// What was seen to be broken while it ran.
    pub(super) fn broken(&self) -> Vec<String> {
        self.rows()
            .iter()
            .flat_map(|(key, row)| row.broken.iter().map(move |what| format!("{}: {what}", key.conversation)))
            .collect()
    }

    /// What is made of the logs.
    pub(super) fn projected(&self) -> MutexGuard<'_, Projected> {
        self.projected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<ConversationKey, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a conversation went from one node to another.
    pub(super) fn moves(&self, key: ConversationKey) -> usize {
        self.rows().get(&key).map_or(0, |row| row.moves)
    }

    fn claim(&self, key: ConversationKey, node: Option<NodeId>, may_open: bool) -> Result<Claim, StoreError> {
        let mut rows = self.rows();
        if !may_open && !rows.contains_key(&key) {
            return Err(StoreError::NotFound);
        }
        let row = rows.entry(key).or_default();
        if self.plant != Some(Plant::NoFence) || row.epoch == 0 {
            row.epoch += 1;
        }
        row.moves += usize::from(row.node.is_some() && row.node != node);
        row.node = node;
        Ok(Claim { epoch: row.epoch, head: row.events.len() as Seq, due: row.due })
    }

    fn may_append(&self, append: &Append) -> Result<(), StoreError> {
        let rows = self.rows();
        let row = rows.get(&append.key).ok_or(StoreError::NotFound)?;
        let holds = match self.plant {
            Some(Plant::NoCondition) => true,
            Some(Plant::NoFence) => row.epoch == append.epoch,
            _ => row.epoch == append.epoch && row.events.len() as Seq == append.head,
        };
        if holds && append.continues_head() { Ok(()) } else { Err(StoreError::Fenced) }
    }

    fn append(&self, append: &Append) -> Result<(), StoreError> {
        self.may_append(append)?;
        self.projected().appended(append.key, &append.events);
        let mut rows = self.rows();
        let row = rows.get_mut(&append.key).ok_or(StoreError::NotFound)?;
        let at = usize::try_from(append.head).unwrap_or(usize::MAX);
        if at > row.events.len() {
            return Err(StoreError::Fenced);
        }
        // Rows are written under their numbers: without a condition they replace what stands there.
        if at < row.events.len() {
            row.broken.push(format!("events from {} on were written over", append.head + 1));
            row.events.truncate(at);
        }
        if append.epoch < row.newest_writer {
            row.broken.push(format!("epoch {} wrote after {}", append.epoch, row.newest_writer));
        }
        row.newest_writer = append.epoch;
        row.events.extend(append.events.iter().cloned());
        if self.plant != Some(Plant::DueForgotten) || row.due.is_none() {
            row.due = append.due.applied_to(row.due);
        }
        Ok(())
    }

    /// A conversation's entry in the due index.
    pub(super) fn entry(&self, key: ConversationKey) -> Option<Timestamp> {
        self.rows().get(&key).and_then(|row| row.due)
    }

    fn due(&self, query: DueQuery) -> Vec<DueEntry> {
        let rows = self.rows();
        let entries = rows.iter().filter_map(|(key, row)| Some(DueEntry { at: row.due?, key: *key }));
        let behind = |entry: &DueEntry| query.after.is_none_or(|after| *entry > after);
        let mut due: Vec<_> = entries.filter(|entry| entry.at < query.before && behind(entry)).collect();
        due.sort_unstable();
        due.truncate(query.limit);
        due
    }

    fn reschedule(&self, change: Reschedule) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let row = rows.get_mut(&change.key).ok_or(StoreError::NotFound)?;
        let holds = row.epoch == change.epoch && row.events.len() as Seq == change.head;
        if !holds && self.plant != Some(Plant::RescheduledBehind) {
            return Err(StoreError::Fenced);
        }
        row.due = change.at;
        Ok(())
    }

    fn hasten(&self, hasten: Hasten) -> Option<Hastened> {
        let mut rows = self.rows();
        let behind = |key: &ConversationKey| hasten.after.is_none_or(|after| key.conversation > after);
        let theirs = rows.iter_mut().filter(|(key, _)| key.tenant == hasten.tenant && behind(key));
        theirs.take(hasten.limit).fold(None, |hastened: Option<Hastened>, (key, row)| {
            let moved = hastened.map_or(0, |before| before.moved);
            let target = hasten.moves(moved, row.due).filter(|_| !row.events.is_empty());
            row.due = target.or(row.due);
            Some(Hastened { last: key.conversation, moved: moved + u32::from(target.is_some()) })
        })
    }

    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Result<(), StoreError> {
        let mut projected = self.projected();
        let mut rows = self.rows();
        let row = rows.get(&key).ok_or(StoreError::NotFound)?;
        if head.is_some_and(|head| head != row.events.len() as Seq) {
            return Err(StoreError::Fenced);
        }
        rows.remove(&key);
        self.snapshots.forget(key);
        projected.erased(key);
        Ok(())
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Result<Page, StoreError> {
        let rows = self.rows();
        let row = rows.get(&key).ok_or(StoreError::NotFound)?;
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let mut page = Page { head: row.events.len() as Seq, ..Page::default() };
        let mut bytes = 0;
        for event in row.events.iter().skip(after) {
            let json = serde_json::to_string(event).map_err(|_| StoreError::Corrupt("no JSON".into()))?;
            if !bounds.admit(page.events.len(), bytes, json.len()) {
                break;
            }
            bytes += json.len();
            page.events.push(event.clone());
        }
        Ok(page)
    }
}

impl Weather {
    pub(super) fn set(&self, troubles: Troubles) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = troubles;
    }

    /// The node is gone; what it has only promised is gone with it.
    pub(super) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    fn now(&self) -> Troubles {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    pub(super) fn delay(&self) -> Duration {
        let factor = if self.weather.now().slow { 10 } else { 1 };
        self.chance.delay(self.usual_ms * factor)
    }

    /// Whether a reading is refused, and how.
    pub(super) fn read_refused(&self) -> Option<StoreError> {
        self.chance.happens(self.weather.now().refused).then(|| self.refusal())
    }

    /// Nothing is done, and the answer says so: there is no room, or no store.
    fn refusal(&self) -> StoreError {
        if self.chance.happens(0.5) { StoreError::Busy } else { StoreError::Unavailable("the weather".into()) }
    }

    fn unknown() -> StoreError {
        StoreError::Unknown("no answer came".into())
    }

    /// Sends a write on its way. It is done, or not, independently of the node.
    pub(super) fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Disk) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let troubles = self.weather.now();
        let (there, back) = (self.delay(), self.delay());
        let late = Duration::from_millis(self.chance.draw(100..=LATE_MS));
        let fate = [troubles.lost, troubles.unanswered, troubles.late, troubles.refused]
            .map(|share| self.chance.happens(share));
        let refusal = self.refusal();
        let (answer, answered) = oneshot::channel();
        let disk = Arc::clone(&self.disk);
        let errand: Errand = Box::pin(async move {
            sleep(there).await;
            let result = match fate {
                [true, ..] => Err(Self::unknown()),
                [_, true, ..] => change(&disk).and(Err(Self::unknown())),
                [_, _, true, _] => {
                    // The sender has been told before it happens.
                    let _ = answer.send(Err(Self::unknown()));
                    sleep(late).await;
                    let _ = change(&disk);
                    return;
                }
                [.., true] => Err(refusal),
                _ => change(&disk),
            };
            sleep(back).await;
            let _ = answer.send(result);
        });
        self.sent(errand, answered)
    }

    fn sent<T: Send + 'static>(
        &self,
        errand: Errand,
        answered: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Pending<T> {
        // The world outlives every node.
        let _ = self.errands.send(errand);
        Box::pin(async move {
            let answered = tokio::time::timeout(ANSWER_MAX, answered).await;
            answered.unwrap_or_else(|_| Ok(Err(Self::unknown()))).unwrap_or_else(|_| Err(Self::unknown()))
        })
    }

    /// Reads what is on the disk, unless there is no room or no store.
    pub(super) fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Disk) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let refused = self.chance.happens(self.weather.now().refused).then(|| self.refusal());
        let (there, back) = (self.delay(), self.delay());
        let disk = Arc::clone(&self.disk);
        Box::pin(async move {
            sleep(there).await;
            if let Some(refusal) = refused {
                return Err(refusal);
            }
            let found = look(&disk);
            sleep(back).await;
            found
        })
    }

    /// The planted fault: says yes, and means to write later.
    fn promise(&self, append: Append) -> Pending<()> {
        let (there, later) = (self.delay(), self.chance.millis(1..=400));
        let (disk, weather) = (Arc::clone(&self.disk), Arc::clone(&self.weather));
        let (answer, answered) = oneshot::channel();
        let errand: Errand = Box::pin(async move {
            sleep(there).await;
            let allowed = disk.may_append(&append);
            let promised = allowed.is_ok();
            let _ = answer.send(allowed);
            sleep(later).await;
            if promised && !weather.dead.load(Ordering::Relaxed) {
                let _ = disk.append(&append);
            }
        });
        self.sent(errand, answered)
    }
}

impl Log for Way {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        let node = self.node;
        self.write(move |disk| disk.claim(key, node, open.is_some()))
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        self.look(move |disk| {
            let rows = disk.rows();
            let row = rows.get(&key).ok_or(StoreError::NotFound)?;
            let node = row.node.filter(|_| disk.plant != Some(Plant::OwnerForgotten));
            Ok(Owner { epoch: row.epoch, node })
        })
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        let node = self.node;
        self.write(move |disk| {
            let epoch = disk.rows().get(&key).map(|row| row.epoch).ok_or(StoreError::NotFound)?;
            if epoch == owner.epoch { disk.claim(key, node, false) } else { Err(StoreError::Fenced) }
        })
    }

    fn append(&self, append: Append) -> Pending<()> {
        if self.disk.plant == Some(Plant::EarlyAcknowledgement) {
            return self.promise(append);
        }
        self.write(move |disk| disk.append(&append))
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        self.look(move |disk| disk.read(key, after, bounds))
    }

    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()> {
        self.write(move |disk| disk.erase(key, head))
    }

    fn ending(&self, _: TenantId, _: Vec<ContactId>, _: usize) -> Pending<Vec<ConversationKey>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    // Nobody is erased in a simulation.
    fn with_contacts(&self, _: TenantId, _: Vec<ContactId>, _: usize) -> Pending<Vec<ConversationKey>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn unspoken(&self, _: UnspokenQuery) -> Pending<Vec<Unspoken>> {
        // Every contact of the simulation has a name.
        Box::pin(async { Ok(Vec::new()) })
    }

    fn probe(&self) -> Pending<()> {
        self.write(|_| Ok(()))
    }
}

impl DueIndex for Way {
    fn due(&self, query: DueQuery) -> Pending<Vec<DueEntry>> {
        let refused = self.chance.happens(self.weather.now().refused).then(|| self.refusal());
        let (there, back) = (self.delay(), self.delay());
        let disk = Arc::clone(&self.disk);
        Box::pin(async move {
            sleep(there).await;
            if let Some(refusal) = refused {
                return Err(refusal);
            }
            let due = disk.due(query);
            sleep(back).await;
            Ok(due)
        })
    }

    fn reschedule(&self, change: Reschedule) -> Pending<()> {
        self.write(move |disk| disk.reschedule(change))
    }

    fn hasten(&self, hasten: Hasten) -> Pending<Option<Hastened>> {
        self.write(move |disk| Ok(disk.hasten(hasten)))
    }
}
