//! Three real nodes under load, on real Cassandra and Redis: one thing after another goes wrong, and all that clients
//! were told and shown meanwhile is held against the logs, as every node reads them and as the store holds them.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

mod epochs;
mod forging;
mod installation;
mod judge;
mod kinds;
mod load;
mod passage;
mod report;
mod weather;
mod who;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use epochs::Tables;
use installation::{Installation, NODES};
use judge::judge;
use kinds::{Lengths, Struck};
use load::Load;

pub use forging::{after, before};
pub use kinds::Kind;
pub use report::{FaultReport, FaultsReport};

/// Once a fault is over, everybody is answered again within this. It only ends runs that have failed: what it took is
/// in the report.
const AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// What is to go wrong.
#[derive(Clone, Debug)]
pub struct Order {
    /// Times through all faults.
    pub rounds: usize,
    /// Decides whose each is, and in which order.
    pub seed: u64,
    /// Nodes of Cassandra, one or three.
    pub stores: usize,
    /// Conversations under load at once.
    pub talks: usize,
    /// Which faults.
    pub kinds: Vec<Kind>,
    /// Each lasts as long as all that follows from it may take.
    pub long: bool,
    /// Where the nodes' logs are left when something is wrong.
    pub logs: Option<PathBuf>,
}

/// Runs them. What is wrong stands in the report.
///
/// # Errors
/// When something is in the way of the test itself.
pub async fn run(order: Order, mut progress: impl FnMut(Kind, &FaultsReport)) -> Result<FaultsReport> {
    let mut rng = StdRng::seed_from_u64(order.seed);
    let mut report =
        FaultsReport { seed: order.seed, rounds: order.rounds, stores: order.stores, ..FaultsReport::default() };
    let mut running = None;
    for round in 1..=order.rounds {
        let mut kinds = order.kinds.clone();
        kinds.shuffle(&mut rng);
        for kind in kinds {
            let all = match &mut running {
                Some(all) => all,
                none => none.insert(Installation::start(order.stores).await?),
            };
            if let Some(why) = kind.is_impossible(all) {
                report.left_out.insert(kind.name(), why);
                continue;
            }
            let victim = rng.random_range(0..NODES);
            let before = report.findings.len();
            let outcome = once(all, kind, victim, &order, &mut rng, &mut report).await;
            if let Err(error) = &outcome {
                report.findings.push(format!("{error:#}"));
            }
            let entry = report.faults.entry(kind.name()).or_default();
            entry.times += 1;
            if report.findings.len() == before {
                entry.sound += 1;
            }
            for finding in &mut report.findings[before..] {
                *finding = format!("round {round}, {} of node {victim}: {finding}", kind.name());
            }
            if report.findings.len() > before
                && let Some(logs) = &order.logs
            {
                leave_logs(all, logs, &format!("{round}-{}", kind.name()))?;
            }
            if outcome.is_err() {
                // Nobody knows how it stands: the next one begins anew.
                running = None;
            }
            progress(kind, &report);
        }
    }
    report.faults.values_mut().for_each(FaultReport::settle);
    Ok(report)
}

/// One fault, under load from before it until all that was said is settled.
async fn once(
    all: &mut Installation,
    kind: Kind,
    victim: usize,
    order: &Order,
    rng: &mut StdRng,
    report: &mut FaultsReport,
) -> Result<()> {
    let lengths = if order.long { Lengths::LONG } else { Lengths::SHORT };
    let tables = Tables::open(&all.cassandra.contact_points(), &all.keyspace).await?;
    let load = Load::start(all, order.talks).await?;
    load.goes_on(Instant::now(), AGAIN_WITHIN).await?;
    let mut owned = Vec::new();
    let nodes = tables.nodes().await?;
    let of_victim = nodes.get(&all.told()[victim].to_string());
    for talk in &load.talks {
        owned.push(of_victim.is_some() && tables.owner(talk.id).await?.as_ref() == of_victim);
    }
    let lost = appends_lost(all);
    let struck: Struck = kind.strike(all, victim, lengths, rng).await?;
    load.goes_on(struck.ended, AGAIN_WITHIN).await?;
    let again = Instant::now();
    all.is_whole().await?;
    let logs = load.rests().await?;
    let entry = report.faults.entry(kind.name()).or_default();
    entry.appends_lost += appends_lost(all).saturating_sub(lost);
    let owned = if struck.victim.is_some() { owned } else { vec![false; owned.len()] };
    judge::measure(entry, &load, &owned, struck.began, again);
    judge(kind, &struck, all, &load, &logs, &tables, report).await
}

/// Appends that some node has found to be no owner's.
fn appends_lost(all: &Installation) -> usize {
    (0..NODES).map(|node| all.said(node).matches("append lost").count()).sum()
}

fn leave_logs(all: &Installation, folder: &std::path::Path, name: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    (0..NODES).try_for_each(|node| std::fs::write(folder.join(format!("{name}-node{node}.log")), all.said(node)))
}
