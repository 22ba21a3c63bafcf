//! Peers that mean no good: each is refused or ended with the right code, costs bounded memory, and
//! somebody who talks meanwhile is served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use schema::limits;
use serde_json::json;
use tests::client::Socket;
use tests::node::Node;
use tests::rawsocket::{RawSocket, Seen, head};
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

/// More than a few hundred refused requests and sockets may leave behind, and far less than what was sent
/// or declared.
const GROWTH_KIB_MAX: u64 = 48 * 1024;

/// Asks something of the node as an honest client does.
async fn is_served(node: &Node) {
    let api = node.api();
    let id = api.open().await;
    let asked = api.say(id, "r1", "What do you know?").await;
    api.reply(id, asked).await;
}

fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

/// Sends a request's head a byte at a time, for as long as the node takes them; gives how it ended.
fn drip(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ")?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    let begun = std::time::Instant::now();
    loop {
        if begun.elapsed() > PATIENCE {
            return Err(std::io::Error::other("it was not ended in time"));
        }
        let _ = stream.write_all(b"x");
        match stream.read(&mut piece) {
            Ok(0) => return Ok(answer),
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            // Ended so hard that the answer was lost: that is an end too.
            Err(_) => return Ok(answer),
        }
    }
}

#[tokio::test]
async fn a_request_that_never_ends_is_ended() {
    let node = Node::start(&[("TERTULIA_SERVER__REQUEST_TIMEOUT", "1s")]);
    is_served(&node).await;
    let before = node.memory_kib();
    let address = node.address;
    let slow: Vec<_> = (0..50).map(|_| blocking(move || drip(address))).collect();
    is_served(&node).await;
    for one in slow {
        let answer = one.await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    is_served(&node).await;
    assert!(node.memory_kib() < before + GROWTH_KIB_MAX);
}

#[tokio::test]
async fn a_declared_gigabyte_costs_nothing() {
    let node = Node::start(&[]);
    is_served(&node).await;
    let before = node.memory_kib();
    let (address, key) = (node.address, node.demo_key());
    let ended = blocking(move || {
        let mut sockets: Vec<RawSocket> = (0..20).map(|_| RawSocket::open_node(address, &key)).collect();
        for socket in &mut sockets {
            socket.write(head(0x81, 1 << 30));
            socket.write([0; 4_096]);
        }
        sockets.iter_mut().map(|socket| socket.read_to_end()).collect::<Vec<_>>()
    });
    for seen in ended.await.unwrap() {
        assert!(seen.iter().any(|seen| matches!(seen, Seen::Close(Some(1009)))), "{seen:?}");
    }
    is_served(&node).await;
    assert!(node.memory_kib() < before + GROWTH_KIB_MAX);
}

#[tokio::test]
async fn floods_are_refused_and_others_are_served() {
    let node = Node::start(&[
        ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_KEY", "20"),
        ("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "5"),
        ("TERTULIA_LIMITS__MESSAGES_BURST", "5"),
    ]);
    let (_, other) = node.operator().create_tenant("other").await;
    is_served(&node).await;
    let before = node.memory_kib();
    let (api, key) = (node.api(), node.demo_key());

    // New conversations and tickets, as fast as they come.
    for path in ["/v1/conversations", "/v1/visitors"] {
        let (mut taken, mut refused) = (0, 0);
        let api = &api;
        let asking = |n: usize| async move { api.post(path, &json!({"contact": format!("flood-{n}")})).await };
        // Many at once: one after the other a slow disk would hold them back, not the limit. It lasts until
        // some were let in, for the flood before may have left nothing of the key's share.
        timeout(PATIENCE, async {
            let mut answers = std::pin::pin!(stream::iter(0..).map(asking).buffer_unordered(50));
            while taken == 0 || refused <= 100 {
                let answer = answers.next().await.expect("it does not end");
                if matches!(answer.status, 200 | 201) {
                    taken += 1;
                    continue;
                }
                assert_eq!(answer.failure(), (429, "rate_limited"), "{path}");
                assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
                refused += 1;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{path}: {taken} taken, {refused} refused"));
        // One key's flood is nobody else's.
        let id = other.open().await;
        other.ask(id, "r1", "What do you know?").await;
    }

    // Joins of one socket.
    let mut socket = Socket::open(node.address, &key).await;
    let mut joined = 0;
    let refusal = loop {
        match socket.call(json!({"type": "join"})).await {
            Ok(_) => joined += 1,
            Err(refusal) if refusal.code.name() == "rate_limited" => look_again().await,
            Err(refusal) => break refusal,
        }
    };
    assert!(joined <= limits::JOINS_MAX, "{joined} joined, then {refusal:?}");
    assert_eq!(refusal.code.name(), "wrong_state", "{refusal:?}");

    // Frames of many visitors at once.
    let token = timeout(PATIENCE, async {
        loop {
            let answer = api.post("/v1/visitors", &json!({"contact": "ana"})).await;
            if answer.status == 201 || answer.status == 200 {
                break answer.ok::<schema::wire::VisitorToken>().token;
            }
            look_again().await;
        }
    })
    .await
    .expect("the flood is over");
    let mut visitors = Vec::new();
    for _ in 0..5 {
        visitors.push(Socket::open(node.address, &token).await);
    }
    for visitor in &mut visitors {
        for n in 0..1_000 {
            visitor.send(json!({"type": "ping", "ref": format!("f{n}")})).await;
        }
    }
    for mut visitor in visitors {
        assert_eq!(visitor.closed().await.0, 4029);
    }
    let id = other.open().await;
    other.ask(id, "r1", "What do you know?").await;
    let grown = node.memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB");
}
