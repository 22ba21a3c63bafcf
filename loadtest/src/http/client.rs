//! A plain HTTP client for setting scenes up and reading results: one request at a time on one
//! kept-alive connection. Invariant: nothing is sent twice.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Body, Dechunker, HttpError, read_head};

const TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that rested longer may be about to be closed by the server, so it is not used.
const REST_MAX_NS: u64 = 2 * crate::clock::SECOND;

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    key: String,
    kept: Option<(TcpStream, u64)>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client that shows `key` with every request.
    #[must_use]
    pub fn new(server: SocketAddr, key: &str) -> Self {
        Self { server, key: key.to_owned(), kept: None }
    }

    /// Sends one request, with `body` as JSON, and reads the answer.
    ///
    /// # Errors
    /// The connection fails, the answer is not HTTP, or takes more than 30 seconds.
    pub async fn ask(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Answer, HttpError> {
        let late = |_| HttpError::Io(std::io::ErrorKind::TimedOut.into());
        tokio::time::timeout(TIMEOUT, self.exchange(method, path, body)).await.map_err(late)?
    }

    async fn exchange(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Answer, HttpError> {
        let mut stream = match self.kept.take() {
            Some((stream, since)) if crate::clock::now() - since < REST_MAX_NS => stream,
            _ => {
                let stream = TcpStream::connect(self.server).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let body = body.unwrap_or_default();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n",
            self.server,
            self.key,
            body.len()
        );
        if !body.is_empty() {
            request.push_str("content-type: application/json\r\n");
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request).await?;

        let mut buffer = BytesMut::with_capacity(4096);
        let head = read_head(&mut stream, &mut buffer).await?.ok_or(HttpError::Closed)?;
        let answer = read_body(&mut stream, buffer, head.body()).await?;
        let closes = head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes && head.body() != Body::UntilClose {
            self.kept = Some((stream, crate::clock::now()));
        }
        Ok(Answer { status: head.status()?, body: answer })
    }
}

async fn read_body(stream: &mut TcpStream, mut buffer: BytesMut, body: Body) -> Result<Vec<u8>, HttpError> {
    let (mut out, mut dechunker) = (Vec::new(), Dechunker::default());
    loop {
        let done = match body {
            Body::Chunked => dechunker.feed(&buffer, &mut out)?,
            Body::Sized(size) => {
                out.extend_from_slice(&buffer);
                out.len() >= size
            }
            Body::UntilClose => {
                out.extend_from_slice(&buffer);
                false
            }
        };
        buffer.clear();
        if done {
            return Ok(out);
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return if body == Body::UntilClose { Ok(out) } else { Err(HttpError::Closed) };
        }
    }
}
