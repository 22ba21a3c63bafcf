//! Coming back by position: in mid-reply, twice in a row, on both kinds of stream.

use std::net::Ipv4Addr;

use schema::{ConversationId, End};
use serde_json::json;
use tests::client::Socket;
use tests::node::Node;
use tests::rawhttp::RawHttp;
use tests::stream::{Stream, append, reply_of, text_of};
use tests::stub::{Call, Stub};

/// Words of more than one byte a character, so that bytes are not taken for characters.
const WORDS: [&str; 6] = ["Añadir ", "ein paar ", "Wörter — ", "日本語 ", "и ", "конец 🎉."];

/// A node before a model that speaks when it is told to, and a question that waits for its reply.
async fn asked() -> (Node, Call, ConversationId) {
    let mut stub = Stub::start();
    let node = Node::start(&[("OPENAI_BASE_URL", &stub.base()), ("TERTULIA_MODEL", "openai/stub")]);
    let api = node.api();
    let id = api.open().await;
    assert_eq!(api.say(id, "r1", "Tell me something long, please.").await, 2);
    let call = stub.call().await;
    (node, call, id)
}

fn chars(words: &[&str]) -> usize {
    words.iter().map(|word| word.chars().count()).sum()
}

#[tokio::test]
async fn a_socket_that_comes_back_twice_misses_no_character() {
    let (node, call, id) = asked().await;
    let key = node.demo_key();
    let (mut text, mut head) = (String::new(), 0);
    // Each piece is said to another socket, and one is said to none.
    for (n, word) in WORDS.iter().enumerate() {
        let mut ana = Socket::open(node.address, &key).await;
        let position = if n == 0 { json!(0) } else { json!(format!("{head}:1:{}", text.chars().count())) };
        ana.join(id, position).await;
        call.token(word);
        let wanted = chars(&WORDS[..=n]);
        let more = ana.hears(id, 1, text.chars().count(), wanted).await;
        text.push_str(&more);
        head = ana.events(id).map(|event| event.seq).max().unwrap_or(head);
        assert_eq!(text, WORDS[..=n].concat(), "after {n} reconnects");
        drop(ana);
    }
    let mut ana = Socket::open(node.address, &key).await;
    ana.join(id, format!("{head}:1:{}", text.chars().count())).await;
    call.finish();
    let reply = ana.reply_to(id, 2).await;
    assert_eq!(text_of(&reply), WORDS.concat());
    assert_eq!(ana.deltas(id, 1).count(), 0, "it had every character");
    assert_eq!(reply_of(&reply).unwrap().end, End::Completed);
}

#[tokio::test]
async fn what_was_said_while_nobody_listened_comes_in_one_piece() {
    let (node, call, id) = asked().await;
    let key = node.demo_key();
    let mut ana = Socket::open(node.address, &key).await;
    ana.join(id, 0).await;
    call.token(WORDS[0]);
    ana.hears(id, 1, 0, chars(&WORDS[..1])).await;
    let head = ana.events(id).map(|event| event.seq).max().unwrap();
    drop(ana);
    let mut bo = Socket::open(node.address, &key).await;
    bo.join(id, 0).await;
    call.token(WORDS[1]);
    call.token(WORDS[2]);
    assert_eq!(bo.hears(id, 1, 0, chars(&WORDS[..3])).await, WORDS[..3].concat(), "from the beginning");
    let mut ana = Socket::open(node.address, &key).await;
    ana.join(id, format!("{head}:1:{}", chars(&WORDS[..1]))).await;
    let missed = ana.hears(id, 1, chars(&WORDS[..1]), chars(&WORDS[..3])).await;
    assert_eq!(missed, WORDS[1..3].concat());
    assert_eq!(ana.deltas(id, 1).count(), 1);
    let view = node.api().view(id).await;
    let running = view.running.unwrap();
    assert_eq!((running.turn, running.offset, view.floor.as_str()), (1, chars(&WORDS[..3]), "speaking"));
    call.finish();
    assert_eq!(text_of(&ana.reply_to(id, 2).await), WORDS[..3].concat());
    // Back once more, after the end: the event alone says it all.
    let mut late = Socket::open(node.address, &key).await;
    late.join(id, format!("{head}:1:{}", chars(&WORDS[..1]))).await;
    assert_eq!(text_of(&late.reply_to(id, 2).await), WORDS[..3].concat());
    assert_eq!(late.deltas(id, 1).count(), 0);
}

#[tokio::test]
async fn a_stream_goes_on_from_its_last_event_id() {
    let (node, call, id) = asked().await;
    let api = node.api();
    let mut text = String::new();
    let mut last = String::from("0");
    for (n, word) in WORDS.iter().enumerate() {
        // The header has the last word; the address still says where it began.
        let request = api.stream_request(id, "?after=0").header("last-event-id", &last);
        let mut stream = Stream::open(request).await;
        call.token(word);
        while text.chars().count() < chars(&WORDS[..=n]) {
            let delta = stream.find(|sent| sent.delta()).await;
            append(&delta, &mut text);
        }
        assert_eq!(text, WORDS[..=n].concat());
        last.clone_from(&stream.last_id);
        assert!(last.ends_with(&format!(":1:{}", text.chars().count())), "{last}");
    }
    let mut stream = Stream::open(api.stream_request(id, "").header("last-event-id", &last)).await;
    call.finish();
    let mut rest = text.clone();
    let reply = stream.turn(1, &mut rest).await;
    assert_eq!((rest.as_str(), text_of(&reply)), (text.as_str(), text.as_str()));
    assert_eq!(stream.last_id, reply.seq.to_string());
    let late = Stream::open(api.stream_request(id, "").header("last-event-id", &last)).await.reply_to(2).await;
    assert_eq!(late, reply);
}

#[tokio::test]
async fn a_stream_is_given_to_old_and_odd_clients_too() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    // An empty id is none.
    let mut stream = Stream::open(api.stream_request(id, "?after=0").header("last-event-id", "")).await;
    assert_eq!(stream.find(|sent| sent.event()).await.seq, 1);
    let (address, key) = (node.address, node.demo_key());
    let read = tokio::task::spawn_blocking(move || {
        let mut old = RawHttp::open(Ipv4Addr::LOCALHOST, address);
        let head = format!("GET /v1/conversations/{id}/stream HTTP/1.0\r\nauthorization: Bearer {key}\r\n\r\n");
        (old.ask(&head), old.rest())
    });
    let (answer, body) = read.await.unwrap();
    assert_eq!((answer.status, answer.header("transfer-encoding")), (200, ""), "{}", answer.head);
    assert!(body.starts_with("retry: "), "no size of a chunk stands before it: {body}");
}

#[tokio::test]
async fn who_missed_more_than_is_kept_in_memory_is_served_from_the_log() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open().await;
    api.human(id, schema::wire::HumanAction::Take, "Zoe").await;
    let last = schema::limits::REPLAY_EVENTS_MAX as u64 + 50;
    let mut zoe = Socket::open(node.address, &node.demo_key()).await;
    zoe.join(id, 2).await;
    for n in 3..=last {
        zoe.say(id, &format!("r{n}"), &format!("message {n}")).await;
    }
    zoe.event(id, |event| event.seq == last).await;
    let seqs = |socket: &Socket| socket.events(id).map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(seqs(&zoe), (3..=last).collect::<Vec<_>>());
    // Within reach of the log, then beyond it.
    let mut bo = Socket::open(node.address, &node.demo_key()).await;
    bo.join(id, 100).await;
    bo.event(id, |event| event.seq == last).await;
    assert_eq!(seqs(&bo), (101..=last).collect::<Vec<_>>());
    let mut cy = Socket::open(node.address, &node.demo_key()).await;
    let joined = cy.call(json!({"type": "join", "conversation": id})).await.unwrap();
    let after = last - schema::limits::REPLAY_EVENTS_MAX as u64;
    assert_eq!(joined, json!({"conversation": id, "head": last, "complete": false, "after": after}));
    cy.event(id, |event| event.seq == last).await;
    assert_eq!(seqs(&cy), (after + 1..=last).collect::<Vec<_>>());
}
