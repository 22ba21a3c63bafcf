//! The faults of a run, and their moments.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::chance::Chance;
use super::disk::Troubles;
use super::net::Net;
use super::world::World;

/// A clock that jumps, jumps by up to this much.
pub(super) const SKEW_MS: u64 = 3_600_000;

/// Makes trouble until its time is over.
pub(super) async fn trouble(world: Rc<World>, chance: Chance, until: Instant, pause_ms: u64) {
    loop {
        sleep(chance.millis(pause_ms / 4..=pause_ms * 2)).await;
        if Instant::now() >= until {
            return;
        }
        if world.plan.peers && chance.happens(0.3) {
            Net::trouble(&world, &chance);
            continue;
        }
        let node = chance.index(world.nodes());
        match chance.draw(0..=99) {
            0..30 => {
                world.crash(node);
                back(&world, node, chance.millis(0..=3_000));
            }
            30..40 => drain(&world, node, chance.millis(0..=1_500)),
            40..70 => {
                let share = |of: f64| if chance.happens(0.4) { of } else { 0.0 };
                let troubles = Troubles {
                    lost: share(0.2),
                    unanswered: share(0.2),
                    late: share(0.15),
                    refused: share(0.2),
                    slow: chance.happens(0.3),
                };
                world.set_weather(node, troubles);
            }
            70..80 => world.set_weather(node, Troubles::default()),
            80..90 => {
                let skew = i64::try_from(chance.draw(0..=2 * SKEW_MS)).unwrap_or_default();
                world.skew(node, skew - i64::try_from(SKEW_MS).unwrap_or_default());
            }
            _ => world.cut_all(),
        }
    }
}

/// An operator lets out of quarantine what crashed too often, until nothing does any more.
pub(super) async fn operator(world: Rc<World>) {
    while !world.is_healed() {
        sleep(Duration::from_secs(1)).await;
        world.release_all();
    }
}

fn back(world: &Rc<World>, node: usize, after: Duration) {
    let world = Rc::clone(world);
    tokio::task::spawn_local(async move {
        sleep(after).await;
        world.start_if_down(node);
    });
}

/// A planned restart: what runs may end, what is decided becomes durable.
fn drain(world: &Rc<World>, node: usize, patience: Duration) {
    if world.drain(node, patience) {
        back(world, node, patience + Duration::from_millis(2_500));
    }
}
