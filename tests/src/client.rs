//! A client of the web socket. It keeps every frame it has seen, and waits for facts: which frame
//! comes before which does not matter unless a test says so.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use schema::wire::{Delta, ErrorFace, SUBPROTOCOL, ServerFrame};
use schema::{ConversationId, Event, Seq, Turn};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::PATIENCE;
use crate::stream::{append, reply_of};

/// How somebody knocks.
#[derive(Clone, Copy, Default)]
pub struct Knock<'a> {
    /// The `Authorization` header's key or token.
    pub key: Option<&'a str>,
    /// A token as a subprotocol, as browsers send it.
    pub token: Option<&'a str>,
    /// The page's origin.
    pub origin: Option<&'a str>,
}

/// An open socket.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Every frame so far.
    pub seen: Vec<ServerFrame>,
    closed: Option<(u16, String)>,
    refs: u32,
}

impl Socket {
    /// Opens one with a key or token.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open(address: SocketAddr, key: &str) -> Self {
        let knock = Knock { key: Some(key), ..Knock::default() };
        Self::knock(address, knock).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// Opens one, or tells status and body of the refusal.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn knock(address: SocketAddr, knock: Knock<'_>) -> Result<Self, (u16, Value)> {
        let mut request = format!("ws://{address}/v1/ws").into_client_request().expect("a request");
        let headers = request.headers_mut();
        let value = |text: &str| HeaderValue::from_str(text).expect("a header's value");
        let protocols = match knock.token {
            Some(token) => format!("{SUBPROTOCOL}, bearer.{token}"),
            None => SUBPROTOCOL.to_owned(),
        };
        headers.insert("sec-websocket-protocol", value(&protocols));
        if let Some(key) = knock.key {
            headers.insert("authorization", value(&format!("Bearer {key}")));
        }
        if let Some(origin) = knock.origin {
            headers.insert("origin", value(origin));
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("an answer in time") {
            Ok((stream, response)) => {
                assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
                Ok(Self { stream, seen: Vec::new(), closed: None, refs: 0 })
            }
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body = serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)));
                Err((response.status().as_u16(), body))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends any message.
    ///
    /// # Panics
    /// When the socket is closed.
    pub async fn send_message(&mut self, message: Message) {
        self.stream.send(message).await.expect("an open socket");
    }

    /// Sends a frame as it is.
    pub async fn send(&mut self, frame: Value) {
        self.send_message(Message::text(frame.to_string())).await;
    }

    /// Sends a frame with a ref of its own and waits for its reply.
    ///
    /// # Errors
    /// The refusal.
    pub async fn call(&mut self, mut frame: Value) -> Result<Value, ErrorFace> {
        self.refs += 1;
        let r#ref = format!("auto-{}", self.refs);
        frame["ref"] = json!(r#ref);
        self.send(frame).await;
        self.replied(&r#ref).await
    }

    /// Joins a conversation from a position on; gives its head.
    pub async fn join(&mut self, id: ConversationId, after: impl Into<Value>) -> Seq {
        let joined = self.call(json!({"type": "join", "conversation": id, "after": after.into()})).await;
        let joined = joined.expect("it may be joined");
        assert_eq!(joined["conversation"], json!(id));
        joined["head"].as_u64().expect("a head")
    }

    /// Opens a new conversation and joins it.
    pub async fn join_new(&mut self) -> ConversationId {
        let joined = self.call(json!({"type": "join"})).await.expect("it may be opened");
        serde_json::from_value(joined["conversation"].clone()).expect("an id")
    }

    /// Says something; gives its number once it is durable.
    ///
    /// # Errors
    /// The refusal.
    pub async fn try_say(&mut self, id: ConversationId, r#ref: &str, text: &str) -> Result<Seq, ErrorFace> {
        self.send(json!({"type": "say", "ref": r#ref, "conversation": id, "text": text})).await;
        self.replied(r#ref).await.map(|ok| ok["seq"].as_u64().expect("a number"))
    }

    /// Says something that is taken.
    pub async fn say(&mut self, id: ConversationId, r#ref: &str, text: &str) -> Seq {
        self.try_say(id, r#ref, text).await.expect("it is taken")
    }

    /// The reply to the newest frame with a ref. A reply is taken once.
    ///
    /// # Errors
    /// The refusal.
    pub async fn replied(&mut self, wanted: &str) -> Result<Value, ErrorFace> {
        let is_it = |frame: &ServerFrame| matches!(frame, ServerFrame::Reply { r#ref, .. } if r#ref.as_str() == wanted);
        loop {
            if let Some(index) = self.seen.iter().position(is_it) {
                let ServerFrame::Reply { ok, error, .. } = self.seen.remove(index) else { continue };
                return match (ok, error) {
                    (Some(ok), None) => Ok(ok),
                    (None, Some(error)) => Err(error),
                    both => panic!("a reply is one of both: {both:?}"),
                };
            }
            self.read().await;
        }
    }

    /// Waits until a frame is there, or finds it among those that came.
    pub async fn sees<T>(&mut self, found: impl Fn(&ServerFrame) -> Option<T>) -> T {
        loop {
            if let Some(found) = self.seen.iter().find_map(&found) {
                return found;
            }
            self.read().await;
        }
    }

    /// Waits for an event of a conversation.
    pub async fn event(&mut self, id: ConversationId, is_it: impl Fn(&Event) -> bool) -> Event {
        self.sees(|frame| match frame {
            ServerFrame::Event { conversation, event } if *conversation == id && is_it(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the reply to a message.
    pub async fn reply_to(&mut self, id: ConversationId, asked: Seq) -> Event {
        self.event(id, |event| reply_of(event).is_some_and(|reply| reply.answers >= asked)).await
    }

    /// Waits until a turn has come as far as `to`, in deltas that fit each other from `from` on, both
    /// in characters; gives what they say.
    pub async fn hears(&mut self, id: ConversationId, turn: Turn, from: usize, to: usize) -> String {
        loop {
            let said = self.said(id, turn, from);
            if from + said.chars().count() >= to {
                return said;
            }
            self.read().await;
        }
    }

    /// What the deltas of a turn say, from an offset on.
    #[must_use]
    pub fn said(&self, id: ConversationId, turn: Turn, from: usize) -> String {
        let mut text = "?".repeat(from);
        self.deltas(id, turn).for_each(|delta| append(delta, &mut text));
        text.split_off(from)
    }

    /// The deltas of a turn so far.
    pub fn deltas(&self, id: ConversationId, turn: Turn) -> impl Iterator<Item = &Delta> {
        self.seen.iter().filter_map(move |frame| match frame {
            ServerFrame::Delta(delta) if delta.conversation == id && delta.turn == turn => Some(delta),
            _ => None,
        })
    }

    /// The events of a conversation so far.
    pub fn events(&self, id: ConversationId) -> impl Iterator<Item = &Event> {
        self.seen.iter().filter_map(move |frame| match frame {
            ServerFrame::Event { conversation, event } if *conversation == id => Some(event),
            _ => None,
        })
    }

    /// Waits until the node closes the socket; gives code and reason.
    ///
    /// # Panics
    /// When it does not, or not orderly.
    pub async fn closed(&mut self) -> (u16, String) {
        while self.closed.is_none() {
            self.read_some().await;
        }
        self.closed.clone().expect("it is closed")
    }

    /// Reads one more frame of the protocol.
    async fn read(&mut self) {
        if let Some((code, reason)) = &self.closed {
            panic!("the socket was closed with {code} {reason}; it had seen {:#?}", self.seen);
        }
        self.read_some().await;
    }

    async fn read_some(&mut self) {
        // Pings are no sign that what is waited for will come.
        let message = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    message => break message,
                }
            }
        };
        match timeout(PATIENCE, message).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                let frame = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                self.seen.push(frame);
            }
            Ok(Some(Ok(Message::Close(frame)))) => {
                let none = (1005, String::new());
                self.closed = Some(frame.map_or(none, |frame| (frame.code.into(), frame.reason.to_string())));
            }
            Ok(other) => panic!("the socket was cut, or sent what no server sends: {other:?}"),
            Err(_) => panic!("nothing more comes; it had seen {:#?}", self.seen),
        }
    }
}
