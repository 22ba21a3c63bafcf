//! What each node holds: the others know it while it lives, and not for long after.

use anyhow::ensure;
use engine_cluster::{Cluster, Sight};
use tests::servers::Redis;
use tests::store::Outcome;

use super::{sees, start, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_hold_is_known_while_they_live() -> Outcome {
    let mut redis = Redis::start()?;
    let nodes = [start(&redis, None)?, start(&redis, None)?, start(&redis, None)?];
    let [first, second, third] = &nodes;
    let all = [first, second, third];
    until("they see each other", || all.iter().all(|one| sees(one, &all))).await?;
    let tell = async |node: &Cluster, held| node.held().tell("acme", held).await;
    ensure!(tell(first, [2, 5]).await == Some([0, 0]), "nobody else holds anything");
    ensure!(tell(second, [1, 0]).await == Some([2, 5]), "what one holds");
    ensure!(tell(third, [0, u32::MAX]).await == Some([3, 5]), "what two hold");
    ensure!(tell(first, [4, 5]).await == Some([1, u32::MAX]), "what has changed");
    ensure!(tell(second, [0, 0]).await == Some([4, u32::MAX]), "a sum has a greatest value");
    ensure!(third.held().tell("other", [1, 1]).await == Some([0, 0]), "another name");
    // Whoever else writes into it.
    let key = "tertulia:test-1:held:acme";
    for (field, value) in [("nobody", "7 7 99999999999999"), (first.me().id.to_string().as_str(), "words")] {
        ensure!(redis.ask(&["HSET", key, field, value])?.starts_with(':'), "not written");
    }
    ensure!(tell(second, [0, 0]).await == Some([0, u32::MAX]), "what is no node's is not counted");
    third.goodbye().await;
    until("it has left", || sees(first, &[first, second])).await?;
    ensure!(tell(first, [0, 0]).await == Some([0, 0]), "who has gone holds nothing");
    redis.kill()?;
    until("Redis is missed", || first.sight() == Sight::Blind).await?;
    ensure!(tell(first, [1, 1]).await.is_none(), "nobody knows");
    Ok(())
}
