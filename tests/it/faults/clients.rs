//! Clients that are more than one, or not where they say they are: two tabs of one visitor, one message on
//! two sockets, a position that nobody has reached yet. (Clocks that jump are the simulation's.)

use futures_util::future::join_all;
use loadtest::checker::{History, Observer, Sender};
use schema::wire::{HumanAction, ServerFrame};
use schema::{Author, ConversationId, Ref};
use serde_json::{Value, json};
use tests::client::Socket;
use tests::node::Node;
use tests::stream::{reply_of, text_of};
use tests::stub::Stub;

/// What a socket was shown of a conversation, for the checker.
fn observed(socket: &Socket, id: ConversationId) -> Observer {
    let mut observer = Observer::default();
    for frame in &socket.seen {
        match frame {
            ServerFrame::Event { conversation, event } if *conversation == id => observer.event(event),
            ServerFrame::Delta(delta) if delta.conversation == id => {
                observer.delta(delta.turn, delta.offset, delta.text.as_str());
            }
            _ => {}
        }
    }
    observer
}

#[tokio::test]
async fn two_tabs_hear_the_same_and_either_may_stop_what_the_other_asked() {
    let mut stub = Stub::start();
    let node = Node::start(&[("OPENAI_BASE_URL", &stub.base()), ("TERTULIA_MODEL", "openai/stub")]);
    let token = node.api().visitor(json!({"contact": "ana"})).await.token;
    let mut tabs = [Socket::open(node.address, &token).await, Socket::open(node.address, &token).await];
    let id = tabs[0].join_new().await;
    tabs[1].join(id, 0).await;

    let asked = tabs[0].say(id, "tab-1", "Tell me something long, please.").await;
    let call = stub.call().await;
    call.token("Once upon ");
    for tab in &mut tabs {
        assert_eq!(tab.hears(id, 1, 0, 10).await, "Once upon ");
    }
    tabs[1].call(json!({"type": "cancel", "conversation": id})).await.expect("it is theirs too");
    for tab in &mut tabs {
        let reply = tab.reply_to(id, asked).await;
        assert_eq!((text_of(&reply), reply_of(&reply).unwrap().end.name()), ("Once upon ", "cancelled"));
    }

    // Both at once, then one of them goes: the other hears its own reply and has missed nothing.
    let [first, second] = &mut tabs;
    let (one, two) = tokio::join!(first.say(id, "tab-2", "And now?"), second.say(id, "tab-3", "And then?"));
    assert_ne!(one, two);
    let [first, mut second] = tabs;
    drop(first);
    let last = one.max(two);
    // One turn for both, or one for each, or one asked again: that is the floor's affair.
    let answering = async {
        loop {
            let call = stub.call().await;
            call.token("The end.");
            call.finish();
        }
    };
    tokio::select! {
        reply = second.reply_to(id, last) => assert_eq!(text_of(&reply), "The end."),
        () = answering => {}
    }
    let log = node.api().whole_log(id).await;
    let mut observer = observed(&second, id);
    observer.stayed_until(log.len() as u64);
    let history = History { observers: vec![observer], ..History::default() };
    assert_eq!(history.check(&log), []);
}

/// A page that was reloaded sends again what it does not know to have arrived, while the old page's socket
/// is still being read.
#[tokio::test]
async fn one_message_on_two_sockets_is_stored_once() {
    const MESSAGES: usize = 60;
    let node =
        Node::start(&[("TERTULIA_LIMITS__MESSAGES_PER_SECOND", "1000"), ("TERTULIA_LIMITS__MESSAGES_BURST", "1000")]);
    let api = node.api();
    let id = api.open().await;
    api.human(id, HumanAction::Take, "Zoe").await.ok::<Value>();
    let key = node.demo_key();
    let sockets = join_all((0..2).map(|_| async {
        let mut socket = Socket::open(node.address, &key).await;
        socket.join(id, 0).await;
        for n in 0..MESSAGES {
            let text = format!("message {n}");
            socket.send(json!({"type": "say", "ref": format!("r{n}"), "conversation": id, "text": text})).await;
        }
        let mut told = Vec::new();
        for n in 0..MESSAGES {
            told.push(socket.replied(&format!("r{n}")).await.expect("it is taken")["seq"].as_u64().unwrap());
        }
        (socket, told)
    }))
    .await;
    assert_eq!(sockets[0].1, sockets[1].1, "both are told the same");
    let log = api.whole_log(id).await;
    let mut history = History { nobody_else: true, ..History::default() };
    let mut sender = Sender::new(Author::Contact);
    for (n, seq) in sockets[0].1.iter().enumerate() {
        let r#ref = format!("r{n}").parse::<Ref>().unwrap();
        sender.sends(&r#ref, &format!("message {n}"));
        sender.acknowledged(&r#ref, *seq);
    }
    history.senders.push(sender);
    for (mut socket, _) in sockets {
        socket.event(id, |event| event.seq == log.len() as u64).await;
        history.observers.push(observed(&socket, id));
    }
    history.observers.iter_mut().for_each(|observer| observer.stayed_until(log.len() as u64));
    assert_eq!(history.check(&log), []);

    // With other words it is another message, whichever socket it comes from.
    let mut socket = Socket::open(node.address, &key).await;
    socket.join(id, log.len()).await;
    let conflict = socket.try_say(id, "r1", "something else").await.unwrap_err();
    assert_eq!((conflict.code.name(), conflict.retry_after), ("ref_conflict", None));
}

#[tokio::test]
async fn a_position_nobody_has_reached_is_refused_or_waited_for() {
    let mut stub = Stub::start();
    let node = Node::start(&[("OPENAI_BASE_URL", &stub.base()), ("TERTULIA_MODEL", "openai/stub")]);
    let api = node.api();
    let id = api.open().await;
    let asked = api.say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    let mut socket = Socket::open(node.address, &node.demo_key()).await;
    socket.join(id, 0).await;
    call.token("Once upon ");
    socket.hears(id, 1, 0, 10).await;
    // Events are durable before they are shown: nobody can have seen one that is not there.
    for after in ["4", "4:2:0", "18446744073709551615"] {
        let refused = socket.call(json!({"type": "join", "conversation": id, "after": after})).await.unwrap_err();
        assert_eq!(refused.code.name(), "bad_position", "{after}");
    }
    // Words are shown before they are durable: who has had more of them than there are now is told what
    // comes behind that, and in the end the whole.
    let mut ahead = Socket::open(node.address, &node.demo_key()).await;
    ahead.join(id, "3:1:14").await;
    call.token("a time");
    assert_eq!(ahead.hears(id, 1, 14, 16).await, "me");
    let mut beyond = Socket::open(node.address, &node.demo_key()).await;
    beyond.join(id, "3:1:999").await;
    call.token(", far away.");
    call.finish();
    for socket in [&mut socket, &mut ahead, &mut beyond] {
        assert_eq!(text_of(&socket.reply_to(id, asked).await), "Once upon a time, far away.");
    }
    assert_eq!(beyond.deltas(id, 1).count(), 0);
}
