//! What the nodes of a simulated world know of each other, and the cables between them. News of a death or a birth comes
//! late, and now and then it is false; a cable is slow, cut, or silent one way, and its ends notice that later.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actors::Peers;
use schema::NodeId;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::chance::Chance;
use super::disk::Troubles;
use super::node::Node;
use super::plant::Plant;
use super::world::World;
use crate::peers::{Cable, Membership, Speed, serve};

/// Latest news of a node that has come, in milliseconds …
const BORN_MS: u64 = 400;
/// … and of one that has gone.
const DEAD_MS: u64 = 4_000;
/// Between two looks at cables that are to be laid anew.
const LAY_MS: u64 = 700;
/// The same when nothing goes wrong any more.
const CALM: Duration = Duration::from_secs(10);

/// What is between nodes.
pub(super) struct Net {
    membership: Rc<Membership>,
    cables: RefCell<BTreeMap<(usize, usize), Cable>>,
    chance: Chance,
    usual_ms: u64,
    /// How often somebody was held for dead who was not.
    slanders: Cell<usize>,
    /// How often a node began to follow another one's conversation.
    followed: Rc<Cell<usize>>,
}

impl Net {
    pub(super) fn new(chance: Chance) -> Self {
        let usual_ms = chance.draw(0..=20);
        let (membership, cables) = Default::default();
        Self { membership, cables, chance, usual_ms, slanders: Cell::new(0), followed: Rc::default() }
    }

    /// A new node, of which the others will hear.
    pub(super) fn comes(&self) -> Arc<dyn Peers> {
        let id = NodeId::from_bytes(super::world::name(&self.chance));
        let (membership, after) = (Rc::clone(&self.membership), self.chance.millis(0..=BORN_MS));
        spawn_local(async move {
            sleep(after).await;
            membership.comes(id);
        });
        self.membership.of(id)
    }

    /// A node is gone, and the others will hear of it.
    pub(super) fn goes(&self, id: NodeId) {
        let (membership, after) = (Rc::clone(&self.membership), self.chance.millis(BORN_MS + 1..=DEAD_MS));
        spawn_local(async move {
            sleep(after).await;
            membership.goes(id);
        });
    }

    pub(super) const fn slanders(&self) -> usize {
        self.slanders.get()
    }

    pub(super) fn followed(&self) -> usize {
        self.followed.get()
    }

    /// Something goes wrong between nodes.
    pub(super) fn trouble(world: &Rc<World>, chance: &Chance) {
        let Some(net) = &world.net else { return };
        let pair = {
            let cables = net.cables.borrow();
            let laid: Vec<_> = cables.iter().filter(|(_, cable)| !cable.is_cut()).collect();
            laid.get(chance.index(laid.len())).map(|(pair, cable)| (**pair, (*cable).clone()))
        };
        match (chance.index(3), pair) {
            (0, Some((pair, cable))) => {
                world.tell(|| format!("the cable between nodes {pair:?} is cut"));
                cable.cut();
            }
            (1, Some((pair, cable))) => {
                let (from, noticed) = (chance.index(2), chance.millis(500..=8_000));
                world.tell(|| format!("the cable between nodes {pair:?} is silent from end {from} for {noticed:?}"));
                cable.silence(from);
                spawn_local(async move {
                    sleep(noticed).await;
                    cable.cut();
                });
            }
            _ => slander(world, chance),
        }
    }

    /// Lays cables between nodes that are up, each time one is missing, until the world ends.
    pub(super) async fn tend(world: Rc<World>) {
        let Some(net) = &world.net else { return };
        loop {
            for b in 0..world.nodes() {
                for a in 0..b {
                    let missing = net.cables.borrow().get(&(a, b)).is_none_or(Cable::is_cut);
                    if missing && (world.is_healed() || net.chance.happens(0.7)) {
                        net.lay(&world, a, b);
                    }
                }
            }
            sleep(if world.is_healed() { CALM } else { net.chance.millis(50..=LAY_MS) }).await;
        }
    }

    fn lay(&self, world: &World, a: usize, b: usize) {
        let nodes = world.up();
        let (Some(Some(first)), Some(Some(second))) = (nodes.get(a), nodes.get(b)) else { return };
        let (Some(first_id), Some(second_id)) = (first.id, second.id) else { return };
        let (chance, usual_ms) = (self.chance.fork(), self.usual_ms);
        let chance_of_loss = chance.clone();
        let unnoticed = if chance.happens(0.3) { chance.millis(0..=6_000) } else { Duration::ZERO };
        let bytes = chance.happens(0.1).then(|| chance.draw(20_000..=200_000));
        let delay = Rc::new(move || chance.delay(usual_ms));
        let loses = (world.plant() == Some(Plant::CableLoses)).then(|| chance_of_loss.fork());
        let followed = Rc::clone(&self.followed);
        let arrives = Rc::new(move |frame: &str| {
            followed.set(followed.get() + usize::from(frame.contains(r#""is":"followed""#)));
            let is_event = frame.starts_with(r#"{"type":"event""#);
            !(is_event && loses.as_ref().is_some_and(|loses| loses.happens(0.2)))
        });
        let (cable, [here, there]) = Cable::lay(&Speed { delay, bytes, arrives, unnoticed });
        world.tell(|| format!("a cable is laid between nodes {a} and {b}"));
        self.cables.borrow_mut().insert((a, b), cable);
        let serves = |node: &Node, other, end| {
            node.tasks.spawn_local(serve(Arc::clone(node.worker().system()), other, end));
        };
        serves(first, second_id, here);
        serves(second, first_id, there);
    }
}

/// All hold a node for dead that is not, for a while.
fn slander(world: &Rc<World>, chance: &Chance) {
    let Some(net) = &world.net else { return };
    let node = chance.index(world.nodes());
    let Some(id) = world.up()[node].as_ref().and_then(|up| up.id) else { return };
    world.tell(|| format!("node {node} is held for dead"));
    net.slanders.set(net.slanders.get() + 1);
    net.membership.goes(id);
    let (world, until) = (Rc::clone(world), chance.millis(100..=6_000));
    spawn_local(async move {
        sleep(until).await;
        let lives = world.up()[node].as_ref().is_some_and(|up| up.id == Some(id));
        if let Some(net) = world.net.as_ref().filter(|_| lives) {
            world.tell(|| format!("node {node} is held for alive"));
            net.membership.comes(id);
        }
    });
}

impl World {
    /// Whether all nodes are there to the end. News of a changed profile is not theirs to tell each other.
    pub(super) const fn keeps_all(&self) -> bool {
        self.net.is_some() && !self.plan.stricter
    }

    /// Nothing goes wrong any more: nodes that know each other stay, or come back, and all can reach all.
    pub(super) fn heal_nodes(&self) {
        for node in 0..self.nodes() {
            let is_draining = self.up()[node].as_ref().is_some_and(|up| up.is_draining.get());
            if is_draining || self.chance.happens(0.3) {
                self.crash(node);
            }
            self.set_weather(node, Troubles::default());
            self.skew(node, 0);
            self.start_if_down(node);
        }
    }

    /// No conversation went to and fro between nodes: each way has a reason.
    pub(super) fn restless(&self) -> Vec<String> {
        let Some(net) = &self.net else { return Vec::new() };
        // Somebody who has it dies, drains or is held for dead, as every second one of them does at the most; and what rests
        // is whoever's that needs it next.
        let seconds = usize::try_from(self.plan.trouble.as_secs()).unwrap_or(usize::MAX);
        let most = 5 + (self.lost() + net.slanders()) / 2 + seconds / 4;
        self.tell(|| {
            let moves: Vec<_> = self.keys.iter().map(|key| self.disk.moves(*key)).collect();
            format!("conversations went to another node {moves:?} times, and {most} would be right")
        });
        let moved = self.keys.iter().enumerate().map(|(n, key)| (n, self.disk.moves(*key)));
        let restless = moved.filter(|(_, moves)| *moves > most);
        restless.map(|(n, moves)| format!("moves: conversation {n} went to another node {moves} times")).collect()
    }
}
