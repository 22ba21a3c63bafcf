//! One open web socket to the node: queue, flush, read, take. Every method may be dropped while
//! it waits without losing or doubling a byte.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Decoder, FrameError, Opcode, Role, encode};
use crate::http::{HttpError, read_head};

/// The key this client always sends; it only guards against caches, and none is here.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer RFC 6455 gives for it.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// How a socket is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Where the node listens.
    pub server: SocketAddr,
    /// The API key.
    pub key: &'a str,
    /// The address to come from; left out, the system chooses.
    pub source: Option<IpAddr>,
    /// Bytes the kernel may keep for a reader that does not read; left out, the system's own.
    pub receive_buffer: Option<u32>,
}

/// An open socket.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    decoder: Decoder,
    /// Pieces of a message that is not complete.
    pieces: Option<BytesMut>,
    out: BytesMut,
    scratch: Vec<u8>,
    mask: u32,
    read_at: u64,
    read_size: usize,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text or binary message.
    Message(BytesMut),
    /// The server ends the connection, with this code.
    Close(Option<u16>),
}

/// Why a socket is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The connection failed.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The server does not speak HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server did not open a web socket.
    #[error("the server refused the web socket: {0}")]
    Refused(String),
    /// The server broke RFC 6455.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection ended without a close frame.
    #[error("the server cut the connection")]
    Cut,
}

impl Link {
    /// Connects and upgrades.
    ///
    /// # Errors
    /// See [`LinkError`]; also when it takes more than 30 seconds.
    pub async fn open(opening: Opening<'_>) -> Result<Self, LinkError> {
        let late = |_| LinkError::Io(std::io::ErrorKind::TimedOut.into());
        tokio::time::timeout(OPEN_TIMEOUT, Self::upgrade(opening)).await.map_err(late)?
    }

    async fn upgrade(opening: Opening<'_>) -> Result<Self, LinkError> {
        let socket = if opening.server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = opening.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        if let Some(bytes) = opening.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let mut stream = socket.connect(opening.server).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\nsec-websocket-protocol: {}\r\n\
             authorization: Bearer {}\r\n\r\n",
            opening.server,
            schema::wire::SUBPROTOCOL,
            opening.key
        );
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = BytesMut::with_capacity(1024);
        let head = read_head(&mut stream, &mut buffer).await?.ok_or(HttpError::Closed)?;
        if head.status()? != 101 {
            return Err(LinkError::Refused(head.first));
        }
        if head.field("sec-websocket-accept") != Some(ACCEPT) {
            return Err(LinkError::Refused("wrong sec-websocket-accept".into()));
        }
        if head.field("sec-websocket-protocol") != Some(schema::wire::SUBPROTOCOL) {
            return Err(LinkError::Refused("another subprotocol".into()));
        }
        let mask = u32::from(stream.local_addr()?.port()) << 16 | 0x5bd1;
        Ok(Self {
            stream,
            decoder: Decoder { buffer },
            pieces: None,
            out: BytesMut::new(),
            scratch: Vec::new(),
            mask,
            read_at: crate::clock::now(),
            read_size: 1024,
        })
    }

    /// Lets one read take up to this many bytes: large for hot sockets, small for idle ones.
    #[must_use]
    pub fn reading(mut self, bytes: usize) -> Self {
        self.read_size = bytes;
        self
    }

    /// Puts one text message in line to be sent.
    pub fn queue(&mut self, text: &[u8]) {
        self.queue_frame(Opcode::Text, text);
    }

    /// Puts a close frame in line.
    pub fn queue_close(&mut self) {
        self.queue_frame(Opcode::Close, &1000_u16.to_be_bytes());
    }

    /// Sends what is in line, all of it in as few writes as the kernel takes.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        while self.out.has_remaining() {
            if self.stream.write_buf(&mut self.out).await? == 0 {
                return Err(LinkError::Cut);
            }
        }
        Ok(())
    }

    /// What has come and was not taken yet. Pings are answered on the way.
    ///
    /// # Errors
    /// The server broke RFC 6455.
    pub fn take(&mut self) -> Result<Option<Incoming>, LinkError> {
        while let Some(frame) = self.decoder.take()? {
            match frame.opcode {
                Opcode::Ping => self.queue_frame(Opcode::Pong, &frame.payload),
                Opcode::Pong => {}
                Opcode::Close => {
                    let code = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return Ok(Some(Incoming::Close(code)));
                }
                Opcode::Text | Opcode::Binary if frame.last => return Ok(Some(Incoming::Message(frame.payload))),
                Opcode::Text | Opcode::Binary => self.pieces = Some(frame.payload),
                Opcode::Continuation => {
                    let pieces = self.pieces.get_or_insert_default();
                    pieces.extend_from_slice(&frame.payload);
                    if frame.last {
                        return Ok(self.pieces.take().map(Incoming::Message));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Sends what is in line, then waits for bytes and stamps them.
    ///
    /// # Errors
    /// The connection failed or was cut.
    pub async fn read(&mut self) -> Result<(), LinkError> {
        self.flush().await?;
        self.decoder.buffer.reserve(self.read_size);
        if self.stream.read_buf(&mut self.decoder.buffer).await? == 0 {
            return Err(LinkError::Cut);
        }
        self.read_at = crate::clock::now();
        Ok(())
    }

    /// The next thing that comes, with the time its last bytes were read.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn next(&mut self) -> Result<(Incoming, u64), LinkError> {
        loop {
            if let Some(incoming) = self.take()? {
                return Ok((incoming, self.read_at));
            }
            self.read().await?;
        }
    }

    fn queue_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        // xorshift: the server pays for unmasking real masks, and nobody here guesses them.
        self.mask ^= self.mask << 13;
        self.mask ^= self.mask >> 17;
        self.mask ^= self.mask << 5;
        self.scratch.clear();
        encode(Role::Client(self.mask.to_ne_bytes()), opcode, payload, &mut self.scratch);
        self.out.extend_from_slice(&self.scratch);
    }
}
