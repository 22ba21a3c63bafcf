//! The answer to each frame, and its effects.

use schema::wire::{HumanAction, ServerFrame, SignalKind};
use schema::{Author, ConversationId, End};
use serde_json::json;
use tests::client::Socket;
use tests::node::Node;
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;
use tokio_tungstenite::tungstenite::Message;

const RETURNS: &str = include_str!("../../fixtures/knowledge/shop/returns.md");

#[tokio::test]
async fn a_question_is_answered_piece_by_piece() {
    let node = Node::start(&[]);
    node.api().learn("returns.md", RETURNS).await;
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let ping_ms = ana.sees(|frame| if let ServerFrame::Hello { ping_ms, .. } = frame { Some(*ping_ms) } else { None });
    assert_eq!(ping_ms.await, 25_000);
    assert!(matches!(ana.seen[0], ServerFrame::Hello { .. }), "the first frame of every socket");

    let id = ana.join_new().await;
    let seq = ana.say(id, "m1", "How many days do I have to return an unused item?").await;
    assert_eq!(seq, 2);
    let reply = ana.reply_to(id, seq).await;
    let ended = reply_of(&reply).unwrap();
    assert_eq!((ended.turn, ended.end, ended.answers), (1, End::Completed, seq));
    assert!(text_of(&reply).contains("30 days"));
    assert!(text_of(&reply).starts_with(&ana.said(id, 1, 0)), "the deltas say the same, as far as they came");
    let seqs: Vec<_> = ana.events(id).map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=reply.seq).collect::<Vec<_>>(), "each event once, in order");
    let said = ana.events(id).nth(1).unwrap();
    assert_eq!((said.author, said.fact.client_ref().unwrap().as_str()), (Author::Contact, "m1"));

    assert_eq!(ana.try_say(id, "m1", "How many days do I have to return an unused item?").await, Ok(seq));
    let conflict = ana.try_say(id, "m1", "Something else?").await.unwrap_err();
    assert_eq!(conflict.code.name(), "ref_conflict");
    assert_eq!(node.api().view(id).await.head, reply.seq, "neither was stored again");
}

#[tokio::test]
async fn one_socket_hears_two_conversations_apart() {
    let node = Node::start(&[]);
    let api = node.api();
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let (first, second) = (ana.join_new().await, api.open().await);
    assert_eq!(ana.join(second, 0).await, 1);
    assert_eq!(api.view(second).await.subscribers, 1);
    let (a, b) = (ana.say(first, "r", "What do you know?").await, ana.say(second, "r2", "And who are you?").await);
    let (a, b) = (ana.reply_to(first, a).await, ana.reply_to(second, b).await);
    assert!(text_of(&a).starts_with(&ana.said(first, 1, 0)));
    assert!(text_of(&b).starts_with(&ana.said(second, 1, 0)));

    ana.call(json!({"type": "leave", "conversation": first})).await.unwrap();
    let left = ana.call(json!({"type": "leave", "conversation": first})).await.unwrap_err();
    assert_eq!(left.code.name(), "not_joined");
    api.ask(first, "r3", "Is anybody listening?").await;
    let after = api.say(second, "r4", "Is anybody listening?").await;
    ana.reply_to(second, after).await;
    assert_eq!(ana.events(first).last().unwrap().seq, a.seq, "it hears nothing more of what it has left");
}

#[tokio::test]
async fn what_is_wrong_with_a_frame_is_told_and_the_socket_goes_on() {
    let node = Node::start(&[]);
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let id = ana.join_new().await;
    let unknown = ConversationId::generate();
    let long = "x".repeat(schema::limits::TEXT_BYTES_MAX + 1);
    for (frame, code) in [
        (json!({"type": "shout"}), "bad_frame"),
        (json!({"type": "ping", "more": 1}), "bad_frame"),
        (json!({"type": "say", "conversation": id}), "bad_frame"),
        (json!({"type": "say", "conversation": "conv_1", "text": "Hi!"}), "bad_frame"),
        (json!({"type": "say", "conversation": id, "text": " "}), "bad_field"),
        (json!({"type": "say", "conversation": id, "text": long}), "too_large"),
        (json!({"type": "say", "conversation": id, "text": "Hi!", "agent": ""}), "bad_field"),
        (json!({"type": "say", "conversation": id, "text": "Hi!", "agent": "Zoe"}), "wrong_state"),
        (json!({"type": "say", "conversation": unknown, "text": "Hi!"}), "not_joined"),
        (json!({"type": "cancel", "conversation": unknown}), "not_joined"),
        (json!({"type": "leave", "conversation": unknown}), "not_joined"),
        (json!({"type": "join", "conversation": unknown}), "unknown_conversation"),
        (json!({"type": "join", "conversation": id, "after": 99}), "bad_position"),
        (json!({"type": "join", "conversation": id, "after": "99:1:3"}), "bad_position"),
        (json!({"type": "join", "conversation": id, "after": "1:2"}), "bad_frame"),
        (json!({"type": "auth", "token": "v4.local.AAAA"}), "unauthorized"),
    ] {
        let refusal = ana.call(frame.clone()).await.unwrap_err();
        assert_eq!(refusal.code.name(), code, "{frame:.100}");
    }
    // What has no ref that could be used is told all the same.
    for (text, code) in [
        ("{", "bad_json"),
        ("", "bad_json"),
        ("null", "bad_frame"),
        (r#"["ping","r1"]"#, "bad_frame"),
        (r#"[{"type":"ping","ref":"r1"}]"#, "bad_frame"),
        (r#"{"type":"ping"}"#, "bad_frame"),
        (r#"{"type":"ping","ref":""}"#, "bad_frame"),
        (r#"{"type":"typing"}"#, "bad_frame"),
    ] {
        ana.seen.clear();
        ana.send_message(Message::text(text)).await;
        let told = ana.sees(|frame| match frame {
            ServerFrame::Error { conversation: None, error } => Some(error.code.name()),
            _ => None,
        });
        assert_eq!(told.await, code, "{text}");
    }
    assert_eq!(ana.call(json!({"type": "ping"})).await, Ok(json!({})));
    assert_eq!(ana.call(json!({"type": "cancel", "conversation": id})).await, Ok(json!({})), "nothing runs");
    assert_eq!(node.api().view(id).await.head, 1, "nothing of all that was stored");
}

#[tokio::test]
async fn signs_of_life_reach_the_others_and_are_not_stored() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut ana = Socket::open(node.address, &token).await;
    let mut zoe = Socket::open(node.address, &node.demo_key()).await;
    ana.join(id, 0).await;
    zoe.join(id, 0).await;
    let signal = |author: Author, kind: SignalKind| {
        move |frame: &ServerFrame| match frame {
            ServerFrame::Signal(signal)
                if signal.conversation == id && (signal.author, &signal.kind) == (author, &kind) =>
            {
                Some(())
            }
            _ => None,
        }
    };
    ana.send(json!({"type": "typing", "conversation": id, "on": true})).await;
    zoe.sees(signal(Author::Contact, SignalKind::Typing { on: true })).await;
    ana.send(json!({"type": "typing", "conversation": id, "on": false})).await;
    zoe.sees(signal(Author::Contact, SignalKind::Typing { on: false })).await;
    ana.send(json!({"type": "read", "conversation": id, "seq": 1})).await;
    zoe.sees(signal(Author::Contact, SignalKind::Read { seq: 1 })).await;
    assert_eq!(api.view(id).await.read, Some(1));
    // Nobody has seen what there is not.
    ana.send(json!({"type": "read", "conversation": id, "seq": 2})).await;
    zoe.send(json!({"type": "typing", "conversation": id, "on": true})).await;
    ana.sees(signal(Author::Human, SignalKind::Typing { on: true })).await;
    assert_eq!(api.view(id).await.read, Some(1));
    assert!(!ana.seen.iter().any(|frame| matches!(frame, ServerFrame::Signal(s) if s.author == Author::Contact)));
    assert_eq!(api.view(id).await.head, 1, "none of it is in the log");
}

#[tokio::test]
async fn a_human_agent_speaks_on_the_socket_too() {
    let node = Node::start(&[]);
    let api = node.api();
    let id = api.open_with("Ana").await;
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let mut ana = Socket::open(node.address, &token).await;
    let mut zoe = Socket::open(node.address, &node.demo_key()).await;
    ana.join(id, 0).await;
    zoe.join(id, 0).await;
    assert_eq!(api.human(id, HumanAction::Take, "Zoe").await.status, 200);
    let hello = json!({"type": "say", "conversation": id, "text": "Zoe here.", "agent": "Zoe"});
    let seq = zoe.call(hello.clone()).await.unwrap()["seq"].as_u64();
    let heard = ana.event(id, |event| event.author == Author::Human && text_of(event) == "Zoe here.").await;
    assert_eq!(Some(heard.seq), seq);
    let refused = ana.call(hello).await.unwrap_err();
    assert_eq!(refused.code.name(), "forbidden", "a visitor is not an agent");
}

#[tokio::test]
async fn every_listener_gets_the_same() {
    let mut stub = Stub::start();
    let node = Node::start(&[("OPENAI_BASE_URL", &stub.base()), ("TERTULIA_MODEL", "openai/stub")]);
    let mut ana = Socket::open(node.address, &node.demo_key()).await;
    let mut bo = Socket::open(node.address, &node.demo_key()).await;
    let id = ana.join_new().await;
    bo.join(id, 0).await;
    let mut stream = node.api().stream(id, "0").await;
    let asked = bo.say(id, "m1", "How many days do I have to return an unused item?").await;
    let call = stub.call().await;
    let words = ["Thirty ", "days — ", "日本語 ", "und Wörter ", "🎉."];
    for n in 0..words.len() {
        call.token(words[n]);
        let chars = words[..=n].iter().map(|word| word.chars().count()).sum();
        assert_eq!(ana.hears(id, 1, 0, chars).await, words[..=n].concat());
    }
    call.finish();
    let reply = ana.reply_to(id, asked).await;
    assert_eq!(text_of(&reply), words.concat(), "the deltas said all of it");
    assert_eq!(ana.deltas(id, 1).count(), words.len(), "each word as it came");
    assert_eq!(bo.reply_to(id, asked).await, reply);
    assert_eq!(ana.events(id).collect::<Vec<_>>(), bo.events(id).collect::<Vec<_>>());
    assert_eq!(ana.deltas(id, 1).collect::<Vec<_>>(), bo.deltas(id, 1).collect::<Vec<_>>());
    let mut text = String::new();
    assert_eq!(stream.turn(1, &mut text).await, reply);
    assert_eq!(text, text_of(&reply));
    let joined = ana.call(json!({"type": "join", "conversation": id, "after": reply.seq})).await.unwrap();
    assert_eq!(joined, json!({"conversation": id, "head": reply.seq, "complete": true}));
    assert_eq!(node.api().view(id).await.subscribers, 3, "joined twice, it listens once");
}
