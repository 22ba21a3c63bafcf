//! Conditional appends a second on a cluster, beside the bare driver that sends the same statement.
//!
//! `cargo run --release -p engine-store --features cql --example cql_bench -- --contact 127.0.0.1:9042 --writers 16`
//!
//! Each writer appends ~200-byte messages to a conversation of its own, the next one when the last is acknowledged. The
//! bare driver does the same with the same bytes, in a table like that of the logs; it does nothing else: it seals,
//! serializes and remembers nothing. Both take turns, so that a machine that changes its pace does so for both.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_store::cql::{CqlOptions, CqlStore};
use engine_store::{Append, Claim, DueChange, Log, Opening};
use schema::{Author, ContactId, ConversationId, ConversationKey, Event, Fact, NodeId, TenantId, Text, Timestamp};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use uuid::Uuid;

const USAGE: &str =
    "cql_bench [--contact HOST:PORT] [--writers N] [--seconds N] [--rounds N] [--replicas N] [--threads N]
  --rounds    how often each of the two has its turn (3)
  --replicas  copies of each row, where the keyspace `tertulia_bench` is made anew (1)
  --threads   threads of the connections, for both (2)";

type Failure = Box<dyn Error + Send + Sync>;

struct Options {
    contact: String,
    writers: usize,
    seconds: u64,
    rounds: usize,
    replicas: u8,
    threads: usize,
}

/// Acknowledged appends of a turn, and how long each took.
struct Turn {
    acks: Vec<Duration>,
    lasted: Duration,
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads).enable_all().build()?;
    runtime.block_on(measure(&options))
}

fn options() -> Result<Options, Failure> {
    let contact = "127.0.0.1:9042".into();
    let mut options = Options { contact, writers: 16, seconds: 5, rounds: 3, replicas: 1, threads: 2 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--contact" => options.contact = value,
            "--writers" => options.writers = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--replicas" => options.replicas = value.parse()?,
            "--threads" => options.threads = value.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

async fn measure(options: &Options) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("cql-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let store = Arc::new(open(options, &folder.join("root")).await?);
    let session = Arc::new(bare(options).await?);
    let append = Arc::new(prepare(&session).await?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        theirs.push(turn(options, |until| bare_writer(Arc::clone(&session), Arc::clone(&append), until)).await?);
        ours.push(turn(options, |until| store_writer(Arc::clone(&store), until)).await?);
    }
    let (bare, engine) = (told("bare driver", theirs), told("this store", ours));
    println!("ratio        {:>8.2}", engine / bare);
    session.query_unpaged("DROP KEYSPACE tertulia_bench", ()).await?;
    session.query_unpaged("DROP KEYSPACE tertulia_bench_keys", ()).await?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn told(what: &str, turns: Vec<Turn>) -> f64 {
    let mut rates: Vec<f64> = turns.iter().map(|turn| turn.acks.len() as f64 / turn.lasted.as_secs_f64()).collect();
    rates.sort_by(f64::total_cmp);
    let mut acks: Vec<Duration> = turns.into_iter().flat_map(|turn| turn.acks).collect();
    acks.sort_unstable();
    let at = |percent: usize| acks.get(acks.len() * percent / 100).copied().unwrap_or_default().as_secs_f64() * 1_000.0;
    let median = rates.get(rates.len() / 2).copied().unwrap_or_default();
    println!("{what:<12} {median:>8.0} /s   {:.2} ms p50   {:.2} ms p99   (turns: {rates:.0?})", at(50), at(99));
    median
}

async fn turn<F>(options: &Options, writer: impl Fn(Instant) -> F) -> Result<Turn, Failure>
where
    F: Future<Output = Result<Vec<Duration>, Failure>> + Send + 'static,
{
    let started = Instant::now();
    let until = started + Duration::from_secs(options.seconds);
    let writers: Vec<_> = (0..options.writers).map(|_| tokio::spawn(writer(until))).collect();
    let mut acks = Vec::new();
    for writer in writers {
        acks.append(&mut writer.await??);
    }
    Ok(Turn { acks, lasted: started.elapsed() })
}

async fn open(options: &Options, root_key: &Path) -> Result<CqlStore, Failure> {
    let options_of_store = CqlOptions {
        node: NodeId::generate(),
        contact_points: vec![options.contact.clone()],
        addresses: HashMap::new(),
        keyspace: "tertulia_bench".into(),
        user: None,
        tls: None,
        datacenter: None,
        replicas: options.replicas,
        root_key: root_key.into(),
    };
    Ok(CqlStore::open(options_of_store, options.threads).await?)
}

async fn store_writer(store: Arc<CqlStore>, until: Instant) -> Result<Vec<Duration>, Failure> {
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    let opening = Opening { contact: ContactId::generate(), is_anonymous: true, at: Timestamp::from_millis(0) };
    let Claim { epoch, mut head, .. } = store.claim(key, Some(opening)).await?;
    let mut acks = Vec::new();
    while Instant::now() < until {
        let events = vec![event(head + 1)].into();
        let began = Instant::now();
        store.append(Append { key, epoch, head, events, due: DueChange::Keep }).await?;
        acks.push(began.elapsed());
        head += 1;
    }
    Ok(acks)
}

async fn bare_writer(
    session: Arc<Session>,
    append: Arc<PreparedStatement>,
    until: Instant,
) -> Result<Vec<Duration>, Failure> {
    let log = Uuid::now_v7();
    let open = "UPDATE bench SET epoch = 1, head = 0, bytes = 0 WHERE log = ? AND segment = 0 IF epoch = null";
    session.query_unpaged(open, (log,)).await?;
    let clear = serde_json::to_string(&event(1))?;
    let (mut head, mut acks) = (0_i64, Vec::new());
    while Instant::now() < until {
        let next = head + 1;
        let values = (next, next * 300, 1_i64, 2_i8, clear.as_str(), [7_u8; 60].as_slice(), log, next, head);
        let began = Instant::now();
        session.execute_unpaged(&append, values).await?;
        acks.push(began.elapsed());
        head = next;
    }
    Ok(acks)
}

async fn bare(options: &Options) -> Result<Session, Failure> {
    let session =
        SessionBuilder::new().known_node(&options.contact).use_keyspace("tertulia_bench", false).build().await?;
    session
        .query_unpaged(
            "CREATE TABLE IF NOT EXISTS bench (log uuid, segment int, seq bigint, epoch bigint STATIC, head bigint STATIC,
                 next int STATIC, bytes bigint STATIC, w_epoch bigint, format tinyint, body text, sealed blob,
                 PRIMARY KEY ((log, segment), seq))
             WITH CLUSTERING ORDER BY (seq ASC) AND compaction = {'class': 'LeveledCompactionStrategy'}",
            (),
        )
        .await?;
    session.await_schema_agreement().await?;
    Ok(session)
}

async fn prepare(session: &Session) -> Result<PreparedStatement, Failure> {
    let mut append = session
        .prepare(
            "UPDATE bench SET head = ?, bytes = ?, w_epoch = ?, format = ?, body = ?, sealed = ?
             WHERE log = ? AND segment = 0 AND seq = ? IF epoch = 1 AND head = ? AND next = null",
        )
        .await?;
    append.set_consistency(Consistency::LocalQuorum);
    append.set_serial_consistency(Some(SerialConsistency::LocalSerial));
    Ok(append)
}

fn event(seq: u64) -> Event {
    let text: Text =
        "the words of a message, as many as people write when they want to know something. ".repeat(2).into();
    let fact = Fact::Message { text, r#ref: None, agent: None, reply: None };
    Event { seq, at: Timestamp::from_millis(1_000), author: Author::Contact, fact }
}
