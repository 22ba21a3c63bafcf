//! Nodes of one installation on a real Redis: they find and miss each other, count together, and go on without it.

mod counting;
mod holding;
mod telling;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use engine_cluster::{Cluster, ClusterOptions, RedisOptions, RedisSigns, Sight, SignKey};
use engine_store::cql::CqlStore;
use engine_store::memory::MemoryStore;
use engine_store::{Member, Nodes};
use schema::NodeId;
use tests::servers::{Cassandra, Redis, keyspace_name};
use tests::store::Outcome;
use tests::{PATIENCE, look_again, nodes};

use super::cql::options;

const INSTALLATION: &str = "test-1";

fn key() -> SignKey {
    SignKey::new(Box::new([7; 32]))
}

fn redis_at(redis: &Redis) -> RedisOptions {
    let address = redis.address();
    let (host, port) = (address.ip().to_string(), address.port());
    RedisOptions { host, port, user: None, password: None, database: None, tls: None }
}

/// A node that finds others in this Redis, and in this store.
fn start(redis: &Redis, store: Option<&Arc<MemoryStore>>) -> anyhow::Result<Cluster> {
    start_at(Some(redis_at(redis)), store)
}

fn start_at(redis: Option<RedisOptions>, store: Option<&Arc<MemoryStore>>) -> anyhow::Result<Cluster> {
    let id = NodeId::generate();
    let me = Member { id, address: "10.0.0.7:8081".into(), version: "1".into(), owns: true };
    let options = ClusterOptions { me, before: None, installation: INSTALLATION.into(), redis, sign_key: key() };
    Ok(Cluster::start(options, store.map(|store| Arc::clone(store) as Arc<dyn Nodes>))?)
}

/// Waits until something is so, and says how long that took.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> anyhow::Result<Duration> {
    let began = Instant::now();
    while !is_so() {
        ensure!(began.elapsed() < PATIENCE, "{what}: not so after {PATIENCE:?}");
        look_again().await;
    }
    Ok(began.elapsed())
}

fn sees(cluster: &Cluster, others: &[&Cluster]) -> bool {
    let living = cluster.living().borrow().clone();
    living.members.len() == others.len() && others.iter().all(|other| living.get(other.me().id) == Some(other.me()))
}

/// Looks for a while whether something stays so.
async fn stays(what: &str, for_long: Duration, mut is_so: impl FnMut() -> bool) -> Outcome {
    let began = Instant::now();
    while began.elapsed() < for_long {
        ensure!(is_so(), "{what}: no more after {:?}", began.elapsed());
        look_again().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_of_signs_keeps_the_promises() -> Outcome {
    nodes::conform(Arc::new(MemoryStore::default())).await.context("the model")?;
    let redis = Redis::start()?;
    nodes::conform(Arc::new(RedisSigns::connect(&redis_at(&redis), INSTALLATION, key()))).await.context("Redis")?;
    let (folder, contact_point) = (tempfile::tempdir()?, Cassandra::shared()?);
    let store = CqlStore::open(options(contact_point, &keyspace_name(), folder.path()), 1).await?;
    nodes::conform(Arc::new(store)).await.context("the cluster")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_see_each_other_and_miss_one_that_was_killed_and_one_that_leaves() -> Outcome {
    let (redis, store) = (Redis::start()?, Arc::new(MemoryStore::default()));
    let [first, second, third] =
        [start(&redis, Some(&store))?, start(&redis, Some(&store))?, start(&redis, Some(&store))?];
    let all = [&first, &second, &third];
    let took = until("they see each other", || all.iter().all(|one| sees(one, &all))).await?;
    ensure!(took < Duration::from_secs(4), "{took:?}");
    until("both are read", || all.iter().all(|one| one.sight() == Sight::Whole)).await?;
    for chore in 0..100 {
        ensure!(
            all.iter().all(|one| one.owner_of(chore, &|_| true) == first.owner_of(chore, &|_| true)),
            "of chore {chore}"
        );
    }

    third.close();
    let left = [&first, &second];
    let took = until("the dead one is missed", || left.iter().any(|one| sees(one, &left))).await?;
    // Seven, but for a beat that comes late on a busy machine.
    ensure!(took > Duration::from_secs(6), "{took:?}");
    let took = took + until("by both", || left.iter().all(|one| sees(one, &left))).await?;
    ensure!(took < Duration::from_secs(11), "{took:?}");
    ensure!((0..100).all(|chore| first.owner_of(chore, &|_| true) != Some(third.me().id)), "the dead one has a chore");

    second.goodbye().await;
    ensure!(second.living().borrow().get(second.me().id).is_none(), "it has chores and has left");
    let took = until("the one that left is missed", || sees(&first, &[&first])).await?;
    ensure!(took < Duration::from_secs(4), "{took:?}");
    // What it has left in the store before does not bring it back.
    stays("alone", Duration::from_secs(4), || sees(&first, &[&first])).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_kills_nobody() -> Outcome {
    let redis = Redis::start()?;
    let (first, second) = (start(&redis, None)?, start(&redis, None)?);
    let both = [&first, &second];
    until("they see each other", || both.iter().all(|one| sees(one, &both))).await?;
    ensure!(first.sight() == Sight::WithoutStore, "{:?}", first.sight());
    for _ in 0..2 {
        ensure!(redis.ask(&["FLUSHALL"])? == "+OK");
        ensure!(redis.ask(&["SCRIPT", "FLUSH"])? == "+OK");
        // Longer than a sign lasts.
        stays("they see each other", Duration::from_secs(11), || both.iter().all(|one| sees(one, &both))).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_they_go_by_the_store_and_come_back_to_it() -> Outcome {
    let (mut redis, store) = (Redis::start()?, Arc::new(MemoryStore::default()));
    let (first, second) = (start(&redis, Some(&store))?, start(&redis, Some(&store))?);
    let both = [&first, &second];
    let are = |sight: Sight| both.iter().all(|one| one.sight() == sight);
    until("both are read", || are(Sight::Whole) && both.iter().all(|one| sees(one, &both))).await?;
    redis.kill()?;
    let took = until("Redis is missed", || are(Sight::WithoutRedis)).await?;
    ensure!(took < Duration::from_secs(6), "{took:?}");
    // Longer than any sign lasts that was left before.
    stays("they see each other", Duration::from_secs(18), || both.iter().all(|one| sees(one, &both))).await?;
    let third = start(&redis, Some(&store))?;
    let all = [&first, &second, &third];
    until("a new one is seen by the store", || all.iter().all(|one| sees(one, &all))).await?;
    redis.restart()?;
    let took = until("Redis is back", || all.iter().all(|one| one.sight() == Sight::Whole)).await?;
    ensure!(took < Duration::from_secs(7), "{took:?}");
    stays("they see each other", Duration::from_secs(11), || all.iter().all(|one| sees(one, &all))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_nothing_keeps_to_who_lived_last() -> Outcome {
    let mut redis = Redis::start()?;
    let (first, second) = (start(&redis, None)?, start(&redis, None)?);
    let both = [&first, &second];
    until("they see each other", || both.iter().all(|one| sees(one, &both))).await?;
    redis.kill()?;
    until("nothing is seen", || both.iter().all(|one| one.sight() == Sight::Blind)).await?;
    stays("they see each other", Duration::from_secs(11), || both.iter().all(|one| sees(one, &both))).await?;
    second.close();
    redis.restart()?;
    until("it is seen that one is dead", || sees(&first, &[&first])).await?;
    let alone = start_at(None, None)?;
    ensure!(alone.sight() == Sight::Single && sees(&alone, &[&alone]), "{:?}", alone.sight());
    alone.goodbye().await;
    Ok(())
}
