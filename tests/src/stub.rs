//! A model's server that does what the test says, word by word: it speaks the chat-completions
//! dialect, and each request waits for its next step. Nothing in it depends on time.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::net::SocketAddr;
use std::thread;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::PATIENCE;

/// The server. It lives as long as the process.
pub struct Stub {
    /// Where it listens.
    pub address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Call>,
}

/// One request that a node has sent.
pub struct Call {
    /// The model that was asked for.
    pub model: String,
    /// The whole request.
    pub body: Value,
    steps: mpsc::UnboundedSender<Step>,
    closed: watch::Receiver<bool>,
}

enum Step {
    Token(String),
    Finish,
    Cut,
    Refuse(u16),
}

impl Stub {
    /// Starts one on a thread of its own.
    ///
    /// # Panics
    /// When there is no port for it.
    #[must_use]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        listener.set_nonblocking(true).expect("a live socket");
        let (to_test, calls) = mpsc::unbounded_channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listening socket");
                while let Ok((connection, _)) = listener.accept().await {
                    #[allow(clippy::disallowed_methods, reason = "there is nothing to drain here")]
                    tokio::spawn(serve(connection, to_test.clone()));
                }
            });
        });
        Self { address, calls }
    }

    /// What `OPENAI_BASE_URL` has to be.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The next request.
    ///
    /// # Panics
    /// When none comes.
    pub async fn call(&mut self) -> Call {
        timeout(PATIENCE, self.calls.recv()).await.expect("the model is asked in time").expect("the stub runs")
    }

    /// Whether no request waits to be looked at.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.calls.is_empty()
    }
}

impl Call {
    /// Says a piece.
    pub fn token(&self, text: &str) {
        self.step(Step::Token(text.to_owned()));
    }

    /// Ends the reply well, with a count of tokens.
    pub fn finish(&self) {
        self.step(Step::Finish);
    }

    /// Ends the connection in mid-reply, without the terminal mark.
    pub fn cut(&self) {
        self.step(Step::Cut);
    }

    /// Answers with an error's status before anything was said.
    pub fn refuse(&self, status: u16) {
        self.step(Step::Refuse(status));
    }

    /// Waits until the node has closed the connection.
    ///
    /// # Panics
    /// When it does not.
    pub async fn closed(&mut self) {
        timeout(PATIENCE, self.closed.wait_for(|closed| *closed))
            .await
            .expect("closed in time")
            .expect("the stub runs");
    }

    /// What the contact has said, as the model reads it.
    #[must_use]
    pub fn asked(&self) -> String {
        let messages = self.body["messages"].as_array().expect("messages");
        let asked = messages.iter().filter(|message| message["role"] == "user");
        asked.filter_map(|message| message["content"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The whole of what the model reads.
    #[must_use]
    pub fn prompt(&self) -> String {
        self.body["messages"].to_string()
    }

    fn step(&self, step: Step) {
        // Refused when the node has closed the connection; the test sees that elsewhere.
        let _ = self.steps.send(step);
    }
}

async fn serve(mut connection: TcpStream, to_test: mpsc::UnboundedSender<Call>) {
    let Some(body) = read_request(&mut connection).await else { return };
    let (steps, mut todo) = mpsc::unbounded_channel();
    let (close, closed) = watch::channel(false);
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    if to_test.send(Call { model, body, steps, closed }).is_err() {
        return;
    }
    let mut begun = false;
    let mut rest = [0; 64];
    loop {
        let step = tokio::select! {
            step = todo.recv() => step,
            // The request was read whole: what can still come is the end.
            read = connection.read(&mut rest) => match read {
                Ok(0) | Err(_) => {
                    close.send_replace(true);
                    return;
                }
                Ok(_) => continue,
            },
        };
        let Some(step) = step else {
            // The test is over with this call; the node may still wait.
            todo = mpsc::unbounded_channel().1;
            std::future::pending::<()>().await;
            continue;
        };
        let mut out = Vec::new();
        if !begun && !matches!(step, Step::Refuse(_) | Step::Cut) {
            begun = true;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
            out.extend_from_slice(head.as_bytes());
            out.extend(chunk(
                &json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}).to_string(),
            ));
        }
        let over = match step {
            Step::Token(text) => {
                out.extend(chunk(&json!({"choices": [{"index": 0, "delta": {"content": text}}]}).to_string()));
                false
            }
            Step::Finish => {
                out.extend(chunk(
                    &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string(),
                ));
                let usage = json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18});
                out.extend(chunk(&json!({"choices": [], "usage": usage}).to_string()));
                out.extend(chunk("[DONE]"));
                out.extend_from_slice(b"0\r\n\r\n");
                true
            }
            Step::Cut => true,
            Step::Refuse(status) => {
                let body = json!({"error": {"message": "not now", "type": "stub"}}).to_string();
                let head = format!(
                    "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                out.extend_from_slice(head.as_bytes());
                true
            }
        };
        if connection.write_all(&out).await.is_err() {
            close.send_replace(true);
            return;
        }
        if over {
            let _ = connection.shutdown().await;
            return;
        }
    }
}

fn chunk(data: &str) -> Vec<u8> {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// The body of a request with a declared length; none when the connection ended before.
async fn read_request(connection: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut length = None;
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            assert!(head.starts_with("post /v1/chat/completions "), "{head}");
            let declared = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length = declared.and_then(|length| length.trim().parse::<usize>().ok()).map(|length| end + 4 + length);
            assert!(length.is_some(), "{head}");
        }
        if let Some(length) = length
            && bytes.len() >= length
        {
            let start = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
            return serde_json::from_slice(&bytes[start..length]).ok();
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
