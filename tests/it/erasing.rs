//! Conversations that go for good: erased by their owner, or because nobody has said a word in them.

mod stopped;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use schema::ConversationId;
use schema::wire::{ConversationList, ServerFrame};
use serde_json::{Value, json};
use socket2::SockRef;
use tests::api::Api;
use tests::client::Socket;
use tests::node::{Node, fresh};
use tests::stub::Stub;

async fn listed(api: &Api) -> Vec<ConversationId> {
    let list: ConversationList = api.get("/v1/conversations?limit=100").await.ok();
    list.conversations.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn an_erased_conversation_is_gone_for_all_who_knew_it() {
    let mut stub = Stub::start();
    let base = stub.base();
    let settings = [("TERTULIA_MODEL", "openai/stub"), ("OPENAI_API_KEY", "none"), ("OPENAI_BASE_URL", &*base)];
    let mut node = Node::start(&settings);
    let api = node.api();
    let (id, kept) = (api.open_with("Ana").await, api.open_with("Ana").await);
    let path = format!("/v1/conversations/{id}");
    let token = api.visitor(json!({"contact": "Ana"})).await.token;
    let visitor = api.showing(token.clone());
    let mut ana = Socket::open(node.address, &token).await;
    ana.join(id, 0).await;
    ana.join(kept, 0).await;
    let mut stream = api.stream(id, "0").await;
    api.say(id, "r1", "Do you have red lanterns, and what is their price?").await;
    let mut call = stub.call().await;
    call.token("Yes, ");

    assert_eq!(visitor.call("DELETE", &path).await.failure(), (403, "forbidden"), "it is not theirs to erase");
    assert_eq!(api.call("DELETE", &path).await.status, 204);
    call.closed().await;
    let told = ana
        .sees(|frame| match frame {
            ServerFrame::Error { conversation: Some(about), error } => Some((*about, error.code.name())),
            _ => None,
        })
        .await;
    assert_eq!(told, (id, "unknown_conversation"));
    while stream.next().await.is_some() {}

    let gone = (404, "unknown_conversation");
    let check = async |api: &Api| {
        assert_eq!(api.get(&path).await.failure(), gone);
        assert_eq!(api.get(&format!("{path}/events")).await.failure(), gone);
        assert_eq!(api.try_say(id, "r2", "Is anybody there?").await.failure(), gone);
        assert_eq!(api.call("DELETE", &path).await.failure(), gone);
        assert_eq!(listed(api).await, [kept]);
    };
    check(&api).await;
    let refusal = ana.try_say(id, "r3", "Is anybody there?").await.unwrap_err();
    assert_eq!(refusal.code.name(), gone.1);
    // The same socket goes on with the others.
    ana.say(kept, "r1", "And here?").await;
    stub.call().await.finish();

    node.signal("TERM");
    node.ended().await;
    let node = Node::start_in(node.root(), &settings);
    check(&node.api()).await;
}

/// Somebody writes, on all threads, while it is erased: nothing of it comes back.
#[tokio::test]
async fn nothing_is_written_back_to_what_is_erased_meanwhile() {
    let node = Node::start(&[("TERTULIA_SERVER__WORKERS", "4")]);
    let api = node.api();
    for round in 0..12 {
        let id = api.open().await;
        let path = format!("/v1/conversations/{id}");
        let talk = futures_util::future::join_all((0..6).map(async |n| {
            for k in 0..10 {
                let answer = api.try_say(id, &format!("r{n}-{k}"), "One word more, if you please.").await;
                if answer.status == 404 {
                    return;
                }
            }
        }));
        let erase = async {
            for _ in 0..round {
                tests::look_again().await;
            }
            api.call("DELETE", &path).await
        };
        let (_, erased) = tokio::join!(talk, erase);
        assert_eq!(erased.status, 204, "{}", erased.body);
        assert_eq!(api.get(&path).await.failure(), (404, "unknown_conversation"), "round {round}");
        assert_eq!(api.try_say(id, "last", "Hello?").await.failure(), (404, "unknown_conversation"));
    }
    assert_eq!(listed(&api).await, []);
}

/// A client that is gone before it has an answer: its request was done or not, and whichever it was, it is told.
#[tokio::test]
async fn an_erasure_whose_asker_hangs_up_is_told_and_forgotten_everywhere() {
    let node = Node::start(&[]);
    let (api, key) = (node.api(), node.demo_key());
    let mut socket = Socket::open(node.address, &key).await;
    let mut erased = Vec::new();
    for round in 0..24_u32 {
        let id = api.open().await;
        api.ask(id, "q1", &format!("What is the price of number{round} in Ulan Bator?")).await;
        while !board(&api).await.contains(&id.to_string()) {
            tests::look_again().await;
        }
        socket.join(id, 0).await;
        let mut hasty = TcpStream::connect(node.address).unwrap();
        let asked = format!("DELETE /v1/conversations/{id} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n");
        hasty.write_all(asked.as_bytes()).unwrap();
        // A moment that is another one each time, with no clock: others' requests.
        for _ in 0..round % 4 {
            assert_eq!(api.get("/healthz").await.status, 200);
        }
        if round % 2 == 0 {
            // The kernel says at once that nobody is there any more.
            SockRef::from(&hasty).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(hasty);
        // Whether it was done cannot be known before somebody else asks for the same; both are told.
        let again = api.call("DELETE", &format!("/v1/conversations/{id}")).await;
        if again.status == 503 {
            while api.get(&format!("/v1/conversations/{id}")).await.status != 404 {
                tests::look_again().await;
            }
        } else {
            assert!([204, 404].contains(&again.status), "{}", again.body);
        }
        erased.push((id, again.status));
        let told = socket.sees(|frame| match frame {
            ServerFrame::Error { conversation: Some(about), error } if *about == id => Some(error.code.name()),
            _ => None,
        });
        assert_eq!(told.await, "unknown_conversation", "round {round}");
        while board(&api).await.contains(&format!("number{round} ")) {
            tests::look_again().await;
        }
    }
    assert!(erased.iter().any(|(_, again)| *again != 204), "none was done for who hung up: {erased:?}");
    assert_eq!(listed(&api).await, []);
}

async fn board(api: &Api) -> String {
    api.get("/v1/unanswered").await.body
}

#[tokio::test]
async fn unspoken_conversations_go_by_themselves_after_a_restart_too() {
    let root = fresh();
    let node = Node::start_in(root.clone(), &[]);
    let api = node.api();
    let (spoken, named) = (api.open().await, api.open_with("Ana").await);
    api.say(spoken, "r1", "Do you ship to Portugal?").await;
    for _ in 0..30 {
        api.open().await;
    }
    assert_eq!(listed(&api).await.len(), 32, "a day has not gone by");
    drop(node);

    // Nobody asks for any of them: the list reads the store.
    let node = Node::start_in(root, &[("TERTULIA_CONVERSATIONS__UNSPOKEN_AFTER", "1s")]);
    let api = node.api();
    loop {
        let mut left = listed(&api).await;
        left.sort_unstable();
        let mut wanted = vec![spoken, named];
        wanted.sort_unstable();
        if left == wanted {
            break;
        }
        tests::look_again().await;
    }
    // One that somebody listens to stays for as long as they do.
    let heard = api.open().await;
    let mut socket = Socket::open(node.address, &node.demo_key()).await;
    socket.join(heard, 0).await;
    let unheard = api.open().await;
    while listed(&api).await.contains(&unheard) {
        tests::look_again().await;
    }
    assert!(listed(&api).await.contains(&heard));
    socket.say(heard, "r1", "I was only thinking.").await;
    assert_eq!(api.get(&format!("/v1/conversations/{heard}")).await.ok::<Value>()["status"], "open");
}
