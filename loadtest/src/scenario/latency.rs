//! What the node adds to a token's way, beside the same stream read directly, in turns.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::streams::{self, Pace, Window};
use super::{Target as Node, direct};
use crate::plan::Plan;
use crate::proc::Process;
use crate::report::{Report, Row, Target};
use crate::stats::{Percentiles, Spread};
use crate::stub::{Defaults, Stub};

/// Added latency and CPU per token.
#[derive(Clone, Debug, Args)]
pub struct Latency {
    #[command(flatten)]
    pub node: Node,
    /// Where this run's own model stub listens: the node's `OPENAI_BASE_URL` is `http://ADDR/v1`.
    #[arg(long)]
    pub stub_listen: SocketAddr,
    /// Replies at once.
    #[arg(long, default_value_t = 32)]
    pub streams: usize,
    /// Tokens a second of each; 0 for as fast as they are taken.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// Length of one window; without a rate, see `--tokens`.
    #[arg(long, default_value_t = 10)]
    pub seconds: u32,
    /// Tokens of one reply when there is no rate.
    #[arg(long, default_value_t = 10_000)]
    pub tokens: u32,
    /// Windows through the node, and as many read directly, in turns.
    #[arg(long, default_value_t = 3)]
    pub windows: usize,
    /// Bytes of one token's event from the stub.
    #[arg(long, default_value_t = 340)]
    pub chunk_bytes: usize,
}

#[derive(Debug, Serialize)]
struct Pair {
    direct: Window,
    node: Window,
    /// CPU of the node per token, in microseconds.
    node_cpu_us: Option<f64>,
    /// CPU of this program's reading side per token, in microseconds.
    client_cpu_us: f64,
    /// CPU of the stub's pacing thread per token, in microseconds.
    stub_cpu_us: f64,
    /// The node's memory at the end of its window.
    node_rss_kib: Option<u64>,
}

/// Measures.
///
/// # Errors
/// The node cannot be reached or set up, or the flags make no sense.
pub async fn run(args: &Latency) -> Result<Report> {
    let tokens = if args.rate == 0 { args.tokens } else { args.rate * args.seconds };
    ensure!(args.streams > 0 && args.windows > 0 && tokens > 0, "there is nothing to measure");
    ensure!(tokens <= Plan::TOKENS_MAX, "a reply holds at most {} of these tokens", Plan::TOKENS_MAX);
    let pace = Pace { streams: args.streams, tokens, rate: args.rate };
    let stub = Stub::start(args.stub_listen, Defaults { tokens, rate: args.rate, chunk_bytes: args.chunk_bytes })?;
    let (place, mut node) = args.node.reach().await?;
    let process = args.node.process()?;
    let mut readers = streams::readers(&place, &mut node, args.streams).await?;
    let mut faults = Vec::new();

    // One short window each way first: allocators, connections and branch predictors wake up.
    let warm = Pace { tokens: tokens.min(args.rate.max(1_000)), ..pace };
    faults.extend(direct::window(stub.address, warm).await?.1);
    let warmed = streams::window(readers, warm).await?;
    readers = warmed.0;
    faults.extend(warmed.2);

    let mut pairs = Vec::with_capacity(args.windows);
    for _ in 0..args.windows {
        let (direct, direct_faults) = direct::window(stub.address, pace).await?;
        faults.extend(direct_faults);
        let cpu = || Ok::<_, anyhow::Error>((Process::own().cpu()?, process.map(|process| process.cpu()).transpose()?));
        let (own_before, node_before) = cpu()?;
        let (back, window, node_faults) = streams::window(readers, pace).await?;
        let (own_after, node_after) = cpu()?;
        readers = back;
        faults.extend(node_faults);
        let per_token = |ns: u64| ns as f64 / 1e3 / window.account.delivered.max(1) as f64;
        let stub_thread = |name: &str| name.starts_with("stub-");
        pairs.push(Pair {
            node_cpu_us: node_before.zip(node_after).map(|(from, to)| per_token(to.since(&from, |_| true))),
            client_cpu_us: per_token(own_after.since(&own_before, |name| !stub_thread(name))),
            stub_cpu_us: per_token(own_after.since(&own_before, stub_thread)),
            node_rss_kib: process.map(|process| process.memory()).transpose()?.map(|memory| memory.rss_kib),
            direct,
            node: window,
        });
        if !faults.is_empty() {
            // A stream that broke off would go on into the next window and make it lie.
            break;
        }
    }
    let details = json!({ "streams": args.streams, "rate": args.rate, "tokens_per_reply": tokens,
        "chunk_bytes": args.chunk_bytes, "windows": pairs, "stub": stub.done() });
    let report = Report { scenario: "latency".into(), rows: rows(args, &pairs), faults, details };
    args.node.save(&report)?;
    Ok(report)
}

fn rows(args: &Latency, pairs: &[Pair]) -> Vec<Row> {
    let load = match args.rate {
        0 => format!("{} × unpaced", streams_of(args.streams)),
        rate => format!("{} × {rate}/s", streams_of(args.streams)),
    };
    let added = |what: &str, pick: fn(&Window) -> Percentiles, at: fn(&Percentiles) -> f64, target: Option<f64>| {
        let both = |pair: &Pair| (at(&pick(&pair.node)), at(&pick(&pair.direct)));
        let mut row = Row::new(
            format!("added latency per token, {load}, {what}"),
            "µs",
            Spread::of(pairs.iter().map(|pair| both(pair).0 - both(pair).1)),
        )
        .floor(Spread::of(pairs.iter().map(|pair| both(pair).1)).median);
        row.target = target.map(Target::AtMost);
        row
    };
    let mut rows = Vec::new();
    if args.rate > 0 {
        let (p50, p99) = match args.streams {
            0..=32 => (Some(100.0), Some(500.0)),
            33..=512 => (None, Some(2_000.0)),
            _ => (None, None),
        };
        let sent: fn(&Window) -> Percentiles = |window| window.since_sent;
        let intended: fn(&Window) -> Percentiles = |window| window.since_intended;
        rows.push(added("p50", sent, |p| p.p50_us, p50));
        rows.push(added("p99", sent, |p| p.p99_us, p99));
        rows.push(added("p99.9", sent, |p| p.p999_us, None));
        rows.push(added("p99 from the intended time", intended, |p| p.p99_us, None));
    } else {
        let speed = |window: &Window| window.account.delivered as f64 / window.seconds.max(1e-9);
        let row =
            Row::new(format!("tokens a second, {load}"), "1/s", Spread::of(pairs.iter().map(|pair| speed(&pair.node))));
        rows.push(row.floor(Spread::of(pairs.iter().map(|pair| speed(&pair.direct))).median));
    }
    let delivered = pairs.iter().map(|pair| {
        let account = pair.node.account;
        account.percent()
    });
    rows.push(Row::new(format!("tokens delivered, {load}"), "%", Spread::of(delivered)).target(Target::AtLeast(100.0)));
    if pairs.iter().all(|pair| pair.node_cpu_us.is_some()) {
        // A single stream pays for waking a sleeping core with every token; the target is for many.
        let target = match (args.rate, args.streams) {
            (0, _) => Some(8.0),
            (_, 32..) => Some(30.0),
            _ => None,
        };
        let cpu = Spread::of(pairs.iter().filter_map(|pair| pair.node_cpu_us));
        let row = Row::new(format!("node CPU per token, {load}"), "µs", cpu);
        rows.push(Row { target: target.map(Target::AtMost), ..row });
        let memory = pairs.iter().filter_map(|pair| pair.node_rss_kib).map(|kib| kib as f64 / 1024.0);
        rows.push(Row::new(format!("node memory (RSS), {load}"), "MiB", Spread::of(memory)));
    }
    let own = |pick: fn(&Pair) -> f64| Spread::of(pairs.iter().map(pick));
    rows.push(Row::new(format!("load client's own CPU per token, {load}"), "µs", own(|pair| pair.client_cpu_us)));
    rows.push(Row::new(format!("stub's own CPU per token, {load}"), "µs", own(|pair| pair.stub_cpu_us)));
    rows
}

fn streams_of(count: usize) -> String {
    format!("{count} stream{}", if count == 1 { "" } else { "s" })
}
