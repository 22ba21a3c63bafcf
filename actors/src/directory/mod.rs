//! Finds a conversation's actor, or has it started, once for all who ask at the same time.
//!
//! It holds no actor and starts none: whoever asks hands in the starter, and what is to be done about a crash
//! comes back as an [`AfterCrash`]. So it knows nobody but the [`Incarnation`]s that it is asked about.
//! Invariant: of one conversation at most one incarnation is known, and those who listen are with it or wait here.

mod crashes;
mod incarnation;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, future};
use schema::{ConversationKey, SessionId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::metrics::{CONVERSATION_MOVES, CONVERSATION_RESTS, CONVERSATIONS_AWAKE, CONVERSATIONS_QUARANTINED};
use crate::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use crashes::AfterCrash;
use crashes::CrashBook;
pub(crate) use incarnation::{Incarnation, Listening};
pub(crate) use seen::Seen;

/// So many that two threads seldom want the same one.
const SHARDS: usize = 64;

/// Where each conversation of this node is.
///
/// A conversation that it knows nothing of is at rest. Asked for, it is *waking*: the first to ask gets a [`Start`]
/// and all wait for what comes of that. Then it is *awake*, until its incarnation tells how it ended: rested (nothing
/// is known any more), moved (*prepared*, to be started elsewhere without the store), failed by the store (*absent*),
/// or crashed (*down* until its restart, or *quarantined* until an operator releases it). *Erasing* hides it from
/// everybody until the store has forgotten it. It is safe to be told late or twice: who ends names its own
/// incarnation, and word from one that is not known here any more changes nothing.
pub(crate) struct Directory<I: Incarnation> {
    /// Ordered, so that looking through them takes the same way each time.
    shards: Vec<Mutex<BTreeMap<ConversationKey, Entry<I>>>>,
}

struct Entry<I: Incarnation> {
    place: Place<I>,
    crashes: CrashBook,
}

enum Place<I: Incarnation> {
    Awake(I),
    /// Being started; the answer comes to all who wait.
    Waking(Waking<I>, I::Listening),
    /// Crashed, and waiting for its restart.
    Down(I::Listening),
    /// Nowhere, and ready to be started without asking the store.
    Prepared(Box<I::Prepared>, Instant),
    /// Nowhere; kept for the memory of its crashes, or for those who still listen.
    Absent(I::Listening),
    Quarantined,
    /// Being erased from the store: nobody finds it.
    Erasing,
}

/// Why a conversation was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfound<F> {
    /// It crashed, or whoever started it is gone: it may be asked for again.
    Restarting,
    /// It crashed too often.
    Quarantined,
    /// It is being erased.
    Erasing,
    /// It could not be started.
    Failed(F),
}

/// What somebody who erases a conversation finds of it.
pub(crate) enum Parting<I: Incarnation> {
    /// It runs nowhere; these would listen to it.
    Nowhere(I::Listening),
    /// It runs, and is to be ended.
    Awake(I),
    /// It is being started: to be asked for again when that is over.
    Waking(Waking<I>),
    /// Somebody else erases it.
    Erasing,
}

type Woken<I> = Result<I, Unfound<<I as Incarnation>::Failure>>;

/// Those who wait are woken in the order in which they came; a `watch` picks one at random first.
pub(crate) type Waking<I> = future::Shared<oneshot::Receiver<Woken<I>>>;

/// A conversation that runs nowhere, and that whoever holds this starts. All who ask for it meanwhile wait for
/// what comes of it: [`Directory::started`], [`Directory::not_started`] or [`Directory::crashed_at_start`].
/// Dropped instead, it tells them to ask again.
#[must_use]
pub(crate) struct Start<I: Incarnation> {
    key: ConversationKey,
    prepared: Option<I::Prepared>,
    waking: Waking<I>,
    answer: oneshot::Sender<Woken<I>>,
}

/// Who tells of its end.
enum Teller<'a, I: Incarnation> {
    /// The incarnation with this mark.
    Awake(&'a Arc<I::Mark>),
    /// One that was to be started.
    Waking(&'a Waking<I>),
}

impl<I: Incarnation> Start<I> {
    pub(crate) const fn key(&self) -> ConversationKey {
        self.key
    }

    /// What it can be started from without asking the store, if that is at hand.
    pub(crate) const fn take_prepared(&mut self) -> Option<I::Prepared> {
        self.prepared.take()
    }

    fn answer(self, answer: Woken<I>) {
        // Nobody may be left who waits.
        drop(self.answer.send(answer));
    }
}

impl<I: Incarnation> Directory<I> {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// The conversation's actor; `start` is called if it runs nowhere. Whoever asked first may give up, the
    /// others still wait: `start` is to begin a task of its own.
    pub(crate) async fn find(&self, key: ConversationKey, start: impl FnOnce(Start<I>)) -> Woken<I> {
        let (waking, begin) = {
            let mut shard = self.shard(key);
            match shard.get(&key).map(|entry| &entry.place) {
                Some(Place::Awake(incarnation)) if incarnation.is_open() => return Ok(incarnation.clone()),
                Some(Place::Quarantined) => return Err(Unfound::Quarantined),
                Some(Place::Erasing) => return Err(Unfound::Erasing),
                Some(Place::Down(_)) => return Err(Unfound::Restarting),
                Some(Place::Waking(waking, _)) => (waking.clone(), None),
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
                    let start = Start { key, prepared, waking: waking.clone(), answer };
                    (waking, Some(start))
                }
            }
        };
        if let Some(begin) = begin {
            start(begin);
        }
        match waking.clone().await {
            Ok(found) => found,
            Err(_) => {
                // The task that woke it is gone without an answer.
                self.forget_waking(key, &waking);
                Err(Unfound::Restarting)
            }
        }
    }

    /// The conversation's actor on this worker's thread, if it runs nowhere or can come here; else wherever it
    /// is.
    pub(crate) async fn find_here(&self, key: ConversationKey, worker: usize, start: impl Fn(Start<I>)) -> Woken<I> {
        let incarnation = self.find(key, &start).await?;
        if incarnation.could_move_to(worker) && incarnation.ask_to_move().await {
            metrics::counter!(CONVERSATION_MOVES).increment(1);
            return self.find(key, &start).await;
        }
        Ok(incarnation)
    }

    /// The conversation runs.
    pub(crate) fn started(&self, start: Start<I>, incarnation: I) {
        if let Some(entry) = self.shard(start.key).get_mut(&start.key) {
            // Before anybody else can put anything: should the first command crash it again,
            // those who listen are with it, and are passed on.
            incarnation.begin(entry.place.take_listening());
            entry.place = Place::Awake(incarnation.clone());
            metrics::gauge!(CONVERSATIONS_AWAKE).increment(1);
        }
        start.answer(Ok(incarnation));
    }

    /// It could not be started, and asking again may help.
    pub(crate) fn not_started(&self, start: Start<I>, failure: I::Failure) {
        self.forget_waking(start.key, &start.waking);
        start.answer(Err(Unfound::Failed(failure)));
    }

    /// It could not be started from its log: a crash like any other.
    pub(crate) fn crashed_at_start(&self, start: Start<I>, jitter: f64) -> (AfterCrash, I::Listening) {
        let decided = self.book(start.key, &Teller::Waking(&start.waking), I::Listening::default(), jitter);
        start.answer(Err(Unfound::Restarting));
        decided
    }

    /// A new conversation is in the store.
    pub(crate) fn opened(&self, key: ConversationKey, prepared: I::Prepared) {
        let place = Place::Prepared(Box::new(prepared), Instant::now());
        self.shard(key).insert(key, Entry { place, ..Entry::new() });
    }

    /// The actor has left its thread, to be started on another one.
    pub(crate) fn moved(&self, key: ConversationKey, mark: &Arc<I::Mark>, prepared: I::Prepared) {
        if let Some(entry) = self.shard(key).get_mut(&key)
            && entry.is(mark)
        {
            entry.place = Place::Prepared(Box::new(prepared), Instant::now());
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
        }
    }

    /// The task that woke a conversation is gone without an answer. Another may wake it by now.
    pub(crate) fn forget_waking(&self, key: ConversationKey, waking: &Waking<I>) {
        let mut shard = self.shard(key);
        if let Some(entry) = shard.get_mut(&key)
            && entry.is_waking(waking)
        {
            entry.place = Place::Absent(entry.place.take_listening());
        }
    }

    /// The actor has ended in good order.
    pub(crate) fn rested(&self, key: ConversationKey, mark: &Arc<I::Mark>) {
        let mut shard = self.shard(key);
        if shard.get(&key).is_some_and(|entry| entry.is(mark)) {
            shard.remove(&key);
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
            metrics::counter!(CONVERSATION_RESTS).increment(1);
        }
    }

    /// The actor has ended because the store failed it: it may be found again at once, and those
    /// who listened wait for that.
    ///
    /// # Errors
    /// Those for whom nothing comes here, and what they are to be told: it is being erased, out of service, or runs
    /// again already.
    pub(crate) fn abandoned(
        &self,
        key: ConversationKey,
        mark: &Arc<I::Mark>,
        listening: I::Listening,
    ) -> Result<(), (Unfound<I::Failure>, I::Listening)> {
        let mut shard = self.shard(key);
        let entry = shard.entry(key).or_insert_with(Entry::new);
        if entry.is(mark) {
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
            entry.place = Place::Absent(listening);
            return Ok(());
        }
        match &mut entry.place {
            Place::Waking(_, waiting) | Place::Down(waiting) | Place::Absent(waiting) => {
                waiting.absorb(listening);
                Ok(())
            }
            Place::Awake(_) | Place::Prepared(..) => Err((Unfound::Restarting, listening)),
            Place::Quarantined => Err((Unfound::Quarantined, listening)),
            Place::Erasing => Err((Unfound::Erasing, listening)),
        }
    }

    /// Takes a conversation out of reach, to be erased; [`Directory::parted`] is to follow.
    pub(crate) fn part(&self, key: ConversationKey) -> Parting<I> {
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

    /// The actor has crashed. What to do about it, and those who listened if nothing will be started for them.
    /// To be told before its mailbox closes: a closed one may have a successor, which this leaves alone.
    pub(crate) fn crashed(
        &self,
        key: ConversationKey,
        mark: &Arc<I::Mark>,
        listening: I::Listening,
        jitter: f64,
    ) -> (AfterCrash, I::Listening) {
        self.book(key, &Teller::Awake(mark), listening, jitter)
    }

    fn book(
        &self,
        key: ConversationKey,
        teller: &Teller<'_, I>,
        mut listening: I::Listening,
        jitter: f64,
    ) -> (AfterCrash, I::Listening) {
        let mut shard = self.shard(key);
        let entry = shard.entry(key).or_insert_with(Entry::new);
        let is_known = match teller {
            Teller::Awake(mark) => entry.is(mark),
            Teller::Waking(waking) => entry.is_waking(waking),
        };
        match &mut entry.place {
            Place::Erasing => return (AfterCrash::Erased, listening),
            Place::Absent(_) => {}
            _ if is_known => {}
            // Word of it comes late.
            Place::Waking(_, waiting) | Place::Down(waiting) => {
                waiting.absorb(listening);
                return (AfterCrash::Succeeded, I::Listening::default());
            }
            Place::Awake(_) | Place::Prepared(..) => return (AfterCrash::Succeeded, listening),
            Place::Quarantined => return (AfterCrash::Quarantine, listening),
        }
        if matches!(entry.place, Place::Awake(_)) {
            metrics::gauge!(CONVERSATIONS_AWAKE).decrement(1);
        }
        listening.absorb(entry.place.take_listening());
        let decided = entry.crashes.crashed(Instant::now(), jitter);
        let (place, told) = match decided {
            AfterCrash::Restart(_) => (Place::Down(listening), I::Listening::default()),
            AfterCrash::Quarantine => {
                metrics::gauge!(CONVERSATIONS_QUARANTINED).increment(1);
                (Place::Quarantined, listening)
            }
            // A book decides neither.
            AfterCrash::Erased | AfterCrash::Succeeded => return (decided, listening),
        };
        entry.place = place;
        (decided, told)
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
    pub(crate) fn strand(&self, key: ConversationKey) -> I::Listening {
        match self.shard(key).get_mut(&key) {
            Some(Entry { place: Place::Absent(listening), .. }) => std::mem::take(listening),
            _ => I::Listening::default(),
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

    /// All conversations that are awake, a shard at a time.
    pub(crate) fn awake(&self) -> impl Iterator<Item = Vec<I>> + '_ {
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

    fn shard(&self, key: ConversationKey) -> MutexGuard<'_, BTreeMap<ConversationKey, Entry<I>>> {
        // An id's last byte is random.
        let [.., last] = key.conversation.as_bytes();
        lock(&self.shards[usize::from(*last) % SHARDS])
    }
}

impl<I: Incarnation> Entry<I> {
    fn new() -> Self {
        Self { place: Place::Absent(I::Listening::default()), crashes: CrashBook::default() }
    }

    /// Whether it is the incarnation with this shared part.
    fn is(&self, mark: &Arc<I::Mark>) -> bool {
        matches!(&self.place, Place::Awake(incarnation) if incarnation.is(mark))
    }

    /// Whether this very start of it is under way.
    fn is_waking(&self, waking: &Waking<I>) -> bool {
        matches!(&self.place, Place::Waking(known, _) if known.ptr_eq(waking))
    }
}

impl<I: Incarnation> Place<I> {
    /// Takes out those who wait for the next incarnation.
    fn take_listening(&mut self) -> I::Listening {
        match self {
            Self::Waking(_, listening) | Self::Down(listening) | Self::Absent(listening) => std::mem::take(listening),
            Self::Awake(_) | Self::Prepared(..) | Self::Quarantined | Self::Erasing => I::Listening::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
