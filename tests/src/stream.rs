//! A reader of server-sent events, from the bytes on.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::collections::VecDeque;

use reqwest::RequestBuilder;
use schema::wire::Delta;
use schema::{Event, Fact, Reply, Seq, Turn};
use serde_json::Value;
use tokio::time::timeout;

use crate::PATIENCE;

/// An open stream.
pub struct Stream {
    response: reqwest::Response,
    unread: Vec<u8>,
    waiting: VecDeque<Sent>,
    /// The position of what was read last.
    pub last_id: String,
    /// When to come back, as it was said last, in milliseconds.
    pub retry_ms: Option<u64>,
}

/// One event of the stream.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The position, when it has one.
    pub id: Option<String>,
    /// What it says.
    pub data: Value,
}

impl Sent {
    /// A durable event.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        serde_json::from_value(self.data.clone()).ok()
    }

    /// A piece of a reply.
    #[must_use]
    pub fn delta(&self) -> Option<Delta> {
        (self.data["type"] == "delta").then(|| serde_json::from_value(self.data.clone()).expect("a delta"))
    }
}

impl Stream {
    /// Opens it.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open(request: RequestBuilder) -> Self {
        let response = timeout(PATIENCE, request.send()).await.expect("in time").expect("an answer");
        if response.status() != 200 {
            panic!("{} {}", response.status(), response.text().await.unwrap_or_default());
        }
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        assert_eq!(kind, "text/event-stream");
        Self { response, unread: Vec::new(), waiting: VecDeque::new(), last_id: String::new(), retry_ms: None }
    }

    /// The next event; none when the stream has ended.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.waiting.pop_front() {
                if let Some(id) = &sent.id {
                    self.last_id.clone_from(id);
                }
                return Some(sent);
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("the stream says something in time");
            // A node that was killed cuts the stream: for its reader that is an end like another. One that ends it
            // leaves nothing half said.
            let chunk = chunk.ok()?;
            if chunk.is_none() {
                let rest = String::from_utf8_lossy(&self.unread);
                assert!(rest.is_empty(), "the stream ended in the middle of a block: {rest}");
            }
            let chunk = chunk?;
            self.unread.extend_from_slice(&chunk);
            while let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.unread.drain(..end + 2).collect();
                let block = std::str::from_utf8(&block).expect("UTF-8");
                let retry = block.lines().filter_map(|line| line.strip_prefix("retry: ")).next_back();
                if let Some(retry) = retry {
                    self.retry_ms = Some(retry.parse().expect("milliseconds"));
                }
                self.waiting.extend(parse(block));
            }
        }
    }

    /// Reads until something is found.
    ///
    /// # Panics
    /// When the stream ends before.
    pub async fn find<T>(&mut self, mut found: impl FnMut(&Sent) -> Option<T>) -> T {
        loop {
            let sent = self.next().await.expect("the stream goes on");
            if let Some(found) = found(&sent) {
                return found;
            }
        }
    }

    /// Reads until the reply to a message has ended.
    pub async fn reply_to(&mut self, asked: Seq) -> Event {
        self.find(|sent| sent.event().filter(|event| reply_of(event).is_some_and(|reply| reply.answers >= asked))).await
    }

    /// Reads until a turn has ended; appends its deltas to `text`, to which they must fit exactly.
    pub async fn turn(&mut self, turn: Turn, text: &mut String) -> Event {
        self.find(|sent| {
            if let Some(delta) = sent.delta().filter(|delta| delta.turn == turn) {
                append(&delta, text);
            }
            sent.event().filter(|event| reply_of(event).is_some_and(|reply| reply.turn == turn))
        })
        .await
    }
}

/// Puts a delta behind a text.
///
/// # Panics
/// When it does not begin where the text ends.
pub fn append(delta: &Delta, text: &mut String) {
    assert_eq!(delta.offset, text.chars().count(), "a delta begins where the last one ended");
    text.push_str(delta.text.as_str());
}

/// What an event says of the turn it ends.
#[must_use]
pub fn reply_of(event: &Event) -> Option<&Reply> {
    match &event.fact {
        Fact::Message { reply, .. } => reply.as_deref(),
        _ => None,
    }
}

/// What was said; empty when the event says nothing.
#[must_use]
pub fn text_of(event: &Event) -> &str {
    match &event.fact {
        Fact::Message { text, .. } => text.as_str(),
        _ => "",
    }
}

/// One block between empty lines; comments and retry times are no events.
fn parse(block: &str) -> Option<Sent> {
    let (mut id, mut data) = (None, String::new());
    for line in block.lines() {
        if let Some(rest) = line.strip_prefix("id: ") {
            id = Some(rest.to_owned());
        } else if let Some(rest) = line.strip_prefix("data: ") {
            data.push_str(rest);
        } else {
            assert!(line.is_empty() || line.starts_with(':') || line.starts_with("retry: "), "{line}");
        }
    }
    (!data.is_empty()).then(|| Sent { id, data: serde_json::from_str(&data).expect("JSON") })
}
