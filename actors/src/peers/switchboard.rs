//! The links to other nodes, the questions that wait for answers, and who is told what comes over which link.
//! Invariant: what a link brings is told in its order; a question is answered once, or ends with its link.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schema::peer::{PEER_VERSION, PeerAsk, PeerFrame};
use schema::wire::{ErrorFace, SignalKind};
use schema::{Author, ConversationKey, Epoch, Event, NodeId, SessionId, Text, Turn, limits};
use serde_json::Value;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::timeout;

use super::recent::Recent;
use super::{Living, Peers, hash};
use crate::failure::Failure;
use crate::frames::peer_frame;
use crate::metrics::{LINKS, RELAYS};
use crate::outbox::Outbox;

/// What the owner says to a relay.
pub(crate) enum Push {
    Event(Event),
    Delta { turn: Turn, offset: usize, text: Text },
    Signal { author: Author, kind: SignalKind },
}

/// What comes of a question.
pub(crate) struct Answered {
    pub(crate) result: Result<Value, Failure>,
    /// Something was sent to the store for it.
    pub(crate) decided: bool,
}

/// What a relay is told, in this order.
pub(crate) enum Arrival {
    Pushed(Epoch, Push),
    Answered(u64, Answered),
    /// The owner's conversation has ended.
    Ended(Failure),
    /// The link is gone, or whom it led to, or the relay does not keep up.
    Gone,
}

/// Takes what arrives for a relay, with its bytes; from any thread, at once.
pub(crate) type Deliver = Arc<dyn Fn(Arrival, usize) + Send + Sync>;

/// Why a question was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// There is no link, or no answer came.
    Unreachable,
    /// Too much waits.
    Full,
}

/// All that the conversations of one node have to do with other nodes.
///
/// The system makes one where it is given [`Peers`]. A link comes up and goes down as the transport says; a newer one to
/// the same node takes the place of an older. A relay has its route from before it joins until it ends, and is told
/// when the link under it is gone: so it need not watch. Questions of tasks are answered, or end with their time or
/// with the link. That a node is dead is believed of membership; that it lives, of a link to it as well, as news of
/// somebody who has just started may come late. One that is held for dead and has a link all the same is told when
/// something was claimed from it.
pub(crate) struct Switchboard {
    peers: Arc<dyn Peers>,
    inner: Mutex<Inner>,
    /// Tells whoever waits that membership has changed, in the order in which they came.
    news: Notify,
    /// The same of links that are made. A watch would tell them in an order that chance decides.
    linked: Notify,
}

#[derive(Default)]
struct Inner {
    links: BTreeMap<NodeId, Wire>,
    links_made: u64,
    asks: BTreeMap<u64, Asked>,
    asks_made: u64,
    routes: BTreeMap<ConversationKey, Routed>,
    /// Who was alive and is no more.
    dead: Recent,
    /// Who was held for dead, and has not said that it has heard so.
    owed: Recent,
    /// Of whom something was claimed since they were told last.
    robbed: Recent,
}

struct Wire {
    number: u64,
    outbox: Arc<Outbox>,
    /// Questions that wait for an answer.
    asks: usize,
}

struct Asked {
    node: NodeId,
    /// The number of the link that it went over.
    link: u64,
    /// The conversation that is joined by it.
    joins: Option<ConversationKey>,
    to: To,
}

enum To {
    Task(oneshot::Sender<Answered>),
    Relay(Deliver),
    /// A relay that has given up joining: should it have joined after all, its owner is told that nobody follows.
    Nobody,
}

struct Routed {
    node: NodeId,
    deliver: Deliver,
}

/// A relay's claim to what its owner says. Dropped, it tells the owner that nobody follows any more.
pub(crate) struct Route {
    board: Arc<Switchboard>,
    key: ConversationKey,
    node: NodeId,
}

impl Switchboard {
    pub(crate) fn new(peers: Arc<dyn Peers>) -> Self {
        Self { peers, inner: Mutex::default(), news: Notify::new(), linked: Notify::new() }
    }

    /// This node.
    pub(crate) fn me(&self) -> NodeId {
        self.peers.me()
    }

    /// Under which name another node's relays listen: one of each node to a conversation.
    pub(crate) fn session_of(node: NodeId) -> SessionId {
        SessionId::from_bytes(*node.as_bytes())
    }

    /// Whether a node may have conversations that are not to be claimed from it.
    pub(crate) fn is_alive(&self, node: NodeId) -> bool {
        if self.peers.living().borrow().contains(&node) {
            return true;
        }
        let mut inner = self.lock();
        let lives = inner.links.contains_key(&node) && !inner.dead.contains(node);
        if !lives {
            // What it has may be claimed now; should it live after all, it is to hear so.
            inner.owed.remember(node);
        }
        lives
    }

    /// Something was claimed that a node had. If that was because it is held for dead, it is to hear so, should it live.
    pub(crate) fn has_claimed_from(&self, node: NodeId) {
        if node != self.me() && !self.peers.living().borrow().contains(&node) {
            let mut inner = self.lock();
            inner.owed.remember(node);
            inner.robbed.remember(node);
        }
    }

    /// Tells those who have a link, though they are held for dead, that something was claimed from them lately.
    pub(crate) fn tell_robbed(&self) {
        let mut inner = self.lock();
        let robbed = inner.robbed.take();
        robbed.for_each(|node| inner.tell_doubt(node));
    }

    /// Whether this node takes conversations.
    pub(crate) fn owns(&self) -> bool {
        self.peers.owns()
    }

    /// Whether anybody else lives who could take over.
    pub(crate) fn has_others(&self) -> bool {
        let me = self.me();
        self.peers.owner_of(0, &|node| node != me).is_some()
    }

    /// Whether it is this node that attends to a conversation that is awake nowhere.
    pub(crate) fn attends_to(&self, key: ConversationKey) -> bool {
        self.peers.owner_of(hash(key), &|_| true) == Some(self.me())
    }

    /// Who is to have a conversation that is awake nowhere, of those that own and can be asked, but these.
    pub(crate) fn taker_of(&self, key: ConversationKey, but: &[NodeId]) -> Option<NodeId> {
        self.peers.owner_of(hash(key), &|node| !but.contains(&node) && self.is_linked(node))
    }

    /// Whether conversations can be had at all: here, or at a node that can be asked.
    pub(crate) fn has_taker(&self) -> bool {
        self.owns() || self.peers.owner_of(0, &|node| self.is_linked(node)).is_some()
    }

    /// How many links were made so far.
    pub(crate) fn links_made(&self) -> u64 {
        self.lock().links_made
    }

    /// Waits for the next link that is made.
    pub(crate) fn linked(&self) -> Notified<'_> {
        self.linked.notified()
    }

    pub(crate) fn is_linked(&self, node: NodeId) -> bool {
        self.lock().links.contains_key(&node)
    }

    /// Waits until membership has changed.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }

    /// Changes with membership; [`Self::members_changed`] is to follow.
    pub(crate) fn changes(&self) -> watch::Receiver<Living> {
        self.peers.living()
    }

    /// A link is there: its number and its way out. What was there before to the same node ends.
    pub(crate) fn up(&self, node: NodeId) -> (u64, Arc<Outbox>) {
        let outbox = Outbox::of_link();
        outbox.push(peer_frame(&PeerFrame::Hello { version: PEER_VERSION, node: self.me() }));
        let (number, older) = {
            let lives = self.peers.living().borrow().contains(&node);
            let mut inner = self.lock();
            inner.links_made += 1;
            let number = inner.links_made;
            let older = inner.links.insert(node, Wire { number, outbox: Arc::clone(&outbox), asks: 0 });
            if lives {
                inner.dead.forget(node);
            }
            inner.tell_doubt(node);
            (number, older)
        };
        metrics::gauge!(LINKS).increment(1);
        self.linked.notify_waiters();
        if let Some(older) = older {
            older.outbox.abandon();
            self.cut(node, older.number);
            metrics::gauge!(LINKS).decrement(1);
        }
        (number, outbox)
    }

    /// A link has ended, if it is still the newest to its node.
    pub(crate) fn down(&self, node: NodeId, number: u64) {
        let ended = {
            let mut inner = self.lock();
            match inner.links.get(&node) {
                Some(wire) if wire.number == number => inner.links.remove(&node),
                _ => None,
            }
        };
        if let Some(wire) = ended {
            metrics::gauge!(LINKS).decrement(1);
            wire.outbox.abandon();
            self.cut(node, number);
        }
    }

    /// Whoever waits for a node learns that the link to it is gone.
    fn cut(&self, node: NodeId, link: u64) {
        let (asks, relays) = {
            let mut inner = self.lock();
            let ids: Vec<u64> = inner.asks.iter().filter(|(_, asked)| asked.link == link).map(|(id, _)| *id).collect();
            let asks: Vec<Asked> = ids.into_iter().filter_map(|id| inner.take_ask(id)).collect();
            let routes = inner.routes.values().filter(|route| route.node == node);
            (asks, routes.map(|route| Arc::clone(&route.deliver)).collect::<Vec<_>>())
        };
        // Dropping a task's tells it; a relay's are given up by the relay.
        drop(asks);
        relays.into_iter().for_each(|deliver| deliver(Arrival::Gone, 0));
    }

    /// Membership has changed: links to the dead are given up, and who comes back from the dead is told.
    pub(crate) fn members_changed(&self, before: &Living, now: &Living) {
        let gone = before.iter().filter(|node| !now.contains(node) && **node != self.me());
        let mut cut = Vec::new();
        let mut inner = self.lock();
        for node in gone {
            inner.bury(*node);
            cut.extend(inner.links.remove(node).map(|wire| (*node, wire)));
        }
        for node in now.iter() {
            let is_news = inner.dead.contains(*node) || !before.contains(node);
            if is_news && inner.links.contains_key(node) {
                inner.dead.forget(*node);
                inner.tell_doubt(*node);
            }
        }
        drop(inner);
        for (node, wire) in cut {
            metrics::gauge!(LINKS).decrement(1);
            wire.outbox.abandon();
            self.cut(node, wire.number);
        }
        self.news.notify_waiters();
    }

    /// A node knows that it was held for dead, if it says so over the newest link.
    pub(crate) fn has_heard(&self, node: NodeId, link: u64) {
        let mut inner = self.lock();
        if inner.links.get(&node).is_some_and(|wire| wire.number == link) {
            inner.owed.forget(node);
        }
    }

    /// Cuts links whose other end has taken nothing for too long.
    pub(crate) fn cut_stalled(&self) {
        let now = tokio::time::Instant::now();
        let outboxes: Vec<_> = self.lock().links.values().map(|wire| Arc::clone(&wire.outbox)).collect();
        for outbox in outboxes {
            outbox.close_if_stalled(now);
        }
    }

    /// Asks a node, and waits for the answer.
    pub(crate) async fn ask(&self, node: NodeId, key: ConversationKey, what: PeerAsk) -> Result<Answered, Unsent> {
        let (answer, answered) = oneshot::channel();
        let id = self.send(node, key, what, To::Task(answer))?;
        let answered = timeout(limits::ASK_MAX, answered).await;
        if answered.is_err() {
            self.forget(id);
        }
        answered.ok().and_then(Result::ok).ok_or(Unsent::Unreachable)
    }

    /// Asks for a relay, which gets the answer behind what its owner has said before; gives the question's number.
    pub(crate) fn ask_for(
        &self,
        node: NodeId,
        key: ConversationKey,
        what: PeerAsk,
        deliver: Deliver,
    ) -> Result<u64, Unsent> {
        self.send(node, key, what, To::Relay(deliver))
    }

    fn send(&self, node: NodeId, key: ConversationKey, what: PeerAsk, to: To) -> Result<u64, Unsent> {
        let joins = matches!(what, PeerAsk::Join { .. }).then_some(key);
        let mut inner = self.lock();
        let id = inner.asks_made + 1;
        let wire = inner.links.get_mut(&node).ok_or(Unsent::Unreachable)?;
        if !wire.outbox.is_open() {
            return Err(Unsent::Unreachable);
        }
        if wire.asks >= limits::LINK_ASKS_MAX
            || !wire.outbox.push_if_room(&peer_frame(&PeerFrame::Ask { id, key, what }))
        {
            return Err(Unsent::Full);
        }
        wire.asks += 1;
        let link = wire.number;
        inner.asks_made = id;
        inner.asks.insert(id, Asked { node, link, joins, to });
        Ok(id)
    }

    /// Nobody waits for an answer any more.
    pub(crate) fn forget(&self, id: u64) {
        let mut inner = self.lock();
        let forgotten = match inner.asks.get_mut(&id) {
            Some(asked) if asked.joins.is_some() => Some(std::mem::replace(&mut asked.to, To::Nobody)),
            _ => inner.take_ask(id).map(|asked| asked.to),
        };
        // Whoever waited is told by its being dropped, outside the lock.
        drop(inner);
        drop(forgotten);
    }

    /// Tells a node something that needs no answer; a sign of life goes only where there is room.
    pub(crate) fn signal(&self, node: NodeId, frame: &PeerFrame) {
        if let Some(wire) = self.lock().links.get(&node) {
            let _ = wire.outbox.push_if_room(&peer_frame(frame));
        }
    }

    /// From now on what `node` says about a conversation goes to a relay; none when there are too many.
    pub(crate) fn route(self: &Arc<Self>, key: ConversationKey, node: NodeId, deliver: Deliver) -> Option<Route> {
        let mut inner = self.lock();
        if inner.routes.len() >= limits::RELAYS_MAX || inner.routes.contains_key(&key) {
            return None;
        }
        inner.routes.insert(key, Routed { node, deliver });
        metrics::gauge!(RELAYS).increment(1);
        Some(Route { board: Arc::clone(self), key, node })
    }

    /// The owner says something. To whom nobody here listens it is told.
    pub(crate) fn pushed(&self, from: NodeId, key: ConversationKey, epoch: Epoch, push: Push, bytes: usize) {
        let deliver = {
            let inner = self.lock();
            let deliver = inner.relay(from, key);
            if deliver.is_none() {
                // Before anybody can route it anew: it must not overtake that one's join.
                inner.leave(from, key);
            }
            deliver
        };
        if let Some(deliver) = deliver {
            deliver(Arrival::Pushed(epoch, push), bytes);
        }
    }

    /// Whether what a node says about a conversation is for a relay here.
    pub(crate) fn follows(&self, from: NodeId, key: ConversationKey) -> bool {
        self.lock().relay(from, key).is_some()
    }

    /// Something that the owner has said cannot be read here.
    pub(crate) fn lost(&self, from: NodeId, key: ConversationKey) {
        let deliver = self.lock().relay(from, key);
        if let Some(deliver) = deliver {
            deliver(Arrival::Gone, 0);
        }
    }

    /// The owner's conversation has ended.
    pub(crate) fn ended(&self, from: NodeId, key: ConversationKey, why: ErrorFace) {
        let deliver = self.lock().relay(from, key);
        if let Some(deliver) = deliver {
            deliver(Arrival::Ended(Failure::from_node(why)), 0);
        }
    }

    /// A question is answered.
    pub(crate) fn answered(&self, from: NodeId, id: u64, answered: Answered, bytes: usize) {
        let asked = {
            let mut inner = self.lock();
            let asked = match inner.asks.get(&id) {
                Some(asked) if asked.node == from => inner.take_ask(id),
                _ => None,
            };
            if let Some(Asked { joins: Some(key), to: To::Nobody, .. }) = &asked
                && inner.relay(from, *key).is_none()
            {
                inner.leave(from, *key);
            }
            asked
        };
        match asked.map(|asked| asked.to) {
            // It may have given up.
            Some(To::Task(answer)) => drop(answer.send(answered)),
            Some(To::Relay(deliver)) => deliver(Arrival::Answered(id, answered), bytes),
            Some(To::Nobody) | None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn relay(&self, from: NodeId, key: ConversationKey) -> Option<Deliver> {
        self.routes.get(&key).filter(|route| route.node == from).map(|route| Arc::clone(&route.deliver))
    }

    /// Tells an owner that nobody here follows.
    fn leave(&self, node: NodeId, key: ConversationKey) {
        if let Some(wire) = self.links.get(&node) {
            wire.outbox.push(peer_frame(&PeerFrame::Leave { key }));
        }
    }

    fn bury(&mut self, node: NodeId) {
        self.dead.remember(node);
        self.owed.remember(node);
    }

    /// Whoever was held for dead is told so, over each link until it has heard it.
    fn tell_doubt(&self, node: NodeId) {
        if let Some(wire) = self.links.get(&node).filter(|_| self.owed.contains(node)) {
            wire.outbox.push(peer_frame(&PeerFrame::Doubt {}));
        }
    }

    fn take_ask(&mut self, id: u64) -> Option<Asked> {
        let asked = self.asks.remove(&id)?;
        if let Some(wire) = self.links.get_mut(&asked.node).filter(|wire| wire.number == asked.link) {
            wire.asks = wire.asks.saturating_sub(1);
        }
        Some(asked)
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        let Self { board, key, node } = self;
        metrics::gauge!(RELAYS).decrement(1);
        let mut inner = board.lock();
        inner.routes.remove(key);
        inner.leave(*node, *key);
    }
}

#[cfg(test)]
#[path = "switchboard_tests.rs"]
mod tests;
