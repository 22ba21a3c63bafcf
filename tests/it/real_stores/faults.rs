//! A few of the faults of `cargo faults`, once each: whatever becomes of one of three nodes, of Redis and of what is
//! between them, nothing that was acknowledged is lost, doubled or out of its place, and every listener sees the log.

use tests::faults::{Kind, Order, run};

// Starting a node blocks its thread: the clients knock meanwhile on others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_whatever_becomes_of_one_of_three_nodes() {
    let seed = std::env::var("TERTULIA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    let kinds = vec![Kind::Killed, Kind::Drained, Kind::NodesCut, Kind::RedisFlushed];
    let order = Order { rounds: 1, seed, stores: 1, talks: 4, kinds: kinds.clone(), long: false, logs: None };
    let report = run(order, |_, _| {}).await.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    println!("{report:#?}");
    assert!(report.findings.is_empty(), "TERTULIA_SEED={seed}: {:#?}", report.findings);
    assert!(kinds.iter().all(|kind| report.faults[kind.name()].sound == 1), "{report:#?}");
    assert_eq!(report.written_by_zombies, 0);
    // Each of those who take part was answered before the fault and after it.
    assert!(report.acknowledged >= kinds.len() * 4 * 3 * 2, "{report:#?}");
}
