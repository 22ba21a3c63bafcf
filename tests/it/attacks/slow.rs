//! Requests that take their time: slow heads, slow bodies, many connections of one address.

use std::thread;
use std::time::{Duration, Instant};

use tests::PATIENCE;
use tests::node::Node;
use tests::rawhttp::{ELSEWHERE, RawHttp};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::is_served;

/// More than the node has room for.
const CONNECTIONS: usize = 600;
/// A client that is to be ended is, well before this.
const LONG: Duration = Duration::from_secs(9);

#[tokio::test]
async fn many_slow_requests_of_one_address_shut_nobody_out() {
    let node = Node::start(&[("TERTULIA_SERVER__WORKERS", "1"), ("TERTULIA_SERVER__CONNECTIONS_MAX", "400")]);
    is_served(&node).await;
    let address = node.address;
    let requests = [
        "GET /healthz HTTP/1.1\r\nx-slow: ",
        "POST /v1/widget/demo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{",
        "POST /nowhere HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
    ];
    let held = spawn_blocking(move || -> Vec<RawHttp> {
        let begin = |n: usize| {
            let mut slow = RawHttp::open(ELSEWHERE, address);
            slow.write(requests[n % requests.len()]);
            slow
        };
        (0..CONNECTIONS).map(begin).collect()
    });
    let held = held.await.unwrap();
    let asked = Instant::now();
    timeout(PATIENCE, is_served(&node)).await.expect("somebody at another address is served");
    println!("served in {:?} beside {CONNECTIONS} slow connections", asked.elapsed());
    drop(held);
}

#[tokio::test]
async fn whoever_keeps_us_waiting_is_ended() {
    let node = Node::start(&[("TERTULIA_SERVER__REQUEST_TIMEOUT", "1s"), ("TERTULIA_SERVER__BODY_RATE_MIN", "1000")]);
    let json = "host: a\r\ncontent-type: application/json\r\n";
    let file = format!("host: a\r\nauthorization: Bearer {}\r\ncontent-type: text/plain\r\n", node.demo_key());
    let good = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    // What is sent first, what is dripped then, and a word that must stand in the last answer.
    let rows = [
        ("GET /healthz HTTP/1.1\r\nx-slow: ".to_owned(), "x", "408"),
        (format!("{good}GET /healthz HTTP/1.1\r\nx-slow: "), "x", "200"),
        (format!("POST /v1/widget/demo HTTP/1.1\r\n{json}content-length: 60000\r\n\r\n"), " ", "too_slow"),
        (
            format!("POST /v1/widget/demo HTTP/1.1\r\n{json}transfer-encoding: chunked\r\n\r\n"),
            "1\r\n \r\n",
            "too_slow",
        ),
        // Whoever says that it is something else is held to the same.
        (
            format!("POST /v1/widget/demo HTTP/1.1\r\n{json}upgrade: x\r\ncontent-length: 60000\r\n\r\n"),
            " ",
            "too_slow",
        ),
        (
            format!("POST /v1/widget/demo HTTP/1.1\r\n{json}connection: upgrade\r\nupgrade: websocket\r\n\r\n"),
            " ",
            "too_slow",
        ),
        (
            "GET /v1/ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-protocol: tertulia.v1\r\n\r\n"
                .to_owned(),
            " ",
            "426",
        ),
        (
            format!("POST /v1/knowledge/files?source=a HTTP/1.1\r\n{file}content-length: 900000\r\n\r\n"),
            "a",
            "too_slow",
        ),
        // Answered at once, and then the rest of the body drips.
        (format!("POST /nowhere HTTP/1.1\r\n{json}transfer-encoding: chunked\r\n\r\n"), "1\r\na\r\n", "404"),
        (format!("GET /healthz HTTP/1.1\r\n{json}transfer-encoding: chunked\r\n\r\n"), "1\r\na\r\n", "200"),
    ];
    let address = node.address;
    let clients = rows.map(|(first, drip, word)| {
        let client = thread::spawn(move || {
            let mut slow = RawHttp::open(ELSEWHERE, address);
            slow.write(first);
            slow.drip(drip.as_bytes(), LONG)
        });
        (client, word)
    });
    is_served(&node).await;
    let mut wrong = Vec::new();
    for (row, (client, word)) in clients.into_iter().enumerate() {
        let ended = spawn_blocking(move || client.join().unwrap()).await.unwrap();
        println!("{row}: ended after {:?}", ended.as_ref().map(|(_, took)| took));
        match ended {
            Some((answer, _)) if answer.contains(word) => {}
            ended => wrong.push((row, word, ended)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_slow_honest_upload_gets_in() {
    // A line that is just faster than it has to be, for several times the patience.
    const BYTES: usize = 400_000;
    let node = Node::start(&[("TERTULIA_SERVER__REQUEST_TIMEOUT", "1s"), ("TERTULIA_SERVER__BODY_RATE_MIN", "80000")]);
    let (address, key) = (node.address, node.demo_key());
    let answered = spawn_blocking(move || {
        let mut slow = RawHttp::open(ELSEWHERE, address);
        slow.write(format!(
            "POST /v1/knowledge/files?source=slow.md HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\
             content-type: text/markdown\r\ncontent-length: {BYTES}\r\n\r\n"
        ));
        let text = "A slow line is a line too, and what it says counts. ".repeat(BYTES / 50).into_bytes();
        for piece in text[..BYTES].chunks(5_000) {
            assert!(slow.write(piece), "it is not ended");
            // The line's own time, not a wait for the node.
            thread::sleep(Duration::from_millis(50));
        }
        slow.answer()
    });
    let answer = answered.await.unwrap().expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn an_address_has_its_share_of_connections_and_is_told() {
    let node = Node::start(&[
        // One thread lets them in in the order in which they come.
        ("TERTULIA_SERVER__WORKERS", "1"),
        ("TERTULIA_LIMITS__CONNECTIONS_PER_ADDRESS", "20"),
    ]);
    let address = node.address;
    let turned_away = spawn_blocking(move || {
        let mut held: Vec<RawHttp> = (0..30).map(|_| RawHttp::open(ELSEWHERE, address)).collect();
        let mut answers = Vec::new();
        // The first twenty are let in and say nothing; the others are told before they do.
        for one in &mut held[20..] {
            answers.push(one.answer().expect("a refusal"));
        }
        // One that goes makes room for one that comes.
        assert_eq!(held[0].ask("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").status, 200);
        assert!(held[0].answer().is_none());
        let began = Instant::now();
        loop {
            let mut next = RawHttp::open(ELSEWHERE, address);
            next.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
            match next.answer() {
                Some(answer) if answer.status == 200 => break,
                _ => assert!(began.elapsed() < PATIENCE, "a place is given back"),
            }
        }
        answers
    });
    is_served(&node).await;
    for answer in turned_away.await.unwrap() {
        assert_eq!((answer.status, answer.header("retry-after")), (429, "5"), "{answer:?}");
        assert!(answer.body.contains("rate_limited"), "{answer:?}");
    }
    let refused = node.api().metrics().await;
    assert!(refused.contains("tertulia_connections_refused_total"), "{refused}");
}
