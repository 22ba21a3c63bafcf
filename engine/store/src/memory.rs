//! The store as a model: what every adapter must do, in the plainest code, and faults on demand.
//! Invariant: no threads, no files, no chance; the same calls and script give the same answers.

mod nodes;
mod projections;
mod seals;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_privacy::{KeyNumber, Keys, MemoryKeys};
use schema::{ContactId, ConversationKey, Epoch, Event, NodeId, Seq, TenantId, Timestamp, limits};
use tokio::time::{Instant, sleep_until};

use self::projections::Projected;
use super::{
    Append, Claim, DueEntry, DueIndex, DueQuery, Hasten, Hastened, Log, Opening, Owner, Page, PageBounds, Pending,
    Record, RecordKeys, RecordName, Records, Reschedule, Scope, Snapshot, Snapshots, StoreError, Unspoken,
    UnspokenQuery,
};

/// A store that forgets everything when it is dropped.
///
/// A write takes effect in the call itself, and is answered by the future: at once, or as the
/// script says. Answers come in the order of the calls.
#[derive(Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    keys: Arc<MemoryKeys>,
    /// Whose way to it this is.
    node: Option<NodeId>,
}

/// What shall happen to one write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scripted {
    /// How long the answer takes, on tokio's clock.
    pub delay: Duration,
    /// What it is.
    pub fate: Fate,
}

/// How a scripted write ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// As without a script.
    #[default]
    AsAsked,
    /// It is done, and answered with [`StoreError::Unknown`].
    DoneUnknown,
    /// It is not done, and answered with [`StoreError::Unknown`].
    LostUnknown,
    /// It is not done, and answered with [`StoreError::Unavailable`].
    Unavailable,
    /// It is not done, and answered with [`StoreError::Busy`].
    Busy,
}

#[derive(Default)]
struct State {
    /// Who owns what is told to nobody.
    hides_owners: bool,
    conversations: BTreeMap<ConversationKey, Conversation>,
    records: BTreeMap<RecordName, (u64, Vec<u8>)>,
    /// The id of the record that has a key.
    keys: BTreeMap<(Scope, &'static str, String), String>,
    projected: Projected,
    beats: BTreeMap<NodeId, nodes::Left>,
    script: VecDeque<Scripted>,
    last_answer_at: Option<Instant>,
}

struct Conversation {
    contact: ContactId,
    is_anonymous: bool,
    epoch: Epoch,
    /// The node of the last claim.
    node: Option<NodeId>,
    events: Vec<Event>,
    last_at: Timestamp,
    due: Option<Timestamp>,
    snapshot: Option<Snapshot>,
    key_id: KeyNumber,
}

impl MemoryStore {
    /// A node's own way to what is kept here: its claims are told from others'.
    #[must_use]
    pub fn of_node(&self, node: NodeId) -> Self {
        Self { state: Arc::clone(&self.state), keys: Arc::clone(&self.keys), node: Some(node) }
    }

    /// From now on, or no longer, nobody is told who owns what: as of a cluster that does not answer.
    pub fn hide_owners(&self, hidden: bool) {
        self.lock().hides_owners = hidden;
    }

    /// Says what shall happen to the next writes, one each, after those said before. A write is a
    /// claim, an append, an erasure, a snapshot, a change of the due index or of a record; rows of projections have no script.
    pub fn script(&self, next: impl IntoIterator<Item = Scripted>) {
        self.lock().script.extend(next);
    }

    /// What was said of writes that have not come yet is taken back.
    pub fn forget_script(&self) {
        self.lock().script.clear();
    }

    /// Scripted writes that have not come yet.
    #[must_use]
    pub fn script_left(&self) -> usize {
        self.lock().script.len()
    }

    fn write<T: Send + 'static>(&self, change: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Pending<T> {
        let mut state = self.lock();
        let Scripted { delay, fate } = state.script.pop_front().unwrap_or_default();
        let unknown = || StoreError::Unknown("scripted".into());
        let answer = match fate {
            Fate::AsAsked => change(&mut state),
            Fate::DoneUnknown => change(&mut state).and_then(|_| Err(unknown())),
            Fate::LostUnknown => Err(unknown()),
            Fate::Unavailable => Err(StoreError::Unavailable("scripted".into())),
            Fate::Busy => Err(StoreError::Busy),
        };
        let wait_until = state.answer_at(delay);
        drop(state);
        Box::pin(async move {
            if let Some(moment) = wait_until {
                sleep_until(moment).await;
            }
            answer
        })
    }

    fn read<T: Send + 'static>(&self, look: impl FnOnce(&State) -> Result<T, StoreError>) -> Pending<T> {
        let answer = look(&self.lock());
        Box::pin(async { answer })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_keys(&mut self, name: &RecordName) {
        self.keys.retain(|(scope, kind, _), id| !(*scope == name.scope && *kind == name.kind && *id == name.id));
    }

    // Later writes are not answered before earlier ones, as with one writer's queue.
    fn answer_at(&mut self, delay: Duration) -> Option<Instant> {
        if delay.is_zero() && self.last_answer_at.is_none() {
            return None;
        }
        let now = Instant::now();
        let moment = (now + delay).max(self.last_answer_at.unwrap_or(now));
        self.last_answer_at = (moment > now).then_some(moment);
        self.last_answer_at
    }
}

impl Log for MemoryStore {
    fn claim(&self, key: ConversationKey, open: Option<Opening>) -> Pending<Claim> {
        self.write(|state| {
            let conversation = match (state.conversations.entry(key), open) {
                (Entry::Occupied(found), _) => found.into_mut(),
                (Entry::Vacant(place), Some(Opening { contact, is_anonymous, at })) => {
                    let (events, due, snapshot) = (Vec::new(), None, None);
                    let allotted = self.keys.allot(1).ok().and_then(|ids| ids.first().copied());
                    let key_id = allotted.ok_or_else(|| StoreError::Unavailable("no key was allotted".into()))?;
                    let (epoch, node, last_at) = (0, None, at);
                    place.insert(Conversation {
                        contact,
                        is_anonymous,
                        epoch,
                        node,
                        events,
                        last_at,
                        due,
                        snapshot,
                        key_id,
                    })
                }
                (Entry::Vacant(_), None) => return Err(StoreError::NotFound),
            };
            conversation.epoch += 1;
            conversation.node = self.node;
            Ok(Claim { epoch: conversation.epoch, head: conversation.events.len() as Seq, due: conversation.due })
        })
    }

    fn owner(&self, key: ConversationKey) -> Pending<Owner> {
        let owner = self.read(|state| {
            if state.hides_owners {
                return Err(StoreError::Unavailable("it does not answer".into()));
            }
            let conversation = state.conversations.get(&key).ok_or(StoreError::NotFound)?;
            Ok(Owner { epoch: conversation.epoch, node: conversation.node })
        });
        Box::pin(async move {
            let owner = owner.await;
            // Told a moment later, as by every store that is not in this process: it may have changed meanwhile.
            tokio::task::yield_now().await;
            owner
        })
    }

    fn claim_from(&self, key: ConversationKey, owner: Owner) -> Pending<Claim> {
        self.write(|state| {
            let conversation = state.conversations.get_mut(&key).ok_or(StoreError::NotFound)?;
            if (conversation.epoch, conversation.node) != (owner.epoch, owner.node) {
                return Err(StoreError::Fenced);
            }
            conversation.epoch += 1;
            conversation.node = self.node;
            Ok(Claim { epoch: conversation.epoch, head: conversation.events.len() as Seq, due: conversation.due })
        })
    }

    fn append(&self, append: Append) -> Pending<()> {
        let newest = append.events.last().filter(|_| append.continues_head());
        let Some(last_at) = newest.map(|event| event.at) else {
            return Box::pin(async { Err(StoreError::Fenced) });
        };
        self.write(|state| {
            let conversation = state.conversations.get_mut(&append.key).ok_or(StoreError::NotFound)?;
            if conversation.epoch != append.epoch || conversation.events.len() as Seq != append.head {
                return Err(StoreError::Fenced);
            }
            conversation.events.extend(append.events.iter().cloned());
            conversation.last_at = last_at;
            conversation.due = append.due.applied_to(conversation.due);
            state.projected.appended(append.key, append.events.iter().map(|event| event.seq));
            Ok(())
        })
    }

    fn read(&self, key: ConversationKey, after: Seq, bounds: PageBounds) -> Pending<Page> {
        self.read(|state| {
            let conversation = state.conversations.get(&key).ok_or(StoreError::NotFound)?;
            let after = usize::try_from(after).unwrap_or(usize::MAX);
            let mut page = Page { head: conversation.events.len() as Seq, ..Page::default() };
            let mut bytes = 0;
            for event in conversation.events.iter().skip(after) {
                let next = json_bytes(event)?;
                if !bounds.admit(page.events.len(), bytes, next) {
                    break;
                }
                bytes += next;
                page.events.push(event.clone());
            }
            Ok(page)
        })
    }

    fn erase(&self, key: ConversationKey, head: Option<Seq>) -> Pending<()> {
        self.write(|state| {
            let conversation = state.conversations.get(&key).ok_or(StoreError::NotFound)?;
            if head.is_some_and(|head| head != conversation.events.len() as Seq) {
                return Err(StoreError::Fenced);
            }
            if let Some(erased) = state.conversations.remove(&key) {
                self.keys.end(&[erased.key_id]).map_err(|error| StoreError::Unavailable(error.to_string()))?;
            }
            state.projected.erased(key);
            Ok(())
        })
    }

    // Its keys end whenever they are asked to.
    fn ending(&self, _: TenantId, _: Vec<ContactId>, _: usize) -> Pending<Vec<ConversationKey>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn with_contacts(&self, tenant: TenantId, contacts: Vec<ContactId>, limit: usize) -> Pending<Vec<ConversationKey>> {
        self.read(move |state| {
            let theirs = state
                .conversations
                .iter()
                .filter(|(key, found)| key.tenant == tenant && contacts.contains(&found.contact));
            Ok(theirs.map(|(key, _)| *key).take(limit).collect())
        })
    }

    fn unspoken(&self, query: UnspokenQuery) -> Pending<Vec<Unspoken>> {
        self.read(|state| {
            let mut found: Vec<Unspoken> = state
                .conversations
                .iter()
                .filter(|(_, found)| match found.events.len() {
                    0 => true,
                    1 => found.is_anonymous,
                    _ => false,
                })
                .map(|(key, found)| Unspoken { last_at: found.last_at, key: *key, head: found.events.len() as Seq })
                .filter(|one| one.last_at < query.before)
                .filter(|one| query.after.is_none_or(|after| (one.last_at, one.key) > (after.last_at, after.key)))
                .collect();
            found.sort_unstable();
            found.truncate(query.limit);
            Ok(found)
        })
    }

    fn probe(&self) -> Pending<()> {
        self.write(|_| Ok(()))
    }
}

impl DueIndex for MemoryStore {
    fn due(&self, query: DueQuery) -> Pending<Vec<DueEntry>> {
        self.read(|state| {
            let entries =
                state.conversations.iter().filter_map(|(key, found)| Some(DueEntry { at: found.due?, key: *key }));
            let mut due: Vec<DueEntry> = entries
                .filter(|entry| entry.at < query.before)
                .filter(|entry| query.after.is_none_or(|after| *entry > after))
                .collect();
            due.sort_unstable();
            due.truncate(query.limit);
            Ok(due)
        })
    }

    fn reschedule(&self, change: Reschedule) -> Pending<()> {
        self.write(|state| {
            let conversation = state.conversations.get_mut(&change.key).ok_or(StoreError::NotFound)?;
            if conversation.epoch != change.epoch || conversation.events.len() as Seq != change.head {
                return Err(StoreError::Fenced);
            }
            conversation.due = change.at;
            Ok(())
        })
    }

    fn hasten(&self, hasten: Hasten) -> Pending<Option<Hastened>> {
        self.write(|state| {
            let behind = |key: &ConversationKey| hasten.after.is_none_or(|after| key.conversation > after);
            let theirs = state.conversations.iter_mut().filter(|(key, _)| key.tenant == hasten.tenant && behind(key));
            let mut hastened: Option<Hastened> = None;
            for (key, found) in theirs.take(hasten.limit) {
                let moved = hastened.map_or(0, |before| before.moved);
                // One that was never opened has nothing to do.
                let target = hasten.moves(moved, found.due).filter(|_| !found.events.is_empty());
                found.due = target.or(found.due);
                hastened = Some(Hastened { last: key.conversation, moved: moved + u32::from(target.is_some()) });
            }
            Ok(hastened)
        })
    }
}

impl Snapshots for MemoryStore {
    fn snapshot(&self, key: ConversationKey) -> Pending<Option<Snapshot>> {
        self.read(|state| Ok(state.conversations.get(&key).and_then(|conversation| conversation.snapshot.clone())))
    }

    fn set_snapshot(&self, key: ConversationKey, epoch: Epoch, head: Seq, bytes: Vec<u8>) -> Pending<bool> {
        if bytes.len() > limits::SNAPSHOT_BYTES {
            return Box::pin(async { Ok(false) });
        }
        self.write(|state| {
            let conversation = state.conversations.get_mut(&key).ok_or(StoreError::NotFound)?;
            if conversation.epoch != epoch || head > conversation.events.len() as Seq {
                return Err(StoreError::Fenced);
            }
            let keeps = conversation.snapshot.as_ref().is_none_or(|kept| kept.head <= head);
            if keeps {
                conversation.snapshot = Some(Snapshot { head, bytes });
            }
            Ok(keeps)
        })
    }
}

impl Records for MemoryStore {
    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.read(|state| {
            let found = state.records.get(&name);
            Ok(found.map(|(version, body)| Record { id: name.id, version: *version, body: body.clone() }))
        })
    }

    fn put(&self, name: RecordName, expected: u64, body: Vec<u8>) -> Pending<u64> {
        self.write(|state| {
            check(&state.records, &name, expected)?;
            state.records.insert(name, (expected + 1, body));
            Ok(expected + 1)
        })
    }

    fn put_with_keys(&self, name: RecordName, expected: u64, body: Vec<u8>, keys: RecordKeys) -> Pending<u64> {
        self.write(|state| {
            check(&state.records, &name, expected)?;
            let RecordName { scope, kind, id } = name.clone();
            for key in &keys.keys {
                match state.keys.get(&(scope, kind, key.clone())) {
                    Some(by) if *by != id && Some(by) != keys.taken_from.as_ref() => {
                        return Err(StoreError::Held { by: by.clone() });
                    }
                    None if keys.taken_from.is_some() => return Err(StoreError::NotFound),
                    _ => {}
                }
            }
            state.forget_keys(&name);
            state.keys.extend(keys.keys.into_iter().map(|key| ((scope, kind, key), id.clone())));
            state.records.insert(name, (expected + 1, body));
            Ok(expected + 1)
        })
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        let id = self.lock().keys.get(&(scope, kind, key)).cloned();
        match id {
            Some(id) => self.get(RecordName { scope, kind, id }),
            None => Box::pin(async { Ok(None) }),
        }
    }

    fn delete(&self, name: RecordName, expected: u64) -> Pending<()> {
        self.write(|state| {
            check(&state.records, &name, expected)?;
            state.records.remove(&name);
            state.forget_keys(&name);
            Ok(())
        })
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.read(|state| {
            let name = |id| RecordName { scope, kind, id };
            let from = after.map_or(Bound::Included(name(String::new())), |id| Bound::Excluded(name(id)));
            let found = state.records.range((from, Bound::Unbounded));
            let found = found.take_while(|(name, _)| name.scope == scope && name.kind == kind).take(limit);
            let records = found.map(|(name, (version, body))| Record {
                id: name.id.clone(),
                version: *version,
                body: body.clone(),
            });
            Ok(records.collect())
        })
    }
}

fn json_bytes(event: &Event) -> Result<usize, StoreError> {
    let json = serde_json::to_string(event);
    json.map(|json| json.len()).map_err(|_| StoreError::Corrupt("an event cannot be written as JSON".into()))
}

fn check(records: &BTreeMap<RecordName, (u64, Vec<u8>)>, name: &RecordName, expected: u64) -> Result<(), StoreError> {
    let found = records.get(name).map_or(0, |(version, _)| *version);
    if found == expected { Ok(()) } else { Err(StoreError::Conflict { found }) }
}
