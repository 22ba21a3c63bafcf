//! Which proxies are believed about a client's address.

use std::net::{Ipv4Addr, SocketAddr};

use tests::node::Node;
use tests::rawhttp::{ELSEWHERE, RawHttp};
use tokio::task::spawn_blocking;

const PROXY: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Two a second, in bursts of four.
const TWO: (&str, &str) = ("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS", "2");

/// How many of ten requests are answered that come from `source` with this header, each on a connection
/// of its own that begins with `preamble`.
fn answered(source: Ipv4Addr, to: SocketAddr, preamble: &[u8], header: impl Fn(usize) -> String) -> usize {
    let ask = |n| {
        let mut one = RawHttp::open(source, to);
        one.write(preamble);
        one.ask(&format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{}\r\n", header(n))).status
    };
    (0..10).map(ask).filter(|status| *status == 200).count()
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_a_share_each() {
    for (kind, written) in [("x-forwarded-for", "x-forwarded-for: "), ("forwarded", "forwarded: for=")] {
        let node = Node::start(&[
            TWO,
            ("TERTULIA_SERVER__TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"),
            ("TERTULIA_SERVER__PROXY_HEADER", kind),
        ]);
        let address = node.address;
        let (apart, one, spoofed) = spawn_blocking(move || {
            let apart = answered(PROXY, address, b"", |n| format!("{written}198.51.100.{n}\r\n"));
            let one = answered(PROXY, address, b"", |_| format!("{written}203.0.113.1\r\n"));
            // The client invents whom it came for; the proxy adds where it really is.
            let prefix = written.trim_start_matches("x-forwarded-for: ").trim_start_matches("forwarded: ");
            let spoofed = answered(PROXY, address, b"", |n| format!("{written}192.0.2.{n}, {prefix}203.0.113.2\r\n"));
            // Nor does it become the proxy, which asks for itself too.
            let noisy = answered(PROXY, address, b"", |_| format!("{written}\", {prefix}203.0.113.3\r\n"));
            assert!((4..9).contains(&noisy), "{kind}: one client that makes noise, answered {noisy} times");
            let proxys = answered(PROXY, address, b"", |_| String::new());
            assert!((4..9).contains(&proxys), "{kind}: the proxy itself, answered {proxys} times");
            (apart, one, spoofed)
        })
        .await
        .unwrap();
        assert_eq!(apart, 10, "{kind}: ten clients");
        assert!((4..9).contains(&one), "{kind}: one client, answered {one} times");
        assert!((4..9).contains(&spoofed), "{kind}: one client in disguise, answered {spoofed} times");
    }
}

#[tokio::test]
async fn a_network_behind_a_trusted_proxy_has_a_share_of_sockets() {
    let node = Node::start(&[
        ("TERTULIA_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("TERTULIA_LIMITS__SOCKETS_PER_ADDRESS", "2"),
    ]);
    let address = node.address;
    let statuses = spawn_blocking(move || {
        let open = |client: &str| {
            let mut one = RawHttp::open(PROXY, address);
            let answer = one.ask(&format!(
                "GET /v1/ws HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {client}\r\nconnection: upgrade\r\n\
                 upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: tertulia.v1\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ));
            (one, answer.status)
        };
        let clients = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"];
        let opened: Vec<_> = clients.iter().map(|client| open(client)).collect();
        opened.into_iter().map(|(_, status)| status).collect::<Vec<_>>()
    });
    assert_eq!(statuses.await.unwrap(), [101, 101, 429, 101]);
}

#[tokio::test]
async fn nobody_else_is_believed() {
    for settings in [&[TWO][..], &[TWO, ("TERTULIA_SERVER__TRUSTED_PROXIES", "10.0.0.0/8")]] {
        let node = Node::start(settings);
        let address = node.address;
        for header in ["x-forwarded-for: 198.51.100.", "forwarded: for=198.51.100.", "x-real-ip: 198.51.100."] {
            let count = spawn_blocking(move || answered(ELSEWHERE, address, b"", |n| format!("{header}{n}\r\n")));
            let count = count.await.unwrap();
            assert!(count < 9, "{header}: answered {count} times");
        }
        assert_eq!(node.log().matches("server.trusted_proxies").count(), 1, "the operator is told once");
    }
}

#[tokio::test]
async fn the_proxy_protocol_tells_for_a_whole_connection() {
    let node = Node::start(&[
        TWO,
        ("TERTULIA_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("TERTULIA_SERVER__PROXY_HEADER", "proxy-protocol"),
    ]);
    let address = node.address;
    spawn_blocking(move || {
        let of = |n: u8| {
            let second: &[u8] = &[198, 51, 100, n, 127, 0, 0, 1, 0x11, 0x22, 0, 80];
            [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], second].concat()
        };
        let first = |n: u8| format!("PROXY TCP4 198.51.100.{n} 127.0.0.1 4711 80\r\n").into_bytes();
        let none = |_| String::new();
        for preambles in [(1..=8).map(first).collect::<Vec<_>>(), (11..=18).map(of).collect()] {
            for preamble in preambles {
                let count = answered(PROXY, address, &preamble, none);
                assert!((4..9).contains(&count), "each client has its own share, answered {count} times");
            }
        }
        // A proxy that does not say so is turned away; whoever is none is not asked to.
        let mut silent = RawHttp::open(PROXY, address);
        silent.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(silent.answer().is_none());
        assert!(answered(ELSEWHERE, address, b"", none) >= 4);
        let mut liar = RawHttp::open(Ipv4Addr::new(127, 0, 0, 3), address);
        liar.write([&first(200)[..], b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"].concat());
        assert!(liar.answer().is_none_or(|answer| answer.status == 400));
    })
    .await
    .unwrap();
}
