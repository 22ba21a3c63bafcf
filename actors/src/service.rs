//! What a node does for others, whichever link they ask over.
//! Invariant: what others may have claimed from this node it does not take for its own until it has looked.

use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_store::{Opening, StoreError};
use futures_util::{StreamExt, stream};
use schema::peer::{PeerAsk, PeerCommand, PeerFrame, Stand};
use schema::{ConversationKey, Locale, Seq};
use tokio::time::sleep;

use crate::conversation::ConversationHandle;
use crate::directory::Seen;
use crate::erase::{Awaited, Eraser};
use crate::failure::Failure;
use crate::frames::peer_frame;
use crate::outbox::Outbox;
use crate::peers::Switchboard;
use crate::phase::Phase;
use crate::runtime::spawn_local;
use crate::supervision::Conversations;
use crate::tenant::KnownTenants;
use crate::wanted::{Want, Wanted};

/// How often a conversation is looked at again that was just being started, or ended.
const LOOKS_MAX: u32 = 4;
/// Owners that are read at once, when all are looked at.
const LOOKS_AT_ONCE: usize = 8;
/// Before all are looked at again, when it was not known of some.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// What a node does for others.
pub(crate) struct Service {
    pub(crate) board: Arc<Switchboard>,
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) eraser: Arc<Eraser>,
    pub(crate) phase: Arc<Phase>,
    /// What others want that takes a worker.
    pub(crate) wanted: Wanted,
    pub(crate) tenants: Arc<KnownTenants>,
    pub(crate) doubts: Doubts,
}

impl Service {
    /// The conversation, if it runs here as its owner has it; if it runs nowhere, this node lets go of it.
    pub(crate) async fn awake(&self, key: ConversationKey) -> Result<Option<ConversationHandle>, Failure> {
        for _ in 0..LOOKS_MAX {
            match self.conversations.let_go(key) {
                // It was claimed by somebody else since the asker has looked.
                Seen::Awake(handle) if handle.is_relay() => return Err(Failure::restarting()),
                Seen::Awake(handle) => {
                    // Whoever comes takes it over, unless it is in the middle of something.
                    if !self.phase.is_draining() || !handle.release().await && handle.is_open() {
                        return Ok(Some(handle));
                    }
                }
                Seen::Waking(waking) => {
                    if waking.clone().await.is_err() {
                        self.conversations.forget_waking(key, &waking);
                    }
                }
                Seen::Resting => return Ok(None),
                Seen::Down => return Err(Failure::restarting()),
                Seen::Quarantined => return Err(Failure::quarantined()),
                Seen::Erasing => return Err(Failure::erased()),
            }
        }
        Err(Failure::restarting())
    }

    /// The same, for one who will follow it; one that runs nowhere is woken where the asker owns nothing.
    pub(crate) async fn joined(&self, key: ConversationKey, wake: bool) -> Result<Option<ConversationHandle>, Failure> {
        // One that leaves hands over what nobody works at before it says that it leaves.
        if !wake || self.phase.is_draining() {
            match self.awake(key).await? {
                None if wake => self.takes()?,
                awake => return Ok(awake),
            }
        }
        let found = self.wanted.want(|answer| Want::Find(key, answer)).await?;
        // Another node was asked at the same time.
        if found.is_relay() { Err(Failure::restarting()) } else { Ok(Some(found)) }
    }

    /// Creates a conversation for a node that owns nothing.
    pub(crate) async fn open(
        &self,
        key: ConversationKey,
        opening: Opening,
        locale: Option<Locale>,
    ) -> Result<Seq, Failure> {
        self.takes()?;
        self.wanted.want(|answer| Want::Open(key, opening, locale, answer)).await
    }

    /// Whether this node takes a conversation that nobody has.
    fn takes(&self) -> Result<(), Failure> {
        if !self.board.owns() {
            return Err(Failure::restarting());
        }
        if self.phase.is_draining() { Err(Failure::draining()) } else { Ok(()) }
    }

    /// Erases a conversation for another node, unless it runs nowhere here: then that does it.
    pub(crate) async fn erase(&self, key: ConversationKey, of_many: bool) -> Result<Stand, Failure> {
        match self.conversations.let_go(key) {
            Seen::Resting => return Ok(Stand::Resting {}),
            // It is another node's by now, or may be: whoever asks looks again.
            Seen::Awake(handle) if handle.is_relay() => return Err(Failure::restarting()),
            Seen::Waking(_) => return Err(Failure::restarting()),
            Seen::Awake(_) | Seen::Down | Seen::Quarantined | Seen::Erasing => {}
        }
        let awaited = if of_many { Awaited::Removed } else { Awaited::KeyEnded };
        self.eraser.erase_here(key, awaited).await.map(|()| Stand::Gone {})
    }

    /// Has the owner of a conversation let it out of quarantine; false if it is in none there.
    pub(crate) async fn release_elsewhere(&self, key: ConversationKey) -> Result<bool, Failure> {
        let owner = self.board.elsewhere(&self.eraser.store, key).await;
        let Some(node) = owner.map_err(|error| Failure::store(&error))? else { return Ok(false) };
        Ok(self.board.stand(node, key, PeerAsk::Release {}).await? == Stand::Released {})
    }

    /// Whether a wish of another node may be put here: replies to a visitor run at the owner, and are counted there.
    pub(crate) fn admits(&self, handle: &ConversationHandle, wish: &PeerCommand) -> Result<(), Failure> {
        match (wish, self.tenants.known(handle.key().tenant)) {
            (PeerCommand::Say { visitor: true, .. }, Some(tenant)) => tenant.visitor_says_elsewhere(handle.contact()),
            _ => Ok(()),
        }
    }

    /// Others may have held this node for dead, and claimed what it has: it looks, and says so to who told it when it is
    /// through with all.
    pub(crate) fn doubt(self: &Arc<Self>, teller: Option<Arc<Outbox>>) {
        if !self.doubts.raise(teller) {
            return;
        }
        let this = Arc::clone(self);
        spawn_local(async move {
            tracing::warn!(
                "other nodes may have held this one for dead; it looks whether what it has is still its own"
            );
            loop {
                let round = this.doubts.begin();
                let is_clean = this.look_at_all().await;
                if is_clean {
                    if this.doubts.end(round) {
                        return;
                    }
                    continue;
                }
                this.doubts.put_back(round);
                sleep(LOOK_PAUSE).await;
            }
        });
    }

    /// Whether it is known of all that this node has whose they are; those of others are let go of.
    async fn look_at_all(&self) -> bool {
        let (awake, waking) = self.conversations.let_go_of_all();
        let started = waking.into_iter().map(|(key, waking)| async move {
            // It may have been claimed already, and from this node since.
            let woken = waking.clone().await;
            if woken.is_err() {
                self.conversations.forget_waking(key, &waking);
            }
            self.conversations.running(key)
        });
        let started = stream::iter(started).buffer_unordered(LOOKS_AT_ONCE).filter_map(ready);
        let owned = stream::iter(awake).chain(started).filter(|handle| ready(!handle.is_relay()));
        let looks = owned.map(|handle| async move {
            match self.eraser.store.owner(handle.key()).await {
                Ok(owner) if owner.node == Some(self.board.me()) => true,
                Ok(_) | Err(StoreError::NotFound) => {
                    // One that has ended may have left its successor what it was started from.
                    let is_told = handle.is_open();
                    handle.lose();
                    is_told
                }
                Err(error) => {
                    tracing::debug!(%error, "whose a conversation is, is looked at again");
                    false
                }
            }
        });
        looks.buffer_unordered(LOOKS_AT_ONCE).fold(true, |all, is_known| ready(all && is_known)).await
    }
}

/// Doubts whether what this node has is its own still.
#[derive(Default)]
pub(crate) struct Doubts(Mutex<Doubted>);

#[derive(Default)]
struct Doubted {
    /// How often one was raised.
    raised: u64,
    /// Somebody is looking.
    is_looked: bool,
    /// Those who are to be told, one for each link.
    tellers: Vec<Arc<Outbox>>,
}

/// One look at everything: for the doubts that were raised before it.
struct Round {
    raised: u64,
    tellers: Vec<Arc<Outbox>>,
}

impl Doubts {
    /// Whether it has to be begun to look.
    fn raise(&self, teller: Option<Arc<Outbox>>) -> bool {
        let mut doubted = self.lock();
        doubted.raised += 1;
        doubted.tellers.retain(|known| known.is_open());
        doubted.tellers.extend(teller);
        !std::mem::replace(&mut doubted.is_looked, true)
    }

    fn begin(&self) -> Round {
        let mut doubted = self.lock();
        Round { raised: doubted.raised, tellers: std::mem::take(&mut doubted.tellers) }
    }

    /// What was looked for is done; whether that was all.
    fn end(&self, round: Round) -> bool {
        for teller in round.tellers {
            teller.push(peer_frame(&PeerFrame::Doubted {}));
        }
        let mut doubted = self.lock();
        doubted.is_looked = doubted.raised != round.raised;
        !doubted.is_looked
    }

    fn put_back(&self, round: Round) {
        self.lock().tellers.extend(round.tellers);
    }

    fn lock(&self) -> MutexGuard<'_, Doubted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
