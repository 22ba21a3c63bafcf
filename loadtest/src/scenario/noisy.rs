//! One tenant asks ten times what its quota allows, without heeding any refusal: do another tenant's
//! listeners notice?

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use schema::{ConversationId, ErrorCode};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Target as Node;
use super::paced::Paced;
use super::streams::{self, Window};
use crate::node::Place;
use crate::plan::Plan;
use crate::report::{Report, Row, Target};
use crate::socket::{Incoming, Link};
use crate::stats::Spread;
use crate::view::View;

/// Tokens of a reply that the noisy tenant gets.
const NOISE_TOKENS: u32 = 25;

/// A tenant far over its quota beside one that is not.
#[derive(Clone, Debug, Args)]
pub struct Noisy {
    #[command(flatten)]
    pub node: Node,
    /// The file with the operator's key, which makes the noisy tenant.
    #[arg(long)]
    pub admin_key: PathBuf,
    #[command(flatten)]
    pub paced: Paced,
    /// Requests a second and replies at once that the noisy tenant may have.
    #[arg(long, default_value_t = 50)]
    pub quota: u32,
    /// How many times as many requests it makes.
    #[arg(long, default_value_t = 10)]
    pub times: u32,
    /// Its sockets.
    #[arg(long, default_value_t = 20)]
    pub sockets: u32,
}

/// What became of the noise.
type Heard = BTreeMap<String, u64>;

/// Measures.
///
/// # Errors
/// The node cannot be reached or set up, or the flags make no sense.
pub async fn run(args: &Noisy) -> Result<Report> {
    ensure!(args.sockets > 0 && args.times > 0, "there is no noise");
    let (stub, pace) = args.paced.start()?;
    let (place, mut node) = args.node.reach().await?;
    let noisy = noisy_tenant(args).await?;
    let mut readers = streams::readers(&place, &mut node, args.paced.streams).await?;
    let mut conversations = Vec::new();
    for _ in 0..args.sockets {
        conversations.push(noisy.node().open().await?);
    }
    let (mut without, mut with, mut faults, mut heard) = (Vec::new(), Vec::new(), Vec::new(), Heard::new());
    'windows: for _ in 0..args.paced.windows {
        for (is_noisy, windows) in [(false, &mut without), (true, &mut with)] {
            let noise = is_noisy.then(|| Noise::start(args, &noisy, &conversations));
            let (back, window, more) = streams::window(readers, pace).await?;
            readers = back;
            windows.push(window);
            faults.extend(more);
            if let Some(noise) = noise {
                noise.stop(&mut heard).await?;
            }
            if !faults.is_empty() {
                // A stream that broke off would go on into the next window and make it lie.
                break 'windows;
            }
        }
    }
    if !heard.contains_key(ErrorCode::RateLimited.name()) {
        faults.push("the noisy tenant was never held to its quota".into());
    }
    let details = json!({ "without": without, "with": with, "noise": heard, "stub": stub.done() });
    let report = Report { scenario: "noisy".into(), rows: rows(args, &without, &with, &heard), faults, details };
    args.node.save(&report)?;
    Ok(report)
}

async fn noisy_tenant(args: &Noisy) -> Result<Place> {
    let admin = std::fs::read_to_string(&args.admin_key).context("reading the operator's key")?;
    let mut operator = Place::parse(&args.node.url, admin.trim())?.node();
    let noisy = Place::parse(&args.node.url, &operator.create_tenant("noisy").await?)?;
    let quota = NonZeroU32::new(args.quota).context("a quota of none")?;
    noisy
        .node()
        .change_profile(|profile| {
            profile.quotas.requests_per_second = quota;
            profile.quotas.running_turns = quota;
            profile.floor.burst_window_ms = 0;
        })
        .await?;
    Ok(noisy)
}

/// Sockets that say something on time, whatever they are answered.
struct Noise {
    stop: watch::Sender<bool>,
    sockets: JoinSet<Result<Heard>>,
}

impl Noise {
    fn start(args: &Noisy, place: &Place, conversations: &[ConversationId]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let every = Duration::from_secs(1) * args.sockets / (args.quota * args.times);
        let mut sockets = JoinSet::new();
        for (nth, conversation) in conversations.iter().enumerate() {
            let (place, conversation, mut stopped) = (place.clone(), *conversation, stopped.clone());
            sockets.spawn(async move {
                let mut heard = Heard::new();
                while !*stopped.borrow() {
                    let shouted = shout(&place, conversation, nth, every, &mut heard);
                    tokio::select! {
                        _ = stopped.changed() => {}
                        closed = shouted => *heard.entry(closed?).or_default() += 1,
                    }
                }
                Ok(heard)
            });
        }
        Self { stop, sockets }
    }

    async fn stop(mut self, all: &mut Heard) -> Result<()> {
        self.stop.send_replace(true);
        while let Some(heard) = self.sockets.join_next().await {
            for (what, count) in heard?? {
                *all.entry(what).or_default() += count;
            }
        }
        Ok(())
    }
}

/// Until the node closes the socket; tells how.
async fn shout(
    place: &Place,
    conversation: ConversationId,
    nth: usize,
    every: Duration,
    heard: &mut Heard,
) -> Result<String> {
    let Ok(link) = place.join_newest(place.opening(), conversation).await else {
        tokio::time::sleep(every).await;
        return Ok("join refused".into());
    };
    let mut link: Link = link.reading(16 * 1024);
    let plan = Plan { tokens: NOISE_TOKENS, rate: 50, start_ns: 0 };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        let incoming = tokio::select! {
            _ = ticks.tick() => {
                let re = format!("noise-{nth}-{}", crate::clock::now());
                let frame = format!(r#"{{"type":"say","ref":"{re}","conversation":"{conversation}","text":"{plan}"}}"#);
                link.queue(frame.as_bytes());
                link.flush().await?;
                *heard.entry("said".into()).or_default() += 1;
                continue;
            }
            incoming = link.next() => incoming,
        };
        match incoming {
            Ok((Incoming::Message(message), _)) => {
                let view: View<'_> = serde_json::from_slice(&message)?;
                if let Some(error) = view.error {
                    *heard.entry(error.code.name().into()).or_default() += 1;
                } else if view.kind == "reply" {
                    *heard.entry("taken".into()).or_default() += 1;
                }
            }
            Ok((Incoming::Close(code), _)) => return Ok(format!("closed {}", code.unwrap_or(1005))),
            Err(_) => return Ok("cut".into()),
        }
    }
}

fn rows(args: &Noisy, without: &[Window], with: &[Window], heard: &Heard) -> Vec<Row> {
    let load = format!(
        "{} streams × {}/s beside a tenant at {} times its quota of {}/s",
        args.paced.streams, args.paced.rate, args.times, args.quota
    );
    let p99 = |windows: &[Window]| Spread::of(windows.iter().map(|window| window.since_sent.p99_us));
    let pairs = without.iter().zip(with);
    let ratios = pairs.map(|(without, with)| with.since_sent.p99_us / without.since_sent.p99_us.max(1e-3));
    let delivered = with.iter().map(|window| window.account.percent());
    let refused = *heard.get(ErrorCode::RateLimited.name()).unwrap_or(&0) as f64;
    let said = *heard.get("said").unwrap_or(&0) as f64;
    vec![
        Row::new(format!("others' p99, {load}"), "µs", p99(with)).floor(p99(without).median),
        Row::new(format!("others' p99 with ÷ without, {load}"), "×", Spread::of(ratios)).target(Target::AtMost(1.5)),
        Row::new(format!("tokens delivered, {load}"), "%", Spread::of(delivered)).target(Target::AtLeast(100.0)),
        Row::new(format!("of the noise refused, {load}"), "%", Spread::of([100.0 * refused / said.max(1.0)])),
    ]
}
