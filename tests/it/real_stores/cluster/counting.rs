//! Budgets that nodes share: in no window more passes than its limit, and almost all of it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use engine_cluster::{Cluster, Sight, Taken};
use engine_store::memory::MemoryStore;
use tests::look_again;
use tests::servers::Redis;
use tests::store::Outcome;

use super::{start, start_at, until};

const HOUR: Duration = Duration::from_secs(3600);

fn answers(cluster: &Cluster) -> bool {
    cluster.sight() == Sight::WithoutStore
}

/// Calls of programs that Redis has had.
fn calls(redis: &Redis) -> anyhow::Result<u64> {
    let counted = redis.ask(&[
        "EVAL",
        "return tonumber(string.match(redis.call('INFO', 'commandstats'), 'cmdstat_evalsha:calls=(%d+)'))",
        "0",
    ])?;
    Ok(counted.trim_start_matches(':').parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_use_one_budget_to_its_end_and_not_beyond() -> Outcome {
    const LIMIT: u64 = 5_000;
    let redis = Redis::start()?;
    let nodes = [start(&redis, None)?, start(&redis, None)?, start(&redis, None)?].map(Arc::new);
    until("Redis answers", || nodes.iter().all(|node| answers(node))).await?;
    let before = calls(&redis)?;
    let (passed, units) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for (n, node) in nodes.iter().enumerate() {
        for task in 0..4_u64 {
            let (node, passed, units) = (Arc::clone(node), Arc::clone(&passed), Arc::clone(&units));
            tasks.spawn(async move {
                // One in four costs more; what is left over is too little for it at the end.
                let cost = if n == 0 && task == 0 { 7 } else { 1 };
                let mut refused_since = None;
                loop {
                    match node.counters().take("ten_1", cost, LIMIT, HOUR).await {
                        Taken::Allowed { .. } => {
                            refused_since = None;
                            passed.fetch_add(1, Ordering::Relaxed);
                            units.fetch_add(cost, Ordering::Relaxed);
                        }
                        Taken::Refused { retry_after } => {
                            assert!(retry_after <= HOUR);
                            // Others give back what they do not use; then nothing more comes.
                            if refused_since.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(2) {
                                break;
                            }
                            look_again().await;
                        }
                        Taken::Local { .. } => panic!("Redis answers"),
                    }
                }
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        done?;
    }
    let (units, passed) = (units.load(Ordering::Relaxed), passed.load(Ordering::Relaxed));
    ensure!(units == LIMIT, "{units} of {LIMIT}");
    let asked = calls(&redis)? - before;
    // Beats are among them, and those who were refused and asked again.
    ensure!(asked < passed / 3, "{asked} calls for {passed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_many_windows_no_more_passes_than_their_limits() -> Outcome {
    const LIMIT: u64 = 40;
    const WINDOW: Duration = Duration::from_millis(400);
    let redis = Redis::start()?;
    let nodes = [start(&redis, None)?, start(&redis, None)?, start(&redis, None)?].map(Arc::new);
    until("Redis answers", || nodes.iter().all(|node| answers(node))).await?;
    let (passed, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for node in &nodes {
        let (node, passed, stop) = (Arc::clone(node), Arc::clone(&passed), Arc::clone(&stop));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                match node.counters().take("ten_2", 1, LIMIT, WINDOW).await {
                    Taken::Allowed { .. } => {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                    Taken::Refused { retry_after } => {
                        assert!(retry_after <= WINDOW);
                        tokio::time::sleep(retry_after.min(Duration::from_millis(5))).await;
                    }
                    Taken::Local { .. } => panic!("Redis answers"),
                }
            }
        });
    }
    while began.elapsed() < 10 * WINDOW {
        look_again().await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(done) = tasks.join_next().await {
        done?;
    }
    // The first and the last one were not whole.
    let windows = u64::try_from(began.elapsed().as_millis() / WINDOW.as_millis())? + 2;
    let passed = passed.load(Ordering::Relaxed);
    ensure!(passed <= windows * LIMIT, "{passed} in {windows} windows of {LIMIT}");
    ensure!(passed >= 5 * LIMIT, "{passed} in {windows} windows of {LIMIT}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_does_not_use_or_takes_away_is_there_for_others() -> Outcome {
    const LIMIT: u64 = 160;
    let redis = Redis::start()?;
    let (first, second) = (start(&redis, None)?, start(&redis, None)?);
    until("Redis answers", || answers(&first) && answers(&second)).await?;
    let take = async |node: &Cluster, cost| node.counters().take("ten_3", cost, LIMIT, HOUR).await;
    // It takes a share of ten, of which it uses one.
    ensure!(take(&first, 1).await == Taken::Allowed { left: LIMIT - 1 }, "more than one was counted");
    let began = Instant::now();
    while !matches!(take(&second, LIMIT - 1).await, Taken::Allowed { left: 0 }) {
        ensure!(began.elapsed() < Duration::from_secs(3), "nothing came back");
        look_again().await;
    }
    ensure!(matches!(take(&first, 1).await, Taken::Refused { .. }), "more than the limit has passed");
    ensure!(matches!(take(&second, LIMIT + 1).await, Taken::Refused { .. }), "more than the limit has passed");
    // One that leaves gives back at once.
    ensure!(matches!(first.counters().take("ten_4", 1, LIMIT, HOUR).await, Taken::Allowed { .. }));
    first.goodbye().await;
    let left = second.counters().take("ten_4", LIMIT - 1, LIMIT, HOUR).await;
    ensure!(left == Taken::Allowed { left: 0 }, "{left:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_counts_its_part() -> Outcome {
    let alone = start_at(None, None)?;
    ensure!(alone.counters().take("x", 1, 100, HOUR).await == Taken::Local { limit: 100 });
    let store = Arc::new(MemoryStore::default());
    let nodes = [start_at(None, Some(&store))?, start_at(None, Some(&store))?, start_at(None, Some(&store))?];
    until("they see each other", || nodes.iter().all(|node| node.living().borrow().members.len() == 3)).await?;
    for (limit, local) in [(100, 33), (3, 1), (2, 1), (0, 1)] {
        let taken = nodes[0].counters().take("x", 1, limit, HOUR).await;
        ensure!(taken == Taken::Local { limit: local }, "{taken:?} of {limit}");
    }
    Ok(())
}
