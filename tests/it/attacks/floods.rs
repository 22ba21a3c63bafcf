//! Input that needs no credential and no thought, as fast as it can be sent: each flood is ended, and
//! somebody on the same thread hardly notices.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::client::Socket;
use tests::node::Node;
use tests::rawhttp::{ELSEWHERE, Flooded, RawHttp, flood};
use tests::rawsocket::{RawSocket, first, frame};
use tokio::task::spawn_blocking;

/// Longest flood of one kind.
const LONG: Duration = Duration::from_secs(4);
/// Acknowledgements that are measured beside it.
const CALLS: usize = 60;

/// What an answer may take beside a flood: the median, and nine of ten. A quiet one takes about a
/// millisecond; the rest is for a debug build on a machine that tests share.
const MEDIAN: Duration = Duration::from_millis(30);
const MOST: Duration = Duration::from_millis(80);

#[tokio::test]
async fn requests_that_are_sent_early_and_answers_that_nobody_reads_cost_little() {
    const CONNECTIONS: u64 = 200;
    let node = Node::start(&[]);
    node.api().open().await;
    let before = node.memory_kib();
    let address = node.address;
    let held = spawn_blocking(move || {
        let flood =
            format!("GET /openapi.json HTTP/1.1\r\nHost:\r\n\r\n{}", "GET /a HTTP/1.1\r\nHost:\r\n\r\n".repeat(1_200));
        let open = |_| {
            let mut connection = RawHttp::open_narrow(ELSEWHERE, address);
            connection.writer().set_nonblocking(true).unwrap();
            // As much of it as is taken.
            connection.write(&flood);
            connection
        };
        (0..CONNECTIONS).map(open).collect::<Vec<_>>()
    });
    let held = held.await.unwrap();
    // Whoever asks afterwards is answered: by then the node has looked at all of them.
    let mut socket = Socket::open(node.address, &node.demo_key()).await;
    answers(&mut socket).await;
    let each = node.memory_kib().saturating_sub(before) / CONNECTIONS;
    drop(held);
    assert!(each < 256, "{each} KiB a connection");
}

/// How long the node takes to answer a frame: the median, and what nine of ten stay below.
async fn answers(socket: &mut Socket) -> (Duration, Duration) {
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let asked = Instant::now();
        socket.call(json!({"type": "ping"})).await.expect("it is answered");
        took.push(asked.elapsed());
        // An honest client does not hurry; it is the node's haste that is measured.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    took.sort_unstable();
    (took[CALLS / 2], took[CALLS * 9 / 10])
}

/// What others see while somebody floods, again as soon as it was ended: quiet and flooded answers, and
/// what came of each flood.
async fn beside(
    node: &Node,
    attack: impl Fn(Instant) -> Flooded + Send + 'static,
) -> (Duration, Duration, Vec<Flooded>) {
    let mut socket = Socket::open(node.address, &node.demo_key()).await;
    let (quiet, _) = answers(&mut socket).await;
    let until = Instant::now() + LONG;
    let enough = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&enough);
    let flooding = thread::spawn(move || {
        let mut floods = Vec::new();
        while !seen.load(Ordering::Relaxed) && Instant::now() < until {
            floods.push(attack(until));
        }
        floods
    });
    let (median, most) = answers(&mut socket).await;
    enough.store(true, Ordering::Relaxed);
    let floods = spawn_blocking(move || flooding.join().unwrap()).await.unwrap();
    println!(
        "quiet {quiet:?}, beside {} floods {median:?}, nine of ten below {most:?}, ratio {:.1}",
        floods.len(),
        median.as_secs_f64() / quiet.as_secs_f64()
    );
    (median, most, floods)
}

#[tokio::test]
async fn frames_that_say_nothing_end_their_socket() {
    let node = Node::start(&[("TERTULIA_SERVER__WORKERS", "1")]);
    let begun = frame(first::TEXT, "a");
    for (kind, before, flood_of) in [
        ("pings", vec![], frame(first::PING, "")),
        ("full pings", vec![], frame(first::PING, [b'x'; 125])),
        ("pongs", vec![], frame(first::PONG, "")),
        ("empty continuations", begun, frame(first::CONTINUATION, "")),
    ] {
        println!("{kind}");
        let (address, key) = (node.address, node.demo_key());
        let attack = move |until| {
            let mut socket = RawSocket::open_node(address, &key);
            socket.write(&before);
            flood(&socket.writer(), &flood_of, until)
        };
        let (median, most, floods) = beside(&node, attack).await;
        assert!(floods.iter().all(|flood| flood.ended), "{kind}: each is ended");
        assert!(
            floods.iter().any(|flood| flood.tail.windows(2).any(|two| two == 4029_u16.to_be_bytes())),
            "{kind}: 4029"
        );
        assert!(median < MEDIAN, "{kind}: {median:?}");
        assert!(most < MOST, "{kind}: {most:?}");
    }
}

#[tokio::test]
async fn requests_that_need_no_credential_end_their_connection() {
    // Fewer than the slowest of these routes answers in a debug build.
    let share = ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_CONNECTION", "100");
    let node = Node::start(&[("TERTULIA_SERVER__WORKERS", "1"), share]);
    let preflight = "origin: http://a.example\r\naccess-control-request-method: POST\r\n";
    for (kind, request) in [
        ("alive", "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("ready", "GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("metrics", "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("a file", "GET /web/tertulia.js HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("unknown routes", "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("wrong methods", "PUT /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("preflights", format!("OPTIONS /v1/tenant HTTP/1.1\r\nhost: a\r\n{preflight}\r\n")),
        ("no credential", "GET /v1/tenant HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("bodies", "POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\na".to_owned()),
    ] {
        println!("{kind}");
        let address = node.address;
        let attack = move |until| {
            let connection = RawHttp::open(ELSEWHERE, address);
            flood(&connection.writer(), request.as_bytes(), until)
        };
        let (median, most, floods) = beside(&node, attack).await;
        assert!(floods.iter().all(|flood| flood.ended), "{kind}: each is ended");
        assert!(median < MEDIAN, "{kind}: {median:?}");
        assert!(most < MOST, "{kind}: {most:?}");
    }
}

#[tokio::test]
async fn over_its_share_a_connection_is_told_and_ended() {
    let node = Node::start(&[("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_CONNECTION", "5")]);
    let address = node.address;
    let refused = spawn_blocking(move || {
        let mut one = RawHttp::open(ELSEWHERE, address);
        for _ in 0..10 {
            assert_eq!(one.ask("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
        }
        // A slow machine fills the bucket again meanwhile, but not so fast.
        let mut more = (0..500).map(|_| one.ask("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"));
        let refused = more.find(|answer| answer.status != 200).expect("a refusal");
        assert!(one.answer().is_none(), "and ended");
        // Another connection of the same address has its own share.
        let mut other = RawHttp::open(ELSEWHERE, address);
        assert_eq!(other.ask("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
        refused
    });
    let refused = refused.await.unwrap();
    assert_eq!((refused.status, refused.header("connection")), (429, "close"), "{refused:?}");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{refused:?}");
    assert!(refused.body.contains("rate_limited"), "{refused:?}");
}

#[tokio::test]
async fn an_address_over_its_share_is_refused_on_every_route_and_another_is_not() {
    let node = Node::start(&[("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS", "1")]);
    let address = node.address;
    let statuses = |source: Ipv4Addr, address: SocketAddr| {
        ["/healthz", "/", "/openapi.json", "/nowhere", "/readyz", "/web/tertulia.js", "/v1/tenant"]
            .map(|path| RawHttp::open(source, address).ask(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).status)
    };
    let (first, other) =
        spawn_blocking(move || (statuses(ELSEWHERE, address), statuses(Ipv4Addr::LOCALHOST, address))).await.unwrap();
    assert_eq!(first[..2], [200, 200]);
    assert!(first[3..].iter().all(|status| *status == 429), "{first:?}");
    assert_eq!(other[..2], [200, 200], "another address has its own");
}

#[tokio::test]
async fn whoever_has_not_said_who_they_are_has_a_few_frames() {
    let node = Node::start(&[("TERTULIA_LIMITS__MESSAGES_BURST", "20")]);
    let address = node.address;
    for text in [r#"{"type":"ping","ref":"a"}"#, "not JSON at all"] {
        let flooded = spawn_blocking(move || {
            let socket = RawSocket::open_stranger(address);
            flood(&socket.writer(), &frame(first::FIN | first::TEXT, text), Instant::now() + LONG)
        });
        let flooded = flooded.await.unwrap();
        assert!(flooded.tail.windows(2).any(|two| two == 4029_u16.to_be_bytes()), "{text}: {flooded:?}");
    }
}
