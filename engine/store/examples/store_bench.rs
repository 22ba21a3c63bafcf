//! Durable appends a second on the embedded store, beside what the same disk allows.
//!
//! `cargo run --release -p engine-store --example store_bench -- --writers 64 --seconds 5`
//!
//! Each writer appends ~200-byte messages to a conversation of its own, the next one when the last
//! is acknowledged, which is after the sync. The floor is a loop that writes one 8 KiB page in
//! place and calls `fdatasync`: what a store without group commit could do at best.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_store::sqlite::{SqliteOptions, SqliteStore};
use engine_store::{Append, DueChange, Log, Opening, StoreError};
use schema::{Author, ContactId, ConversationId, ConversationKey, Event, Fact, TenantId, Text, Timestamp};

const USAGE: &str =
    "store_bench [--writers N] [--seconds N] [--warm-up N] [--conversations N] [--due-every N] [--dir PATH]
  --warm-up        seconds before the count begins, in which the log file reaches its size (2)
  --conversations  how many each writer takes in turns (1)
  --due-every      in each so many-th append the entry in the due index moves (0: never)
  --dir            a directory on the disk to measure (target)";

const SOON: Duration = Duration::from_secs(30);
const LATER: Duration = Duration::from_secs(72 * 3_600);

type Failure = Box<dyn Error + Send + Sync>;

struct Options {
    writers: usize,
    seconds: u64,
    warm_up: u64,
    conversations: usize,
    due_every: u64,
    dir: PathBuf,
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let dir = options.dir.join(format!("store-bench-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let measured = measure(&options, &dir);
    fs::remove_dir_all(&dir)?;
    measured
}

fn options() -> Result<Options, Failure> {
    let mut options =
        Options { writers: 64, seconds: 5, warm_up: 2, conversations: 1, due_every: 0, dir: "target".into() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--writers" => options.writers = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--warm-up" => options.warm_up = value.parse()?,
            "--conversations" => options.conversations = value.parse()?,
            "--due-every" => options.due_every = value.parse()?,
            "--dir" => options.dir = value.into(),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn measure(options: &Options, dir: &Path) -> Result<(), Failure> {
    // Half before and half after, so that a disk that changes its pace is seen to.
    let floor_time = Duration::from_secs(options.seconds).div_f64(2.0).min(Duration::from_secs(2));
    let before = floor(&dir.join("floor"), floor_time)?;

    let path = dir.join("store.sqlite");
    let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let run = runtime.block_on(appends(options, &store))?;
    let stats = store.stats();
    drop(runtime);
    drop(store);
    let kept_bytes = fs::metadata(&path)?.len();

    let after = floor(&dir.join("floor"), floor_time)?;
    let mut acks = run.acks;
    acks.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        let rank = (acks.len() as f64 * share) as usize;
        acks.get(rank.min(acks.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let per_second = acks.len() as f64 / run.lasted.as_secs_f64();
    println!(
        "durable appends   {per_second:>10.0} /s   ({} writers, {:.1} s)",
        options.writers,
        run.lasted.as_secs_f64()
    );
    println!("ack               {:>10.2} ms p50   {:.2} ms p99   {:.2} ms max", ms(at(0.5)), ms(at(0.99)), ms(at(1.0)));
    println!("commits           {:>10} ({:.0} /s)", run.commits, run.commits as f64 / run.lasted.as_secs_f64());
    println!("mean batch        {:>10.1} (max {})", acks.len() as f64 / run.commits.max(1) as f64, stats.batch_max);
    println!(
        "event             {:>10} bytes of JSON, {:.0} on disk",
        run.event_bytes,
        kept_bytes as f64 / stats.writes as f64
    );
    println!(
        "floor             {before:>10.0} /s before, {after:.0} /s after: one 8 KiB write and fdatasync at a time"
    );
    println!("appends per sync  {:>10.1}", per_second / f64::midpoint(before, after));
    Ok(())
}

struct Run {
    acks: Vec<Duration>,
    lasted: Duration,
    commits: u64,
    event_bytes: usize,
}

async fn appends(options: &Options, store: &Arc<SqliteStore>) -> Result<Run, Failure> {
    let tenant = TenantId::generate();
    let mut writers = Vec::new();
    let from = Instant::now() + Duration::from_secs(options.warm_up);
    let until = from + Duration::from_secs(options.seconds);
    for _ in 0..options.writers {
        let keys: Vec<_> = (0..options.conversations)
            .map(|_| ConversationKey { tenant, conversation: ConversationId::generate() })
            .collect();
        writers.push(tokio::spawn(writer(Arc::clone(store), keys, options.due_every, from, until)));
    }
    tokio::time::sleep_until(from.into()).await;
    let commits_before = store.stats().commits;
    let mut acks = Vec::new();
    for writer in writers {
        acks.append(&mut writer.await??);
    }
    let event_bytes = serde_json::to_string(&message(1))?.len();
    Ok(Run { acks, lasted: from.elapsed(), commits: store.stats().commits - commits_before, event_bytes })
}

async fn writer(
    store: Arc<SqliteStore>,
    keys: Vec<ConversationKey>,
    due_every: u64,
    from: Instant,
    until: Instant,
) -> Result<Vec<Duration>, StoreError> {
    let contact = ContactId::generate();
    let mut owned = Vec::new();
    for key in keys {
        let opening = Opening { contact, is_anonymous: true, at: Timestamp::from_millis(0) };
        owned.push((key, store.claim(key, Some(opening)).await?));
    }
    let mut acks = Vec::new();
    while Instant::now() < until {
        for (key, claim) in &mut owned {
            let message = message(claim.head + 1);
            // As a turn does: soon while it runs, and much later when it has ended.
            let due = match (claim.head + 1).checked_rem(due_every) {
                Some(0) if (claim.head / due_every).is_multiple_of(2) => DueChange::At(message.at.plus(SOON)),
                Some(0) => DueChange::At(message.at.plus(LATER)),
                _ => DueChange::Keep,
            };
            let events = vec![message];
            let begun = Instant::now();
            store
                .append(Append { key: *key, epoch: claim.epoch, head: claim.head, events: events.into(), due })
                .await?;
            if begun >= from {
                acks.push(begun.elapsed());
            }
            claim.head += 1;
        }
    }
    Ok(acks)
}

fn message(seq: u64) -> Event {
    Event {
        seq,
        at: Timestamp::from_millis(1_700_000_000_000 + seq.cast_signed() * 250),
        author: Author::Contact,
        fact: Fact::Message {
            text: Text::from("Hello, my order from last week has not arrived yet. Could you tell me where it is?"),
            r#ref: format!("m-{seq:020}").parse().ok(),
            agent: None,
            reply: None,
        },
    }
}

// Overwrites pages of a file that does not grow, as a warm write-ahead log does.
fn floor(path: &Path, time: Duration) -> Result<f64, Failure> {
    const PAGES: u64 = 64;
    let page = [7_u8; 8192];
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    for _ in 0..PAGES {
        file.write_all(&page)?;
    }
    file.sync_all()?;
    let (begun, mut syncs) = (Instant::now(), 0_u64);
    while begun.elapsed() < time {
        file.seek(SeekFrom::Start(syncs % PAGES * page.len() as u64))?;
        file.write_all(&page)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(syncs as f64 / begun.elapsed().as_secs_f64())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
