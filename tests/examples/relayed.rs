//! What a relay adds to a token: two nodes on one cluster, one conversation whose client is at its owner, and one whose
//! client is at the other node; tokens of a model that this program plays come to both in turns.
//!
//!     cargo run --package tests --example relayed
//!
//! Needs the programs built, and Cassandra as the tests do (`TERTULIA_TEST_CASSANDRA`).

use std::time::{Duration, Instant};

use anyhow::Context;
use schema::ConversationId;
use tests::client::Socket;
use tests::node::{Node, fresh, on_cluster};
use tests::servers::{Cassandra, keyspace_name};
use tests::stub::{Call, Stub};
use tests::{PATIENCE, look_again};

/// Tokens to each of the two.
const TOKENS: usize = 300;

/// A client, and the model's reply that it listens to.
struct Listener {
    socket: Socket,
    id: ConversationId,
    call: Call,
    /// Characters so far.
    heard: usize,
    took: Vec<Duration>,
}

impl Listener {
    async fn at(owner: &Node, node: &Node, stub: &mut Stub) -> Self {
        let id = owner.api().open().await;
        let mut at_owner = Socket::open(owner.address, &owner.demo_key()).await;
        at_owner.join(id, 0).await;
        let mut socket = Socket::open(node.address, &node.demo_key()).await;
        socket.join(id, 0).await;
        socket.say(id, "r1", "Tell me something very long.").await;
        let call = stub.call().await;
        Self { socket, id, call, heard: 0, took: Vec::with_capacity(TOKENS) }
    }

    async fn token(&mut self) {
        let text = format!("word{:04} ", self.took.len());
        let sent = Instant::now();
        self.call.token(&text);
        let until = self.heard + text.len();
        self.socket.hears(self.id, 1, 0, until).await;
        self.took.push(sent.elapsed());
        self.heard = until;
    }

    fn at_share(&mut self, share: f64) -> Duration {
        self.took.sort_unstable();
        self.took[((self.took.len() - 1) as f64 * share) as usize]
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let keys = fresh();
    let mut stub = Stub::start();
    let base = stub.base();
    let own = on_cluster(Cassandra::shared()?, &keyspace_name());
    let folder = keys.path().to_str().context("a path that is text")?;
    let settings = [
        (own[0].0, own[0].1.as_str()),
        (own[1].0, own[1].1.as_str()),
        ("TERTULIA_STORE__KEYS", folder),
        ("OPENAI_BASE_URL", base.as_str()),
        ("TERTULIA_MODEL", "openai/stub"),
    ];
    let nodes = [Node::start(&settings), Node::start(&settings)];
    let began = Instant::now();
    while nodes[0].api().metric("tertulia_peer_links").await < 1.0 {
        anyhow::ensure!(began.elapsed() < PATIENCE, "the nodes are not linked");
        look_again().await;
    }
    let mut direct = Listener::at(&nodes[0], &nodes[0], &mut stub).await;
    let mut relayed = Listener::at(&nodes[0], &nodes[1], &mut stub).await;
    for _ in 0..TOKENS {
        direct.token().await;
        relayed.token().await;
    }
    println!("{:>8} {:>12} {:>12} {:>6}", "", "direct", "relayed", "ratio");
    for (name, share) in [("median", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let (direct, relayed) = (direct.at_share(share), relayed.at_share(share));
        let ratio = relayed.as_secs_f64() / direct.as_secs_f64();
        println!("{name:>8} {:>9} µs {:>9} µs {ratio:>6.2}", direct.as_micros(), relayed.as_micros());
    }
    Ok(())
}
