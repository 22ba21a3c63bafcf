//! Clients that come back from far behind, many at once: how soon has each of them everything, and what
//! does it cost the node? Beside it the same events read as a listing, page by page.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use schema::{ConversationId, limits};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::Target as Node;
use super::lengths::Lengths;
use super::peak::Peak;
use crate::clock;
use crate::node::Place;
use crate::proc::Process;
use crate::report::{Report, Row, Target};
use crate::socket::{Incoming, Link};
use crate::stats::{Durations, Percentiles, Spread};
use crate::view::View;

/// Messages under way while a conversation is filled.
const FILL_WINDOW: usize = 64;
/// Longest wait for the whole of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clients that come back from far behind.
#[derive(Clone, Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    pub node: Node,
    /// Conversations.
    #[arg(long, default_value_t = 8)]
    pub conversations: usize,
    /// Messages in each; at most as many as a node sends again.
    #[arg(long, default_value_t = 900)]
    pub messages: usize,
    /// The longest of them, in bytes; they are of all lengths, most are short.
    #[arg(long, default_value_t = 16 * 1024)]
    pub text_bytes: usize,
    /// Clients of each conversation that come back at the same moment.
    #[arg(long, default_value_t = 4)]
    pub readers: usize,
    /// How often they come.
    #[arg(long, default_value_t = 3)]
    pub windows: u32,
}

#[derive(Debug, Serialize)]
struct Run {
    events: u64,
    bytes: u64,
    seconds: f64,
    took: Percentiles,
    node_cpu_us_per_mib: Option<f64>,
    peak_rss_kib: u64,
}

/// Measures.
///
/// # Errors
/// The node cannot be reached or set up, or the flags make no sense.
pub async fn run(args: &Resume) -> Result<Report> {
    ensure!(args.conversations > 0 && args.readers > 0 && args.windows > 0, "there is nothing to measure");
    // The opening and the taking over are events too.
    ensure!((1..=limits::REPLAY_EVENTS_MAX - 2).contains(&args.messages), "a node does not send so many again");
    ensure!((1..=limits::TEXT_BYTES_MAX).contains(&args.text_bytes), "--text-bytes is more than one message may have");
    let (place, mut node) = args.node.reach().await?;
    let process = args.node.process()?;
    let lengths = Lengths::mixed(args.text_bytes);
    let mut conversations = Vec::new();
    for _ in 0..args.conversations {
        let conversation = node.open().await?;
        node.take_over(conversation).await?;
        let link = place.join(place.opening(), conversation).await?;
        fill(link, conversation, args.messages, &lengths).await?;
        conversations.push(conversation);
    }
    let begun = clock::now();
    let mut listed = 0;
    for &conversation in &conversations {
        listed += node.events(conversation).await?.0.len();
    }
    let listing = listed as f64 / seconds_since(begun);
    let heads = listed / args.conversations;
    let before = process.map(|process| process.memory()).transpose()?.map_or(0, |memory| memory.rss_kib);
    let (mut runs, mut faults) = (Vec::new(), Vec::new());
    for _ in 0..args.windows {
        let (run, went_wrong) = measure(args, &place, process, &conversations, heads as u64).await?;
        runs.push(run);
        faults.extend(went_wrong);
    }
    let details = json!({ "conversations": args.conversations, "messages": args.messages, "readers": args.readers,
        "text_bytes": args.text_bytes, "listing_events_per_second": listing, "rss_kib_before": before, "runs": runs });
    let rows = rows(args, &runs, listing, before, faults.is_empty());
    let report = Report { scenario: "resume".into(), rows, faults, details };
    args.node.save(&report)?;
    Ok(report)
}

fn seconds_since(begun: u64) -> f64 {
    (clock::now() - begun) as f64 / 1e9
}

/// Says so many messages and waits until all are acknowledged.
async fn fill(mut link: Link, conversation: ConversationId, messages: usize, lengths: &Lengths) -> Result<()> {
    let (mut said, mut acknowledged) = (0, 0);
    while acknowledged < messages {
        while said < messages && said - acknowledged < FILL_WINDOW {
            let text = lengths.text(said);
            let frame =
                format!(r#"{{"type":"say","ref":"fill-{said}","conversation":"{conversation}","text":"{text}"}}"#);
            link.queue(frame.as_bytes());
            said += 1;
        }
        let next = tokio::time::timeout(PATIENCE, link.next()).await.context("acknowledgements are missing")?;
        let Incoming::Message(message) = next?.0 else { bail!("closed while a conversation was filled") };
        let view: View<'_> = serde_json::from_slice(&message)?;
        if view.kind == "reply" {
            ensure!(view.error.is_none(), "a message was refused: {:?}", view.error);
            acknowledged += 1;
        }
    }
    Ok(())
}

async fn measure(
    args: &Resume,
    place: &Place,
    process: Option<Process>,
    conversations: &[ConversationId],
    head: u64,
) -> Result<(Run, Vec<String>)> {
    let cpu = || process.map(|process| process.cpu()).transpose();
    let (peak, cpu_before, begun) = (Peak::watch(process), cpu()?, clock::now());
    let mut tasks = JoinSet::new();
    for &conversation in conversations.iter().cycle().take(conversations.len() * args.readers) {
        let place = place.clone();
        tasks.spawn(async move {
            let whole = tokio::time::timeout(PATIENCE, read(&place, conversation, head)).await;
            (conversation, whole.unwrap_or_else(|_| bail!("the last event never came")))
        });
    }
    let (mut took, mut bytes, mut faults) = (Durations::new()?, 0, Vec::new());
    while let Some(task) = tasks.join_next().await {
        match task? {
            (_, Ok((ns, read))) => {
                took.record(ns);
                bytes += read;
            }
            (conversation, Err(error)) => faults.push(format!("{conversation}: {error:#}")),
        }
    }
    let seconds = seconds_since(begun);
    let mib = (bytes as f64 / (1024.0 * 1024.0)).max(1e-9);
    let spent = cpu_before.zip(cpu()?).map(|(from, to)| to.since(&from, |_| true) as f64 / 1e3);
    let run = Run {
        events: (conversations.len() * args.readers) as u64 * head,
        bytes,
        seconds,
        took: took.percentiles(),
        node_cpu_us_per_mib: spent.map(|us| us / mib),
        peak_rss_kib: peak.highest(),
    };
    Ok((run, faults))
}

/// Comes from before the first event and reads on to the last, each in its turn; gives how long that took,
/// in nanoseconds, and how many bytes it was.
async fn read(place: &Place, conversation: ConversationId, head: u64) -> Result<(u64, u64)> {
    let begun = clock::now();
    let mut link = place.join(place.opening(), conversation).await?.reading(64 * 1024);
    let (mut seq, mut bytes) = (0, 0);
    while seq < head {
        let Incoming::Message(message) = link.next().await?.0 else { bail!("closed at event {seq} of {head}") };
        bytes += message.len() as u64;
        let view: View<'_> = serde_json::from_slice(&message)?;
        if let Some(event) = view.event {
            ensure!(event.seq == seq + 1, "event {} came where {} was next", event.seq, seq + 1);
            seq = event.seq;
        }
    }
    Ok((clock::now() - begun, bytes))
}

fn rows(args: &Resume, runs: &[Run], listing: f64, before_kib: u64, whole: bool) -> Vec<Row> {
    let Resume { conversations, readers, messages, .. } = args;
    let load = format!("{} clients × {messages} events behind", conversations * readers);
    let of = |pick: fn(&Run) -> f64| Spread::of(runs.iter().map(pick));
    let mut rows = vec![
        Row::new(format!("events a second, {load}"), "1/s", of(|run| run.events as f64 / run.seconds)).floor(listing),
        Row::new(format!("sent, {load}"), "MiB/s", of(|run| run.bytes as f64 / run.seconds / (1024.0 * 1024.0))),
        Row::new(format!("whole after, p99, {load}"), "ms", of(|run| run.took.p99_us / 1e3)),
    ];
    if runs.iter().all(|run| run.node_cpu_us_per_mib.is_some()) {
        let cpu = of(|run| run.node_cpu_us_per_mib.unwrap_or_default());
        rows.push(Row::new(format!("node CPU for each MiB, {load}"), "µs", cpu));
        let growth = runs.iter().map(|run| run.peak_rss_kib.saturating_sub(before_kib) as f64 / 1024.0);
        let row = Row::new(format!("node memory (peak RSS) more than before, {load}"), "MiB", Spread::of(growth));
        rows.push(row.target(Target::AtMost(100.0)));
    }
    let share = if whole { 100.0 } else { 0.0 };
    let row = Row::new("events there, each in its turn", "%", Spread::of([share]));
    rows.push(row.target(Target::AtLeast(100.0)));
    rows
}
