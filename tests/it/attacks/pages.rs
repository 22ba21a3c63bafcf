//! Pages that claim to be the node's own.

use std::net::Ipv4Addr;

use tests::node::Node;
use tests::rawhttp::RawHttp;
use tokio::task::spawn_blocking;

/// What a page of `origin` is answered that asks the node as `host` for a visitor's token.
async fn asked(node: &Node, origin: &str, host: &str) -> u16 {
    let (address, origin, host) = (node.address, origin.to_owned(), host.to_owned());
    let ask = move || {
        let request = format!("POST /v1/widget/demo HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\n\r\n");
        RawHttp::open(Ipv4Addr::LOCALHOST, address).ask(&request).status
    };
    spawn_blocking(ask).await.unwrap()
}

#[tokio::test]
async fn a_name_that_can_be_pointed_at_us_is_not_ours() {
    let node = Node::start(&[]);
    let port = node.address.port();
    for (name, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("localhost:9090".to_owned(), 200),
        (format!("[::1]:{port}"), 200),
        (format!("evil.example:{port}"), 403),
        ("evil.example".to_owned(), 403),
        (format!("localhost.evil.example:{port}"), 403),
        (format!("192.0.2.7:{port}"), 403),
    ] {
        assert_eq!(asked(&node, &format!("http://{name}"), &name).await, status, "{name}");
    }
    // Headers that proxies write do not make a name ours either.
    let address = node.address;
    let forwarded = spawn_blocking(move || {
        let request = "POST /v1/widget/demo HTTP/1.1\r\nhost: a\r\norigin: https://evil.example\r\n\
                       x-forwarded-host: evil.example\r\nx-forwarded-proto: https\r\n\r\n";
        RawHttp::open(Ipv4Addr::LOCALHOST, address).ask(request).status
    });
    assert_eq!(forwarded.await.unwrap(), 403);
}

#[tokio::test]
async fn behind_a_name_the_operators_address_is_ours_and_no_other() {
    let node = Node::start(&[("TERTULIA_PUBLIC_URL", "https://chat.example/")]);
    let own = node.address.to_string();
    for (origin, host, status) in [
        ("https://chat.example".to_owned(), "chat.example".to_owned(), 200),
        ("https://chat.example".to_owned(), own.clone(), 200),
        ("http://chat.example".to_owned(), "chat.example".to_owned(), 403),
        (format!("http://{own}"), own, 403),
    ] {
        assert_eq!(asked(&node, &origin, &host).await, status, "{origin} {host}");
    }
}
