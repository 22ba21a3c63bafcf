//! A web socket client that can send any bytes, right or wrong, and reports what comes back.
//! Invariant: it shares no code with the server, and never waits for ever.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use schema::wire::SUBPROTOCOL;

/// Longest wait for anything. Tests wait for facts; this only ends those that will fail.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// First bytes of frames: the final bit and the opcode.
pub mod first {
    pub const FIN: u8 = 0x80;
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 0x88;
    pub const PING: u8 = 0x89;
    pub const PONG: u8 = 0x8a;
}

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame with a minimal length.
#[must_use]
pub fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = head(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The head of a masked frame that declares a length.
#[must_use]
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => bytes.push(0x80 | short),
        (_, Ok(middle)) => {
            bytes.push(0x80 | 126);
            bytes.extend(middle.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// The payload of a close frame.
#[must_use]
pub fn close_payload(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_ref()].concat()
}

/// What came from the server.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame, with its code.
    Close(Option<u16>),
    /// A frame no server may send: fragmented, masked, reserved or oversized.
    Wrong(String),
    /// The server ended TCP, orderly.
    Eof,
    /// The connection was reset.
    Reset,
    /// Nothing came in time.
    Nothing,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut long = |name: &str, bytes: &[u8]| {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
            write!(f, "{name}({} bytes: {start:?})", bytes.len())
        };
        match self {
            Self::Text(text) => long("Text", text.as_bytes()),
            Self::Binary(bytes) => long("Binary", bytes),
            Self::Ping(bytes) => long("Ping", bytes),
            Self::Pong(bytes) => long("Pong", bytes),
            Self::Close(code) => write!(f, "Close({code:?})"),
            Self::Wrong(why) => write!(f, "Wrong({why})"),
            Self::Eof => f.write_str("Eof"),
            Self::Reset => f.write_str("Reset"),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}

/// The server's answer to an opening handshake.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// One connection.
pub struct RawSocket {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl RawSocket {
    /// A socket whose handshake went well.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn open(address: SocketAddr) -> Self {
        let (answer, socket) = Self::ask(address, "GET", &REQUEST.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer:?}");
        socket
    }

    /// Sends a handshake of one's own making.
    ///
    /// # Panics
    /// When the server cannot be reached or does not speak HTTP.
    #[must_use]
    pub fn ask(address: SocketAddr, method: &str, headers: &[(&str, String)]) -> (Answer, Self) {
        Self::ask_at("/", address, method, headers)
    }

    /// A node's socket, with a key. The handshake went well.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn open_node(address: SocketAddr, key: &str) -> Self {
        let more = [("authorization", format!("Bearer {key}")), ("sec-websocket-protocol", SUBPROTOCOL.to_owned())];
        let headers: Vec<(&str, String)> =
            REQUEST.map(|(name, value)| (name, value.to_owned())).into_iter().chain(more).collect();
        let (answer, socket) = Self::ask_at("/v1/ws", address, "GET", &headers);
        assert_eq!(answer.status, 101, "{answer:?}");
        socket
    }

    /// A node's socket of somebody who has not said who they are.
    ///
    /// # Panics
    /// When the handshake did not go well.
    #[must_use]
    pub fn open_stranger(address: SocketAddr) -> Self {
        let more = [("sec-websocket-protocol", SUBPROTOCOL.to_owned())];
        let headers: Vec<(&str, String)> =
            REQUEST.map(|(name, value)| (name, value.to_owned())).into_iter().chain(more).collect();
        let (answer, socket) = Self::ask_at("/v1/ws", address, "GET", &headers);
        assert_eq!(answer.status, 101, "{answer:?}");
        socket
    }

    fn ask_at(path: &str, address: SocketAddr, method: &str, headers: &[(&str, String)]) -> (Answer, Self) {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a live socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a live socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a live socket");
        let mut socket = Self { stream, unread: Vec::new() };
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        socket.write(format!("{method} {path} HTTP/1.1\r\n{headers}\r\n"));

        let end = loop {
            if let Some(end) = socket.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert_eq!(socket.read_more(), None, "an answer to the handshake");
        };
        let text = String::from_utf8_lossy(&socket.unread[..end]).into_owned();
        socket.unread.drain(..end + 4);
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
        let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        (Answer { status, headers: lines.filter_map(pair).collect() }, socket)
    }

    /// Sends bytes as they are. A server that has ended the connection meanwhile is no failure
    /// here: reading tells.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The connection itself, to write from a thread beside the reader.
    ///
    /// # Panics
    /// When descriptors have run out.
    #[must_use]
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// Ends our direction of TCP.
    pub fn shut_down(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next frame, or how the connection ended.
    pub fn read(&mut self) -> Seen {
        loop {
            if let Some((seen, taken)) = parse(&self.unread) {
                self.unread.drain(..taken);
                return seen;
            }
            if let Some(end) = self.read_more() {
                return end;
            }
        }
    }

    /// Everything up to the end of the connection; a close is answered.
    pub fn read_to_end(&mut self) -> Vec<Seen> {
        let mut all = Vec::new();
        loop {
            let seen = self.read();
            if let Seen::Close(code) = seen {
                let payload = code.map(|code| close_payload(code, "")).unwrap_or_default();
                self.write(frame(first::CLOSE, payload));
            }
            let over = matches!(seen, Seen::Eof | Seen::Reset | Seen::Nothing);
            all.push(seen);
            if over {
                return all;
            }
        }
    }

    fn read_more(&mut self) -> Option<Seen> {
        let mut bytes = [0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => Some(Seen::Eof),
            Ok(count) => {
                self.unread.extend_from_slice(&bytes[..count]);
                None
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Some(Seen::Nothing),
            Err(_) => Some(Seen::Reset),
        }
    }
}

/// The headers of a right handshake; the key is the one of the standard's example.
pub const REQUEST: [(&str, &str); 5] = [
    ("Host", "localhost"),
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "WebSocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// The first whole frame, and its length.
fn parse(bytes: &[u8]) -> Option<(Seen, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second & 0x7f {
        126 => rest.split_first_chunk().map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest))?,
        127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
        short => (u64::from(short), rest),
    };
    let payload = rest.get(..usize::try_from(length).ok()?)?.to_vec();
    let taken = bytes.len() - rest.len() + payload.len();
    let control = first & 8 != 0;
    let seen = match (first, payload) {
        _ if second & 0x80 != 0 => Seen::Wrong("masked".to_owned()),
        (_, payload) if control && payload.len() > 125 => Seen::Wrong("a long control frame".to_owned()),
        (0x81, payload) => String::from_utf8(payload).map_or(Seen::Wrong("not UTF-8".to_owned()), Seen::Text),
        (0x82, payload) => Seen::Binary(payload),
        (first::PING, payload) => Seen::Ping(payload),
        (first::PONG, payload) => Seen::Pong(payload),
        (first::CLOSE, payload) => match payload[..] {
            [] => Seen::Close(None),
            [high, low, ..] => Seen::Close(Some(u16::from_be_bytes([high, low]))),
            [_] => Seen::Wrong("a close of one byte".to_owned()),
        },
        (other, _) => Seen::Wrong(format!("first byte {other:#x}")),
    };
    Some((seen, taken))
}
