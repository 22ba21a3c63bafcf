//! What many nodes cost: the processor time of an exchange (a message and its reply) with one, two and three nodes on
//! one cluster, where clients are at the owners of their conversations and where none is; and how long it takes to wake
//! a conversation that another node has let go of.
//!
//!     cargo run --package tests --example cluster_cost
//!
//! Needs the programs built, and Cassandra as the tests do (`TERTULIA_TEST_CASSANDRA`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use schema::ConversationId;
use tests::client::Socket;
use tests::node::{Node, fresh, on_cluster};
use tests::servers::{Cassandra, keyspace_name};
use tests::{PATIENCE, look_again};

/// Conversations that go on at once, and exchanges of each.
const CONVERSATIONS: usize = 12;
const EXCHANGES: usize = 40;
/// Exchanges of each before it is measured.
const WARM: usize = 5;

/// Nodes on a keyspace of their own.
struct Nodes {
    nodes: Vec<Node>,
    _keys: Arc<tempfile::TempDir>,
}

impl Nodes {
    async fn start(count: usize) -> anyhow::Result<Self> {
        let keys = fresh();
        let own = on_cluster(Cassandra::shared()?, &keyspace_name());
        let folder = keys.path().to_str().context("a path that is text")?.to_owned();
        let settings =
            [(own[0].0, own[0].1.as_str()), (own[1].0, own[1].1.as_str()), ("TERTULIA_STORE__KEYS", folder.as_str())];
        let nodes: Vec<Node> = (0..count).map(|_| Node::start(&settings)).collect();
        let began = Instant::now();
        for node in &nodes {
            while (node.api().metric("tertulia_peer_links").await as usize) < count - 1 {
                ensure!(began.elapsed() < PATIENCE, "the nodes are not linked");
                look_again().await;
            }
        }
        Ok(Self { nodes, _keys: keys })
    }

    fn cpu(&self) -> Duration {
        self.nodes.iter().map(Node::processor_time).sum()
    }

    /// Processor time of all nodes, and time, of an exchange; each conversation's client is `away` nodes from its owner.
    async fn exchange(&self, away: usize) -> anyhow::Result<(Duration, Duration)> {
        let mut talks = Vec::new();
        for n in 0..CONVERSATIONS {
            let (owner, near) = (&self.nodes[n % self.nodes.len()], &self.nodes[(n + away) % self.nodes.len()]);
            let id = owner.api().open().await;
            let mut held = Socket::open(owner.address, &owner.demo_key()).await;
            held.join(id, 0).await;
            let mut socket = Socket::open(near.address, &near.demo_key()).await;
            socket.join(id, 0).await;
            // The owner is settled; what is measured has one client.
            drop(held);
            talks.push((socket, id));
        }
        let talk = |talks: Vec<(Socket, ConversationId)>, from: usize, count: usize| {
            try_join_all(talks.into_iter().map(move |(mut socket, id)| {
                tokio::spawn(async move {
                    for n in from..from + count {
                        let asked = socket.say(id, &format!("r{n}"), "When are you open?").await;
                        socket.reply_to(id, asked).await;
                    }
                    (socket, id)
                })
            }))
        };
        let talks = talk(talks, 0, WARM).await?;
        let (cpu, began) = (self.cpu(), Instant::now());
        let talks = talk(talks, WARM, EXCHANGES).await?;
        let exchanges = (talks.len() * EXCHANGES) as u32;
        Ok(((self.cpu() - cpu) / exchanges, began.elapsed() * CONVERSATIONS as u32 / exchanges))
    }

    /// What a node does when nobody talks, in a second.
    async fn rest(&self) -> Duration {
        const LOOKED_FOR: Duration = Duration::from_secs(6);
        let cpu = self.cpu();
        tokio::time::sleep(LOOKED_FOR).await;
        (self.cpu() - cpu) / (LOOKED_FOR.as_secs() as u32 * self.nodes.len() as u32)
    }
}

/// How long the first look at a conversation takes that another node has let go of.
async fn wake() -> anyhow::Result<Vec<Duration>> {
    let Nodes { mut nodes, _keys } = Nodes::start(2).await?;
    let mut gone = nodes.remove(0);
    let mut ids = Vec::new();
    for n in 0..4 * CONVERSATIONS {
        let id = gone.api().open().await;
        gone.api().ask(id, &format!("r{n}"), "When are you open?").await;
        ids.push(id);
    }
    gone.signal("TERM");
    gone.ended().await;
    let mut took = Vec::new();
    for id in ids {
        let began = Instant::now();
        // It may be told to come again, as clients are.
        while nodes[0].api().get(&format!("/v1/conversations/{id}")).await.status != 200 {
            ensure!(began.elapsed() < PATIENCE, "it is not woken");
            look_again().await;
        }
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!(
        "{:>5} {:>10} {:>22} {:>12} {:>14}",
        "nodes", "clients", "processor / exchange", "an exchange", "idle / second"
    );
    for count in 1..=3 {
        let nodes = Nodes::start(count).await?;
        let idle = nodes.rest().await;
        for (away, clients) in [(0, "at owners"), (1, "elsewhere")].into_iter().take(count) {
            let (cpu, lasts) = nodes.exchange(away).await?;
            let (cpu, lasts, idle) = (cpu.as_micros(), lasts.as_micros(), idle.as_micros());
            println!("{count:>5} {clients:>10} {cpu:>19} µs {lasts:>9} µs {idle:>11} µs");
        }
    }
    let took = wake().await?;
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_micros();
    println!("a conversation is woken in {} µs at the median, {} µs at p90", at(0.5), at(0.9));
    Ok(())
}
