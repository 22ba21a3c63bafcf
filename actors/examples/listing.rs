//! How long after its acknowledgement a message is in the list of conversations, and what keeping the list costs
//! those who write.
//!
//! `cargo run --release -p actors --example listing -- --writers 64 --probes 8 --seconds 4 --rounds 3`
//!
//! Conversations that people have taken over (so that nobody replies) are written to as fast as they acknowledge,
//! on the embedded store, with the consumer of the list and without it, in turns. Meanwhile a few others are
//! written to now and then, and their rows are looked at until they have the message.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::{Options, System, SystemClock, TenantRecord, Worker};
use engine_conversation::{Command, Speaker};
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{ModelSettings, Registry};
use engine_store::SharedStore;
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use futures_util::future::{BoxFuture, try_join_all};
use schema::{ContactId, ConversationKey, Passage, TenantId, Timestamp};

const USAGE: &str = "listing [--writers N] [--conversations N] [--probes N] [--seconds N] [--rounds N] [--dir PATH]
  --conversations  how many each writer takes in turns (1)
  --dir            a directory on the disk to measure (target)";
/// Between two messages of a probe, and between two looks at its row.
const PROBE_PAUSE: Duration = Duration::from_millis(20);
const LOOK_PAUSE: Duration = Duration::from_millis(1);
/// Messages written to warm up.
const WARM_UP: Duration = Duration::from_secs(1);

type Failure = Box<dyn Error + Send + Sync>;

struct Plan {
    writers: usize,
    conversations: usize,
    probes: usize,
    seconds: u64,
    rounds: usize,
    dir: PathBuf,
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
    let dir = plan.dir.join(format!("listing-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let store = SqliteStore::open(&dir.join("store.sqlite"), SqliteOptions::default())?;
    let measured = actix_rt::System::new().block_on(measure(&plan, Arc::new(store)));
    fs::remove_dir_all(&dir)?;
    measured
}

fn plan() -> Result<Plan, Failure> {
    let mut plan = Plan { writers: 64, conversations: 1, probes: 8, seconds: 4, rounds: 3, dir: "target".into() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--writers" => plan.writers = value.parse()?,
            "--conversations" => plan.conversations = value.parse()?,
            "--probes" => plan.probes = value.parse()?,
            "--seconds" => plan.seconds = value.parse()?,
            "--rounds" => plan.rounds = value.parse()?,
            "--dir" => plan.dir = value.into(),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(plan)
}

async fn measure(plan: &Plan, store: SharedStore) -> Result<(), Failure> {
    let options = Options { work_min: 1 << 20, rest_after: Duration::from_secs(3_600), ..Options::default() };
    let system = System::new(Arc::clone(&store), Arc::new(Nothing), Arc::new(SystemClock), options);
    let settings = ModelSettings { list: vec!["builtin".into()], ..ModelSettings::default() };
    let worker = Worker::new(Arc::clone(&system), Registry::unchecked(settings, None));
    let tenant = tenant(&store).await?;
    let open = |count: usize| try_join_all((0..count).map(|_| taken(&worker, tenant)));
    let written = open(plan.writers * plan.conversations).await?;
    let probes = open(plan.probes).await?;
    let (mut with, mut without, mut lags) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds * 2 {
        // The other one first in every second round, as a disk changes its pace.
        let is_kept = matches!(round % 4, 0 | 3);
        let keeper = is_kept.then(|| actix_rt::spawn(Arc::clone(&system).sweep()));
        let from = Instant::now() + WARM_UP;
        let until = from + Duration::from_secs(plan.seconds);
        let writers = written.chunks(plan.conversations).map(|keys| write(&worker, keys, from, until));
        let watched = probes.iter().filter(|_| is_kept).map(|key| watch(&worker, *key, from, until));
        let (counts, watched) = futures_util::try_join!(try_join_all(writers), try_join_all(watched))?;
        let per_second = counts.iter().sum::<usize>() as f64 / plan.seconds as f64;
        if is_kept { &mut with } else { &mut without }.push(per_second);
        lags.extend(watched.into_iter().flatten());
        if let Some(keeper) = keeper {
            keeper.abort();
        }
    }
    lags.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        let rank = (lags.len() as f64 * share) as usize;
        lags.get(rank.min(lags.len().saturating_sub(1))).copied().unwrap_or_default().as_secs_f64() * 1_000.0
    };
    println!("messages      {:>8.0} /s with the list kept, medians of {} rounds", median(&mut with), plan.rounds);
    println!("              {:>8.0} /s without", median(&mut without));
    println!("ratio         {:>8.2}", median(&mut with) / median(&mut without));
    println!(
        "in the list   {:>8.1} ms p50   {:.1} ms p99   {:.1} ms max after the acknowledgement ({} looked at)",
        at(0.5),
        at(0.99),
        at(1.0),
        lags.len()
    );
    Ok(())
}

async fn tenant(store: &SharedStore) -> Result<TenantId, Failure> {
    let id = TenantId::generate();
    TenantRecord::new(id, "shop", Timestamp::default()).save(&**store, 0).await?;
    Ok(id)
}

/// A conversation in which nobody answers.
async fn taken(worker: &Rc<Worker>, tenant: TenantId) -> Result<ConversationKey, Failure> {
    let (key, _) = worker.open(tenant, ContactId::generate(), None).await.map_err(|failure| said(&failure))?;
    worker.submit(key, Command::Take { agent: "Zoe".into() }).await.map_err(|failure| said(&failure))?;
    Ok(key)
}

async fn say(worker: &Rc<Worker>, key: ConversationKey) -> Result<u64, Failure> {
    let r#ref = schema::ConversationId::generate().to_string().parse()?;
    let text = "Hello, my order from last week has not arrived yet. Could you tell me where it is?".into();
    let command = Command::Say { speaker: Speaker::Contact, r#ref, text };
    Ok(worker.submit(key, command).await.map_err(|failure| said(&failure))?.seq.unwrap_or_default())
}

async fn write(worker: &Rc<Worker>, keys: &[ConversationKey], from: Instant, until: Instant) -> Result<usize, Failure> {
    let mut count = 0;
    while Instant::now() < until {
        for key in keys {
            let begun = Instant::now();
            say(worker, *key).await?;
            count += usize::from(begun >= from && begun < until);
        }
    }
    Ok(count)
}

async fn watch(
    worker: &Rc<Worker>,
    key: ConversationKey,
    from: Instant,
    until: Instant,
) -> Result<Vec<Duration>, Failure> {
    let mut lags = Vec::new();
    while Instant::now() < until {
        let seq = say(worker, key).await?;
        let acknowledged = Instant::now();
        while worker.system().store().row(key).await?.is_none_or(|row| row.head < seq) {
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        if acknowledged >= from {
            lags.push(acknowledged.elapsed());
        }
        tokio::time::sleep(PROBE_PAUSE).await;
    }
    Ok(lags)
}

fn said(failure: &actors::Failure) -> Failure {
    format!("{failure:?}").into()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
