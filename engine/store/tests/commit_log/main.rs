//! A model of the shared commit log that deploy/commit-log.md describes: nodes append for many conversations into one
//! log of their own, under one condition, and fold it behind. Nothing of the store is run here: it is the protocol alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly, its helpers too")]

mod cells;
mod cluster;
mod node;
mod passing;
mod world;

use cluster::Plant;
use world::{Seen, run};

/// So many in every run; `COMMIT_LOG_SEEDS` asks for more, `COMMIT_LOG_FROM` for others.
const SEEDS: u64 = 2_000;
/// A planted fault is found within so many.
const PLANTED_SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

#[test]
fn what_is_acknowledged_stands_once_and_in_order_whatever_happens() {
    let (seeds, from) = (number("COMMIT_LOG_SEEDS").unwrap_or(SEEDS), number("COMMIT_LOG_FROM").unwrap_or_default());
    let mut all = Seen::default();
    for seed in from..from + seeds {
        let (faults, seen) = run(seed, None);
        assert!(faults.is_empty(), "seed {seed}:\n{}", faults.join("\n"));
        all.decided += seen.decided;
        all.acknowledged += seen.acknowledged;
        all.crashed += seen.crashed;
        all.closed += seen.closed;
        all.taken += seen.taken;
        all.readings += seen.readings;
        all.erased += seen.erased;
    }
    println!("{seeds} seeds: {all:?}");
    // What does not happen proves nothing.
    let often = |count: usize, each: f64| count as f64 >= seeds as f64 * each;
    assert!(often(all.acknowledged, 20.0) && often(all.taken, 5.0) && often(all.closed, 1.0), "{all:?}");
    assert!(often(all.crashed, 1.0) && often(all.readings, 5.0) && often(all.erased, 0.2), "{all:?}");
    assert!(all.decided > all.acknowledged, "nothing was decided that nobody was told of: {all:?}");
}

#[test]
fn a_planted_fault_is_found() {
    for plant in Plant::ALL {
        let found = (0..PLANTED_SEEDS).find_map(|seed| Some((seed, run(seed, Some(plant)).0.into_iter().next()?)));
        let (seed, fault) = found.unwrap_or_else(|| panic!("{plant:?} is not found in {PLANTED_SEEDS} seeds"));
        println!("{plant:?}: seed {seed}: {fault}");
    }
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..20 {
        assert_eq!(format!("{:?}", run(seed, None)), format!("{:?}", run(seed, None)), "seed {seed}");
    }
}
