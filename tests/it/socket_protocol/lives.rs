//! How a socket begins and ends: who may open one, from where, for how long.

use schema::wire::AgentToken;
use serde_json::{Value, json};
use tests::client::{Knock, Socket};
use tests::node::Node;
use tokio_tungstenite::tungstenite::{Bytes, Message};

const SHOP: &str = "https://shop.example";

#[tokio::test]
async fn the_door_checks_credential_and_origin() {
    let node = Node::start(&[]);
    let api = node.api();
    api.change_profile(|profile| profile.allowed_origins = vec![SHOP.parse().unwrap()]).await;
    let key = node.demo_key();
    let shop = api.visitor(json!({"origin": SHOP, "contact": "Ana"})).await.token;
    let app = api.visitor(json!({"contact": "Ana"})).await.token;
    let agent = async |body: Value| api.post("/v1/agents", &body).await.ok::<AgentToken>().token;
    let zoe = agent(json!({"agent": "Zoe"})).await;
    let zoe_there = agent(json!({"agent": "Zoe", "origin": SHOP})).await;
    let own = format!("http://{}", node.address);
    let (key, shop, app) = (key.as_str(), shop.as_str(), app.as_str());
    let (zoe, zoe_there, own) = (zoe.as_str(), zoe_there.as_str(), own.as_str());
    let evil = Some("https://evil.example");
    for (key, token, origin, refusal) in [
        (Some(key), None, None, None),
        (None, None, None, None),
        (None, Some(shop), Some(SHOP), None),
        (Some(shop), None, Some(SHOP), None),
        (Some(app), None, None, None),
        (Some("not-a-key-of-anybody"), None, None, Some((401, "unauthorized"))),
        (None, Some("v4.local.AAAA"), None, Some((401, "unauthorized"))),
        (None, Some(shop), evil, Some((403, "origin_refused"))),
        (None, Some(app), Some(SHOP), Some((403, "origin_refused"))),
        (Some(key), None, Some(SHOP), Some((403, "forbidden"))),
        (None, Some(key), Some(SHOP), Some((403, "forbidden"))),
        (None, Some(key), evil, Some((403, "forbidden"))),
        (None, Some(key), Some("null"), Some((403, "forbidden"))),
        // The node's own pages have it from whoever sits before them.
        (None, Some(key), Some(own), None),
        (Some(key), None, Some(own), None),
        (Some(zoe), None, None, None),
        (None, Some(zoe), Some(own), None),
        (None, Some(zoe), Some(SHOP), Some((403, "origin_refused"))),
        (None, Some(zoe), evil, Some((403, "origin_refused"))),
        (None, Some(zoe_there), Some(SHOP), None),
        (None, Some(zoe_there), evil, Some((403, "origin_refused"))),
        (None, Some(zoe_there), Some(own), Some((403, "origin_refused"))),
        (Some(zoe_there), None, None, None),
        (Some(&node.admin_key()), None, None, Some((401, "unauthorized"))),
    ] {
        let knocked = Socket::knock(node.address, Knock { key, token, origin }).await;
        let refused = knocked.as_ref().err().map(|(status, body)| (*status, body["error"]["code"].as_str().unwrap()));
        assert_eq!(refused, refusal, "{origin:?} {key:?} {token:?}");
    }
}

#[tokio::test]
async fn who_has_not_said_who_it_is_may_only_do_that() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut ana = Socket::knock(node.address, Knock::default()).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    for frame in [json!({"type": "join"}), json!({"type": "say", "conversation": id, "text": "Hi!"})] {
        let refusal = ana.call(frame.clone()).await.unwrap_err();
        assert_eq!(refusal.code.name(), "unauthorized", "{frame}");
    }
    assert_eq!(ana.call(json!({"type": "ping"})).await, Ok(json!({})));
    assert_eq!(ana.call(json!({"type": "auth", "token": token})).await, Ok(json!({})));
    assert_eq!(ana.join(id, 0).await, 1);
    // A newer token of the same visitor renews the time; anybody else's changes nothing.
    let newer: Value = api.showing(token).call("POST", "/v1/visitors").await.ok();
    assert_eq!(ana.call(json!({"type": "auth", "token": newer["token"]})).await, Ok(json!({})));
    let zoe: AgentToken = api.post("/v1/agents", &json!({"agent": "Ana"})).await.ok();
    for other in [api.visitor(json!({"contact": "Bo"})).await.token, node.demo_key(), zoe.token] {
        let refusal = ana.call(json!({"type": "auth", "token": other})).await.unwrap_err();
        assert_eq!(refusal.code.name(), "forbidden");
    }
    ana.say(id, "r", "Am I still Ana?").await;

    let mut nobody =
        Socket::knock(node.address, Knock::default()).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let refusal = nobody.call(json!({"type": "auth", "token": "v4.local.AAAA"})).await.unwrap_err();
    assert_eq!(refusal.code.name(), "unauthorized");
    assert_eq!(nobody.closed().await.0, 4501);
    let mut silent =
        Socket::knock(node.address, Knock::default()).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(silent.closed().await.0, 4013, "it had its time, and may come back");
}

#[tokio::test]
async fn a_socket_ends_with_its_token_and_goes_on_with_a_newer_one() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let short = api.visitor(json!({"contact": "Ana", "ttl_seconds": 1})).await.token;
    let mut over = Socket::open(node.address, &short).await;
    let mut renewed = Socket::open(node.address, &short).await;
    over.join(id, 0).await;
    renewed.join(id, 0).await;
    let long = api.visitor(json!({"contact": "Ana"})).await.token;
    assert_eq!(renewed.call(json!({"type": "auth", "token": long})).await, Ok(json!({})));
    let (code, reason) = over.closed().await;
    assert_eq!(code, 4401);
    assert!(reason.contains("come back"), "{reason}");
    renewed.say(id, "r", "And I am still here.").await;
}

#[tokio::test]
async fn a_disabled_tenants_sockets_are_closed() {
    let node = Node::start(&[]);
    let (made, api) = node.operator().create_tenant("acme").await;
    let mut ana = Socket::open(node.address, &made.api_key).await;
    ana.join_new().await;
    let mut other = Socket::open(node.address, &node.demo_key()).await;
    node.operator().call("POST", &format!("/v1/admin/tenants/{}/disable", made.tenant)).await.ok::<Value>();
    assert_eq!(ana.closed().await.0, 4504);
    let refused = Socket::knock(node.address, Knock { key: api.key.as_deref(), ..Knock::default() }).await;
    assert_eq!(
        refused.err().map(|(status, body)| (status, body["error"]["code"].clone())),
        Some((403, json!("tenant_disabled")))
    );
    assert_eq!(other.call(json!({"type": "ping"})).await, Ok(json!({})), "others are not touched");
}

#[tokio::test]
async fn only_text_of_a_fair_size_is_taken() {
    let node = Node::start(&[]);
    let key = node.demo_key();
    let mut binary = Socket::open(node.address, &key).await;
    binary.send_message(Message::binary(Bytes::from_static(b"{}"))).await;
    assert_eq!(binary.closed().await.0, 1003);
    let mut large = Socket::open(node.address, &key).await;
    large.send_message(Message::text("x".repeat(schema::limits::FRAME_BYTES_MAX + 1))).await;
    assert_eq!(large.closed().await.0, 1009);
    let mut normal = Socket::open(node.address, &key).await;
    normal.send_message(Message::Close(None)).await;
    let (code, _) = normal.closed().await;
    assert!(matches!(code, 1000 | 1005), "{code}");
}

#[tokio::test]
async fn a_visitor_who_floods_is_slowed_down_and_then_sent_away() {
    let node = Node::start(&[("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1"), ("TERTULIA_LIMITS__MESSAGES_BURST", "2")]);
    let api = node.api();
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut ana = Socket::open(node.address, &token).await;
    let refusal = loop {
        if let Err(refusal) = ana.call(json!({"type": "ping"})).await {
            break refusal;
        }
    };
    assert_eq!((refusal.code.name(), refusal.retry_after), ("rate_limited", Some(1)));
    for n in 0..1_000 {
        ana.send(json!({"type": "ping", "ref": format!("f{n}")})).await;
    }
    assert_eq!(ana.closed().await.0, 4029);
}
