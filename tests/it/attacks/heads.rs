//! Small things at the edge: `HEAD`, who may read metrics, and what malformed requests do to the log.

use std::net::Ipv4Addr;

use tests::node::{Node, own_address};
use tests::rawhttp::{ELSEWHERE, RawHttp};
use tokio::task::spawn_blocking;

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let asked = api.say(id, "r1", "hello").await;
    api.reply(id, asked).await;
    let (address, key) = (node.address, node.demo_key());
    let rows = spawn_blocking(move || {
        let paths = [
            "/healthz".to_owned(),
            "/readyz".into(),
            "/openapi.json".into(),
            "/asyncapi.json".into(),
            "/".into(),
            "/studio".into(),
            "/widget.js".into(),
            "/tertulia.js".into(),
            "/web/tertulia.js".into(),
            "/web/nothing.js".into(),
            "/nowhere".into(),
            "/v1/ws".into(),
            "/v1/tenant".into(),
            "/v1/conversations".into(),
            format!("/v1/conversations/{id}"),
            format!("/v1/conversations/{id}/events"),
            "/v1/knowledge".into(),
            "/v1/knowledge/sites".into(),
            "/v1/visitors".into(),
        ];
        let ask = |method: &str, path: &str| {
            let mut one = RawHttp::open(Ipv4Addr::LOCALHOST, address);
            let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n");
            assert!(one.write(format!("{request}connection: close\r\n\r\n")));
            one.rest()
        };
        let mut rows: Vec<_> = paths.iter().map(|path| (path.clone(), ask("GET", path), ask("HEAD", path))).collect();
        // A stream has no end of its own; its head has.
        let stream = format!("/v1/conversations/{id}/stream");
        let mut head = RawHttp::open(Ipv4Addr::LOCALHOST, address);
        head.write(format!("HEAD {stream} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\r\n"));
        let answer = head.answer().expect("an answer");
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
        head.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(head.answer().expect("the connection goes on").status, 200);
        // A socket is not opened so.
        let upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: tertulia.v1\r\n";
        let mut socket = RawHttp::open(Ipv4Addr::LOCALHOST, address);
        socket.write(format!("HEAD /v1/ws HTTP/1.1\r\nhost: a\r\n{upgrade}\r\n"));
        assert!(socket.rest().starts_with("HTTP/1.1 426 "));
        rows.retain(|(_, get, _)| !get.is_empty());
        rows
    });
    let without_date = |answer: &str| {
        let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
        let mut lines: Vec<String> =
            head.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let rows = rows.await.unwrap();
    assert_eq!(rows.len(), 19);
    for (path, get, head) in rows {
        assert_eq!(without_date(&head), without_date(&get), "{path}");
        assert!(head.ends_with("\r\n\r\n") && head.matches("\r\n\r\n").count() == 1, "{path}: {head}");
    }
}

#[tokio::test]
async fn metrics_at_an_address_of_their_own_are_answered_whatever_the_main_one_is_busy_with() {
    let port = own_address().unwrap();
    let node = Node::start(&[
        ("TERTULIA_SERVER__WORKERS", "1"),
        ("TERTULIA_SERVER__CONNECTIONS_MAX", "4"),
        ("TERTULIA_SERVER__TRUSTED_PROXIES", "127.0.0.0/8"),
        ("TERTULIA_SERVER__PROXY_HEADER", "proxy-protocol"),
        ("TERTULIA_METRICS_LISTEN", &port.to_string()),
    ]);
    let address = node.address;
    let scraped = spawn_blocking(move || {
        let _held: Vec<_> = (0..8).map(|_| RawHttp::open(ELSEWHERE, address)).collect();
        // The scraper is in a network of proxies, and does not speak as they do.
        RawHttp::open(ELSEWHERE, port).ask("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
    });
    let scraped = scraped.await.unwrap();
    assert_eq!(scraped.status, 200, "{scraped:?}");
    assert!(scraped.body.contains("tertulia_"), "{scraped:?}");
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_an_address_of_their_own() {
    let ask = |address, header: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: a\r\n{header}\r\n");
        spawn_blocking(move || RawHttp::open(ELSEWHERE, address).ask(&request))
    };
    let node = Node::start(&[]);
    assert_eq!(ask(node.address, "").await.unwrap().status, 200);
    // A proxy on this machine asks for somebody else.
    for header in ["x-forwarded-for: 192.0.2.1\r\n", "forwarded: for=192.0.2.1\r\n", "via: 1.1 a\r\n"] {
        assert_eq!(ask(node.address, header).await.unwrap().status, 403, "{header}");
    }
    let own = own_address().unwrap();
    let node = Node::start(&[("TERTULIA_METRICS_LISTEN", &own.to_string())]);
    assert!(node.banner.iter().any(|line| line.contains(&format!("http://{own}/metrics"))), "{:?}", node.banner);
    assert_eq!(ask(node.address, "").await.unwrap().status, 404);
    let answer = ask(own, "").await.unwrap();
    assert!(answer.status == 200 && answer.body.contains("tertulia_"), "{answer:?}");
    let elsewhere =
        spawn_blocking(move || RawHttp::open(ELSEWHERE, own).ask("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!(elsewhere.await.unwrap().status, 404, "nothing else is there");
}

#[tokio::test]
async fn malformed_requests_are_no_errors_of_ours() {
    let node = Node::start(&[]);
    let address = node.address;
    spawn_blocking(move || {
        let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(200_000));
        for bytes in [
            "\x16\x03\x01\x02\x00\x01\x00\x01\x0c\x03\x03\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "nonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            &long,
        ] {
            let mut one = RawHttp::open(Ipv4Addr::LOCALHOST, address);
            one.write(bytes);
            if let Some(answer) = one.answer() {
                assert!((400..500).contains(&answer.status) || answer.status == 200, "{bytes:.40}: {answer:?}");
            }
        }
    })
    .await
    .unwrap();
    let counted = node.api().metrics().await;
    assert!(counted.contains(r#"tertulia_connections_ended_total{why="malformed"}"#), "{counted}");
    let log = node.log();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
}
