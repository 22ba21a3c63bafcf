//! Programs are replaced under load: new connections, sockets that talk, and sockets that come back as they are told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use loadtest::checker::History;
use loadtest::plan::Plan;
use loadtest::stub::{Defaults, Stub};
use schema::wire::ServerFrame;
use schema::{ConversationId, ErrorCode};
use serde_json::json;
use tests::client::{Knock, Socket};
use tests::node::{Node, fresh, own_address};
use tests::patient::{Ear, Patient, Seat};
use tests::{PATIENCE, look_again};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Between two new connections, whatever became of those before.
const EVERY: Duration = Duration::from_millis(4);
const ROUNDS: usize = 3;
const TALKERS: usize = 8;
const LISTENERS: usize = 24;
/// A reply takes a fifth of a second, so that some run whenever a program is replaced.
const PLAN: Plan = Plan { tokens: 20, rate: 100, start_ns: 0 };

/// What became of new connections, each with one request.
#[derive(Default)]
pub(super) struct Met {
    pub(super) answers: BTreeMap<String, usize>,
    pub(super) failed: Vec<String>,
    /// The shortest first.
    pub(super) waits: Vec<Duration>,
}

pub(super) struct Load {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Met>,
}

impl Load {
    pub(super) fn start(address: SocketAddr, requests: [String; 2]) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&enough);
        // Apart from all else that the test does, which is not to count as a wait.
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (mut met, mut running) = (Met::default(), FuturesUnordered::new());
                let mut ticks = interval(EVERY);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let mut requests = requests.iter().cycle();
                while !ended.load(Ordering::Relaxed) || !running.is_empty() {
                    tokio::select! {
                        _ = ticks.tick() => if !ended.load(Ordering::Relaxed) {
                            running.extend(requests.next().map(|request| asked(address, request)));
                        },
                        Some((wait, answer)) = running.next() => {
                            met.waits.push(wait);
                            match answer {
                                Ok(answer) => *met.answers.entry(answer).or_default() += 1,
                                Err(error) => met.failed.push(error.to_string()),
                            }
                        }
                    }
                }
                met.waits.sort_unstable();
                met
            })
        });
        Self { enough, thread }
    }

    pub(super) fn end(self) -> Met {
        self.enough.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// A connection of its own for one request: how long it took from the first packet to the end of the answer, and its
/// status, or code.
async fn asked(address: SocketAddr, request: &str) -> (Duration, std::io::Result<String>) {
    let began = Instant::now();
    let answer = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).ok_or_else(|| std::io::Error::other(format!("cut: {answer:?}")))?;
        let code = answer.split_once("\"code\":\"").and_then(|(_, rest)| rest.split('"').next());
        Ok(code.unwrap_or(status).to_owned())
    });
    let answer = answer.await.unwrap_or_else(|_| Err(std::io::Error::other("no answer")));
    (began.elapsed(), answer)
}

/// A socket that listens and comes back when it is told to, until the test ends; it notes how much later it was back
/// than it was told.
async fn listens(address: SocketAddr, key: &str, id: ConversationId, back: &AtomicUsize, late: &mut Vec<Duration>) {
    let mut after = 0;
    loop {
        let knock = Knock { key: Some(key), ..Knock::default() };
        let told = Instant::now();
        let mut socket = Socket::knock(address, knock).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let join = json!({"type": "join", "conversation": id, "after": after});
        let head = loop {
            match socket.call(join.clone()).await {
                Ok(joined) => break joined["head"].as_u64().unwrap(),
                // All of them come at once.
                Err(error) if error.code == ErrorCode::Busy => {
                    sleep(Duration::from_secs(error.retry_after.unwrap_or(1))).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        };
        assert!(head >= after, "what it was shown is there");
        late.push(told.elapsed());
        back.fetch_add(1, Ordering::Relaxed);
        let (code, _) = socket.closed().await;
        assert_eq!(code, 4000);
        let Some(ServerFrame::GoingAway { retry_after_ms }) = socket.seen.last() else { panic!("{:?}", socket.seen) };
        assert!((500..2_500).contains(retry_after_ms), "{retry_after_ms}");
        let wait = Duration::from_millis(*retry_after_ms);
        after = head;
        drop(socket);
        // What any client does that is told so.
        sleep(wait).await;
    }
}

fn acknowledged(clients: &[(ConversationId, Patient)]) -> usize {
    clients.iter().map(|(_, client)| client.record().sender.acknowledged_count()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_outlive_programs() {
    let defaults = Defaults { tokens: PLAN.tokens, rate: PLAN.rate, chunk_bytes: 200 };
    let stub = Stub::start(([127, 0, 0, 1], 0).into(), defaults).unwrap();
    let address = own_address().unwrap();
    // For a thread that may outlive the test.
    let shared = |text: String| -> &'static str { text.leak() };
    let (listen, base) = (shared(address.to_string()), shared(format!("http://{}/v1", stub.address)));
    let metrics = shared(own_address().unwrap().to_string());
    let many = "100000";
    let settings = [
        ("TERTULIA_LISTEN", listen),
        ("TERTULIA_METRICS_LISTEN", metrics),
        ("TERTULIA_MODEL", "openai/stub"),
        ("OPENAI_BASE_URL", base),
        ("TERTULIA_LIMITS__MESSAGES_PER_SECOND", many),
        ("TERTULIA_LIMITS__MESSAGES_BURST", many),
        ("TERTULIA_LIMITS__CONNECTIONS_PER_ADDRESS", "10000"),
        ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS", many),
        ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_KEY", many),
    ];
    let node = Node::start_in(fresh(), &settings);
    let (key, quiet) = (node.demo_key(), node.api().open().await);
    let mut talkers = Vec::new();
    for n in 0..TALKERS {
        let id = node.api().open().await;
        let seat = Seat {
            address,
            others: Vec::new(),
            key: key.clone(),
            conversation: id,
            name: format!("c{n}"),
            window: 2,
            ear: Ear::default(),
        };
        talkers.push((id, Patient::start(seat)));
    }
    let plan = PLAN.to_string();
    let feed = || {
        for (_, client) in talkers.iter().filter(|(_, client)| client.is_done()) {
            client.say(plan.clone());
        }
    };
    let head = format!("host: tertulia\r\nauthorization: Bearer {key}\r\nconnection: close\r\n");
    let load = Load::start(
        address,
        [
            format!("GET /v1/conversations/{quiet} HTTP/1.1\r\n{head}\r\n"),
            format!("GET /healthz HTTP/1.1\r\n{head}\r\n"),
        ],
    );
    let back = AtomicUsize::new(0);
    let mut late = vec![Vec::new(); LISTENERS];
    let listening = async {
        let mut all: FuturesUnordered<_> =
            late.iter_mut().map(|late| listens(address, &key, quiet, &back, late)).collect();
        all.next().await;
    };
    let replacing = async {
        let mut node = node;
        for round in 0..ROUNDS {
            let before = acknowledged(&talkers);
            let busy = async {
                while acknowledged(&talkers) < before + 2 * TALKERS
                    || back.load(Ordering::Relaxed) < (round + 1) * LISTENERS
                {
                    feed();
                    look_again().await;
                }
            };
            timeout(PATIENCE, busy).await.unwrap_or_else(|_| panic!("round {round}: {back:?} are back"));
            let both = tokio::task::spawn_blocking(move || {
                let next = node.follow(&settings);
                (node, next)
            });
            let (mut old, next) = both.await.unwrap();
            assert_eq!(old.ended().await.code(), Some(0), "round {round}");
            assert_eq!(next.address, address);
            node = next;
        }
        let all_back = async {
            while back.load(Ordering::Relaxed) < (ROUNDS + 1) * LISTENERS {
                feed();
                look_again().await;
            }
        };
        timeout(PATIENCE, all_back).await.unwrap_or_else(|_| panic!("{back:?} are back"));
        node
    };
    let node = tokio::select! {
        node = replacing => node,
        () = listening => unreachable!("they listen without end"),
    };
    let met = load.end();
    let at = |share: f64| met.waits[((met.waits.len() - 1) as f64 * share) as usize];
    println!("{} connections: {:?}; median {:?}, longest {:?}", met.waits.len(), met.answers, at(0.5), at(1.0));
    println!("sockets back after at most {:?} more than they were told", late.iter().flatten().max());
    assert_eq!(met.failed, Vec::<String>::new());
    // A node on a crowded machine tells some of those who waited to come again.
    assert!(met.answers.keys().all(|answer| ["200", "busy"].contains(&answer.as_str())), "{:?}", met.answers);
    assert!(met.answers["200"] > met.waits.len() / 2, "{:?}", met.answers);
    for (id, client) in &talkers {
        let settled = async {
            loop {
                // What is read of the log is all of it when nothing runs, and nothing was to come, before.
                let rests = client.is_done() && node.api().view(*id).await.running.is_none();
                let log = node.api().whole_log(*id).await;
                if rests && client.record().observer.seq() == log.len() as u64 {
                    return log;
                }
                look_again().await;
            }
        };
        let log = timeout(PATIENCE, settled).await.unwrap_or_else(|_| panic!("{id} does not come to rest"));
        let record = client.record();
        assert!(record.final_refusals.is_empty(), "{:?}", record.final_refusals);
        assert!(record.sockets > ROUNDS, "it came back each time: {}", record.sockets);
        assert!(record.closes.keys().all(|code| *code == 4000), "{:?}", record.closes);
        let mut observer = record.observer.clone();
        observer.stayed_until(log.len() as u64);
        let history = History {
            nobody_else: true,
            observers: vec![observer],
            senders: vec![record.sender.clone()],
            ..History::default()
        };
        assert_eq!(history.check(&log), []);
    }
}
