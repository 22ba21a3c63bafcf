//! The plan that a seed makes of a run: how many of everything, and how many faults.

use std::time::Duration;

use schema::{FloorPolicy, UnfinishedTurns, WhileSpeaking};

use super::chance::Chance;
use super::sizes::Sizes;

/// One run's measures.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes that share the store.
    pub nodes: usize,
    /// Whether they know each other: then each conversation is one's, and the others follow it there.
    pub peers: bool,
    /// Conversations, every second one another tenant's.
    pub conversations: usize,
    /// Contacts' clients in each, as from two tabs.
    pub clients: usize,
    /// Messages of each client.
    pub messages: usize,
    /// Whether a human agent comes and goes.
    pub agent: bool,
    /// How long things go wrong, in virtual time.
    pub trouble: Duration,
    /// Between two troubles, in milliseconds.
    pub pause_ms: u64,
    /// Usual delay of the store and of a line, in milliseconds.
    pub store_ms: u64,
    /// Usual delay of a line, in milliseconds.
    pub line_ms: u64,
    /// Share of commands whose handler panics.
    pub panics: f64,
    /// Who may speak when, at every tenant.
    pub floor: FloorPolicy,
    /// How large things are.
    pub sizes: Sizes,
    /// Whether everybody leaves in the middle of it, and nobody comes back.
    pub unattended: bool,
    /// Whether conversations are to close sooner from then on.
    pub stricter: bool,
}

impl Plan {
    pub(super) fn draw(chance: &Chance) -> Self {
        let sizes = Sizes::draw(&chance.fork());
        // Where things are large, a few conversations are enough.
        let few = |count: usize| if sizes.is_small() { count } else { count.min(2) };
        let mut plan = Self {
            sizes,
            unattended: false,
            stricter: false,
            peers: false,
            nodes: 1 + chance.index(3),
            conversations: few(1 + chance.index(3)),
            clients: 1 + chance.index(2),
            messages: 2 + chance.index(5),
            agent: chance.happens(0.3),
            trouble: Duration::from_secs(chance.draw(4..=25)),
            pause_ms: chance.draw(150..=2_500),
            store_ms: chance.draw(1..=40),
            line_ms: chance.draw(1..=60),
            // The last is enough for quarantine.
            panics: [0.0, 0.0, 0.01, 0.01, 0.3][chance.index(5)],
            floor: FloorPolicy {
                while_speaking: if chance.happens(0.5) { WhileSpeaking::Queue } else { WhileSpeaking::Interrupt },
                burst_window_ms: [0, 0, 300][chance.index(3)],
                unfinished_turns: if chance.happens(0.5) { UnfinishedTurns::Rerun } else { UnfinishedTurns::Mark },
                ..FloorPolicy::default()
            },
        };
        // Hours of a large world would take long.
        if plan.sizes.is_small() && chance.happens(0.25) {
            plan.unattended = true;
            plan.stricter = chance.happens(0.3);
            let hours = if plan.stricter { [0, 72][chance.index(2)] } else { [1, 2][chance.index(2)] };
            plan.floor.close_after_hours = hours;
        }
        plan.peers = plan.nodes > 1 && chance.happens(0.7);
        plan
    }
}
