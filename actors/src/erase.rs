//! The end of a conversation for good: asked for, or because nobody has said a word in it.
//! Invariant: whoever finds a conversation while it is erased finds none; its actor has ended before the
//! store is asked, and what that had sent to the store is erased with the rest.
//!
//! Where words of a conversation are, and how they go:
//!
//! | place | how its words go |
//! |---|---|
//! | transcript, refs and floor of the machine | [`Command::Erase`](engine_conversation::Command::Erase), as its actor ends |
//! | ring and outboxes of its actor | with the actor; those who listen are told |
//! | events, checkpoints among them | removed; sealed under the conversation's key, which ends |
//! | snapshot | the same |
//! | row in the list | the same |
//! | events that wait to be taken into the list | in memory until their batch, which then finds no conversation |
//! | board of unanswered questions, verdicts' notes | forgotten; sealed under the same key |
//! | the store's write-ahead log and freed pages | emptied and overwritten within seconds; sealed until then |
//! | copies and backups of the store | cannot be read once the key has ended |
//! | what an operator has exported | theirs to delete: the node does not know of it |
//!
//! Indexes hold documents alone, logs and metrics no words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine_store::{SharedStore, StoreError, Unspoken, UnspokenQuery};
use futures_util::future::join_all;
use schema::peer::{PeerAsk, Stand};
use schema::{ConversationKey, Seq};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::clock::Clock;
use crate::conversation::Subscribers;
use crate::directory::Parting;
use crate::failure::Failure;
use crate::metrics::CONVERSATIONS_ERASED;
use crate::patience::patiently;
use crate::peers::Switchboard;
use crate::phase::Phase;
use crate::runtime::to_the_end;
use crate::supervision::Conversations;
use crate::unanswered::Unanswered;

/// Longest wait for an actor to end. One that is stuck cannot write any more once the log is gone.
const END_MAX: Duration = Duration::from_secs(5);
/// How often unspoken conversations are looked for.
const AGE_EVERY: Duration = Duration::from_secs(60);
/// How many of them are erased at once …
const AGE_BATCH: usize = 100;
/// … and the pause after that, so that whoever talks is not held up.
const AGE_PAUSE: Duration = Duration::from_millis(100);

/// Ends conversations for good, in memory and in the store.
///
/// The system makes one. It parts a conversation from the directory, so that nobody finds it, ends its actor, and
/// asks the store to erase it; then the directory forgets that it was parted, whatever came of it. Safe in this order
/// alone: an actor that does not end in time can still send appends, and the store refuses them once the log is gone.
/// Whoever listened is told; what failed stands in the store as before, and may be asked for again.
pub(crate) struct Eraser {
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) store: SharedStore,
    pub(crate) unanswered: Arc<Unanswered>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) phase: Arc<Phase>,
    /// The way to other nodes; none where the node is alone.
    pub(crate) peers: Option<Arc<Switchboard>>,
    /// How long an anonymous conversation is kept in which nobody has said a word.
    pub(crate) unspoken_after: Duration,
    /// Gives numbers from 0 to 1 that spread pauses.
    pub(crate) jitter: fn() -> f64,
}

/// A conversation that is out of reach, with all that its erasure took to itself. Dropped, and be it by a panic, it gives
/// that back: the conversation is what the store says it is, those who listened are told, and what was noted of it is
/// looked at.
struct Parted<'a> {
    eraser: &'a Eraser,
    key: ConversationKey,
    /// Those who listened come from here, when its actor has ended.
    ending: Option<oneshot::Receiver<Subscribers>>,
    listening: Subscribers,
    /// The store was told that it may be erased: its notes are to follow the log.
    is_noted: bool,
    /// The store has it no more.
    is_gone: bool,
}

/// What an erasure waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// That the conversation's key has ended.
    KeyEnded,
    /// That the conversation is removed.
    Removed,
    /// That a key has ended whose conversation is removed already.
    OwedKey,
}

impl Eraser {
    /// Erases a conversation with all that was said in it. A reply that runs is stopped, and those who
    /// listen are told. Once begun it goes to its end, also when whoever asked has gone.
    ///
    /// # Errors
    /// `unknown_conversation`; `restarting` while somebody else erases it, or when it is not known whether it was done;
    /// or why the store did not.
    pub(crate) async fn erase(self: &Arc<Self>, key: ConversationKey) -> Result<(), Failure> {
        self.erase_with(key, Awaited::KeyEnded).await
    }

    /// The same, but where its key cannot be ended yet, it counts as erased: whoever erases many sees to their keys
    /// together afterwards ([`Log::ending`](engine_store::Log::ending)).
    ///
    /// # Errors
    /// As [`Eraser::erase`].
    pub(crate) async fn erase_one_of_many(self: &Arc<Self>, key: ConversationKey) -> Result<(), Failure> {
        self.erase_with(key, Awaited::Removed).await
    }

    /// Ends the key of a conversation that was removed, and counted, without it.
    ///
    /// # Errors
    /// As [`Eraser::erase`].
    pub(crate) async fn end_owed_key(self: &Arc<Self>, key: ConversationKey) -> Result<(), Failure> {
        self.erase_with(key, Awaited::OwedKey).await
    }

    async fn erase_with(self: &Arc<Self>, key: ConversationKey, awaited: Awaited) -> Result<(), Failure> {
        let this = Arc::clone(self);
        let erased = to_the_end(async move {
            match this.erase_elsewhere(key, awaited).await {
                Some(erased) => erased,
                None => this.part(key).await?.erase(awaited).await,
            }
        });
        erased.await.unwrap_or_else(|| Err(Failure::restarting()))
    }

    /// The same for another node, which has found that it runs here.
    pub(crate) async fn erase_here(self: &Arc<Self>, key: ConversationKey, awaited: Awaited) -> Result<(), Failure> {
        let this = Arc::clone(self);
        let erased = to_the_end(async move { this.part(key).await?.erase(awaited).await });
        erased.await.unwrap_or_else(|| Err(Failure::restarting()))
    }

    /// Has the node erase it that has it awake, if there is one. One that lives and does not answer refuses it for now:
    /// erased behind its back, it could still be read there.
    async fn erase_elsewhere(&self, key: ConversationKey, awaited: Awaited) -> Option<Result<(), Failure>> {
        let board = self.peers.as_ref().filter(|_| awaited != Awaited::OwedKey)?;
        let node = match board.elsewhere(&self.store, key).await {
            Ok(node) => node?,
            // Somebody may have it, and would go on telling what was said in it.
            Err(error) => return Some(Err(Failure::store(&error))),
        };
        let of_many = awaited == Awaited::Removed;
        match board.stand(node, key, PeerAsk::Erase { of_many }).await {
            Ok(stand) => (stand == Stand::Gone {}).then_some(Ok(())),
            Err(_) if !board.is_alive(node) => None,
            Err(failure) => Some(Err(failure)),
        }
    }

    /// Whether another node has somebody in it, or may have.
    async fn is_used_elsewhere(&self, key: ConversationKey) -> bool {
        let Some(board) = &self.peers else { return false };
        // Each node looks after its share.
        if !board.attends_to(key) {
            return true;
        }
        match board.elsewhere(&self.store, key).await {
            Ok(Some(node)) => board.stand(node, key, PeerAsk::Awake {}).await != Ok(Stand::Resting {}),
            Ok(None) => false,
            Err(_) => true,
        }
    }

    async fn part(&self, key: ConversationKey) -> Result<Parted<'_>, Failure> {
        let conversations = &*self.conversations;
        loop {
            match conversations.part(key) {
                Parting::Erasing => return Err(Failure::restarting()),
                Parting::Waking(waking) => {
                    if waking.clone().await.is_err() {
                        conversations.forget_waking(key, &waking);
                    }
                }
                Parting::Awake(handle) => {
                    return Ok(Parted::new(self, key, Some(handle.end()), Subscribers::default()));
                }
                Parting::Nowhere(listening) => return Ok(Parted::new(self, key, None, listening)),
            }
        }
    }

    /// Erases a conversation if it still ends with `head` and nobody needs it here.
    async fn erase_unspoken(&self, key: ConversationKey, head: Seq) {
        if self.is_used_elsewhere(key).await || !self.conversations.part_unused(key) {
            return;
        }
        let mut parted = Parted::new(self, key, None, Subscribers::default());
        match parted.remove(Some(head), Awaited::KeyEnded).await {
            // Somebody has spoken, or erased it.
            Ok(()) | Err(StoreError::Fenced | StoreError::NotFound) => {}
            Err(error) => {
                let ConversationKey { tenant, conversation } = key;
                tracing::warn!(%conversation, %tenant, %error, "an unspoken conversation was not erased; the next look tries again");
            }
        }
    }

    /// Erases anonymous conversations in which nobody has said a word for too long, until the node closes.
    pub(crate) async fn age(&self) {
        let mut ticks = interval(AGE_EVERY.min(self.unspoken_after));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.phase.is_closing() {
            ticks.tick().await;
            if let Err(error) = self.age_once().await {
                let hours = self.unspoken_after.as_secs() / 3_600;
                tracing::warn!(hours, %error, "unspoken conversations could not be looked for; the next look tries again");
            }
        }
    }

    async fn age_once(&self) -> Result<(), StoreError> {
        let now = self.clock.now().as_millis();
        let age = i64::try_from(self.unspoken_after.as_millis()).unwrap_or(i64::MAX);
        let before = schema::Timestamp::from_millis(now.saturating_sub(age));
        let mut after: Option<Unspoken> = None;
        loop {
            let page = self.store.unspoken(UnspokenQuery { before, after, limit: AGE_BATCH }).await?;
            join_all(page.iter().map(|one| self.erase_unspoken(one.key, one.head))).await;
            match page.last() {
                Some(last) if page.len() == AGE_BATCH && !self.phase.is_closing() => after = Some(*last),
                _ => return Ok(()),
            }
            sleep(AGE_PAUSE).await;
        }
    }
}

impl<'a> Parted<'a> {
    fn new(
        eraser: &'a Eraser,
        key: ConversationKey,
        ending: Option<oneshot::Receiver<Subscribers>>,
        listening: Subscribers,
    ) -> Self {
        Self { eraser, key, ending, listening, is_noted: false, is_gone: false }
    }

    async fn erase(mut self, awaited: Awaited) -> Result<(), Failure> {
        if let Some(ending) = &mut self.ending {
            match timeout(END_MAX, ending).await {
                Ok(listened) => self.listening = listened.unwrap_or_default(),
                Err(_) => {
                    let ConversationKey { tenant, conversation } = self.key;
                    tracing::warn!(%conversation, %tenant, "a conversation that is erased does not end");
                }
            }
        }
        let unanswered = &*self.eraser.unanswered;
        // The word of it is on its way even where no answer comes.
        self.is_noted = true;
        let erased = match unanswered.erasing(self.key).await {
            Ok(()) => {
                let erased = self.remove(None, awaited).await;
                unanswered.erased(self.key).await;
                self.is_noted = false;
                erased
            }
            Err(error) => Err(error),
        };
        erased.map_err(|error| Failure::store(&error))
    }

    /// Has the store remove it, and end its key.
    async fn remove(&mut self, head: Option<Seq>, awaited: Awaited) -> Result<(), StoreError> {
        let (key, store) = (self.key, &self.eraser.store);
        let is_ending = &AtomicBool::new(false);
        let erased = patiently(self.eraser.jitter, || async move {
            let erased = store.erase(key, head).await;
            is_ending.fetch_or(matches!(erased, Err(StoreError::Ending(_))), Ordering::Relaxed);
            match erased {
                Err(StoreError::Ending(_)) if awaited == Awaited::Removed => Ok(()),
                erased => erased,
            }
        });
        let erased = match erased.await {
            // Between two tries the store has ended the key by itself.
            Err(StoreError::NotFound) if is_ending.load(Ordering::Relaxed) => Ok(()),
            erased => erased,
        };
        // Until it is erased it is not gone: those who listen may find it again.
        self.is_gone = matches!(erased, Ok(()) | Err(StoreError::Ending(_)));
        if erased.is_ok() && awaited != Awaited::OwedKey {
            metrics::counter!(CONVERSATIONS_ERASED).increment(1);
        }
        erased
    }
}

impl Drop for Parted<'_> {
    fn drop(&mut self) {
        let Self { eraser, key, .. } = *self;
        // First: whoever is told may come back at once.
        eraser.conversations.parted(key);
        let told = if self.is_gone { Failure::erased() } else { Failure::restarting() };
        self.listening.tell(key, &told);
        if let Some(ending) = &mut self.ending {
            // Who comes later than this is told by the actor.
            ending.close();
            if let Ok(late) = ending.try_recv() {
                late.tell(key, &told);
            }
        }
        if self.is_noted {
            eraser.unanswered.may_be_erased(key);
        }
    }
}
