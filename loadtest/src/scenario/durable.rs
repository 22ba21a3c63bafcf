//! Durable messages: many writers, each waiting for its acknowledgements, beside the disk's own
//! pace. Nothing is answered in between: a human has every conversation.
//! A closed loop: a slow node is offered less. So the figures are throughput and how long a writer
//! waits for its word to be safe, not the latency of an offered rate.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use schema::ConversationId;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Target as Node;
use super::durable_check::{SendEnd, verify};
use super::floor::{self, Syncs};
use super::lengths::Lengths;
use crate::clock;
use crate::proc::Process;
use crate::report::{Report, Row, Target};
use crate::socket::{Incoming, Link};
use crate::stats::{Durations, Percentiles, Spread};
use crate::view::{SaidView, View};

/// How long after the end an acknowledgement may still come.
const GRACE: Duration = Duration::from_secs(15);
/// Bytes appended between two syncs of the floor: one page, as a log's commit writes at least.
const FLOOR_BYTES: usize = 4096;
const FLOOR_LASTING_MAX: Duration = Duration::from_millis(700);

/// Durable messages a second.
#[derive(Clone, Debug, Args)]
pub struct Durable {
    #[command(flatten)]
    pub node: Node,
    /// Writers, each with its own conversation and socket.
    #[arg(long, default_value_t = 64)]
    pub writers: usize,
    /// Length of each measurement.
    #[arg(long, default_value_t = 10)]
    pub seconds: u32,
    /// Messages a writer may have unacknowledged; several figures are measured one after another.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    pub window: Vec<usize>,
    /// Parts of each measurement, for the spread.
    #[arg(long, default_value_t = 3)]
    pub windows: u32,
    /// Bytes of one message.
    #[arg(long, default_value_t = 100)]
    pub text_bytes: usize,
    /// Messages of all lengths up to `--text-bytes`; most are short.
    #[arg(long)]
    pub mixed: bool,
    /// A directory on the disk that the node writes to; left out, there is no floor.
    #[arg(long)]
    pub data: Option<PathBuf>,
}

struct Writer {
    link: Link,
    conversation: ConversationId,
    name: usize,
    lengths: Lengths,
    /// When each message was handed to the socket, and what became of it.
    sent: Vec<(u64, SendEnd)>,
}

struct Part {
    window: usize,
    acked: u64,
    seconds: f64,
    took: Percentiles,
    node_cpu_us: Option<f64>,
    client_cpu_us: f64,
}

/// Measures.
///
/// # Errors
/// The node cannot be reached or set up, or the flags make no sense.
pub async fn run(args: &Durable) -> Result<Report> {
    ensure!(args.writers > 0 && args.windows > 0, "there is nothing to measure");
    ensure!(args.window.iter().all(|size| (1..=1_024).contains(size)), "--window is 1 to 1024");
    let (place, mut node) = args.node.reach().await?;
    let process = args.node.process()?;
    let mut writers = Vec::with_capacity(args.writers);
    for name in 0..args.writers {
        let conversation = node.open().await?;
        node.take_over(conversation).await?;
        let link = place.join(place.opening(), conversation).await?.reading(16 * 1024);
        let bytes = args.text_bytes;
        let lengths = if args.mixed { Lengths::mixed(bytes) } else { Lengths::even(bytes) };
        writers.push(Writer { link, conversation, name, lengths, sent: Vec::new() });
    }

    let (mut parts, mut syncs, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let lasting = Duration::from_secs(args.seconds.into()) / args.windows;
    for &window in &args.window {
        for _ in 0..args.windows {
            syncs.extend(
                args.data
                    .as_deref()
                    .map(|dir| floor::fdatasync(dir, FLOOR_BYTES, FLOOR_LASTING_MAX.min(lasting / 4)))
                    .transpose()?,
            );
            let (back, part, went_wrong) = measure(writers, window, lasting, process).await?;
            writers = back;
            parts.push(part);
            faults.extend(went_wrong);
        }
    }

    let mut checked = 0;
    for writer in &writers {
        let (events, head) = node.events(writer.conversation).await?;
        let refs = (0..).map(|nth| name(writer.name, nth).parse::<schema::Ref>());
        let outcomes = writer.sent.iter().map(|(_, outcome)| *outcome);
        let sent = refs.zip(outcomes).map(|(re, outcome)| Ok((re?, outcome))).collect::<Result<Vec<_>>>()?;
        checked += sent.iter().filter(|(_, outcome)| matches!(outcome, SendEnd::Acked(_))).count();
        faults.extend(
            verify(&sent, &writer.lengths, &events, head)
                .into_iter()
                .map(|told| format!("writer {}: {told}", writer.name)),
        );
    }
    let details = json!({ "writers": args.writers, "text_bytes": args.text_bytes, "mixed": args.mixed, "acknowledged_and_checked": checked,
        "parts": parts.iter().map(Part::details).collect::<Vec<_>>(), "fdatasync": syncs });
    let report =
        Report { scenario: "durable".into(), rows: rows(args, &parts, &syncs, faults.is_empty()), faults, details };
    args.node.save(&report)?;
    Ok(report)
}

fn name(writer: usize, nth: usize) -> String {
    format!("w{writer}-{nth}")
}

async fn measure(
    writers: Vec<Writer>,
    window: usize,
    lasting: Duration,
    process: Option<Process>,
) -> Result<(Vec<Writer>, Part, Vec<String>)> {
    let cpu = || Ok::<_, anyhow::Error>((Process::own().cpu()?, process.map(|process| process.cpu()).transpose()?));
    let (own_before, node_before) = cpu()?;
    let begun = clock::now();
    let until = begun + lasting.as_nanos() as u64;
    let mut tasks = JoinSet::new();
    for mut writer in writers {
        tasks.spawn(async move {
            let before = writer.sent.len();
            let wrote = tokio::time::timeout(lasting + GRACE, writer.write(window, until)).await;
            let wrote = wrote.unwrap_or_else(|_| bail!("acknowledgements are missing"));
            (writer, before, wrote)
        });
    }
    let (mut back, mut faults, mut took, mut acked) = (Vec::new(), Vec::new(), Durations::new()?, 0_u64);
    while let Some(task) = tasks.join_next().await {
        let (writer, before, wrote) = task?;
        match wrote {
            Ok(all) => all.into_iter().for_each(|ns| took.record(ns)),
            Err(error) => faults.push(format!("writer {}: {error:#}", writer.name)),
        }
        acked +=
            writer.sent[before..].iter().filter(|(_, outcome)| matches!(outcome, SendEnd::Acked(_))).count() as u64;
        let refused = writer.sent[before..].iter().find_map(|(_, outcome)| match outcome {
            SendEnd::Refused(code) => Some(code),
            _ => None,
        });
        faults.extend(refused.map(|code| format!("writer {}: refused with {code}", writer.name)));
        back.push(writer);
    }
    back.sort_by_key(|writer| writer.name);
    let seconds = (clock::now() - begun) as f64 / 1e9;
    let (own_after, node_after) = cpu()?;
    let per_message = |ns: u64| ns as f64 / 1e3 / acked.max(1) as f64;
    let part = Part {
        window,
        acked,
        seconds,
        took: took.percentiles(),
        node_cpu_us: node_before.zip(node_after).map(|(from, to)| per_message(to.since(&from, |_| true))),
        client_cpu_us: per_message(own_after.since(&own_before, |_| true)),
    };
    Ok((back, part, faults))
}

impl Writer {
    /// Keeps `window` messages in flight until `until`, then waits for the last; the answer is
    /// how long each took to be acknowledged.
    async fn write(&mut self, window: usize, until: u64) -> Result<Vec<u64>> {
        let (mut took, mut in_flight) = (Vec::new(), 0);
        loop {
            let now = clock::now();
            while in_flight < window && now < until {
                let re = name(self.name, self.sent.len());
                let (conversation, text) = (self.conversation, self.lengths.text(self.sent.len()));
                let frame = format!(r#"{{"type":"say","ref":"{re}","conversation":"{conversation}","text":"{text}"}}"#);
                self.link.queue(frame.as_bytes());
                self.sent.push((now, SendEnd::Unanswered));
                in_flight += 1;
            }
            if in_flight == 0 {
                return Ok(took);
            }
            // One read may bring many replies; the next write answers them all at once.
            let (mut incoming, at) = self.link.next().await.map(|(incoming, at)| (Some(incoming), at))?;
            while let Some(one) = incoming {
                let Incoming::Message(message) = one else { bail!("the node closed the socket") };
                if let Some((nth, outcome)) = self.outcome(&message)? {
                    let (sent_at, known) = self.sent.get_mut(nth).context("a reply to nothing")?;
                    ensure!(*known == SendEnd::Unanswered, "message {nth} was answered twice");
                    *known = outcome;
                    took.push(at.saturating_sub(*sent_at));
                    in_flight -= 1;
                }
                incoming = self.link.take()?;
            }
        }
    }

    fn outcome(&self, message: &[u8]) -> Result<Option<(usize, SendEnd)>> {
        // One's own words come back as events too; they are checked later, from the log.
        if message.starts_with(br#"{"type":"event""#) {
            return Ok(None);
        }
        let view: View<'_> = serde_json::from_slice(message)?;
        let Some(re) = view.re else { return Ok(None) };
        let nth = re.strip_prefix(&format!("w{}-", self.name)).and_then(|nth| nth.parse().ok());
        let nth = nth.with_context(|| format!("a reply to `{re}`, which is not ours"))?;
        Ok(Some((
            nth,
            match (view.error, view.ok) {
                (Some(error), _) => SendEnd::Refused(error.code),
                (None, Some(ok)) => SendEnd::Acked(serde_json::from_str::<SaidView>(ok.get())?.seq),
                (None, None) => bail!("a reply with neither ok nor error"),
            },
        )))
    }
}

impl Part {
    fn per_second(&self) -> f64 {
        self.acked as f64 / self.seconds
    }

    fn details(&self) -> Value {
        json!({ "window": self.window, "acknowledged": self.acked, "seconds": self.seconds, "took": self.took,
            "node_cpu_us": self.node_cpu_us, "client_cpu_us": self.client_cpu_us })
    }
}

fn rows(args: &Durable, parts: &[Part], syncs: &[Syncs], whole: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let floor = |pick: fn(&Syncs) -> f64| (!syncs.is_empty()).then(|| Spread::of(syncs.iter().map(pick)).median);
    for &window in &args.window {
        let load = format!("{} writers, {window} in flight each", args.writers);
        let of = |pick: fn(&Part) -> f64| Spread::of(parts.iter().filter(|part| part.window == window).map(pick));
        let mut row = |what: &str, unit, figures, target, floor| {
            rows.push(Row { target, floor, ..Row::new(format!("{what}, {load}"), unit, figures) });
        };
        let least = Some(Target::AtLeast(15_000.0));
        row("durable messages a second", "1/s", of(Part::per_second), least, floor(|sync| sync.per_second));
        row(
            "acknowledged after, p50",
            "ms",
            of(|part| part.took.p50_us / 1e3),
            None,
            floor(|sync| sync.took.p50_us / 1e3),
        );
        row(
            "acknowledged after, p99",
            "ms",
            of(|part| part.took.p99_us / 1e3),
            None,
            floor(|sync| sync.took.p99_us / 1e3),
        );
        if parts.iter().all(|part| part.node_cpu_us.is_some()) {
            row("node CPU per durable message", "µs", of(|part| part.node_cpu_us.unwrap_or_default()), None, None);
        }
        row("load client's own CPU per message", "µs", of(|part| part.client_cpu_us), None, None);
    }
    let share = if whole { 100.0 } else { 0.0 };
    let row = Row::new("acknowledged messages there once and in order", "%", Spread::of([share]));
    rows.push(row.target(Target::AtLeast(100.0)));
    rows
}
