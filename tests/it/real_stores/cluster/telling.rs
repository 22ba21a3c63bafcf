//! What nodes tell each other: changes reach all, all is read anew after an outage, and a Redis that is held holds nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use engine_cluster::{Change, ChangeKind, ClusterOptions, Hearing, Sight, Taken};
use engine_store::memory::MemoryStore;
use schema::{ConversationId, ConversationKey, TenantId};
use secrecy::SecretString;
use tests::PATIENCE;
use tests::servers::Redis;
use tests::store::Outcome;
use tokio::time::timeout;

use super::{redis_at, start, start_at, until};

async fn next(listener: &mut Hearing) -> anyhow::Result<Change> {
    timeout(PATIENCE, listener.next()).await.context("nothing comes")?.context("the node has ended")
}

/// Hears until a change that is looked for comes; what else comes is `Everything`.
async fn hears(listener: &mut Hearing, expected: &Change) -> Outcome {
    loop {
        let change = next(listener).await?;
        if change == *expected {
            return Ok(());
        }
        ensure!(change == Change::Everything, "{change:?} before {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_heard_everywhere_and_after_an_outage_everything_is_read() -> Outcome {
    let mut redis = Redis::start()?;
    let (first, second) = (start(&redis, None)?, start(&redis, None)?);
    let (mut at_first, mut at_second) = (first.changes().hear(), second.changes().hear());
    // When they begin to hear of others, something may have been missed before.
    for listener in [&mut at_first, &mut at_second] {
        ensure!(next(listener).await? == Change::Everything);
    }
    until("Redis answers", || first.sight() == Sight::WithoutStore && second.sight() == Sight::WithoutStore).await?;
    let tenant = TenantId::generate();
    for (n, kind) in [ChangeKind::Profile, ChangeKind::Key, ChangeKind::Knowledge, ChangeKind::Logout, ChangeKind::Plan]
        .into_iter()
        .enumerate()
    {
        let id = format!("{n} ä");
        let change = Change::One { kind, tenant, id: id.clone() };
        let told = Instant::now();
        ensure!(first.changes().tell(kind, tenant, &id).await, "not told");
        hears(&mut at_second, &change).await?;
        println!("{kind:?} is heard after {:?}", told.elapsed());
        ensure!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
    }
    // Redis sends it back to the one that told it, who has no need of it.
    let other = ChangeKind::Unanswered;
    ensure!(second.changes().tell(other, tenant, "").await, "not told");
    hears(&mut at_first, &Change::One { kind: other, tenant, id: String::new() }).await?;
    redis.kill()?;
    until("Redis is missed", || first.sight() == Sight::Blind && second.sight() == Sight::Blind).await?;
    ensure!(!first.changes().tell(ChangeKind::Key, tenant, "lost").await, "told without Redis");
    redis.restart()?;
    ensure!(next(&mut at_second).await? == Change::Everything, "what was missed is not told");
    until("Redis answers", || first.sight() == Sight::WithoutStore).await?;
    ensure!(first.changes().tell(ChangeKind::Plan, tenant, "").await, "not told");
    hears(&mut at_second, &Change::One { kind: ChangeKind::Plan, tenant, id: String::new() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_asks_for_a_password_and_has_databases() -> Outcome {
    let redis = Redis::start_with_password("open: '@\"sesame")?;
    let options = |database| {
        let password = Some(SecretString::from("open: '@\"sesame"));
        Some(engine_cluster::RedisOptions { password, database: Some(database), ..redis_at(&redis) })
    };
    let nodes = [start_at(options(3), None)?, start_at(options(3), None)?, start_at(options(4), None)?];
    until("Redis answers", || nodes.iter().all(|node| node.sight() == Sight::WithoutStore)).await?;
    let [first, second, third] = &nodes;
    until("they see each other", || super::sees(first, &[first, second])).await?;
    ensure!(super::sees(third, &[third]), "a node of another database is seen");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_held_holds_nobody() -> Outcome {
    let (mut redis, store) = (Redis::start()?, Arc::new(MemoryStore::default()));
    let (first, second) = (start(&redis, Some(&store))?, start(&redis, Some(&store))?);
    let both = [&first, &second];
    let are = |sight: Sight| both.iter().all(|one| one.sight() == sight);
    until("both are read", || are(Sight::Whole) && both.iter().all(|one| super::sees(one, &both))).await?;
    let mut listener = second.changes().hear();
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    redis.pause()?;
    let held = Instant::now();
    let mut longest = Duration::ZERO;
    while !are(Sight::WithoutRedis) {
        ensure!(held.elapsed() < Duration::from_secs(8), "Redis is not missed");
        let began = Instant::now();
        let taken = first.counters().take("ten_1", 1, 100, Duration::from_secs(60)).await;
        ensure!(taken == Taken::Local { limit: 50 }, "{taken:?}");
        longest = longest.max(began.elapsed());
        let began = Instant::now();
        ensure!(!first.changes().tell(ChangeKind::Key, key.tenant, "x").await);
        longest = longest.max(began.elapsed());
        tests::look_again().await;
    }
    println!("nobody waits longer than {longest:?}");
    ensure!(longest < Duration::from_secs(1), "{longest:?}");
    ensure!(both.iter().all(|one| super::sees(one, &both)), "they do not see each other");
    // Whoever leaves now is missed by the store.
    let began = Instant::now();
    second.goodbye().await;
    ensure!(began.elapsed() < Duration::from_millis(3_200), "{:?}", began.elapsed());
    until("the one that left is missed", || super::sees(&first, &[&first])).await?;
    redis.resume()?;
    until("Redis is back", || first.sight() == Sight::Whole).await?;
    // What was told while it was held may be heard late or never, as whoever told it knows; what is told now is heard.
    while !first.changes().tell(ChangeKind::Key, key.tenant, "y").await {
        tests::look_again().await;
    }
    let now = Change::One { kind: ChangeKind::Key, tenant: key.tenant, id: "y".into() };
    loop {
        let heard = next(&mut listener).await?;
        if heard == now || heard == Change::Everything {
            return Ok(());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_the_password_is_one_that_is_away() -> Outcome {
    let redis = Redis::start_with_password("right")?;
    let store = Arc::new(MemoryStore::default());
    let wrong = engine_cluster::RedisOptions { password: Some(SecretString::from("wrong")), ..redis_at(&redis) };
    let node = start_at(Some(wrong), Some(&store))?;
    until("the store is read", || node.sight() == Sight::WithoutRedis).await?;
    // It is tried again: the password may be changed over there.
    ensure!(redis.ask(&["CONFIG", "SET", "requirepass", "wrong"])? == "+OK");
    until("Redis answers", || node.sight() == Sight::Whole).await?;
    let unnamed = ClusterOptions {
        me: node.me().clone(),
        before: None,
        installation: "a b".into(),
        redis: None,
        sign_key: super::key(),
    };
    ensure!(engine_cluster::Cluster::start(unnamed, None).is_err(), "no name for keys");
    Ok(())
}
