//! What it costs to wake a conversation, by its length: from its snapshot, and from its log alone.
//!
//! `cargo run --release -p actors --example wake -- --conversations 16 --rounds 5`
//!
//! Conversations of 100, 10,000 and 100,000 events lie in a SQLite file each; behind the snapshot stand 240 more,
//! about as many as there ever are. Each measuring is a process of its own, which opens the file, wakes all of them one
//! after the other and keeps them awake. A wake is a claim (one sync of the disk), the snapshot, the events after it,
//! and the start of the actor.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::System as Runtime;
use actors::{Clock, Options, System, SystemClock, TenantRecord, Worker};
use engine_knowledge::{KnowledgeError, Query, Retriever};
use engine_model::{ModelSettings, Registry};
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use engine_store::{
    Append, Claim, DueChange, Log, LogCursor, Opening, PageBounds, Projection, Projections, SharedStore, Snapshots,
};
use futures_util::future::BoxFuture;
use schema::{
    Author, Channel, ContactId, ConversationId, ConversationKey, End, Event, Fact, Made, Passage, Reply, Seq, TenantId,
    limits,
};

const USAGE: &str = "wake [--conversations N] [--rounds N]";
const LENGTHS: [Seq; 3] = [100, 10_000, 100_000];
/// Events after the snapshot.
const SINCE: Seq = 240;

type Failure = Box<dyn Error + Send + Sync>;

/// Knows nothing.
struct Nothing;

impl Retriever for Nothing {
    fn search(&self, _: TenantId, _: Query, _: usize) -> BoxFuture<'static, Result<Vec<Passage>, KnowledgeError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words {
        ["fill", file, conversations, events] => {
            Runtime::new().block_on(fill(Path::new(file), conversations.parse()?, events.parse()?))
        }
        ["snapshot", file] => Runtime::new().block_on(snapshot(Path::new(file))),
        ["measure", file, from] => Runtime::new().block_on(measure(Path::new(file), from == "log")),
        _ => compare(&words),
    }
}

/// Runs every part as a process of its own, and prints what came of it.
fn compare(words: &[&str]) -> Result<(), Failure> {
    let (mut conversations, mut rounds) = (16, 5);
    for pair in words.chunks(2) {
        match *pair {
            ["--conversations", n] => conversations = n.parse::<u64>()?,
            ["--rounds", n] => rounds = n.parse::<usize>()?,
            _ => return Err(USAGE.into()),
        }
    }
    let folder = std::env::temp_dir().join(format!("wake-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = LENGTHS.iter().map(|events| measured(&folder, conversations, *events, rounds));
    let measured = measured.collect::<Result<Vec<_>, _>>();
    fs::remove_dir_all(&folder)?;
    let measured = measured?;
    println!("| events | from | wake, p50 ms | p99 ms | memory awake, KiB each | at most while waking, KiB |");
    println!("|---|---|---|---|---|---|");
    for (events, [snapshot, log]) in LENGTHS.iter().zip(&measured) {
        for (from, [p50, p99, kib, peak]) in [("snapshot", snapshot), ("log", log)] {
            let [p50, p99] = [p50, p99].map(|micros| micros / 1_000.0);
            println!("| {events} | {from} | {p50:.2} | {p99:.2} | {kib:.0} | {peak:.0} |");
        }
    }
    let [shortest, _, longest] = &measured[..] else { return Err("not all was measured".into()) };
    let ratio = |from: usize, what: usize| longest[from][what] / shortest[from][what].max(1.0);
    println!(
        "\n100,000 events beside 100, from the snapshot: {:.1} times the time, {:.1} times the memory",
        ratio(0, 0),
        ratio(0, 2)
    );
    println!("from the log: {:.1} times the time, {:.1} times the memory", ratio(1, 0), ratio(1, 2));
    Ok(())
}

/// The medians over the rounds of what [`measure`] prints, from the snapshot and from the log.
fn measured(folder: &Path, conversations: u64, events: Seq, rounds: usize) -> Result<[[f64; 4]; 2], Failure> {
    let file = folder.join(events.to_string());
    let file = file.to_str().ok_or("the folder for temporary files has no name in Unicode")?;
    run(&["fill", file, &conversations.to_string(), &events.to_string()])?;
    run(&["snapshot", file])?;
    let mut found = [Vec::new(), Vec::new()];
    for (place, from) in ["snapshot", "log"].into_iter().enumerate() {
        for _ in 0..rounds {
            let said = run(&["measure", file, from])?;
            let row: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            found[place].push(<[f64; 4]>::try_from(row).map_err(|_| "a measuring said something else")?);
        }
    }
    fs::remove_file(file)?;
    Ok(found.map(|rows| {
        [0, 1, 2, 3].map(|column: usize| {
            let mut values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        })
    }))
}

fn run(words: &[&str]) -> Result<String, Failure> {
    let output = Command::new(std::env::current_exe()?).args(words).output()?;
    if !output.status.success() {
        return Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn open(file: &Path) -> Result<Arc<SqliteStore>, Failure> {
    Ok(Arc::new(SqliteStore::open(file, SqliteOptions::default())?))
}

/// The same tenant in every process.
fn tenant() -> TenantId {
    TenantId::from_bytes([7; 16])
}

/// Makes a tenant with so many conversations of so many events.
async fn fill(file: &Path, conversations: u64, events: Seq) -> Result<(), Failure> {
    let store = open(file)?;
    let tenant = tenant();
    TenantRecord::new(tenant, "demo", SystemClock.now()).save(&*store, 0).await?;
    for _ in 0..conversations {
        let key = ConversationKey { tenant, conversation: ConversationId::generate() };
        let contact = ContactId::from_bytes([7; 16]);
        let claim = store.claim(key, Some(Opening { contact, is_anonymous: false, at: SystemClock.now() })).await?;
        extend(&store, key, claim, events).await?;
    }
    Ok(())
}

/// Appends the next so many events.
async fn extend(store: &SqliteStore, key: ConversationKey, claim: Claim, events: Seq) -> Result<(), Failure> {
    let mut head = claim.head;
    let until = head + events;
    while head < until {
        let next: Vec<Event> = (head + 1..=until).take(200).map(event).collect::<Result<_, _>>()?;
        let count = next.len() as Seq;
        let append = Append { key, epoch: claim.epoch, head, events: next.into(), due: DueChange::Keep };
        store.append(append).await?;
        head += count;
    }
    Ok(())
}

/// One of a talk in which each question is answered.
fn event(seq: Seq) -> Result<Event, Failure> {
    let turn = u32::try_from(seq / 3)?;
    let said = format!("These are the words of message {seq}, about as many as people type.").into();
    let (author, fact) = match seq {
        1 => (
            Author::System,
            Fact::Opened { contact: ContactId::from_bytes([7; 16]), channel: Channel::Web, locale: None },
        ),
        _ => match seq % 3 {
            2 => {
                let r#ref = format!("ref-{seq}").parse().ok();
                (Author::Contact, Fact::Message { text: said, r#ref, agent: None, reply: None })
            }
            0 => (Author::Assistant, Fact::TurnStarted { turn }),
            _ => {
                let reply = Reply { turn, end: End::Completed, answers: seq - 2, made: Made::default() };
                let reply = Some(Box::new(reply));
                (Author::Assistant, Fact::Message { text: said, r#ref: None, agent: None, reply })
            }
        },
    };
    Ok(Event { seq, at: SystemClock.now(), author, fact })
}

async fn keys(store: &SqliteStore) -> Result<Vec<ConversationKey>, Failure> {
    // No node has made the list of them: all of their logs are beyond their rows.
    Ok(store.behind(Projection::Conversations, LogCursor::default(), usize::MAX).await?.keys)
}

fn worker(store: Arc<SqliteStore>, snapshot_events: u64) -> Result<std::rc::Rc<Worker>, Failure> {
    let options = Options { snapshot_events, ..Options::default() };
    let system = System::new(store as SharedStore, Arc::new(Nothing), Arc::new(SystemClock), options);
    // Nobody asks it anything.
    let settings = ModelSettings { list: vec!["builtin".into()], ..ModelSettings::default() };
    Ok(Worker::new(system, Registry::unchecked(settings, None)))
}

/// Wakes all of them once, so that they have snapshots, and lets more be said.
async fn snapshot(file: &Path) -> Result<(), Failure> {
    let store = open(file)?;
    let worker = worker(Arc::clone(&store), limits::SNAPSHOT_EVENTS)?;
    for key in keys(&store).await? {
        let head = store.read(key, 0, PageBounds::HEAD).await?.head;
        worker.find(key).await?.view().await?;
        while head > limits::SNAPSHOT_EVENTS && store.snapshot(key).await?.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let claim = store.claim(key, None).await?;
        extend(&store, key, claim, SINCE).await?;
    }
    Ok(())
}

/// Wakes all of them; prints the median and the slowest hundredth in microseconds, and how much memory each takes
/// and all took at most, in KiB.
async fn measure(file: &Path, from_log: bool) -> Result<(), Failure> {
    let store = open(file)?;
    let keys = keys(&store).await?;
    let worker = worker(Arc::clone(&store), u64::MAX)?;
    if from_log {
        // What is there cannot be used from here on, and nobody writes it anew.
        for key in &keys {
            let claim = store.claim(*key, None).await?;
            store.set_snapshot(*key, claim.epoch, claim.head, Vec::new()).await?;
        }
    }
    // The tenant is there, and each thread has been used once.
    worker.tenant(tenant()).await?;
    let before = memory("RssAnon")?;
    fs::write("/proc/self/clear_refs", "5")?;
    let peak_before = memory("VmHWM")?;
    let mut taken = Vec::new();
    let mut awake = Vec::new();
    for key in &keys {
        let begun = Instant::now();
        awake.push(worker.find(*key).await?);
        taken.push(begun.elapsed());
    }
    let (after, peak) = (memory("RssAnon")?, memory("VmHWM")?);
    taken.sort_unstable();
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share).round() as usize].as_micros();
    let each = after.saturating_sub(before) / awake.len().max(1) as u64;
    println!("{} {} {each} {}", at(0.5), at(0.99), peak.saturating_sub(peak_before));
    Ok(())
}

/// A figure of this process's memory, in KiB.
fn memory(name: &str) -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure")?;
    Ok(line.trim_start_matches(':').split_whitespace().next().ok_or("no figure")?.parse()?)
}
