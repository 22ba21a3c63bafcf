//! Many connected conversations that say nothing: what each costs, and whether the cost grows when
//! all leave and come back to their conversations.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Target as Node;
use super::idle_worker::Told;
use crate::clock;
use crate::proc::{self, Memory, Process, Sockets};
use crate::report::{Report, Row, Target};
use crate::stats::{Durations, Percentiles, Spread};

/// Files a worker needs besides its sockets.
const SPARE_FILES: u64 = 200;
/// Sockets of one worker at most.
const WORKER_MAX: usize = 15_000;
/// How long all sockets together may take to open or close.
const PATIENCE: Duration = Duration::from_secs(300);
/// Memory counts as settled when it moved by less than this share within a second.
const SETTLED_SHARE: f64 = 0.005;
const SETTLE_MAX: Duration = Duration::from_secs(6);

/// Memory per idle connected conversation.
#[derive(Clone, Debug, Args)]
pub struct Idle {
    #[command(flatten)]
    pub node: Node,
    /// Sockets, each joined to its own new conversation.
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
    /// Sockets to open a second; 0 opens as fast as `--in-flight` allows.
    #[arg(long, default_value_t = 0)]
    pub arrivals: u32,
    /// Sockets that may be opening at once.
    #[arg(long, default_value_t = 64)]
    pub in_flight: usize,
    /// Addresses 127.0.0.2, 127.0.0.3 … to come from; 0 leaves it to the system.
    #[arg(long, default_value_t = 8)]
    pub sources: u8,
    /// How often all come and go.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Seconds to watch the node's CPU while nobody says anything.
    #[arg(long, default_value_t = 3)]
    pub watch: u64,
}

#[derive(Debug, Serialize)]
struct Round {
    opened: usize,
    seconds: f64,
    /// From a socket's turn to its joined conversation.
    joined_after: Percentiles,
    connected: Option<Memory>,
    closed: Option<Memory>,
    sockets: Sockets,
    lost: usize,
    /// CPU of the node while nobody says anything, in cores.
    idle_cores: Option<f64>,
}

/// Measures.
///
/// # Errors
/// The node cannot be reached or set up, or workers cannot be started.
pub async fn run(args: &Idle) -> Result<Report> {
    ensure!(args.connections > 0 && args.in_flight > 0 && args.rounds > 0, "there is nothing to measure");
    let (place, _) = args.node.reach().await?;
    let process = args.node.process()?;
    let files = usize::try_from(proc::raise_file_limit().saturating_sub(SPARE_FILES)).unwrap_or(WORKER_MAX);
    let each = files.clamp(1, WORKER_MAX);
    let mut workers = Vec::new();
    let count = args.connections.div_ceil(each);
    for nth in 0..count {
        let share = args.connections / count + usize::from(nth < args.connections % count);
        workers.push(Worker::start(args, share, count)?);
    }
    let sources = if place.server.ip().is_loopback() { args.sources } else { 0 };
    let sockets_before = proc::sockets()?;
    let before = settled(process).await?;
    let (mut rounds, mut faults) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let told = everyone(&mut workers, "open").await?;
        let mut joined_after = Durations::new()?;
        told.iter().flat_map(|told| &told.joined_us).for_each(|us| joined_after.record(us * 1_000));
        let seconds = told.iter().map(|told| told.seconds).fold(0.0, f64::max);
        faults.extend(told.iter().filter_map(|told| told.fault.clone()));
        let opened = told.iter().map(|told| told.sockets).sum();
        let connected = settled(process).await?;
        let sockets = proc::sockets()?;
        let idle_cores = cores(process, Duration::from_secs(args.watch)).await?;
        let told = everyone(&mut workers, "close").await?;
        let lost = told.iter().map(|told| told.lost).sum();
        let closed = settled(process).await?;
        let joined_after = joined_after.percentiles();
        rounds.push(Round { opened, seconds, joined_after, connected, closed, sockets, lost, idle_cores });
    }
    for round in &rounds {
        if round.opened != args.connections {
            faults.push(format!("{} of {} sockets were opened", round.opened, args.connections));
        }
        if round.lost > 0 {
            faults.push(format!("{} sockets ended by themselves", round.lost));
        }
    }
    let rows = rows(args, before, &rounds);
    let details = json!({ "connections": args.connections, "sources": sources, "workers": count, "before": before,
        "sockets_before": sockets_before, "rounds": rounds });
    let report = Report { scenario: "idle".into(), rows, faults, details };
    args.node.save(&report)?;
    Ok(report)
}

/// A child that holds a share of the sockets.
struct Worker {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(args: &Idle, share: usize, workers: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["idle-worker", "--url", &args.node.url, "--connections", &share.to_string()]);
        command.args(["--in-flight", &args.in_flight.div_ceil(workers).to_string()]);
        command.args(["--arrivals", &args.arrivals.div_ceil(workers as u32).to_string()]);
        command.args(["--sources", &args.sources.to_string()]);
        // The key goes by the environment: other users of the machine can read arguments.
        command.env("TERTULIA_API_KEY", &args.node.key);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let to = child.stdin.take().context("a worker without input")?;
        let from = BufReader::new(child.stdout.take().context("a worker without output")?).lines();
        Ok(Self { child, to, from })
    }

    async fn tell(&mut self, word: &str) -> Result<()> {
        Ok(self.to.write_all(format!("{word}\n").as_bytes()).await?)
    }

    async fn told(&mut self) -> Result<Told> {
        match tokio::time::timeout(PATIENCE, self.from.next_line()).await.context("a worker is silent")?? {
            Some(line) => Ok(serde_json::from_str(&line)?),
            None => bail!("a worker ended: {}", self.child.wait().await?),
        }
    }
}

/// Tells all workers the same, and waits for all of them.
async fn everyone(workers: &mut [Worker], word: &str) -> Result<Vec<Told>> {
    for worker in &mut *workers {
        worker.tell(word).await?;
    }
    let mut told = Vec::with_capacity(workers.len());
    for worker in workers {
        told.push(worker.told().await?);
    }
    Ok(told)
}

/// The node's memory once it hardly moves any more.
async fn settled(process: Option<Process>) -> Result<Option<Memory>> {
    let Some(process) = process else { return Ok(None) };
    let begun = std::time::Instant::now();
    let mut last = process.memory()?;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = process.memory()?;
        let moved = now.rss_kib.abs_diff(last.rss_kib) as f64 / last.rss_kib.max(1) as f64;
        if moved < SETTLED_SHARE || begun.elapsed() > SETTLE_MAX {
            return Ok(Some(now));
        }
        last = now;
    }
}

/// CPU of the node over a few seconds.
async fn cores(process: Option<Process>, lasting: Duration) -> Result<Option<f64>> {
    let Some(process) = process else { return Ok(None) };
    let (before, begun) = (process.cpu()?, clock::now());
    tokio::time::sleep(lasting).await;
    let used = process.cpu()?.since(&before, |_| true);
    Ok(Some(used as f64 / (clock::now() - begun).max(1) as f64))
}

fn rows(args: &Idle, before: Option<Memory>, rounds: &[Round]) -> Vec<Row> {
    let count = args.connections as f64;
    let load = format!("{} connections", args.connections);
    let one = |figure: f64| Spread::of([figure]);
    let kib = |memory: Option<Memory>| memory.map(|memory| memory.rss_kib as f64);
    let mut rows = Vec::new();
    let connected: Vec<f64> = rounds.iter().filter_map(|round| kib(round.connected)).collect();
    if let (Some(before), Some(&first)) = (kib(before), connected.first()) {
        let row = Row::new(
            format!("memory (RSS) per idle connected conversation, {load}"),
            "KiB",
            one((first - before) / count),
        );
        rows.push(row.target(Target::AtMost(16.0)));
        // An allocator's first round leaves holes that the next ones fill; a leak goes on growing.
        let growth = Spread::of(connected.windows(2).map(|pair| (pair[1] - pair[0]) / count));
        let row = Row::new(format!("growth of the same each time all have left and come again, {load}"), "KiB", growth);
        rows.push(row.target(Target::AtMost(0.5)));
        let left = rounds.last().and_then(|round| kib(round.closed)).unwrap_or_default();
        rows.push(Row::new(
            format!("memory kept per conversation just after all left, {load}"),
            "KiB",
            one((left - before) / count),
        ));
    }
    if rounds.iter().all(|round| round.idle_cores.is_some()) {
        let each = rounds.iter().filter_map(|round| round.idle_cores).map(|cores| cores * 1e6 / count);
        rows.push(Row::new(format!("node CPU per idle connection, {load}"), "µs/s", Spread::of(each)));
    }
    let queued = Spread::of(rounds.iter().map(|round| round.sockets.queued_kib as f64));
    rows.push(Row::new(format!("kernel socket queues of the machine, {load}"), "KiB", queued));
    let rate = Spread::of(rounds.iter().map(|round| round.opened as f64 / round.seconds.max(1e-9)));
    let how = if args.arrivals == 0 {
        format!("{} at a time", args.in_flight)
    } else {
        format!("{} arrive a second", args.arrivals)
    };
    rows.push(Row::new(format!("sockets opened and joined a second, {how}"), "1/s", rate));
    let p99 = Spread::of(rounds.iter().map(|round| round.joined_after.p99_us / 1e3));
    rows.push(Row::new(format!("opened and joined after, p99, {how}"), "ms", p99));
    rows
}
