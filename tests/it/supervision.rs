//! A handler that panics: its conversation starts again from the log, others notice nothing, and
//! one that does it too often is set aside where an operator sees it.

mod parts;

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use actors::Options;
use engine_conversation::Command;
use schema::wire::ServerFrame;
use schema::{ConversationId, End};
use serde_json::{Value, json};
use tests::client::Socket;
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;
use tests::within::Within;
use tests::{PATIENCE, look_again};
use tokio::time::timeout;

/// What makes a handler panic.
const POISON: &str = "poison, please";
/// What makes a handler stand still, with the thread it is on, until [`FREE`] is true.
const TAR: &str = "tar, please";
static FREE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

fn before(command: &Command) {
    let Command::Say { text, .. } = command else { return };
    match text.as_str() {
        POISON => panic!("a test asked for it"),
        TAR => drop(FREE.1.wait_timeout_while(FREE.0.lock().unwrap(), 2 * PATIENCE, |free| !*free).unwrap()),
        _ => {}
    }
}

fn node(settings: &[(&str, &str)]) -> Within {
    Within::start(settings, Options { before: Some(before), ..Options::default() })
}

/// Says something once the conversation has started again.
async fn say_again(socket: &mut Socket, id: ConversationId, r#ref: &str, text: &str) -> u64 {
    loop {
        match socket.try_say(id, r#ref, text).await {
            Ok(seq) => return seq,
            Err(failure) => assert_eq!(failure.code.name(), "restarting"),
        }
    }
}

#[tokio::test]
async fn a_crash_is_told_and_the_same_sockets_go_on() {
    let node = node(&[]);
    let api = node.api();
    let mut ana = Socket::open(node.address, node.key()).await;
    let mut listener = Socket::open(node.address, node.key()).await;
    let (id, quiet) = (ana.join_new().await, api.open().await);
    listener.join(id, 0).await;
    let mut stream = api.stream(id, "0").await;
    ana.join(quiet, 0).await;
    let asked = ana.say(id, "r1", "What do you know?").await;
    let head = ana.reply_to(id, asked).await.seq;

    let failure = ana.try_say(id, "r2", POISON).await.unwrap_err();
    assert_eq!((failure.code.name(), failure.retry_after), ("restarting", Some(1)));
    let asked = say_again(&mut ana, id, "r3", "And what do you know now?").await;
    assert_eq!(asked, head + 1, "what crashed it was never stored");
    let reply = ana.reply_to(id, asked).await;
    assert_eq!(listener.reply_to(id, asked).await, reply, "who only listened goes on as well");
    assert_eq!(stream.reply_to(asked).await, reply, "and so does a stream");
    for socket in [&ana, &listener] {
        let seqs: Vec<_> = socket.events(id).map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=reply.seq).collect::<Vec<_>>(), "no event is missing or doubled");
    }
    let failed = api.try_say(id, "r4", POISON).await;
    assert_eq!(failed.failure(), (503, "restarting"));
    assert_eq!(failed.header("retry-after"), "1");

    let asked = ana.say(quiet, "r1", "And you, are you well?").await;
    ana.reply_to(quiet, asked).await;
    assert_eq!(api.view(quiet).await.subscribers, 1);
}

#[tokio::test]
async fn a_reply_that_a_crash_cuts_off_is_marked_and_keeps_what_was_stored() {
    let mut stub = Stub::start();
    let node = node(&[("OPENAI_BASE_URL", &stub.base()), ("TERTULIA_MODEL", "openai/stub")]);
    let mut ana = Socket::open(node.address, node.key()).await;
    let id = ana.join_new().await;
    let asked = ana.say(id, "r1", "Tell me something long, please.").await;
    let mut call = stub.call().await;
    let long = "words ".repeat(schema::limits::CHECKPOINT_BYTES / 6 + 1);
    call.token(&long);
    ana.event(id, |event| event.fact.name() == "checkpoint").await;
    ana.try_say(id, "r2", POISON).await.unwrap_err();
    call.closed().await;
    let reply = ana.reply_to(id, asked).await;
    let ended = reply_of(&reply).unwrap();
    assert_eq!((ended.end, ended.made.error.as_deref()), (End::Incomplete, Some("interrupted")));
    assert_eq!(text_of(&reply), long);
    let asked = say_again(&mut ana, id, "r3", "Go on, please, with less.").await;
    let call = stub.call().await;
    call.token("Less.");
    call.finish();
    let reply = ana.reply_to(id, asked).await;
    assert_eq!((text_of(&reply), reply_of(&reply).unwrap().turn), ("Less.", 2));
}

#[tokio::test]
async fn a_poisoned_conversation_is_set_aside_and_let_out_again() {
    // It asks without a pause, where a client would wait as it is told.
    let node = node(&[("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_CONNECTION", "1000000")]);
    let api = node.api();
    let mut ana = Socket::open(node.address, node.key()).await;
    let (id, quiet) = (ana.join_new().await, api.open().await);
    let tenant = api.tenant().await.id;
    let mut crashes = 0;
    let head = loop {
        let answer = api.try_say(id, &format!("p{crashes}"), POISON).await;
        match answer.failure() {
            (503, "quarantined") => break api.view(id).await.head,
            (503, "restarting") => crashes += 1,
            // It asks as fast as it can.
            (429, "rate_limited") => look_again().await,
            other => panic!("{other:?}"),
        }
    };
    assert!(crashes > schema::limits::CRASHES_MAX, "it had its budget: {crashes}");
    assert_eq!(head, 1);
    // Who listened is told, and keeps the socket.
    ana.sees(|frame| match frame {
        ServerFrame::Error { conversation: Some(of), error } if *of == id && error.code.name() == "quarantined" => {
            Some(())
        }
        _ => None,
    })
    .await;
    let view = api.view(id).await;
    assert!(view.quarantine.is_some());
    assert!(api.metrics().await.contains("tertulia_conversations_quarantined 1"));
    assert_eq!(ana.try_say(id, "r1", "Is anybody there?").await.unwrap_err().code.name(), "quarantined");
    let joined = ana.call(json!({"type": "join", "conversation": id})).await.unwrap_err();
    assert_eq!(joined.code.name(), "quarantined");
    assert_eq!(api.log(id).await.head, 1, "its log can still be read");
    let stream = tests::api::Api::send(api.stream_request(id, "")).await;
    assert_eq!(stream.failure(), (503, "quarantined"));
    ana.join(quiet, 0).await;
    ana.say(quiet, "r1", "And you, are you well?").await;

    let release = format!("/v1/admin/tenants/{tenant}/conversations/{id}/release");
    assert_eq!(api.call("POST", &release).await.failure(), (401, "unauthorized"), "an operator's work");
    assert_eq!(node.operator().call("POST", &release).await.ok::<Value>(), json!({"released": true}));
    assert_eq!(node.operator().call("POST", &release).await.failure(), (409, "wrong_state"));
    assert!(api.metrics().await.contains("tertulia_conversations_quarantined 0"));
    ana.join(id, 0).await;
    let asked = ana.say(id, "r1", "Is anybody there?").await;
    ana.reply_to(id, asked).await;
    assert!(api.view(id).await.quarantine.is_none());
}

/// Waits until the metrics say so. A worker that stands still answers no scrape: each is a connection of
/// its own, for another one to take.
async fn scraped(node: &Within, line: &str) {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(1)).build().unwrap();
    let url = format!("http://{}/metrics", node.address);
    let told = async {
        loop {
            if let Ok(answer) = client.get(&url).send().await
                && answer.text().await.is_ok_and(|metrics| metrics.lines().any(|told| told == line))
            {
                break;
            }
            look_again().await;
        }
    };
    timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("never scraped: {line}"));
}

#[tokio::test]
async fn a_stuck_actor_is_reported_and_goes_on_when_it_can() {
    let node = node(&[("TERTULIA_SERVER__WORKERS", "2")]);
    let mut ana = Socket::open(node.address, node.key()).await;
    let id = ana.join_new().await;
    scraped(&node, "tertulia_actors_stuck 0").await;
    ana.send(json!({"type": "say", "ref": "r1", "conversation": id, "text": TAR})).await;
    scraped(&node, "tertulia_actors_stuck 1").await;
    *FREE.0.lock().unwrap() = true;
    FREE.1.notify_all();
    let asked = ana.event(id, |event| text_of(event) == TAR).await.seq;
    ana.reply_to(id, asked).await;
    scraped(&node, "tertulia_actors_stuck 0").await;
}
