//! Three nodes as processes, their Cassandra, their Redis, and somebody between any two who passes on what is said.
//! Invariant: nodes and stores know each other by the addresses of those between only.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use loadtest::stub::{Defaults, Stub};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use super::passage::Passage;
use super::weather::{Place, Weather};
use super::who::Who;
use crate::api::Api;
use crate::node::{Node, data_in, fresh, own_address, read_key};
use crate::servers::{Cassandra, Redis, keyspace_name};
use crate::{PATIENCE, look_again};

/// Nodes.
pub(super) const NODES: usize = 3;

/// Longest wait until all see each other: after a time without any sight of the others that takes a while.
const WHOLE_WITHIN: Duration = Duration::from_secs(90);

/// What the nodes of the installation know.
const SECRET: &str = "nobody-else-knows-this-0123456789";

/// Seconds.
const DAY: i64 = 24 * 60 * 60;

/// Longest start: on three nodes of Cassandra that a busy machine runs, the tables take a while.
const START_WITHIN: Duration = Duration::from_secs(120);

/// Names the library that sets another clock, where it is not in its usual place.
const CLOCKS: &str = "TERTULIA_TEST_FAKETIME";
const CLOCKS_USUAL: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// All of it.
pub(super) struct Installation {
    pub(super) cassandra: Cassandra,
    pub(super) redis: Redis,
    pub(super) weather: Arc<Weather>,
    pub(super) keyspace: String,
    seats: Vec<Seat>,
    common: Vec<(String, String)>,
    _keys: Arc<TempDir>,
    _passages: Vec<Passage>,
    _stub: Stub,
    clocks: Option<PathBuf>,
}

/// One node: what it is started with, and its process while there is one.
struct Seat {
    root: Arc<TempDir>,
    own: Vec<(String, String)>,
    address: SocketAddr,
    told: SocketAddr,
    clock: PathBuf,
    node: Option<Node>,
    /// What those before it said.
    said: String,
}

impl Installation {
    /// Starts all of it, on so many nodes of Cassandra, one or three.
    pub(super) async fn start(stores: usize) -> Result<Self> {
        let setup = if stores == 1 { Cassandra::one() } else { Cassandra::three() };
        let setup = setup.durable().elsewhere();
        let cassandra = tokio::task::spawn_blocking(move || setup.start()).await??;
        let redis = Redis::start()?;
        let stub = Stub::start(([127, 0, 0, 1], 0).into(), Defaults { tokens: 20, rate: 40, chunk_bytes: 200 })?;
        let keys = fresh();
        let keyspace = keyspace_name();
        let weather = Arc::new(Weather::default());
        let clocks = clocks();
        let roots: Vec<Arc<TempDir>> = (0..NODES).map(|_| fresh()).collect();
        // The kernel names a folder without links in its path.
        let folders = roots.iter().map(|root| root.path().canonicalize()).collect::<std::io::Result<_>>()?;
        let who = Arc::new(Who(folders));
        let mut passages = Vec::new();
        let mut pass = |at, place, to| -> Result<()> {
            passages.push(Passage::open(at, (place, to), Arc::clone(&who), &weather)?);
            Ok(())
        };
        let told = cassandra.told_points();
        for (store, (at, real)) in told.iter().zip(cassandra.contact_points()).enumerate() {
            pass(*at, Place::Store(store), real)?;
        }
        let of_redis = own_address()?;
        pass(of_redis, Place::Redis, redis.address())?;
        let points: Vec<String> = told.iter().map(ToString::to_string).collect();
        let common = [
            ("TERTULIA_STORE", format!("cql://{}/{keyspace}", points.join(","))),
            ("TERTULIA_STORE__REPLICAS", stores.to_string()),
            ("TERTULIA_STORE__KEYS", keys.path().display().to_string()),
            ("TERTULIA_REDIS", format!("redis://{of_redis}")),
            ("TERTULIA_PEER_SECRET", SECRET.to_owned()),
            ("TERTULIA_MODEL", "openai/stub".to_owned()),
            ("OPENAI_BASE_URL", format!("http://{}/v1", stub.address)),
            ("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1000".to_owned()),
            ("TERTULIA_LIMITS__MESSAGES_BURST", "1000".to_owned()),
        ];
        let common = common.map(|(name, value)| (name.to_owned(), value)).into();
        let mut seats = Vec::new();
        for (node, root) in roots.into_iter().enumerate() {
            let (address, listens, told) = (own_address()?, own_address()?, own_address()?);
            pass(told, Place::Node(node), listens)?;
            let clock = root.path().join("clock");
            fs::write(&clock, "+0\n")?;
            let mut own = vec![
                ("TERTULIA_LISTEN".to_owned(), address.to_string()),
                ("TERTULIA_PEER_LISTEN".to_owned(), listens.to_string()),
                ("TERTULIA_PEER__ADDRESS".to_owned(), told.to_string()),
            ];
            if let Some(library) = &clocks {
                own.extend(with_clock(library, &clock));
            }
            seats.push(Seat { root, own, address, told, clock, node: None, said: String::new() });
        }
        let mut all = Self {
            cassandra,
            redis,
            weather,
            keyspace,
            seats,
            common,
            _keys: keys,
            _passages: passages,
            _stub: stub,
            clocks,
        };
        for node in 0..NODES {
            all.start_node(node).await?;
        }
        all.is_whole().await?;
        Ok(all)
    }

    /// Starts a node, on what it had where it ran before.
    pub(super) async fn start_node(&mut self, node: usize) -> Result<()> {
        let seat = self.seats.get_mut(node).context("no such node")?;
        let settings: Vec<(String, String)> = self.common.iter().chain(&seat.own).cloned().collect();
        let root = Arc::clone(&seat.root);
        let started = tokio::task::spawn_blocking(move || {
            let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
            Node::start_within(START_WITHIN, root, &settings)
        });
        seat.node = Some(started.await.context("the node does not start")?);
        Ok(())
    }

    /// The process of a node.
    pub(super) fn node(&mut self, node: usize) -> Result<&mut Node> {
        self.seats.get_mut(node).and_then(|seat| seat.node.as_mut()).context("it does not run")
    }

    /// Ends a node as a power cut would.
    pub(super) fn kill(&mut self, node: usize) -> Result<()> {
        self.node(node)?.kill();
        self.forget(node);
        Ok(())
    }

    /// Its process is no more.
    pub(super) fn forget(&mut self, node: usize) {
        if let Some(seat) = self.seats.get_mut(node)
            && let Some(node) = seat.node.take()
        {
            seat.said.push_str(&node.log());
        }
    }

    /// All that a node has said, under all its lives.
    pub(super) fn said(&self, node: usize) -> String {
        let Some(seat) = self.seats.get(node) else { return String::new() };
        let now = seat.node.as_ref().map(Node::log).unwrap_or_default();
        format!("{}{now}", seat.said)
    }

    /// Where clients find each node.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.seats.iter().map(|seat| seat.address).collect()
    }

    /// Where each node tells others that it is.
    pub(super) fn told(&self) -> Vec<SocketAddr> {
        self.seats.iter().map(|seat| seat.told).collect()
    }

    /// A client of a node with the demo tenant's key, whether it runs or not.
    pub(super) fn api(&self, node: usize) -> Api {
        let address = self.seats.get(node).map_or_else(|| ([0; 4], 0).into(), |seat| seat.address);
        Api::new(address, Some(self.key()))
    }

    /// The demo tenant's key.
    pub(super) fn key(&self) -> String {
        self.seats.first().map(|seat| read_key(&data_in(seat.root.path()).join("demo.key"))).unwrap_or_default()
    }

    /// How many nodes of Cassandra there are.
    pub(super) fn stores(&self) -> usize {
        self.cassandra.contact_points().len()
    }

    /// Whether nodes can be given another clock.
    pub(super) const fn has_clocks(&self) -> bool {
        self.clocks.is_some()
    }

    /// Puts a node's clock ahead, or back.
    pub(super) fn set_clock(&self, node: usize, seconds: i64) -> Result<()> {
        let clock = &self.seats.get(node).context("no such node")?.clock;
        // In one step: who reads it in between sees the one or the other.
        let next = clock.with_extension("next");
        fs::write(&next, format!("{seconds:+}\n"))?;
        Ok(fs::rename(next, clock)?)
    }

    /// By what a node sees the others.
    pub(super) async fn sight(&self, node: usize) -> Value {
        json(&self.api(node), "/readyz").await["cluster"]["sight"].clone()
    }

    /// Links that a node has; none where it does not say.
    pub(super) async fn links(&self, node: usize) -> Option<f64> {
        links(&self.api(node)).await
    }

    /// How many seconds a node's clock is ahead of that of others.
    pub(super) async fn ahead(&self, node: usize) -> Result<i64> {
        let mut seconds = [0; 2];
        for (at, node) in [node, (node + 1) % NODES].into_iter().enumerate() {
            let answer = self.api(node).get("/readyz").await;
            seconds[at] = of_day(answer.header("date")).with_context(|| format!("{:?}", answer.headers))?;
        }
        // Around midnight too.
        Ok((seconds[0] - seconds[1] + DAY / 2).rem_euclid(DAY) - DAY / 2)
    }

    /// Waits until every node sees all others, and has links to them.
    pub(super) async fn is_whole(&self) -> Result<()> {
        let began = Instant::now();
        for node in 0..NODES {
            let api = self.api(node);
            loop {
                let (state, links) = (json(&api, "/readyz").await, links(&api).await);
                let cluster = &state["cluster"];
                let is_whole = cluster["members"] == NODES && cluster["sight"] == "whole";
                if is_whole && links.is_some_and(|links| links >= (NODES - 1) as f64) {
                    break;
                }
                if began.elapsed() > WHOLE_WITHIN {
                    bail!("node {node} does not see all others: {state}, {links:?} links");
                }
                look_again().await;
            }
        }
        Ok(())
    }
}

/// An answer; null where there is none.
async fn json(api: &Api, path: &str) -> Value {
    let Ok(answer) = api.request("GET", path).timeout(PATIENCE / 10).send().await else { return Value::Null };
    answer.json().await.unwrap_or_default()
}

async fn links(api: &Api) -> Option<f64> {
    let answer = api.request("GET", "/metrics").timeout(PATIENCE / 10).send().await.ok()?.text().await.ok()?;
    answer.lines().find_map(|line| line.strip_prefix("tertulia_peer_links ")?.trim().parse().ok())
}

/// The second of the day in the head of an answer.
fn of_day(date: &str) -> Option<i64> {
    let mut time = date.split_ascii_whitespace().nth(4)?.split(':').map(|part| part.parse::<i64>().ok());
    let mut next = || time.next().flatten();
    Some((next()? * 60 + next()?) * 60 + next()?)
}

/// The library that sets another clock, where there is one.
fn clocks() -> Option<PathBuf> {
    match std::env::var_os(CLOCKS) {
        Some(named) => Some(named.into()),
        None => CLOCKS_USUAL.iter().map(PathBuf::from).find(|library| library.is_file()),
    }
}

/// What a process needs to take its time of day from a file. How long something takes it goes on to know.
fn with_clock(library: &Path, clock: &Path) -> Vec<(String, String)> {
    [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
