//! More is asked than the node can do, by clients that do as they are told: what is admitted keeps its
//! pace, the rest is refused with advice, and when the crowd has gone all is as before.
//! Three phases in one run: as many customers as it serves well, several times as many, and the first
//! again, at once. A customer asks, hears the whole reply, and asks again without a pause; refused, it
//! waits as long as it was told and sends the same again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use schema::ErrorCode;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Target as Node;
use super::peak::Peak;
use super::streams::{self, Attempt, Reader};
use crate::clock;
use crate::ledger::{Account, Ledger};
use crate::plan::Plan;
use crate::proc::Process;
use crate::report::{Report, Row, Target};
use crate::stats::{Durations, Percentiles, Spread};
use crate::stub::{Defaults, Stub};

/// How long after a phase an admitted reply may still end.
const GRACE: Duration = Duration::from_secs(20);

/// More than the node can do.
#[derive(Clone, Debug, Args)]
pub struct Overload {
    #[command(flatten)]
    pub node: Node,
    /// Where this run's own model stub listens: the node's `OPENAI_BASE_URL` is `http://ADDR/v1`.
    #[arg(long)]
    pub stub_listen: SocketAddr,
    /// Customers that it serves well.
    #[arg(long, default_value_t = 400)]
    pub customers: usize,
    /// How many times as many there are in the crowd.
    #[arg(long, default_value_t = 5)]
    pub times: usize,
    /// Tokens of a reply.
    #[arg(long, default_value_t = 100)]
    pub tokens: u32,
    /// Tokens a second of each.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// Length of the crowd, in seconds.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Length of the time before and after it, in seconds.
    #[arg(long, default_value_t = 10)]
    pub calm: u64,
}

/// What a phase gave.
#[derive(Debug, Serialize)]
struct Phase {
    /// From the stub's write of a token to its reader.
    tokens: Percentiles,
    /// From saying something to its being durable, of what was admitted.
    acknowledged: Percentiles,
    account: Account,
    replies: u64,
    /// Refusals with advice, by code.
    refused: BTreeMap<ErrorCode, u64>,
    seconds: f64,
    /// The highest of the node's memory.
    peak_rss_kib: u64,
}

struct Tally {
    tokens: Durations,
    acknowledged: Durations,
    account: Account,
    replies: u64,
    refused: BTreeMap<ErrorCode, u64>,
}

/// Measures.
///
/// # Errors
/// The node cannot be reached or set up, or the flags make no sense.
pub async fn run(args: &Overload) -> Result<Report> {
    ensure!(args.customers > 0 && args.times > 1 && args.rate > 0 && args.tokens > 0, "there is nothing to measure");
    ensure!(args.tokens <= Plan::TOKENS_MAX, "a reply holds at most {} of these tokens", Plan::TOKENS_MAX);
    let stub = Stub::start(args.stub_listen, Defaults { tokens: args.tokens, rate: args.rate, chunk_bytes: 340 })?;
    let (place, mut node) = args.node.reach().await?;
    let process = args.node.process()?;
    let mut regulars = streams::readers(&place, &mut node, args.customers).await?;
    let mut crowd = streams::readers(&place, &mut node, args.customers * (args.times - 1)).await?;
    let mut faults = Vec::new();
    let calm = Duration::from_secs(args.calm);
    let plan = Plan { tokens: args.tokens, rate: args.rate, start_ns: 0 };

    let before = phase(&mut regulars, plan, calm, process, &mut faults).await?;
    regulars.append(&mut crowd);
    let during = phase(&mut regulars, plan, Duration::from_secs(args.seconds), process, &mut faults).await?;
    regulars.truncate(args.customers);
    let after = phase(&mut regulars, plan, calm, process, &mut faults).await?;

    let rows = rows(args, process.is_some(), &before, &during, &after);
    let details = json!({ "customers": args.customers, "times": args.times, "tokens": args.tokens, "rate": args.rate,
        "before": before, "during": during, "after": after, "stub": stub.done() });
    let report = Report { scenario: "overload".into(), rows, faults, details };
    args.node.save(&report)?;
    Ok(report)
}

async fn phase(
    readers: &mut Vec<Reader>,
    plan: Plan,
    lasting: Duration,
    process: Option<Process>,
    faults: &mut Vec<String>,
) -> Result<Phase> {
    let peak = Peak::watch(process);
    let begun = Instant::now();
    let end = begun + lasting;
    let mut tasks = JoinSet::new();
    // They come one after the other within the time of one reply, as their replies end later.
    let apart = Duration::from_secs(1) * plan.tokens / plan.rate / u32::try_from(readers.len().max(1))?;
    for (nth, mut reader) in readers.drain(..).enumerate() {
        let come = begun + apart * u32::try_from(nth)?;
        tasks.spawn(async move {
            sleep_until(come).await;
            let mut tally = Tally::new()?;
            let lived = timeout_at(end + GRACE, custom(&mut reader, plan, end, &mut tally)).await;
            let lived = lived.unwrap_or_else(|_| bail!("a reply does not end"));
            anyhow::Ok((nth, reader, tally, lived))
        });
    }
    let mut all = Tally::new()?;
    let mut back = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (nth, reader, tally, lived) = task??;
        if let Err(error) = lived {
            faults.push(format!("customer {nth}: {error:#}"));
        }
        all.add(&tally)?;
        back.push((nth, reader));
    }
    back.sort_by_key(|(nth, _)| *nth);
    readers.extend(back.into_iter().map(|(_, reader)| reader));
    faults.extend(all.account.fault());
    Ok(Phase {
        tokens: all.tokens.percentiles(),
        acknowledged: all.acknowledged.percentiles(),
        account: all.account,
        replies: all.replies,
        refused: all.refused,
        seconds: begun.elapsed().as_secs_f64(),
        peak_rss_kib: peak.highest(),
    })
}

/// Asks and hears until the end.
async fn custom(reader: &mut Reader, plan: Plan, end: Instant, tally: &mut Tally) -> Result<()> {
    while Instant::now() < end {
        let re = reader.next_ref();
        loop {
            let mut ledger = Ledger::with_room(plan.tokens as usize);
            match reader.attempt(&re, plan, &mut ledger).await? {
                Attempt::Answered { acknowledged_ns } => {
                    tally.answered(acknowledged_ns, &ledger, plan);
                    break;
                }
                Attempt::Refused(error) => {
                    let wait = error.retry_after.with_context(|| format!("{} without advice", error.code))?;
                    *tally.refused.entry(error.code).or_default() += 1;
                    // Whole seconds would bring all of them back at the same moment.
                    let again = Instant::now() + Duration::from_secs(wait) + Duration::from_millis(clock::now() % 997);
                    if again >= end {
                        return Ok(());
                    }
                    sleep(again - Instant::now()).await;
                }
            }
        }
    }
    Ok(())
}

impl Tally {
    fn new() -> Result<Self> {
        Ok(Self {
            tokens: Durations::new()?,
            acknowledged: Durations::new()?,
            account: Account::default(),
            replies: 0,
            refused: BTreeMap::new(),
        })
    }

    fn answered(&mut self, acknowledged_ns: u64, ledger: &Ledger, plan: Plan) {
        self.replies += 1;
        self.acknowledged.record(acknowledged_ns);
        self.account = self.account.and(ledger.account(u64::from(plan.tokens), true));
        ledger.samples.iter().for_each(|sample| self.tokens.record(sample.since_sent));
    }

    fn add(&mut self, other: &Self) -> Result<()> {
        self.tokens.merge(&other.tokens)?;
        self.acknowledged.merge(&other.acknowledged)?;
        self.account = self.account.and(other.account);
        self.replies += other.replies;
        for (code, count) in &other.refused {
            *self.refused.entry(*code).or_default() += count;
        }
        Ok(())
    }
}

fn rows(args: &Overload, observed: bool, before: &Phase, during: &Phase, after: &Phase) -> Vec<Row> {
    let load = format!("{} customers, then {} times as many", args.customers, args.times);
    let one = |figure: f64| Spread::of([figure]);
    type Figure = fn(&Phase) -> f64;
    let (p50, p99): (Figure, Figure) = (|phase| phase.tokens.p50_us, |phase| phase.tokens.p99_us);
    let safe: Figure = |phase| phase.acknowledged.p99_us;
    let mut rows = Vec::new();
    for (what, of) in [("token latency p50", p50), ("token latency p99", p99), ("acknowledgement p99", safe)] {
        rows.push(Row::new(format!("{what}, crowded, {load}"), "µs", one(of(during))).floor(of(before)));
        for (when, phase) in [("crowded", during), ("afterwards", after)] {
            let ratio = one(of(phase) / of(before).max(1e-3));
            rows.push(Row::new(format!("{what}, {when} ÷ before, {load}"), "×", ratio).target(Target::AtMost(2.0)));
        }
    }
    let rate = |phase: &Phase| phase.replies as f64 / phase.seconds.max(1e-9);
    rows.push(Row::new(format!("replies a second, crowded, {load}"), "1/s", one(rate(during))).floor(rate(before)));
    let refused = during.refused.values().sum::<u64>() as f64 / during.seconds.max(1e-9);
    rows.push(Row::new(format!("refusals a second, crowded, all with advice, {load}"), "1/s", one(refused)));
    let delivered = [before, during, after].map(|phase| phase.account.percent());
    rows.push(Row::new(format!("tokens delivered, {load}"), "%", Spread::of(delivered)).target(Target::AtLeast(100.0)));
    if observed {
        let mib = |phase: &Phase| phase.peak_rss_kib as f64 / 1024.0;
        rows.push(
            Row::new(format!("node memory (peak RSS), crowded, {load}"), "MiB", one(mib(during))).floor(mib(before)),
        );
    }
    rows
}
