//! Finds a conversation's actor, or has it started, once for all who ask at the same time.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, future};
use schema::{ConversationKey, SessionId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::conversation::{Prepared, Subscribers, WakeFailure, wake};
use crate::failure::Failure;
use crate::handle::{ConversationHandle, Shared};
use crate::metrics::{CONVERSATION_MOVES, CONVERSATION_RESTS, CONVERSATIONS_AWAKE, CONVERSATIONS_QUARANTINED};
use crate::runtime::spawn_local;
use crate::supervision::{self, CrashBook, Verdict};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::system::Worker;

/// So many that two threads seldom want the same one.
const SHARDS: usize = 64;

/// Where each conversation of this node is.
pub(crate) struct Directory {
    /// Ordered, so that looking through them takes the same way each time.
    shards: Vec<Mutex<BTreeMap<ConversationKey, Entry>>>,
}

struct Entry {
    place: Place,
    crashes: CrashBook,
}

enum Place {
    Awake(ConversationHandle),
    /// Being started; the answer comes to all who wait.
    Waking(Waking, Subscribers),
    /// Crashed, and waiting for its restart.
    Down(Subscribers),
    /// Nowhere, and ready to be started without asking the store.
    Prepared(Box<Prepared>, Instant),
    /// Nowhere; kept for the memory of its crashes, or for those who still listen.
    Absent(Subscribers),
    Quarantined,
    /// Being erased from the store: nobody finds it.
    Erasing,
}

/// What somebody who erases a conversation finds of it.
pub(crate) enum Parting {
    /// It runs nowhere; these would listen to it.
    Nowhere(Subscribers),
    /// It runs, and is to be ended.
    Awake(ConversationHandle),
    /// It is being started: to be asked for again when that is over.
    Waking(Waking),
    /// Somebody else erases it.
    Erasing,
}

/// Those who wait are woken in the order in which they came; a `watch` picks one at random first.
pub(crate) type Waking = future::Shared<oneshot::Receiver<Result<ConversationHandle, Failure>>>;

impl Directory {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// The conversation's actor, started here if it runs nowhere.
    pub(crate) async fn find(&self, worker: &Rc<Worker>, key: ConversationKey) -> Result<ConversationHandle, Failure> {
        let waking = {
            let mut shard = self.shard(key);
            match shard.get(&key).map(|entry| &entry.place) {
                Some(Place::Awake(handle)) if handle.is_open() => return Ok(handle.clone()),
                Some(Place::Quarantined) => return Err(Failure::quarantined()),
                Some(Place::Erasing) => return Err(Failure::erased()),
                Some(Place::Down(_)) => return Err(Failure::restarting()),
                Some(Place::Waking(waking, _)) => waking.clone(),
                Some(Place::Awake(_) | Place::Prepared(..) | Place::Absent(_)) | None => {
                    let (answer, waking) = oneshot::channel();
                    let waking = waking.shared();
                    let entry = shard.entry(key).or_insert_with(Entry::new);
                    let listening = entry.place.take_listening();
                    let place = std::mem::replace(&mut entry.place, Place::Waking(waking.clone(), listening));
                    let prepared = match place {
                        Place::Prepared(prepared, _) => Some(*prepared),
                        _ => None,
                    };
                    // Its own task: whoever asked first may give up, the others still wait.
                    let worker = Rc::clone(worker);
                    spawn_local(async move {
                        let woken = wake(&worker, key, prepared).await;
                        let found = worker.system().directory().woken(&worker, key, woken);
                        // Nobody may be left who waits.
                        let _ = answer.send(found);
                    });
                    waking
                }
            }
        };
        match waking.await {
            Ok(found) => found,
            Err(_) => {
                // The task that woke it is gone without an answer.
                self.forget_waking(key);
                Err(Failure::restarting())
            }
        }
    }

    /// The conversation's actor on this thread, if it runs nowhere or can come here; else
    /// wherever it is.
    pub(crate) async fn find_here(
        &self,
        worker: &Rc<Worker>,
        key: ConversationKey,
    ) -> Result<ConversationHandle, Failure> {
        let handle = self.find(worker, key).await?;
        if handle.could_move_to(worker) && handle.ask_to_move().await {
            metrics::counter!(CONVERSATION_MOVES).increment(1);
            return self.find(worker, key).await;
        }
        Ok(handle)
    }

    /// A new conversation is in the store.
    pub(crate) fn opened(&self, key: ConversationKey, prepared: Prepared) {
        let place = Place::Prepared(Box::new(prepared), Instant::now());
        self.shard(key).insert(key, Entry { place, ..Entry::new() });
    }

    /// The actor has left its thread, to be started on another one.
    pub(crate) fn moved(&self, key: ConversationKey, shared: &Arc<Shared>, prepared: Prepared) {
        if let Some(entry) = self.shard(key).get_mut(&key)
            && entry.is(shared)
        {
            entry.place = Place::Prepared(Box::new(prepared), Instant::now());
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
        }
    }

    fn woken(
        &self,
        worker: &Rc<Worker>,
        key: ConversationKey,
        woken: Result<ConversationHandle, WakeFailure>,
    ) -> Result<ConversationHandle, Failure> {
        match woken {
            Ok(handle) => {
                if let Some(entry) = self.shard(key).get_mut(&key) {
                    // Before anybody else can put anything: should the first command crash it again,
                    // those who listen are with it, and are passed on.
                    handle.begin(entry.place.take_listening());
                    entry.place = Place::Awake(handle.clone());
                    metrics::gauge!(CONVERSATIONS_AWAKE).increment(1);
                }
                Ok(handle)
            }
            Err(WakeFailure::Failed(failure)) => {
                self.forget_waking(key);
                Err(failure)
            }
            Err(WakeFailure::Crashed) => {
                supervision::crashed(worker, key, &Arc::default(), Subscribers::default());
                Err(Failure::restarting())
            }
        }
    }

    /// The task that woke a conversation is gone without an answer.
    pub(crate) fn forget_waking(&self, key: ConversationKey) {
        let mut shard = self.shard(key);
        if let Some(entry) = shard.get_mut(&key)
            && matches!(entry.place, Place::Waking(..))
        {
            entry.place = Place::Absent(entry.place.take_listening());
        }
    }

    /// The actor has ended in good order.
    pub(crate) fn rested(&self, key: ConversationKey, shared: &Arc<Shared>) {
        let mut shard = self.shard(key);
        if shard.get(&key).is_some_and(|entry| entry.is(shared)) {
            shard.remove(&key);
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
            metrics::counter!(CONVERSATION_RESTS).increment(1);
        }
    }

    /// The actor has ended because the store failed it: it may be found again at once, and those
    /// who listened stay with it. They come back out if it is being erased.
    pub(crate) fn abandoned(
        &self,
        key: ConversationKey,
        shared: &Arc<Shared>,
        listening: Subscribers,
    ) -> Option<Subscribers> {
        let mut shard = self.shard(key);
        let entry = shard.entry(key).or_insert_with(Entry::new);
        if matches!(entry.place, Place::Erasing) {
            return Some(listening);
        }
        if entry.is(shared) {
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
        }
        entry.place = Place::Absent(listening);
        None
    }

    /// Takes a conversation out of reach, to be erased; [`Directory::parted`] is to follow.
    pub(crate) fn part(&self, key: ConversationKey) -> Parting {
        let mut shard = self.shard(key);
        let entry = shard.entry(key).or_insert_with(Entry::new);
        match &entry.place {
            Place::Waking(waking, _) => return Parting::Waking(waking.clone()),
            Place::Erasing => return Parting::Erasing,
            Place::Quarantined => metrics::gauge!(CONVERSATIONS_QUARANTINED).decrement(1),
            Place::Awake(_) => metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1),
            Place::Down(_) | Place::Prepared(..) | Place::Absent(_) => {}
        }
        let listening = entry.place.take_listening();
        match std::mem::replace(&mut entry.place, Place::Erasing) {
            Place::Awake(handle) => Parting::Awake(handle),
            _ => Parting::Nowhere(listening),
        }
    }

    /// The same, if it runs nowhere and nobody waits for it; false when it does.
    pub(crate) fn part_unused(&self, key: ConversationKey) -> bool {
        let mut shard = self.shard(key);
        let entry = shard.entry(key).or_insert_with(Entry::new);
        let unused = match &entry.place {
            Place::Prepared(..) => true,
            Place::Absent(listening) => listening.is_empty(),
            _ => false,
        };
        if unused {
            entry.place = Place::Erasing;
        }
        unused
    }

    /// It was erased, or could not be: the store decides what is found from now on.
    pub(crate) fn parted(&self, key: ConversationKey) {
        let mut shard = self.shard(key);
        if matches!(shard.get(&key), Some(Entry { place: Place::Erasing, .. })) {
            shard.remove(&key);
        }
    }

    /// The actor has crashed, or could not be started from its log. Those who listened come back
    /// out if nothing will be started for them. To be told before its mailbox closes: a closed one may have
    /// a successor, which this would forget.
    pub(crate) fn crashed(
        &self,
        key: ConversationKey,
        shared: &Arc<Shared>,
        mut listening: Subscribers,
        jitter: f64,
    ) -> (Verdict, Subscribers) {
        let mut shard = self.shard(key);
        let entry = shard.entry(key).or_insert_with(Entry::new);
        if matches!(entry.place, Place::Erasing) {
            return (Verdict::Erased, listening);
        }
        if entry.is(shared) {
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
        }
        listening.absorb(entry.place.take_listening());
        let verdict = entry.crashes.crashed(Instant::now(), jitter);
        let (place, told) = match verdict {
            Verdict::Restart(_) => (Place::Down(listening), Subscribers::default()),
            Verdict::Quarantine => (Place::Quarantined, listening),
            Verdict::Erased => (Place::Erasing, listening),
        };
        entry.place = place;
        (verdict, told)
    }

    /// The pause after a crash is over: it may be found again.
    pub(crate) fn recovered(&self, key: ConversationKey) {
        if let Some(entry) = self.shard(key).get_mut(&key)
            && matches!(entry.place, Place::Down(_))
        {
            entry.place = Place::Absent(entry.place.take_listening());
        }
    }

    /// Whether sessions wait for a conversation that runs nowhere.
    pub(crate) fn is_awaited(&self, key: ConversationKey) -> bool {
        matches!(self.shard(key).get(&key), Some(Entry { place: Place::Absent(listening), .. }) if !listening.is_empty())
    }

    /// Those who wait for a conversation that runs nowhere.
    pub(crate) fn strand(&self, key: ConversationKey) -> Subscribers {
        match self.shard(key).get_mut(&key) {
            Some(Entry { place: Place::Absent(listening), .. }) => std::mem::take(listening),
            _ => Subscribers::default(),
        }
    }

    /// A session listens no longer, whatever has become of the conversation.
    pub(crate) fn leave(&self, key: ConversationKey, session: SessionId) {
        let handle = match self.shard(key).get_mut(&key).map(|entry| &mut entry.place) {
            Some(Place::Awake(handle)) => handle.clone(),
            Some(Place::Waking(_, listening) | Place::Down(listening) | Place::Absent(listening)) => {
                return listening.remove(session);
            }
            _ => return,
        };
        handle.leave(session);
    }

    /// An operator lets a conversation out of quarantine; false if it was not in it.
    pub(crate) fn release(&self, key: ConversationKey) -> bool {
        let mut shard = self.shard(key);
        let quarantined = matches!(shard.get(&key), Some(Entry { place: Place::Quarantined, .. }));
        if quarantined {
            shard.remove(&key);
            metrics::gauge!(CONVERSATIONS_QUARANTINED).decrement(1);
        }
        quarantined
    }

    pub(crate) fn is_quarantined(&self, key: ConversationKey) -> bool {
        matches!(self.shard(key).get(&key), Some(Entry { place: Place::Quarantined, .. }))
    }

    /// All conversations that are awake, a shard at a time.
    pub(crate) fn awake(&self) -> impl Iterator<Item = Vec<ConversationHandle>> + '_ {
        self.shards.iter().map(|shard| {
            let shard = lock(shard);
            let awake = shard.values().filter_map(|entry| match &entry.place {
                Place::Awake(handle) => Some(handle.clone()),
                _ => None,
            });
            awake.collect()
        })
    }

    /// Forgets conversations that are nowhere: those that nobody came for in `rest_after`, and
    /// those whose crashes are long past.
    pub(crate) fn tidy(&self, now: Instant, rest_after: Duration) {
        for shard in &self.shards {
            lock(shard).retain(|_, entry| match &entry.place {
                Place::Prepared(_, since) => now.duration_since(*since) < rest_after,
                Place::Absent(listening) => !listening.is_empty() || entry.crashes.is_recent(now),
                _ => true,
            });
        }
    }

    fn shard(&self, key: ConversationKey) -> MutexGuard<'_, BTreeMap<ConversationKey, Entry>> {
        // An id's last byte is random.
        let [.., last] = key.conversation.as_bytes();
        lock(&self.shards[usize::from(*last) % SHARDS])
    }
}

impl Entry {
    fn new() -> Self {
        Self { place: Place::Absent(Subscribers::default()), crashes: CrashBook::default() }
    }

    /// Whether it is the incarnation with this shared part.
    fn is(&self, shared: &Arc<Shared>) -> bool {
        matches!(&self.place, Place::Awake(handle) if handle.is_incarnation(shared))
    }
}

impl Place {
    /// Takes out those who wait for the next incarnation.
    fn take_listening(&mut self) -> Subscribers {
        match self {
            Self::Waking(_, listening) | Self::Down(listening) | Self::Absent(listening) => std::mem::take(listening),
            Self::Awake(_) | Self::Prepared(..) | Self::Quarantined | Self::Erasing => Subscribers::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
