//! Readers that stop reading, on the very conversations that others listen to: do the others
//! notice, and does the node's memory?

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::Target as Node;
use super::paced::Paced;
use super::peak::Peak;
use super::streams::{self, Pace, Reader, Window};
use crate::node::Place;
use crate::plan::Plan;
use crate::proc::{self, Process, Queues};
use crate::report::{Report, Row, Target};
use crate::socket::{Incoming, Link, Opening};
use crate::stats::Spread;

/// The kernel's smallest receive buffer is about this: a stalled reader fills soon.
const RECEIVE_BUFFER: u32 = 4_096;
/// How long a stalled socket is read at the end to see whether the node had given it up.
const LAST_LOOK: Duration = Duration::from_millis(500);

/// Others' latency, and memory, with readers that stopped reading.
#[derive(Clone, Debug, Args)]
pub struct Stalled {
    #[command(flatten)]
    pub node: Node,
    #[command(flatten)]
    pub paced: Paced,
    /// Readers that stop reading.
    #[arg(long, default_value_t = 100)]
    pub stalled: usize,
    /// Tokens of the unpaced reply before each window that fills the stalled readers' buffers.
    #[arg(long, default_value_t = 10_000)]
    pub fill_tokens: u32,
    /// How many such replies; a few of the longest are more than a node lets wait for one reader.
    #[arg(long, default_value_t = 1)]
    pub fills: u32,
}

#[derive(Debug, Serialize)]
struct Run {
    window: Window,
    /// The highest of the node's memory, from the filling to the end.
    peak_rss_kib: u64,
    /// What waits in the kernel on the node's side at the end.
    queues: Queues,
    /// Stalled readers that the node had ended, by close code; 0 for a cut without a code.
    ended: Vec<u16>,
}

/// Measures.
///
/// # Errors
/// The node cannot be reached or set up, or the flags make no sense.
pub async fn run(args: &Stalled) -> Result<Report> {
    ensure!(args.fill_tokens <= Plan::TOKENS_MAX, "a reply holds at most {} tokens", Plan::TOKENS_MAX);
    let (stub, pace) = args.paced.start()?;
    let (place, mut node) = args.node.reach().await?;
    let process = args.node.process()?;
    let mut readers = streams::readers(&place, &mut node, args.paced.streams).await?;
    let (mut without, mut with, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    'windows: for _ in 0..args.paced.windows {
        for (stalled, runs) in [(0, &mut without), (args.stalled, &mut with)] {
            let (back, run, went_wrong) = measure(args, pace, &place, process, readers, stalled).await?;
            readers = back;
            runs.push(run);
            faults.extend(went_wrong);
            if !faults.is_empty() {
                // A stream that broke off would go on into the next window and make it lie.
                break 'windows;
            }
        }
    }
    let details = json!({ "stalled": args.stalled, "fills": args.fills, "streams": args.paced.streams, "rate": args.paced.rate,
        "without": without, "with": with, "stub": stub.done() });
    let rows = rows(args, process.is_some(), &without, &with);
    let report = Report { scenario: "stalled".into(), rows, faults, details };
    args.node.save(&report)?;
    Ok(report)
}

async fn measure(
    args: &Stalled,
    pace: Pace,
    place: &Place,
    process: Option<Process>,
    readers: Vec<Reader>,
    stalled: usize,
) -> Result<(Vec<Reader>, Run, Vec<String>)> {
    let mut asleep = Vec::with_capacity(stalled);
    for nth in 0..stalled {
        let opening = Opening { receive_buffer: Some(RECEIVE_BUFFER), ..place.opening() };
        // Joined and never read again. Three or so listen to each conversation that is measured.
        asleep.push(place.join_newest(opening, readers[nth % readers.len()].conversation()).await?);
    }
    let peak = Peak::watch(process);
    let fill = Pace { tokens: args.fill_tokens, rate: 0, ..pace };
    let (mut readers, mut faults) = (readers, Vec::new());
    for _ in 0..args.fills {
        let (back, _, went_wrong) = streams::window(readers, fill).await?;
        readers = back;
        faults.extend(went_wrong);
    }
    let (readers, window, more) = streams::window(readers, pace).await?;
    faults.extend(more);
    let queues = proc::queues(place.server.port())?;
    let peak_rss_kib = peak.highest();
    let ended = look(asleep).await;
    Ok((readers, Run { window, peak_rss_kib, queues, ended }, faults))
}

/// Reads what the stalled sockets hold, and counts those that turn out to have ended.
async fn look(asleep: Vec<Link>) -> Vec<u16> {
    let mut tasks = JoinSet::new();
    for mut link in asleep {
        tasks.spawn(async move {
            let read = async {
                loop {
                    match link.next().await {
                        Ok((Incoming::Message(_), _)) => {}
                        Ok((Incoming::Close(code), _)) => return code.unwrap_or_default(),
                        Err(_) => return 0,
                    }
                }
            };
            tokio::time::timeout(LAST_LOOK, read).await.ok()
        });
    }
    let mut ended = Vec::new();
    while let Some(task) = tasks.join_next().await {
        ended.extend(task.ok().flatten());
    }
    ended.sort_unstable();
    ended
}

fn rows(args: &Stalled, observed: bool, without: &[Run], with: &[Run]) -> Vec<Row> {
    let p99 = |runs: &[Run]| Spread::of(runs.iter().map(|run| run.window.since_sent.p99_us));
    let load = format!("{} streams × {}/s with {} stalled readers", args.paced.streams, args.paced.rate, args.stalled);
    let (before, after) = (p99(without), p99(with));
    let ratios = without
        .iter()
        .zip(with)
        .map(|(without, with)| with.window.since_sent.p99_us / without.window.since_sent.p99_us.max(1e-3));
    let delivered =
        with.iter().map(|run| 100.0 * run.window.account.delivered as f64 / run.window.account.expected.max(1) as f64);
    let mut rows = vec![
        Row::new(format!("others' p99, {load}"), "µs", after).floor(before.median),
        Row::new(format!("others' p99 with ÷ without, {load}"), "×", Spread::of(ratios)).target(Target::AtMost(2.0)),
        Row::new(format!("tokens delivered, {load}"), "%", Spread::of(delivered)).target(Target::AtLeast(100.0)),
    ];
    if observed {
        let growth = without
            .iter()
            .zip(with)
            .map(|(without, with)| (with.peak_rss_kib as f64 - without.peak_rss_kib as f64) / 1024.0);
        let row = Row::new(format!("node memory (peak RSS) more than without, {load}"), "MiB", Spread::of(growth));
        rows.push(row.target(Target::AtMost(50.0)));
    }
    let kernel = with.iter().map(|run| run.queues.unsent_bytes as f64 / 1024.0 / args.stalled.max(1) as f64);
    rows.push(Row::new("kernel queue per stalled reader", "KiB", Spread::of(kernel)));
    let ended = with.iter().map(|run| run.ended.len() as f64);
    rows.push(Row::new("stalled readers that the node had ended by then", "", Spread::of(ended)));
    rows
}
