//! A connection that can send any bytes as HTTP, from any address of this machine, at any pace.
//! Invariant: it shares no code with the server, and never waits for ever.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::PATIENCE;

/// Where attackers come from; honest clients come from 127.0.0.1.
pub const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How often a client that drips looks whether it has been ended.
const DRIP_EVERY: Duration = Duration::from_millis(20);

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The head, from the status line to the empty line.
    pub head: String,
    /// The body, by its `content-length`.
    pub body: String,
}

impl RawAnswer {
    /// A header's value; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }
}

/// One connection.
pub struct RawHttp {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl RawHttp {
    /// Opens one from `source` of this machine.
    ///
    /// # Panics
    /// When the kernel refuses; a server that turns it away does so later.
    #[must_use]
    pub fn open(source: Ipv4Addr, to: SocketAddr) -> Self {
        Self::open_with(source, to, None)
    }

    /// The same, of a client for which the kernel keeps hardly anything: what it does not read waits at the
    /// server.
    ///
    /// # Panics
    /// As [`RawHttp::open`].
    #[must_use]
    pub fn open_narrow(source: Ipv4Addr, to: SocketAddr) -> Self {
        Self::open_with(source, to, Some(2_048))
    }

    fn open_with(source: Ipv4Addr, to: SocketAddr, receive_bytes: Option<usize>) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a descriptor");
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes).expect("a size");
        }
        socket.bind(&SockAddr::from(SocketAddr::from((source, 0)))).expect("an address of this machine");
        socket.connect(&SockAddr::from(to)).expect("the server listens");
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).expect("a live socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a live socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a live socket");
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes as they are; false when the server has ended the connection.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The connection itself, to write from a thread beside the reader.
    ///
    /// # Panics
    /// When descriptors have run out.
    #[must_use]
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// The next answer; none when the connection ended, in whatever way.
    ///
    /// # Panics
    /// When nothing comes in time, or something else than HTTP.
    pub fn answer(&mut self) -> Option<RawAnswer> {
        let end = loop {
            match self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.read_more()?,
            }
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).expect("a head in UTF-8");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer = RawAnswer { status: status.expect("a status line"), head, body: String::new() };
        let length = answer.header("content-length").parse().unwrap_or(0);
        while self.unread.len() < length {
            self.read_more()?;
        }
        answer.body = String::from_utf8_lossy(&self.unread.drain(..length).collect::<Vec<u8>>()).into_owned();
        Some(answer)
    }

    /// Sends a request and reads its answer, of which it has been told whether a body follows.
    ///
    /// # Panics
    /// When none comes.
    pub fn ask(&mut self, request: &str) -> RawAnswer {
        assert!(self.write(request), "the connection is open");
        self.answer().expect("an answer")
    }

    /// What is left of an answer after its head, until the connection is silent for a moment.
    pub fn rest(&mut self) -> String {
        let _ = self.stream.set_read_timeout(Some(Duration::from_millis(200)));
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = self.stream.read(&mut piece) {
            self.unread.extend_from_slice(&piece[..count]);
        }
        let _ = self.stream.set_read_timeout(Some(PATIENCE));
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// Sends `drip` again and again until the server ends the connection; gives what it answered and
    /// how long it took, or nothing when it was not ended in `at_most`.
    pub fn drip(mut self, drip: &[u8], at_most: Duration) -> Option<(String, Duration)> {
        let _ = self.stream.set_read_timeout(Some(DRIP_EVERY));
        let began = Instant::now();
        let mut piece = [0; 4096];
        while began.elapsed() < at_most {
            let _ = self.stream.write_all(drip);
            match self.stream.read(&mut piece) {
                Ok(0) => return Some((self.text(), began.elapsed())),
                Ok(count) => self.unread.extend_from_slice(&piece[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // Ended so hard that an answer may have been lost: that is an end too.
                Err(_) => return Some((self.text(), began.elapsed())),
            }
        }
        None
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.unread).into_owned()
    }

    fn read_more(&mut self) -> Option<()> {
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => None,
            Ok(count) => {
                self.unread.extend_from_slice(&piece[..count]);
                Some(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came in time")
            }
            Err(_) => None,
        }
    }
}

/// Sends `bytes` over and over until the server ends the connection or `until` has passed; what comes
/// back is read and thrown away but for its end.
///
/// # Panics
/// When the thread that reads does.
#[must_use]
pub fn flood(connection: &TcpStream, bytes: &[u8], until: Instant) -> Flooded {
    let mut reader = connection.try_clone().expect("a descriptor");
    let reading = std::thread::spawn(move || {
        let mut tail = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            tail.extend_from_slice(&piece[..count]);
            let extra = tail.len().saturating_sub(2048);
            tail.drain(..extra);
        }
        tail
    });
    let mut writer = connection;
    let block = bytes.repeat((32 * 1024 / bytes.len()).max(1));
    let mut sent = 0;
    let mut ended = false;
    while Instant::now() < until && !ended {
        match writer.write(&block) {
            Ok(count) => sent += count,
            Err(_) => ended = true,
        }
    }
    let _ = connection.shutdown(std::net::Shutdown::Both);
    Flooded { ended, sent, tail: reading.join().expect("the reader does not panic") }
}

/// What came of a flood.
#[derive(Debug)]
pub struct Flooded {
    /// Whether the server ended the connection.
    pub ended: bool,
    /// Bytes it took until then, the kernel's queues included.
    pub sent: usize,
    /// The last bytes it answered.
    pub tail: Vec<u8>,
}
