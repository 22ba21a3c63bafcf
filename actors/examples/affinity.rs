//! Measures what it saves to run a conversation on the thread of the session that listens to it.
//!
//! `cargo run --release -p actors --example affinity -- --streams 32 --rate 50 --seconds 4`
//!
//! Replies are streamed by a model inside the process, through conversations on one thread, to
//! sessions that read on the same thread or on another one, in turns. Measured is the time from the
//! model's words to the session's frame, and the processor time a token takes. No network is in the
//! way: what differs is the change of threads alone.

use std::error::Error;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_rt::{Arbiter, System as Runtime};
use actors::{
    Audience, Format, Listener, Options, Outbox, OutboxItem, ReplyTo, System, SystemClock, TenantRecord, Worker,
};
use bytestring::ByteString;
use engine_conversation::{Command, Speaker};
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{Chunk, ChunkStream, Model, ModelSettings, Prompt, Registry, Stop};
use engine_store::SharedStore;
use engine_store::memory::MemoryStore;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use schema::{ContactId, Passage, Position, SessionId, TenantId, Timestamp};
use tokio::sync::oneshot;

const USAGE: &str = "affinity [--streams N] [--rate N] [--seconds N] [--rounds N]";

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone, Copy)]
struct Plan {
    streams: u32,
    rate: u32,
    seconds: u32,
    rounds: u32,
}

/// Says when it says it, in nanoseconds since the start.
struct Clocked {
    start: Instant,
    plan: Plan,
    /// Which of the streams it is: they speak one after the other, as real ones do.
    index: u32,
}

impl Model for Clocked {
    fn name(&self) -> &str {
        "builtin"
    }

    fn ask(&self, _: Arc<Prompt>) -> ChunkStream {
        let (start, index, Plan { streams, rate, seconds, .. }) = (self.start, self.index, self.plan);
        Box::pin(async_stream::stream! {
            let pause = Duration::from_secs(1) / rate;
            let first = tokio::time::Instant::now() + pause * index / streams;
            let mut ticks = tokio::time::interval_at(first, pause);
            for _ in 0..rate * seconds {
                ticks.tick().await;
                yield Ok(Chunk::Text(format!("{} ", start.elapsed().as_nanos())));
            }
            yield Ok(Chunk::End(Stop::Completed));
        })
    }
}

/// Knows nothing.
struct Nothing;

impl Retriever for Nothing {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn main() -> Result<(), Failure> {
    let plan = plan()?;
    let runtime = Runtime::new();
    let [speakers, others] = [Arbiter::new(), Arbiter::new()];
    println!("| sessions read | p50 µs | p99 µs | CPU µs a token |\n|---|---|---|---|");
    let mut medians = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (place, reading, name) in [(0, &speakers, "on the conversation's thread"), (1, &others, "on another one")] {
            let before = cpu()?;
            let mut taken = runtime.block_on(run(plan, &speakers, reading))?;
            let spent = cpu()?.saturating_sub(before);
            taken.sort_unstable();
            let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
            let per_token = spent.as_micros() as f64 / taken.len() as f64;
            println!("| {name} | {:.1} | {:.1} | {per_token:.1} |", at(0.5), at(0.99));
            medians[place].push((at(0.5), per_token));
        }
    }
    let median = |place: usize, pick: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = medians[place].iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (time, work) = (median(1, |m| m.0) / median(0, |m| m.0), median(1, |m| m.1) / median(0, |m| m.1));
    println!("\nanother thread costs {time:.1} times the latency and {work:.1} times the processor time (medians)");
    Ok(())
}

/// One window; gives each token's way in nanoseconds.
async fn run(plan: Plan, speaking: &Arbiter, reading: &Arbiter) -> Result<Vec<u64>, Failure> {
    let store = Arc::new(MemoryStore::default());
    let tenant = TenantId::generate();
    TenantRecord::new(tenant, "demo", Timestamp::from_millis(0)).save(&*store, 0).await?;
    let system = System::new(store as SharedStore, Arc::new(Nothing), Arc::new(SystemClock), Options::default());
    let start = Instant::now();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let mut ends = Vec::new();
    let mut started = Vec::new();
    let question: schema::Ref = "question".parse()?;
    for index in 0..plan.streams {
        let question = question.clone();
        let outbox = Outbox::new();
        let (ended, end) = oneshot::channel();
        ends.push(end);
        reading.spawn(read(Arc::clone(&outbox), start, Arc::clone(&taken), ended));
        let (ready, joined) = oneshot::channel();
        started.push(joined);
        let system = Arc::clone(&system);
        speaking.spawn_fn(move || {
            let settings = ModelSettings { list: vec!["builtin".into()], ..ModelSettings::default() };
            let models = Registry::unchecked(settings, Some(Arc::new(Clocked { start, plan, index })));
            let worker = Worker::new(system, models);
            actix_rt::spawn(async move {
                let asked = async {
                    let (key, _) = worker.open(tenant, ContactId::generate(), None).await?;
                    let handle = worker.find_here(key).await?;
                    let listener = Listener {
                        session: SessionId::generate(),
                        outbox,
                        format: Format::Socket,
                        audience: Audience::Team,
                    };
                    handle.join(listener, Position::default(), ReplyTo::nobody());
                    handle
                        .call(Command::Say {
                            speaker: Speaker::Contact,
                            r#ref: question,
                            text: "How late is it, please?".into(),
                        })
                        .await
                };
                let asked: Result<_, actors::Failure> = asked.await;
                // The one who waits for it may have given up.
                let _ = ready.send(asked.map(|_| ()).map_err(|failure| failure.message));
            });
        });
    }
    for joined in started {
        joined.await??;
    }
    for end in ends {
        end.await?;
    }
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *taken))
}

/// Reads a session's frames until the reply has ended.
async fn read(outbox: Arc<Outbox>, start: Instant, taken: Arc<Mutex<Vec<u64>>>, ended: oneshot::Sender<()>) {
    let mut frames = outbox.stream();
    let mut own = Vec::new();
    let mut over = false;
    while let Some(item) = frames.next().await {
        let now = start.elapsed();
        let OutboxItem::Frame(frame) = item else { continue };
        match said_at(&frame) {
            Some(at) => own.push(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).saturating_sub(at)),
            None => over = frame.contains("\"end\":"),
        }
        if over {
            break;
        }
    }
    taken.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    // The one who waits for it may have given up.
    let _ = ended.send(());
}

/// The moment in a delta's text.
fn said_at(frame: &ByteString) -> Option<u64> {
    let text = frame.strip_prefix(r#"{"type":"delta""#)?.split(r#""text":""#).nth(1)?;
    text.split(' ').next()?.parse().ok()
}

/// Processor time of this process so far, by Linux's count of 1/100 s.
fn cpu() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no stat")?;
    let ticks: Vec<u64> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}

fn plan() -> Result<Plan, Failure> {
    let mut plan = Plan { streams: 32, rate: 50, seconds: 4, rounds: 3 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?.parse()?;
        match name.as_str() {
            "--streams" => plan.streams = value,
            "--rate" => plan.rate = value,
            "--seconds" => plan.seconds = value,
            "--rounds" => plan.rounds = value,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(plan)
}
