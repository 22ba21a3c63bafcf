//! A session keeps its place, and a client that finds none is told to come back.

use std::num::NonZeroU32;

use schema::limits;
use schema::wire::{ServerFrame, VisitorToken};
use serde_json::json;
use tests::client::{Knock, Socket};
use tests::node::Node;

use super::{anonymous, auth};

#[tokio::test]
async fn a_session_keeps_its_place_through_a_renewal() {
    let node = Node::start(&[("TERTULIA_LIMITS__SOCKETS_PER_VISITOR", "1")]);
    let api = node.api();
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut ana = Socket::open(node.address, &token).await;
    api.change_profile(|profile| profile.quotas.sessions = NonZeroU32::MIN).await;
    for _ in 0..3 {
        let newer: VisitorToken = api.showing(token.clone()).call("POST", "/v1/visitors").await.ok();
        assert_eq!(auth(&mut ana, &newer.token).await, Ok(()));
    }
    ana.join_new().await;
}

#[tokio::test]
async fn who_finds_no_place_is_told_to_come_back_and_when() {
    let node = Node::start(&[]);
    let api = node.api();
    let token = async |contact: &str| api.visitor(json!({"contact": contact})).await.token;
    let (anas, bos) = (token("Ana").await, token("Bo").await);
    api.change_profile(|profile| profile.quotas.sessions = NonZeroU32::MIN).await;
    let ana = Socket::open(node.address, &anas).await;
    let mut bo = anonymous(&node).await;
    assert_eq!(auth(&mut bo, &bos).await, Err(("quota_exhausted", Some(5))));
    let (code, reason) = bo.closed().await;
    assert_eq!((code, reason.contains("come back")), (4013, true), "{reason}");
    drop(ana);
    // As it was told: again, until there is room.
    loop {
        let mut bo = anonymous(&node).await;
        if auth(&mut bo, &bos).await.is_ok() {
            bo.join_new().await;
            break;
        }
        assert_eq!(bo.closed().await.0, 4013);
    }
}

#[tokio::test]
async fn only_what_is_meant_for_good_ends_a_socket_for_good() {
    let node = Node::start(&[]);
    let api = node.api();
    let (made, acme) = node.operator().create_tenant("acme").await;
    let off = acme.visitor(json!({"contact": "Ana"})).await.token;
    node.operator().call("POST", &format!("/v1/admin/tenants/{}/disable", made.tenant)).await;
    let page = api.change_profile(|profile| profile.allowed_origins = vec![super::SHOP.parse().unwrap()]);
    page.await;
    let bound = api.visitor(json!({"origin": super::SHOP})).await.token;
    let over = api.visitor(json!({"ttl_seconds": 1})).await.token;
    while api.showing(over.clone()).get("/v1/conversations").await.status != 401 {
        tests::look_again().await;
    }
    let evil = Knock { origin: Some("https://evil.example"), ..Knock::default() };
    for (knock, token, refusal, close) in [
        (Knock::default(), "v4.local.AAAA".to_owned(), "unauthorized", 4501),
        (Knock::default(), off, "tenant_disabled", 4504),
        (Knock::default(), over, "token_expired", 4401),
        (evil, bound, "origin_refused", 4503),
        (evil, node.demo_key(), "forbidden", 4501),
    ] {
        let mut socket = Socket::knock(node.address, knock).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(auth(&mut socket, &token).await, Err((refusal, None)));
        assert_eq!(socket.closed().await.0, close, "{refusal}");
    }
    let mut silent = anonymous(&node).await;
    assert_eq!(silent.closed().await.0, 4013, "a slow line is no wrong key");
}

#[tokio::test]
async fn a_visitors_newest_socket_gets_in_while_an_old_one_is_still_dying() {
    let node = Node::start(&[("TERTULIA_LIMITS__SOCKETS_PER_VISITOR", "2")]);
    let api = node.api();
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut sockets = Vec::new();
    // Two that are as good as dead, and the page that was loaded anew: the node cannot know yet.
    for _ in 0..4 {
        sockets.push(Socket::open(node.address, &token).await);
    }
    let knock = Knock { key: Some(&token), ..Knock::default() };
    let (status, body) = Socket::knock(node.address, knock).await.err().unwrap();
    assert_eq!((status, &body["error"]["code"]), (429, &json!("rate_limited")), "not without end");
    // Those that do not go by themselves are sent away, the oldest first.
    let (old, new) = sockets.split_at_mut(2);
    for socket in old {
        assert_eq!(socket.closed().await.0, 4013);
        let wait = socket.seen.iter().find_map(|frame| match frame {
            ServerFrame::GoingAway { retry_after_ms } => Some(*retry_after_ms),
            _ => None,
        });
        assert!(wait.is_some_and(|wait| wait >= 10_000), "{wait:?}");
    }
    for socket in new {
        assert_eq!(socket.call(json!({"type": "ping"})).await, Ok(json!({})));
    }
    // One that went by itself leaves its place at once.
    drop(sockets.pop());
    let mut again = Socket::open(node.address, &token).await;
    again.join_new().await;
}

#[tokio::test]
async fn a_socket_that_has_joined_all_it_may_joins_each_of_them_again() {
    let node = Node::start(&[]);
    let mut socket = Socket::open(node.address, &node.demo_key()).await;
    let mut joined = Vec::new();
    for _ in 0..limits::JOINS_MAX {
        joined.push(socket.join_new().await);
    }
    for id in [joined[0], joined[limits::JOINS_MAX - 1]] {
        assert_eq!(socket.join(id, 0).await, 1);
    }
    let refusal = socket.call(json!({"type": "join"})).await.unwrap_err();
    assert_eq!(refusal.code.name(), "wrong_state", "one more is one too many");
    socket.call(json!({"type": "leave", "conversation": joined[0]})).await.unwrap();
    socket.join_new().await;
}
