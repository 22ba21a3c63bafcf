//! Killed at random moments, a real node keeps what it promised.

use tests::crashes::{Order, run};

const ROUNDS: usize = 25;

// Starting a node blocks its thread: the clients knock meanwhile on others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_again_and_again_keeps_its_word() {
    let seed = std::env::var("TERTULIA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    let outcome =
        run(Order { rounds: ROUNDS, seed }, |_, _| {}).await.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    println!("{outcome:#?}");
    assert!(outcome.findings.is_empty(), "TERTULIA_SEED={seed}: {:#?}", outcome.findings);
    assert!(outcome.acknowledged >= ROUNDS && outcome.resumes >= ROUNDS, "{outcome:#?}");
}
