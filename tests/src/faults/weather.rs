//! What becomes of what nodes say to each other, to Cassandra and to Redis: it is passed on, held back in one direction
//! or both, or goes another way.
//! Invariant: what is held is passed on later, in its order: a cut that heals loses nothing of a connection that lived
//! through it, as with a network.

use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::sync::watch;

/// Who is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// Another node.
    Node(usize),
    /// A node of Cassandra.
    Store(usize),
    /// Redis.
    Redis,
}

/// What is held back of a conversation between two, by who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Everything.
    Both,
    /// What the one says that began the connection.
    Asked,
    /// What it is answered.
    Answered,
}

/// How a node's words to a place go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    held: Option<Held>,
    /// Somebody else who is spoken to instead.
    pub(super) detour: Option<SocketAddr>,
    /// Connections of another number are ended.
    pub(super) number: u64,
}

impl Way {
    /// Whether words go on that are on their way to the place, or on their way back.
    pub(super) fn is_open(&self, back: bool) -> bool {
        match self.held {
            None => true,
            Some(Held::Both) => false,
            Some(Held::Asked) => back,
            Some(Held::Answered) => !back,
        }
    }
}

/// The ways of which there is something to say.
pub(super) type Ways = HashMap<(usize, Place), Way>;

/// All ways, and who may be told when they change.
#[derive(Debug, Default)]
pub(super) struct Weather(watch::Sender<Ways>);

impl Weather {
    /// Holds back what a node and a place say to each other, or lets it go on.
    pub(super) fn hold(&self, from: usize, to: Place, held: Option<Held>) {
        self.0.send_modify(|ways| ways.entry((from, to)).or_default().held = held);
    }

    /// Sends a node's words elsewhere, or where they belong. Its connections end.
    pub(super) fn detour(&self, from: usize, to: Place, detour: Option<SocketAddr>) {
        self.0.send_modify(|ways| {
            let way = ways.entry((from, to)).or_default();
            way.detour = detour;
            way.number += 1;
        });
    }

    /// To look at them, and to hear of changes.
    pub(super) fn seen(&self) -> watch::Receiver<Ways> {
        self.0.subscribe()
    }
}

/// How one way is now.
pub(super) fn way(ways: &Ways, from: usize, to: Place) -> Way {
    ways.get(&(from, to)).copied().unwrap_or_default()
}
