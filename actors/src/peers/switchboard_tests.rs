//! Links come, go and take each other's place, and membership says who lives.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, StreamExt};
use schema::{ConversationId, TenantId};
use serde_json::json;

use super::*;
use crate::outbox::{OutboxItem, OutboxStream};

struct Told(NodeId, watch::Sender<Living>);

impl Peers for Told {
    fn me(&self) -> NodeId {
        self.0
    }

    fn living(&self) -> watch::Receiver<Living> {
        self.1.subscribe()
    }

    fn owns(&self) -> bool {
        true
    }

    fn owner_of(&self, _: u64, among: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        self.1.borrow().iter().copied().find(|node| among(*node))
    }
}

/// A node's switchboard, of which the test decides who lives.
struct Desk {
    peers: Arc<Told>,
    board: Arc<Switchboard>,
}

impl Desk {
    fn new(others: &[NodeId]) -> Self {
        let me = NodeId::generate();
        let living = others.iter().copied().chain([me]).collect();
        let peers = Arc::new(Told(me, watch::Sender::new(living)));
        Self { board: Arc::new(Switchboard::new(Arc::clone(&peers) as Arc<dyn Peers>)), peers }
    }

    fn live(&self, others: &[NodeId]) {
        let now: Living = others.iter().copied().chain([self.peers.0]).collect();
        let before = self.peers.1.send_replace(Arc::clone(&now));
        self.board.members_changed(&before, &now);
    }

    /// A link, its number, and what comes out of it.
    fn up(&self, node: NodeId) -> (u64, OutboxStream) {
        let (number, outbox) = self.board.up(node);
        let mut out = outbox.stream();
        let hello = out.next().now_or_never();
        assert!(matches!(hello, Some(Some(OutboxItem::Frame(frame))) if frame.contains("hello")));
        (number, out)
    }

    /// Asks; gives the question's number, and what comes of it.
    fn ask(&self, node: NodeId) -> (Result<u64, Unsent>, Arc<AtomicUsize>) {
        let told = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&told);
        let deliver: Deliver = Arc::new(move |_, _| {
            let _ = counts.fetch_add(1, Ordering::Relaxed);
        });
        (self.board.ask_for(node, key(), PeerAsk::Awake {}, deliver), told)
    }
}

fn key() -> ConversationKey {
    ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() }
}

/// All frames that wait.
fn frames(out: &mut OutboxStream) -> Vec<PeerFrame> {
    let mut frames = Vec::new();
    while let Some(Some(OutboxItem::Frame(frame))) = out.next().now_or_never() {
        frames.push(serde_json::from_str(&frame).unwrap());
    }
    frames
}

fn is_over(out: &mut OutboxStream) -> bool {
    matches!(out.next().now_or_never(), Some(None))
}

fn answered() -> Answered {
    Answered { result: Ok(json!({})), decided: false }
}

#[test]
fn a_newer_link_takes_the_place_of_an_older_one() {
    let other = NodeId::generate();
    let desk = Desk::new(&[other]);
    assert_eq!(desk.ask(other).0, Err(Unsent::Unreachable));
    let (older, mut old) = desk.up(other);
    let (asked, told) = desk.ask(other);
    let asked = asked.unwrap();
    let (newer, mut new) = desk.up(other);
    frames(&mut old);
    assert!(is_over(&mut old));
    // What was asked over the old one ended with it.
    desk.board.answered(other, asked, answered(), 0);
    assert_eq!(told.load(Ordering::Relaxed), 0);
    // That the old one is gone now is no news.
    desk.board.down(other, older);
    assert!(desk.ask(other).0.is_ok());
    assert_eq!(frames(&mut new).len(), 1);
    desk.board.down(other, newer);
    assert_eq!(desk.ask(other).0, Err(Unsent::Unreachable));
    assert!(is_over(&mut new));
}

#[test]
fn a_question_is_answered_once_and_by_whom_it_was_asked() {
    let [other, third] = [NodeId::generate(), NodeId::generate()];
    let desk = Desk::new(&[other, third]);
    let _links = (desk.up(other), desk.up(third));
    let (asked, told) = desk.ask(other);
    let asked = asked.unwrap();
    desk.board.answered(third, asked, answered(), 0);
    assert_eq!(told.load(Ordering::Relaxed), 0, "another one has not been asked");
    for _ in 0..2 {
        desk.board.answered(other, asked, answered(), 0);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
    // Bounded, and given back.
    let asked: Vec<_> = (0..limits::LINK_ASKS_MAX).map(|_| desk.ask(other).0.unwrap()).collect();
    assert_eq!(desk.ask(other).0, Err(Unsent::Full));
    desk.board.forget(asked[0]);
    assert!(desk.ask(other).0.is_ok());
}

#[test]
fn whom_nobody_routes_the_owner_is_told_that_nobody_follows() {
    let other = NodeId::generate();
    let desk = Desk::new(&[other]);
    let (_, mut out) = desk.up(other);
    let (key, told) = (key(), Arc::new(AtomicUsize::new(0)));
    let push = || Push::Signal { author: Author::Human, kind: SignalKind::Typing { on: true } };
    let counts = Arc::clone(&told);
    let deliver: Deliver = Arc::new(move |_, _| {
        let _ = counts.fetch_add(1, Ordering::Relaxed);
    });
    let route = desk.board.route(key, other, Arc::clone(&deliver)).unwrap();
    assert!(desk.board.route(key, other, deliver).is_none(), "one at a time");
    desk.board.pushed(other, key, 1, push(), 10);
    assert_eq!((told.load(Ordering::Relaxed), frames(&mut out).len()), (1, 0));
    drop(route);
    desk.board.pushed(other, key, 1, push(), 10);
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert_eq!(frames(&mut out), [PeerFrame::Leave { key }, PeerFrame::Leave { key }]);
}

#[test]
fn an_owner_that_is_joined_too_late_is_told_that_nobody_follows() {
    let other = NodeId::generate();
    let desk = Desk::new(&[other]);
    let (_, mut out) = desk.up(other);
    let (key, deliver): (_, Deliver) = (key(), Arc::new(|_, _| {}));
    let join = || {
        let route = desk.board.route(key, other, Arc::clone(&deliver)).unwrap();
        (route, desk.board.ask_for(other, key, PeerAsk::Join { wake: false }, Arc::clone(&deliver)).unwrap())
    };
    let (route, slow) = join();
    drop(route);
    desk.board.forget(slow);
    let (again, next) = join();
    frames(&mut out);
    // The next one is that follower now: there is one of each node.
    desk.board.answered(other, slow, answered(), 0);
    assert_eq!(frames(&mut out), []);
    desk.board.forget(next);
    drop(again);
    frames(&mut out);
    desk.board.answered(other, next, answered(), 0);
    assert_eq!(frames(&mut out), [PeerFrame::Leave { key }]);
    desk.board.answered(other, next, answered(), 0);
    assert_eq!(frames(&mut out), [], "it is answered once");
}

#[test]
fn who_is_held_for_dead_and_has_a_link_hears_of_each_claim() {
    let other = NodeId::generate();
    let desk = Desk::new(&[other]);
    let (_, mut out) = desk.up(other);
    desk.board.has_claimed_from(other);
    desk.board.tell_robbed();
    assert_eq!(frames(&mut out), [], "it lives, and has let go of it");
    desk.live(&[]);
    assert!(is_over(&mut out));
    let (number, mut out) = desk.up(other);
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}]);
    desk.board.has_heard(other, number);
    // It has looked at all that it has, and then something is claimed.
    for _ in 0..3 {
        desk.board.has_claimed_from(other);
    }
    desk.board.tell_robbed();
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}], "once for all that were claimed");
    desk.board.tell_robbed();
    assert_eq!(frames(&mut out), []);
}

#[test]
fn who_was_held_for_dead_is_told_until_it_has_heard_it() {
    let other = NodeId::generate();
    let desk = Desk::new(&[]);
    // News of somebody who has just started may come late.
    assert!(!desk.board.is_alive(other));
    let (number, mut out) = desk.up(other);
    assert!(desk.board.is_alive(other));
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}], "what it has may have been claimed meanwhile");
    desk.live(&[other]);
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}], "it has not said that it has heard it");
    desk.board.has_heard(other, number);

    desk.live(&[]);
    assert!(is_over(&mut out) && !desk.board.is_alive(other));
    let (_, mut out) = desk.up(other);
    assert!(!desk.board.is_alive(other), "a link alone does not bring it back");
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}]);
    desk.live(&[other]);
    assert!(desk.board.is_alive(other));
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}]);
    // That link broke on the way, or did not.
    let (number, mut out) = desk.up(other);
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}]);
    desk.board.has_heard(other, number - 1);
    let (number, mut out) = desk.up(other);
    assert_eq!(frames(&mut out), [PeerFrame::Doubt {}], "over an older link it says nothing");
    desk.board.has_heard(other, number);
    assert_eq!(frames(&mut desk.up(other).1), []);
}
