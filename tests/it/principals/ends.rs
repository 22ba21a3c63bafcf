//! A right that is taken away ends within a second, whatever is open, and does not come back.

use std::time::{Duration, Instant};

use schema::wire::{AgentToken, KeyMade, VisitorToken};
use serde_json::{Value, json};
use tests::client::Socket;
use tests::node::Node;
use tests::stream::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{SHOP, from_page, widget};

/// The longest that a right may outlive its end.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_rotated_key_ends_what_it_opened_and_what_it_made() {
    let node = Node::start(&[]);
    let operator = node.operator();
    let (made, api) = operator.create_tenant("acme").await;
    api.change_profile(|profile| profile.allowed_origins = vec![SHOP.parse().unwrap()]).await;
    let id = api.open_with("Ana").await;
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let ana = api.showing(token.clone());
    let page = widget(&api, "acme", SHOP, &json!({})).await;
    let (mut by_key, mut by_token) =
        (Socket::open(node.address, &made.api_key).await, Socket::open(node.address, &token).await);
    by_key.join(id, 0).await;
    by_token.join(id, 0).await;
    let mut by_page = from_page(&node, &page.token, SHOP).await;
    let mut other = Socket::open(node.address, &node.demo_key()).await;
    let (mut keys_stream, mut anas_stream) = (api.stream(id, "1").await, ana.stream(id, "1").await);

    let began = Instant::now();
    let rotated: KeyMade = operator.call("POST", &format!("/v1/admin/tenants/{}/rotate-key", made.tenant)).await.ok();
    assert_eq!(by_key.closed().await.0, 4501, "there is nothing to come back with");
    assert_eq!(by_token.closed().await.0, 4401, "the page's server has a new key and makes a new token");
    assert!(keys_stream.next().await.is_none() && anas_stream.next().await.is_none());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert_eq!(ana.get(&format!("/v1/conversations/{id}/events")).await.failure(), (401, "token_expired"));
    assert_eq!(ana.call("POST", "/v1/visitors").await.failure(), (401, "token_expired"), "nor is it renewed");
    assert_eq!(api.get(&format!("/v1/conversations/{id}/events")).await.failure(), (401, "unauthorized"));

    // What no key has made does not end with one, and others are not touched.
    assert_eq!(by_page.call(json!({"type": "ping"})).await, Ok(json!({})));
    assert_eq!(other.call(json!({"type": "ping"})).await, Ok(json!({})));
    let renewed = api.showing(rotated.api_key);
    let newer = renewed.visitor(json!({"contact": "Ana"})).await.token;
    assert_eq!(Socket::open(node.address, &newer).await.join(id, 0).await, 1);
}

#[tokio::test]
async fn what_comes_in_for_longer_than_its_key_lasts_is_not_done() {
    let node = Node::start(&[]);
    let operator = node.operator();
    let (made, mut api) = operator.create_tenant("acme").await;
    let id = api.open_with("Ana").await;
    let evil = json!({"allowed_origins": ["https://evil.example"]});
    for (method, path, kind, body) in [
        ("PUT", "/v1/tenant".to_owned(), "application/json", json!({"version": 1, "profile": evil}).to_string()),
        ("POST", "/v1/knowledge/files?source=late.md".into(), "text/markdown", "# Late\n\nToo late.\n".into()),
        ("POST", "/v1/knowledge".into(), "application/json", r##"{"source": "late", "text": "# Too late."}"##.into()),
        ("POST", "/v1/visitors".into(), "application/json", "{}".into()),
        ("POST", "/v1/conversations".into(), "application/json", "{}".into()),
        (
            "POST",
            format!("/v1/conversations/{id}/messages"),
            "application/json",
            json!({"ref": "late", "text": "Too late!"}).to_string(),
        ),
    ] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            node.address,
            api.key.as_deref().unwrap(),
            body.len()
        );
        let mut slow = TcpStream::connect(node.address).await.unwrap();
        slow.write_all(head.as_bytes()).await.unwrap();
        let mut asked_for = [0; 12];
        slow.read_exact(&mut asked_for).await.unwrap();
        assert_eq!(&asked_for, b"HTTP/1.1 100", "it was let in");
        let path_of_key = format!("/v1/admin/tenants/{}/rotate-key", made.tenant);
        let rotated: KeyMade = operator.call("POST", &path_of_key).await.ok();
        slow.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("HTTP/1.1 401") && answer.contains("unauthorized"), "{method} {path}: {answer}");
        api = operator.showing(rotated.api_key);
    }
    let learned: Value = api.get("/v1/knowledge").await.ok();
    assert_eq!((learned["documents"].clone(), api.tenant().await.version, api.view(id).await.head), (json!([]), 1, 1));
}

#[tokio::test]
async fn a_disabled_tenants_streams_and_visitors_end_at_once() {
    let node = Node::start(&[]);
    let operator = node.operator();
    let (made, api) = operator.create_tenant("acme").await;
    let id = api.open_with("Ana").await;
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut socket = Socket::open(node.address, &token).await;
    let mut stream = api.showing(token).stream(id, "1").await;
    let began = Instant::now();
    operator.call("POST", &format!("/v1/admin/tenants/{}/disable", made.tenant)).await.ok::<Value>();
    assert_eq!(socket.closed().await.0, 4504);
    assert!(stream.next().await.is_none());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_visitor_who_is_logged_out_is_out_everywhere_and_after_a_restart() {
    let mut node = Node::start(&[]);
    let api = node.api();
    api.change_profile(|profile| profile.allowed_origins = vec![SHOP.parse().unwrap()]).await;
    let name = "Ana/Ü ..%2e&c=1";
    let id = api.open_with(name).await;
    let token = async |contact: &str| api.visitor(json!({"contact": contact})).await.token;
    let (anas, bos) = (token(name).await, token("Bo").await);
    let ana = api.showing(anas.clone());
    let renewed = ana.call("POST", "/v1/visitors").await.ok::<VisitorToken>().token;
    let mut sockets = [Socket::open(node.address, &anas).await, Socket::open(node.address, &renewed).await];
    let mut stream = ana.stream(id, "1").await;
    let mut bo = Socket::open(node.address, &bos).await;
    // One who came by a page has a secret as well, by which it is known again.
    let page = widget(&api, "demo", SHOP, &json!({})).await;
    let mut by_page = from_page(&node, &page.token, SHOP).await;

    let out = |contact: &str| {
        let query: String = contact.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let api = node.api();
        async move { api.call("DELETE", &format!("/v1/visitors?contact={query}")).await.status }
    };
    let began = Instant::now();
    assert_eq!(out(name).await, 204);
    for socket in &mut sockets {
        assert_eq!(socket.closed().await.0, 4401);
    }
    assert!(stream.next().await.is_none());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert_eq!(out(page.contact.as_str()).await, 204);
    assert_eq!(by_page.closed().await.0, 4401);
    assert_eq!(out("somebody who never came").await, 204);
    assert_eq!(bo.call(json!({"type": "ping"})).await, Ok(json!({})), "others are not touched");
    assert_eq!(api.showing(bos.clone()).call("DELETE", "/v1/visitors?contact=Bo").await.failure(), (403, "forbidden"));
    assert_eq!(api.call("DELETE", "/v1/visitors").await.failure(), (400, "bad_field"));

    let root = node.root();
    for round in ["at once", "after a restart"] {
        let api = node.api();
        for token in [&anas, &renewed] {
            let ana = api.showing(token.clone());
            for (method, path) in [("GET", format!("/v1/conversations/{id}")), ("POST", "/v1/visitors".into())] {
                assert_eq!(ana.call(method, &path).await.failure(), (401, "token_expired"), "{round} {path}");
            }
        }
        let back = widget(&api, "demo", SHOP, &json!({"visitor": page.visitor})).await;
        assert_ne!(back.contact, page.contact, "{round}");
        assert_eq!(api.showing(bos.clone()).call("POST", "/v1/visitors").await.status, 201, "{round}");
        // Whoever the page's server lets in again is in again.
        let again = api.visitor(json!({"contact": name})).await.token;
        assert_eq!(api.showing(again).view(id).await.head, 1, "{round}");
        node.kill();
        node = Node::start_in(root.clone(), &[]);
    }
}

#[tokio::test]
async fn an_agents_tokens_are_ended_and_nobody_elses_and_stay_so_after_a_restart() {
    let mut node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let token = async |api: &tests::api::Api, name: &str| {
        api.post("/v1/agents", &json!({"agent": name})).await.ok::<AgentToken>().token
    };
    // The name is one in whichever way it is written.
    let (zoes, others, yans) =
        (token(&api, "Zoe\u{308}").await, token(&api, " Zo\u{eb}").await, token(&api, "Yan").await);
    let mut sockets = [Socket::open(node.address, &zoes).await, Socket::open(node.address, &others).await];
    let mut stream = api.showing(zoes.clone()).stream(id, "1").await;
    let mut yan = Socket::open(node.address, &yans).await;
    for socket in &mut sockets {
        socket.join(id, 0).await;
    }
    for refused in ["/v1/agents", "/v1/agents?agent=", "/v1/agents?agent=Zo%E2%80%8Be"] {
        assert_eq!(api.call("DELETE", refused).await.failure(), (400, "bad_field"), "{refused}");
    }
    let out = "/v1/agents?agent=Zo%C3%AB";
    assert_eq!(api.showing(yans.clone()).call("DELETE", out).await.failure(), (403, "forbidden"));
    let began = Instant::now();
    assert_eq!(api.call("DELETE", out).await.status, 204);
    for socket in &mut sockets {
        assert_eq!(socket.closed().await.0, 4401);
    }
    assert!(stream.next().await.is_none());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    // Names are compared exactly: this is nobody, too.
    for nobody in ["/v1/agents?agent=Nobody", "/v1/agents?agent=yan"] {
        assert_eq!(api.call("DELETE", nobody).await.status, 204, "{nobody}");
    }
    assert_eq!(yan.call(json!({"type": "ping"})).await, Ok(json!({})), "others are not touched");
    assert_eq!(api.metric("tertulia_logouts_total{who=\"agent\"}").await, 3.0);
    let root = node.root();
    for round in ["at once", "after a restart"] {
        let api = node.api();
        for ended in [&zoes, &others] {
            let refused = api.showing(ended.clone()).get("/v1/conversations").await;
            assert_eq!(refused.failure(), (401, "token_expired"), "{round}");
            // Nobody of the team is told of visitors.
            assert!(refused.body.contains("this agent's tokens were ended"), "{round}: {}", refused.body);
        }
        assert_eq!(api.showing(yans.clone()).get("/v1/conversations").await.status, 200, "{round}");
        let again = token(&api, "Zo\u{eb}").await;
        assert_eq!(api.showing(again).get("/v1/conversations").await.status, 200, "{round}: a new one is good");
        node.kill();
        node = Node::start_in(root.clone(), &[]);
    }
}

#[tokio::test]
async fn what_an_origin_has_open_ends_when_it_leaves_the_list() {
    let node = Node::start(&[]);
    let api = node.api();
    let list = |origins: &[&str]| {
        let origins: Vec<_> = origins.iter().map(|origin| origin.parse().unwrap()).collect();
        api.change_profile(|profile| profile.allowed_origins = origins)
    };
    let blog = "https://blog.example";
    list(&[SHOP, blog]).await;
    let id = api.open_with("Ana").await;
    let token = async |origin: &str| api.visitor(json!({"contact": "Ana", "origin": origin})).await.token;
    let (shops, blogs) = (token(SHOP).await, token(blog).await);
    let (mut shop, mut kept) = (from_page(&node, &shops, SHOP).await, from_page(&node, &blogs, blog).await);
    shop.join(id, 0).await;
    let request = api.showing(shops.clone()).stream_request(id, "?after=1").header("origin", SHOP);
    let mut stream = Stream::open(request).await;
    let own = format!("http://{}", node.address);
    let mut own_page = from_page(&node, &widget(&api, "demo", &own, &json!({})).await.token, &own).await;

    let began = Instant::now();
    list(&[blog]).await;
    assert_eq!(shop.closed().await.0, 4503);
    assert!(stream.next().await.is_none());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    for other in [&mut kept, &mut own_page] {
        assert_eq!(other.call(json!({"type": "ping"})).await, Ok(json!({})));
    }
}

#[tokio::test]
async fn a_token_is_renewed_until_its_longest_life_and_no_further() {
    let settings = [("TERTULIA_LIMITS__VISITOR_SESSION_MAX", "40s"), ("TERTULIA_LIMITS__VISITOR_TOKEN_TTL", "30s")];
    let node = Node::start(&settings);
    let api = node.api();
    let first = api.visitor(json!({"contact": "Ana", "ttl_seconds": 5})).await;
    let end = first.expires_at.plus(Duration::from_secs(35));
    let mut token = first.token;
    // Renewed as often as one likes, it comes to its end and not past it.
    for ttl in [20, 30, 3600, 3600] {
        let renewed = api.showing(token).post("/v1/visitors", &json!({"ttl_seconds": ttl})).await;
        let renewed: VisitorToken = renewed.ok();
        assert!(renewed.expires_at <= end, "{ttl}: {} {end}", renewed.expires_at);
        token = renewed.token;
    }
    let last: VisitorToken = api.showing(token).call("POST", "/v1/visitors").await.ok();
    assert!(last.expires_at <= end);
    let fresh: VisitorToken = api.post("/v1/visitors", &json!({"contact": "Ana"})).await.ok();
    assert!(fresh.expires_at.plus(Duration::from_secs(10)) >= end, "a new one begins anew");
}
