//! What every place for signs of life promises: one test for every adapter of the port.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use engine_store::{Beat, Member, Nodes};
use schema::NodeId;

use crate::store::Outcome;
use crate::{PATIENCE, look_again};

/// A beat of a node that nobody else is.
#[must_use]
pub fn beat(count: u64) -> Beat {
    let member =
        Member { id: NodeId::generate(), address: "[fd00::7]:7000".into(), version: "1.2.3-ä".into(), owns: false };
    Beat { member, count, lasts: Duration::from_secs(10) }
}

/// Shows the port's promises on a place that others may use at the same time.
///
/// # Errors
/// What was not kept.
pub async fn conform(nodes: Arc<dyn Nodes>) -> Outcome {
    let (first, second) = (beat(1), beat(u64::from(u32::MAX) + 7));
    ensure!(found(&nodes, &first).await?.is_none(), "one that never beat is found");
    nodes.beat(first.clone()).await?;
    nodes.beat(second.clone()).await?;
    for sent in [&first, &second] {
        let found = found(&nodes, sent).await?;
        ensure!(found.as_ref().is_some_and(|found| alike(found, sent)), "{found:?} for {sent:?}");
    }
    let later = Beat { count: 3_001, lasts: Duration::from_secs(5), ..first.clone() };
    nodes.beat(later.clone()).await?;
    let seen = found(&nodes, &first).await?;
    ensure!(seen.as_ref().is_some_and(|found| alike(found, &later)), "{seen:?} for {later:?}");
    // It is said, not only left out: of who is missing nobody knows why.
    nodes.beat(Beat { count: 3_002, lasts: Duration::ZERO, ..first.clone() }).await?;
    let began = Instant::now();
    while !found(&nodes, &first).await?.is_some_and(|found| found.is_goodbye() && found.count == 3_002) {
        ensure!(began.elapsed() < PATIENCE, "the goodbye is not found");
        look_again().await;
    }
    ensure!(found(&nodes, &second).await?.is_some_and(|found| !found.is_goodbye()), "another one has gone");
    Ok(())
}

async fn found(nodes: &Arc<dyn Nodes>, of: &Beat) -> anyhow::Result<Option<Beat>> {
    let mut all = nodes.beats().await?;
    all.retain(|beat| beat.member.id == of.member.id);
    ensure!(all.len() <= 1, "a node has several signs: {all:?}");
    Ok(all.pop())
}

/// What is left of the time that a beat lasts may be told, or all of it.
fn alike(found: &Beat, sent: &Beat) -> bool {
    let lasts = sent.lasts / 2..=sent.lasts;
    (&found.member, found.count) == (&sent.member, sent.count) && lasts.contains(&found.lasts)
}
