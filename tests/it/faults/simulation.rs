//! Simulated worlds: a few hundred pass, and each planted fault is found.

use std::time::Duration;

use tests::sim::{Plant, run};

/// Enough to meet each kind of trouble many times; `cargo sim --seeds 10000` runs more.
const SEEDS: u64 = 300;
/// How often a world may be woken in a second of its own time, on average. Most of that time is hours in which nobody is
/// there: a node that looks whether something has happened, where it could wait for it, makes all worlds slow.
const POLLS_PER_SECOND: u64 = 8;
/// Within so many a planted fault must be found.
const SEEDS_TO_FIND: u64 = 1_000;

#[test]
fn worlds_keep_their_promises() {
    let mut wrong = Vec::new();
    let (mut acknowledged, mut restarts, mut followed) = (0, 0, 0);
    let (mut polls, mut lasted) = (0, Duration::ZERO);
    for seed in 0..SEEDS {
        let report = run(seed, None, false);
        acknowledged += report.acknowledged;
        restarts += report.restarts;
        followed += report.followed;
        polls += report.polls as u64;
        lasted += report.lasted;
        if !report.violations.is_empty() {
            wrong.push(format!("cargo sim --seed {seed} --trace: {}", report.violations.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(acknowledged > SEEDS as usize && restarts > SEEDS as usize, "{acknowledged} messages, {restarts} restarts");
    assert!(followed > SEEDS as usize, "{followed} conversations followed on other nodes");
    assert!(polls < POLLS_PER_SECOND * lasted.as_secs(), "woken {polls} times in {lasted:?}");
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..60 {
        let [first, second] = [run(seed, None, false), run(seed, None, false)];
        assert_eq!(
            (first.events, first.acknowledged, first.restarts, first.polls, first.lasted, first.violations),
            (second.events, second.acknowledged, second.restarts, second.polls, second.lasted, second.violations),
            "seed {seed}"
        );
    }
}

#[test]
fn planted_faults_are_found() {
    for plant in Plant::ALL {
        let found_by = |violation: &String| violation.contains(plant.is_told_as());
        let found = (0..SEEDS_TO_FIND).find(|seed| run(*seed, Some(plant), false).violations.iter().any(found_by));
        assert!(found.is_some(), "{plant:?} is not found in {SEEDS_TO_FIND} seeds");
        println!("{plant:?} is found by seed {}", found.unwrap_or_default());
    }
}
