//! Server-sent events of the real program: what they carry, from where, and how they end.

use schema::wire::HumanAction;
use serde_json::{Value, json};
use tests::api::Api;
use tests::client::Socket;
use tests::node::Node;
use tests::stream::{Stream, text_of};

#[tokio::test]
async fn a_stream_carries_events_with_their_positions() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let mut stream = api.stream(id, "0").await;
    let opened = stream.next().await.unwrap();
    assert_eq!((opened.id.as_deref(), opened.data["type"].as_str()), (Some("1"), Some("opened")));
    let asked = api.say(id, "r1", "What do you know?").await;
    let mut text = String::new();
    let reply = stream.turn(1, &mut text).await;
    assert!(text_of(&reply).starts_with(&text));
    assert_eq!(stream.last_id, reply.seq.to_string());
    // From each position on, exactly what comes after it.
    let all = api.log(id).await.events;
    for after in 0..reply.seq {
        let mut stream = api.stream(id, &after.to_string()).await;
        for event in &all[usize::try_from(after).unwrap()..] {
            let sent = stream.next().await.unwrap();
            assert_eq!((sent.id.clone(), sent.event().as_ref()), (Some(event.seq.to_string()), Some(event)));
        }
    }
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn signs_of_life_have_no_position() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    let mut stream = api.stream(id, "1").await;
    let mut zoe = Socket::open(node.address, &node.demo_key()).await;
    zoe.join(id, 1).await;
    zoe.send(json!({"type": "typing", "conversation": id, "on": true})).await;
    let sent = stream.next().await.unwrap();
    assert_eq!((sent.id, &sent.data["type"], &sent.data["signal"]), (None, &json!("signal"), &json!("typing")));
    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    assert_eq!(stream.next().await.unwrap().id.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_visitors_stream_ends_with_their_token() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let token = api.visitor(json!({"contact": "Ana", "ttl_seconds": 1})).await.token;
    let mut stream = api.showing(token).stream(id, "1").await;
    assert!(stream.next().await.is_none());
    assert_eq!(api.view(id).await.subscribers, 0);
}

#[tokio::test]
async fn the_tenant_has_no_more_streams_and_sockets_than_its_profile_allows() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    api.change_profile(|profile| profile.quotas.sessions = std::num::NonZeroU32::MIN).await;
    let mut stream = api.stream(id, "0").await;
    stream.next().await.unwrap();
    let refused = Api::send(api.stream_request(id, "")).await;
    assert_eq!(refused.failure(), (429, "quota_exhausted"));
    let knock = tests::client::Knock { key: api.key.as_deref(), ..Default::default() };
    let refused = Socket::knock(node.address, knock).await.err().unwrap();
    assert_eq!((refused.0, &refused.1["error"]["code"]), (429, &json!("quota_exhausted")));
    // There is room again when the first has gone.
    drop(stream);
    while api.view(id).await.subscribers > 0 {
        tests::look_again().await;
    }
    let mut again = Stream::open(api.stream_request(id, "")).await;
    again.next().await.unwrap();
}
