//! What a shared commit log would cost on a cluster, beside a plain write and today's conditional append.
//!
//! `cargo run --release -p engine-store --features cql --example commit_log_bench -- --contact 127.0.0.1:9042`
//!
//! Each writer appends ~200-byte messages to conversations of its own, the next one when the last is acknowledged. Ways
//! of writing take turns, in another order each round, so that a machine that changes its pace does so for all. A turn
//! of a shared log is over when everything is folded and its segments are removed: that is paid for, too. What is
//! designed and measured here is told in deploy/commit-log.md.

mod alone;
mod cpu;
mod fold;
mod shared;
mod table;
mod tables;

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, TryStreamExt};
use scylla::client::session_builder::SessionBuilder;
use uuid::Uuid;

use cpu::Cpu;
use table::Column;
use tables::Tables;

const USAGE: &str = "commit_log_bench [--contact HOST:PORT] [--writers N,N] [--partitions N,N] [--conversations N]
    [--in-a-row N] [--seconds N] [--rounds N] [--replicas N] [--fold-ms N] [--threads N] [--pids N,N]
  --writers        how many at once, one table for each (1,16,64,256)
  --partitions     of the shared log (1,4,8)
  --conversations  of each writer, in turn (1)
  --in-a-row       events in each before the next conversation's turn (1)
  --rounds         how often each way has its turn (3)
  --replicas       copies of each row, where the keyspace `commit_log_bench` is made anew (1)
  --fold-ms        between two folds of a partition (1000)
  --threads        threads of the connections (2)
  --pids           processes of the cluster on this machine, whose time is to be told";

/// Logs that are opened at the same time, before it counts.
const OPENED_AT_ONCE: usize = 16;

type Failure = Box<dyn Error + Send + Sync>;

struct Options {
    contact: String,
    writers: Vec<usize>,
    partitions: Vec<u32>,
    conversations: usize,
    in_a_row: usize,
    seconds: u64,
    rounds: usize,
    replicas: u8,
    fold: Duration,
    threads: usize,
    pids: Vec<u32>,
}

/// A way of writing an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A quorum write without a condition: what an append could cost at the least.
    Plain,
    /// Today's: one conditional statement in the conversation's own partition.
    Conditional,
    /// One conditional batch for many conversations, a row for each event; folded behind it.
    Rows(u32),
    /// One conditional statement for many conversations, one row for them together; folded behind it.
    Packed(u32),
}

/// A conversation, as its only writer knows it.
#[derive(Clone, Copy)]
struct Conversation {
    log: Uuid,
    head: i64,
}

/// What came of a turn.
#[derive(Default)]
struct Turn {
    acks: Vec<Duration>,
    lasted: Duration,
    /// Conditional statements, and writes of a fold; none of either where each event has its own.
    groups: u64,
    folds: u64,
}

/// A turn with the processors' time that it took.
struct Measured {
    turn: Turn,
    cluster: Duration,
    here: Duration,
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads).enable_all().build()?;
    runtime.block_on(measure(&options))
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        contact: "127.0.0.1:9042".into(),
        writers: vec![1, 16, 64, 256],
        partitions: vec![1, 4, 8],
        conversations: 1,
        in_a_row: 1,
        seconds: 4,
        rounds: 3,
        replicas: 1,
        fold: Duration::from_secs(1),
        threads: 2,
        pids: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--contact" => options.contact = value,
            "--writers" => options.writers = numbers(&value)?,
            "--partitions" => options.partitions = numbers(&value)?,
            "--conversations" => options.conversations = value.parse::<usize>()?.max(1),
            "--in-a-row" => options.in_a_row = value.parse::<usize>()?.max(1),
            "--seconds" => options.seconds = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--replicas" => options.replicas = value.parse()?,
            "--fold-ms" => options.fold = Duration::from_millis(value.parse()?),
            "--threads" => options.threads = value.parse()?,
            "--pids" => options.pids = numbers(&value)?,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn numbers<N: std::str::FromStr<Err = std::num::ParseIntError>>(list: &str) -> Result<Vec<N>, Failure> {
    Ok(list.split(',').map(str::parse).collect::<Result<_, _>>()?)
}

async fn measure(options: &Options) -> Result<(), Failure> {
    let session = SessionBuilder::new().known_node(&options.contact).build().await?;
    let tables = Arc::new(Tables::make(session, options.replicas).await?);
    let mut ways = vec![Way::Plain, Way::Conditional];
    ways.extend(options.partitions.iter().flat_map(|partitions| [Way::Rows(*partitions), Way::Packed(*partitions)]));
    // What is compiled and filled at first use is so before it counts.
    for way in &ways {
        let mut writers = open(&tables, *way, 16, 1).await?;
        turn(options, &tables, *way, &mut writers, Duration::from_secs(1)).await?;
    }
    for count in &options.writers {
        let mut columns = Vec::new();
        for way in &ways {
            columns.push((Column::new(*way), open(&tables, *way, *count, options.conversations).await?));
        }
        for round in 0..options.rounds {
            let places = columns.len();
            for at in 0..places {
                let Some((column, writers)) = columns.get_mut((at + round) % places) else { continue };
                let lasts = Duration::from_secs(options.seconds);
                column.add(turn(options, &tables, column.way, writers, lasts).await?);
            }
        }
        table::print(*count, columns.into_iter().map(|(column, _)| column).collect());
    }
    tables.remove().await
}

/// Conversations of each writer, ready to be written in.
async fn open(tables: &Tables, way: Way, writers: usize, each: usize) -> Result<Vec<Vec<Conversation>>, Failure> {
    let new = |_| Conversation { log: Uuid::now_v7(), head: 0 };
    let conversations: Vec<Conversation> = (0..writers * each).map(new).collect();
    if way == Way::Conditional {
        let logs = stream::iter(conversations.iter().map(|conversation| Ok(conversation.log)));
        logs.try_for_each_concurrent(OPENED_AT_ONCE, |log| tables.open_log(log)).await?;
    }
    Ok(conversations.chunks(each).map(<[_]>::to_vec).collect())
}

async fn turn(
    options: &Options,
    tables: &Arc<Tables>,
    way: Way,
    writers: &mut Vec<Vec<Conversation>>,
    lasts: Duration,
) -> Result<Measured, Failure> {
    let workload = Workload { writers, in_a_row: options.in_a_row, lasts };
    let before = Cpu::now(&options.pids)?;
    let turn = match way {
        Way::Plain | Way::Conditional => alone::turn(tables, way, workload).await?,
        Way::Rows(partitions) => shared::turn(tables, (partitions, false), options.fold, workload).await?,
        Way::Packed(partitions) => shared::turn(tables, (partitions, true), options.fold, workload).await?,
    };
    let spent = Cpu::now(&options.pids)?.since(&before);
    Ok(Measured { turn, cluster: spent.cluster, here: spent.here })
}

/// Who writes in a turn, and how long.
struct Workload<'a> {
    /// The conversations of each.
    writers: &'a mut Vec<Vec<Conversation>>,
    in_a_row: usize,
    lasts: Duration,
}

/// Runs all writers until their time is over: `write` stores one event, and ends when that is acknowledged.
async fn run<F>(
    Workload { writers, in_a_row, lasts }: Workload<'_>,
    write: impl Fn(Conversation) -> F + Clone + Send + 'static,
) -> Result<Vec<Duration>, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send,
{
    let until = Instant::now() + lasts;
    let tasks: Vec<_> = std::mem::take(writers)
        .into_iter()
        .map(|mut conversations| {
            let write = write.clone();
            tokio::spawn(async move {
                let (mut acks, mut turn) = (Vec::new(), 0);
                while Instant::now() < until {
                    let count = conversations.len();
                    let Some(conversation) = conversations.get_mut(turn / in_a_row % count) else { break };
                    let began = Instant::now();
                    write(*conversation).await?;
                    acks.push(began.elapsed());
                    conversation.head += 1;
                    turn += 1;
                }
                Ok::<_, Failure>((conversations, acks))
            })
        })
        .collect();
    let mut acks = Vec::new();
    for task in tasks {
        let (conversations, mut theirs) = task.await??;
        writers.push(conversations);
        acks.append(&mut theirs);
    }
    Ok(acks)
}

impl Display for Way {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => to.pad("plain"),
            Self::Conditional => to.pad("conditional"),
            Self::Rows(partitions) => to.pad(&format!("rows, P {partitions}")),
            Self::Packed(partitions) => to.pad(&format!("packed, P {partitions}")),
        }
    }
}
