//! The floor of a streamed reply: the same stub, streams and rate, read straight from the stub.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::streams::{Pace, Window, summed};
use crate::clock;
use crate::http::{Dechunker, read_head};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::view::Words;

/// A model's stream, read event by event.
#[derive(Debug)]
pub struct Upstream {
    stream: TcpStream,
    dechunker: Dechunker,
    body: Vec<u8>,
    read: BytesMut,
    ended: bool,
}

/// What one read brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// The words, joined.
    pub text: String,
    /// Whether the terminal mark was among them.
    pub done: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Content<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(default, borrow)]
    content: Option<Words<'a>>,
}

impl Upstream {
    /// Asks the model server at `address` for `plan`.
    ///
    /// # Errors
    /// The connection fails or the answer is not 200.
    pub async fn ask(address: SocketAddr, plan: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let body = serde_json::to_string(&serde_json::json!({
            "model": "stub", "stream": true, "stream_options": { "include_usage": true },
            "messages": [{ "role": "user", "content": plan }],
        }))?;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut read = BytesMut::with_capacity(16 * 1024);
        let head = read_head(&mut stream, &mut read).await?.context("no answer")?;
        if head.status()? != 200 {
            bail!("the model server answered {}", head.first);
        }
        let (mut dechunker, mut body) = (Dechunker::default(), Vec::new());
        let ended = dechunker.feed(&read, &mut body)?;
        read.clear();
        Ok(Self { stream, dechunker, body, read, ended })
    }

    /// Waits for more, and gives it with the time it was read.
    ///
    /// # Errors
    /// The stream breaks off or is not what the dialect says.
    pub async fn next(&mut self) -> Result<(Events, u64)> {
        let mut at = clock::now();
        if self.body.is_empty() || !complete(&self.body) {
            if self.ended || self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the stream ended without its terminal mark");
            }
            at = clock::now();
            self.ended = self.dechunker.feed(&self.read, &mut self.body)?;
            self.read.clear();
        }
        Ok((events(&mut self.body)?, at))
    }
}

fn complete(body: &[u8]) -> bool {
    body.windows(2).any(|two| two == b"\n\n")
}

/// Takes all complete events off the front of `body`.
fn events(body: &mut Vec<u8>) -> Result<Events> {
    let Some(end) = body.windows(2).rposition(|two| two == b"\n\n") else { return Ok(Events::default()) };
    let mut found = Events::default();
    for event in std::str::from_utf8(&body[..end])?.split("\n\n") {
        let data = event.strip_prefix("data: ").context("an event that is none of ours")?;
        if data == "[DONE]" {
            found.done = true;
            continue;
        }
        let chunk: Chunk<'_> = serde_json::from_str(data)?;
        chunk.choices.iter().filter_map(|choice| choice.delta.content.as_ref()).for_each(|words| {
            found.text.push_str(&words.0);
        });
    }
    body.drain(..end + 2);
    Ok(found)
}

/// One window straight from the stub.
///
/// # Errors
/// Only for faults of this program; what goes wrong with a stream is in the window and the list.
pub async fn window(stub: SocketAddr, pace: Pace) -> Result<(Window, Vec<String>)> {
    let start_ns = pace.start();
    let patience = pace.patience(start_ns);
    let mut tasks = JoinSet::new();
    for nth in 0..pace.streams {
        let plan = pace.plan(nth, start_ns);
        tasks.spawn(async move {
            let mut ledger = Ledger::with_room(plan.tokens as usize);
            let outcome = tokio::time::timeout(patience, read(stub, plan, &mut ledger)).await;
            (ledger, outcome.unwrap_or_else(|_| bail!("stream {nth} did not end within {patience:?}")))
        });
    }
    let (mut ledgers, mut faults) = (Vec::with_capacity(pace.streams), Vec::new());
    while let Some(task) = tasks.join_next().await {
        let (ledger, outcome) = task?;
        ledgers.push((ledger, outcome.is_ok()));
        faults.extend(outcome.err().map(|error| format!("direct: {error:#}")));
    }
    let window = summed(&ledgers, pace, start_ns, clock::now())?;
    faults.extend(window.account.fault().map(|fault| format!("direct: {fault}")));
    Ok((window, faults))
}

async fn read(stub: SocketAddr, plan: Plan, ledger: &mut Ledger) -> Result<()> {
    let mut upstream = Upstream::ask(stub, &plan.to_string()).await?;
    let mut chars = 0;
    loop {
        let (events, at) = upstream.next().await?;
        if !events.text.is_empty() {
            ledger.piece(chars, events.text.as_bytes(), at);
            chars += events.text.len();
        }
        if events.done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_whole_and_the_rest_waits() {
        let content = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
        let mut body = (content("ab") + &content("c") + "data: {\"choi").into_bytes();
        assert_eq!(events(&mut body).unwrap(), Events { text: "abc".into(), done: false });
        assert_eq!(body, b"data: {\"choi");
        body = b"data: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n".to_vec();
        assert_eq!(events(&mut body).unwrap(), Events { text: String::new(), done: true });
        assert!(events(&mut b"event: x\n\n".to_vec()).is_err());
        assert!(events(&mut b"data: {\n\n".to_vec()).is_err());
    }
}
