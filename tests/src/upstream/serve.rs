//! HTTP/1.1 by hand, because the faults are below what a server library lets one do.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Recorded, Script, State, Step, lock};

const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Serves until it is aborted; its connections go with it.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        state.accepted.send_modify(|count| *count += 1);
        let open = Counted::new(&state, |state| &state.open);
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let _open = open;
            // A client that goes away in mid-answer is what many tests are about.
            let _ = connection(socket, &state).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// One more while it lives.
struct Counted {
    state: Arc<State>,
    count: fn(&State) -> &watch::Sender<usize>,
}

impl Counted {
    fn new(state: &Arc<State>, count: fn(&State) -> &watch::Sender<usize>) -> Self {
        count(state).send_modify(|count| *count += 1);
        Self { state: Arc::clone(state), count }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.count)(&self.state).send_modify(|count| *count -= 1);
    }
}

async fn connection(socket: TcpStream, state: &Arc<State>) -> Result<()> {
    socket.set_nodelay(true)?;
    let (read, mut write) = socket.into_split();
    let mut read = BufReader::new(read);
    while let Some(request) = request(&mut read).await? {
        let _replying = Counted::new(state, |state| &state.replying);
        let script = script_for(state, request);
        let again = tokio::select! {
            done = answer(&script, &mut write) => done?,
            // Nothing may come while we answer but the end of the connection.
            _ = read.fill_buf() => Again::No,
        };
        match again {
            Again::Yes => {}
            Again::No => break,
            Again::Reset => {
                let socket = read.into_inner().reunite(write).context("both halves are of one socket")?;
                socket.set_zero_linger()?;
                return Ok(());
            }
        }
    }
    Ok(())
}

fn script_for(state: &State, request: Recorded) -> Script {
    if let Some(path) = request.line.strip_prefix("GET ") {
        let page = lock(&state.pages).get(path).map(|page| Script::status(200, page));
        lock(&state.read).push(request);
        return page.unwrap_or_else(|| Script::status(404, "{}"));
    }
    let script = lock(&state.scripts).pop_front();
    let script = script.or_else(|| lock(&state.answerer).as_ref().map(|answer| answer(&request)));
    lock(&state.requests).push(request);
    script.unwrap_or_else(|| Script::status(500, r#"{"error":{"type":"no_script"}}"#))
}

/// What becomes of a connection after an answer.
enum Again {
    Yes,
    No,
    Reset,
}

async fn answer(script: &Script, write: &mut OwnedWriteHalf) -> Result<Again> {
    if script.status != 0 {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", script.status);
        for (name, value) in &script.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(if script.until_close {
            "connection: close\r\n\r\n"
        } else {
            "transfer-encoding: chunked\r\n\r\n"
        });
        write.write_all(head.as_bytes()).await?;
    }
    for step in &script.steps {
        match step {
            Step::Send(text) => send(script, text, write).await?,
            Step::Gap(gap) => tokio::time::sleep(*gap).await,
            Step::Stall => std::future::pending().await,
            Step::End => break,
            Step::Cut => return Ok(Again::Reset),
        }
    }
    if script.until_close {
        return Ok(Again::No);
    }
    write.write_all(b"0\r\n\r\n").await?;
    Ok(Again::Yes)
}

async fn send(script: &Script, text: &str, write: &mut OwnedWriteHalf) -> Result<()> {
    let size = if script.byte_by_byte { 1 } else { text.len().max(1) };
    for piece in text.as_bytes().chunks(size) {
        if script.until_close {
            write.write_all(piece).await?;
            continue;
        }
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        write.write_all(&chunk).await?;
    }
    Ok(())
}

/// The next request of a connection, or none when the client has closed it.
async fn request(read: &mut BufReader<OwnedReadHalf>) -> Result<Option<Recorded>> {
    let mut line = String::new();
    if read.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    let mut length = 0;
    loop {
        let mut header = String::new();
        read.read_line(&mut header).await?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        if name == "content-length" {
            length = value.parse().context("a length is a number")?;
        }
        headers.push((name, value));
    }
    ensure!(length <= BODY_BYTES_MAX, "a request is too large");
    let mut body = vec![0; length];
    read.read_exact(&mut body).await?;
    Ok(Some(Recorded { line, headers, body: String::from_utf8(body)? }))
}
