//! The client's socket against a scripted server.

use schema::ConversationId;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::super::super::testing::config;
use super::*;

type Peer = WebSocketStream<TcpStream>;

/// A node's side of the socket, played by the test.
struct Node {
    listener: TcpListener,
}

struct Chat {
    to_lines: Option<mpsc::Sender<String>>,
    presses: mpsc::Sender<()>,
    running: tokio::task::JoinHandle<(Result<(), CliError>, String)>,
}

fn conversation() -> ConversationId {
    ConversationId::from_bytes([7; 16])
}

async fn start() -> (Node, Chat) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let config = config(&listener.local_addr().unwrap().to_string(), data.path());
    let client = Client::for_tenant(&config).unwrap();
    let (to_lines, mut lines) = mpsc::channel(8);
    let (presses, pressed) = mpsc::channel(8);
    let running = tokio::spawn(async move {
        let mut link = Link::new(&client, Talk::new(conversation()), Duration::from_secs(20));
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false);
        let outcome = link.run(&mut lines, &mut Interrupts::Scripted(pressed), &mut screen).await;
        (outcome, String::from_utf8(out).unwrap())
    });
    (Node { listener }, Chat { to_lines: Some(to_lines), presses, running })
}

impl Node {
    /// The next socket, joined; and from which position.
    async fn joined(&self) -> (Peer, Value) {
        let (stream, _) = self.listener.accept().await.unwrap();
        #[allow(clippy::result_large_err, reason = "the library's type")]
        let check = |request: &Request, mut response: Response| {
            assert_eq!(request.uri().path(), "/v1/ws");
            assert_eq!(request.headers()["authorization"], "Bearer my-own-key-0123456");
            assert_eq!(request.headers()["sec-websocket-protocol"], SUBPROTOCOL);
            response.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
            Ok(response)
        };
        let mut peer = accept_hdr_async(stream, check).await.unwrap();
        tell(&mut peer, json!({"type":"hello","session":schema::SessionId::generate(),"ping_ms":25000})).await;
        let join = hear(&mut peer).await;
        assert_eq!((&join["type"], &join["conversation"]), (&json!("join"), &json!(conversation())));
        tell(&mut peer, json!({"type":"reply","ref":join["ref"],"ok":{"head":1}})).await;
        (peer, join["after"].clone())
    }
}

impl Chat {
    async fn line(&self, line: &str) {
        self.to_lines.as_ref().unwrap().send(line.into()).await.unwrap();
    }

    /// No more lines; how it ended, and what was on the screen.
    async fn end(mut self) -> (Result<(), CliError>, String) {
        self.to_lines = None;
        self.running.await.unwrap()
    }
}

async fn tell(peer: &mut Peer, mut frame: Value) {
    if frame["type"] == "event" || frame["type"] == "delta" {
        frame["conversation"] = json!(conversation());
    }
    peer.send(Message::text(frame.to_string())).await.unwrap();
}

async fn hear(peer: &mut Peer) -> Value {
    loop {
        match peer.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            other => assert!(other.is_ping() || other.is_pong(), "{other:?}"),
        }
    }
}

async fn tell_said(peer: &mut Peer, seq: u64, say: &Value) {
    tell(peer, json!({"type":"reply","ref":say["ref"],"ok":{"seq":seq}})).await;
    tell(peer, json!({"type":"event","event":{"seq":seq,"at":"2024-05-01T10:00:00.000Z","author":"contact","type":"message","text":say["text"],"ref":say["ref"]}})).await;
}

async fn tell_delta(peer: &mut Peer, turn: u32, offset: usize, text: &str) {
    tell(peer, json!({"type":"delta","turn":turn,"offset":offset,"text":text})).await;
}

async fn tell_reply(peer: &mut Peer, seq: u64, turn: u32, text: &str, end: &str) {
    let passage = json!({"n":1,"source":"faq.md","heading":"Hours","text":"nine to five"});
    let made = json!({"model":"builtin","profile_version":1,"total_ms":3,"usage":{"input_tokens":1,"output_tokens":1},"passages":[passage]});
    tell(peer, json!({"type":"event","event":{"seq":seq,"at":"2024-05-01T10:00:00.000Z","author":"assistant","type":"message","text":text,"turn":turn,"end":end,"answers":seq - 1,"made":made}})).await;
}

#[tokio::test]
async fn lines_are_said_one_after_the_other_and_replies_stream() {
    let (node, chat) = start().await;
    chat.line("one").await;
    chat.line("").await;
    chat.line("two").await;
    let (mut peer, after) = node.joined().await;
    assert_eq!(after, json!(0));
    for (turn, question) in [(1, "one"), (2, "two")] {
        let say = hear(&mut peer).await;
        assert_eq!((say["type"].as_str(), say["text"].as_str()), (Some("say"), Some(question)));
        let seq = u64::from(turn) * 2;
        tell_said(&mut peer, seq, &say).await;
        tell_delta(&mut peer, turn, 0, "from nine ").await;
        tell_delta(&mut peer, turn, 10, "to five").await;
        tell_reply(&mut peer, seq + 1, turn, "from nine to five [1]", "completed").await;
    }
    let (outcome, screen) = chat.end().await;
    outcome.unwrap();
    assert_eq!(screen, "from nine to five [1]\n  [1] faq.md › Hours\n".repeat(2));
}

#[tokio::test]
async fn commands_are_done_here_and_mistyped_ones_are_not_said() {
    let (node, chat) = start().await;
    for line in ["/help", "/hepl me", "/id", "//said"] {
        chat.line(line).await;
    }
    let (mut peer, _) = node.joined().await;
    let say = hear(&mut peer).await;
    assert_eq!((say["type"].as_str(), say["text"].as_str()), (Some("say"), Some("/said")), "and nothing before it");
    tell_said(&mut peer, 2, &say).await;
    tell_reply(&mut peer, 3, 1, "so", "completed").await;
    chat.line("/quit").await;
    let (outcome, screen) = chat.running.await.unwrap();
    outcome.unwrap();
    let expected = format!("[not said: there is no command /hepl; /help lists them]\n[{}]\nso\n", conversation());
    assert!(screen.contains(&expected) && screen.contains("[/quit "), "{screen}");
}

#[tokio::test]
async fn a_drop_in_mid_reply_is_repaired_twice() {
    let (node, chat) = start().await;
    chat.line("hours?").await;
    let (mut peer, _) = node.joined().await;
    let first = hear(&mut peer).await;
    // Lost before it was acknowledged: it comes again, as the same message.
    drop(peer);
    let (mut peer, after) = node.joined().await;
    assert_eq!(after, json!(0));
    let again = hear(&mut peer).await;
    assert_eq!(again, first);
    tell_said(&mut peer, 2, &again).await;
    tell_delta(&mut peer, 1, 0, "from nine ").await;
    tell(&mut peer, json!({"type":"going_away","retry_after_ms":1})).await;
    let code = schema::wire::Close::GOING_AWAY.code.into();
    peer.close(Some(CloseFrame { code, reason: "bye".into() })).await.unwrap();
    let (mut peer, after) = node.joined().await;
    assert_eq!(after, json!("2:1:10"), "in mid-reply");
    tell_delta(&mut peer, 1, 5, "nine to five").await;
    tell_reply(&mut peer, 3, 1, "from nine to five", "completed").await;
    let (outcome, screen) = chat.end().await;
    outcome.unwrap();
    let lost = "[the connection is lost; coming back]\n";
    assert_eq!(screen, format!("{lost}from nine \n{lost}to five\n  [1] faq.md › Hours\n"));
}

#[tokio::test]
async fn an_interrupt_stops_the_reply_and_a_second_one_the_chat() {
    let (node, chat) = start().await;
    chat.line("hours?").await;
    let (mut peer, _) = node.joined().await;
    let say = hear(&mut peer).await;
    tell_said(&mut peer, 2, &say).await;
    tell_delta(&mut peer, 4, 0, "from").await;
    tell(&mut peer, json!({"type":"reply","ref":"not-ours","ok":{}})).await;
    // The cancel says which turn, so the delta must have been read before the press.
    let ping = Message::Ping(b"read?".as_slice().into());
    peer.send(ping).await.unwrap();
    while !peer.next().await.unwrap().unwrap().is_pong() {}
    chat.presses.send(()).await.unwrap();
    let cancel = hear(&mut peer).await;
    assert_eq!((cancel["type"].as_str(), cancel["turn"].as_u64()), (Some("cancel"), Some(4)));
    tell_reply(&mut peer, 3, 4, "from", "cancelled").await;
    chat.line("more?").await;
    hear(&mut peer).await;
    chat.presses.send(()).await.unwrap();
    assert_eq!(hear(&mut peer).await["type"], "cancel");
    chat.presses.send(()).await.unwrap();
    let (outcome, screen) = chat.running.await.unwrap();
    outcome.unwrap();
    assert_eq!(screen, "from\n[cancelled]\n  [1] faq.md › Hours\n");
}

#[tokio::test]
async fn what_is_final_is_not_tried_again() {
    let (node, chat) = start().await;
    let (mut peer, _) = node.joined().await;
    let close = schema::wire::Close::TENANT_DISABLED;
    peer.close(Some(CloseFrame { code: close.code.into(), reason: close.reason.into() })).await.unwrap();
    let (outcome, _) = chat.running.await.unwrap();
    assert_eq!(outcome.unwrap_err().to_string(), "the node closed the conversation: tenant disabled (4504)");
}

#[tokio::test]
async fn a_broken_reply_makes_the_exit_code() {
    let (node, chat) = start().await;
    chat.line("hours?").await;
    let (mut peer, _) = node.joined().await;
    let say = hear(&mut peer).await;
    tell_said(&mut peer, 2, &say).await;
    tell_reply(&mut peer, 3, 1, "from ni", "incomplete").await;
    let (outcome, screen) = chat.end().await;
    assert_eq!(outcome.unwrap_err().exit_code(), 1);
    assert!(screen.starts_with("from ni\n[incomplete]\n"), "{screen}");
}
