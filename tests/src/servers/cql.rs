//! As much of CQL's protocol (version 4) as it takes to learn whether a node answers questions.
//! A driver would go to the node's neighbours too; what is asked here is asked of this one.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

const REQUEST: u8 = 0x04;
const RESPONSE: u8 = 0x84;

const STARTUP: u8 = 0x01;
const READY: u8 = 0x02;
const AUTHENTICATE: u8 = 0x03;
const QUERY: u8 = 0x07;
const RESULT: u8 = 0x08;

const QUESTION: &str = "SELECT release_version FROM system.local";
const CONSISTENCY_ONE: u16 = 0x0001;

/// Longest answer that is taken; that of the question has a hundred bytes.
const ANSWER_BYTES_MAX: u32 = 64 * 1024;

/// Whether a node answers a question within the time that each step is given; or, where it asks for a password first,
/// whether it does that.
pub(super) fn answers(
    node: SocketAddr,
    tls: Option<&Arc<ClientConfig>>,
    asks_password: bool,
    within: Duration,
) -> std::io::Result<()> {
    let stream = TcpStream::connect_timeout(&node, within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    match tls {
        None => answers_on(stream, asks_password),
        Some(tls) => {
            let session = ClientConnection::new(Arc::clone(tls), node.ip().into()).map_err(Error::other)?;
            answers_on(StreamOwned::new(session, stream), asks_password)
        }
    }
}

fn answers_on(mut stream: impl Read + Write, asks_password: bool) -> std::io::Result<()> {
    if asks_password {
        return ask(&mut stream, STARTUP, &startup(), AUTHENTICATE);
    }
    ask(&mut stream, STARTUP, &startup(), READY)?;
    ask(&mut stream, QUERY, &query(QUESTION), RESULT)
}

/// A map of one string.
fn startup() -> Vec<u8> {
    let mut body = vec![0, 1];
    for text in ["CQL_VERSION", "3.0.0"] {
        body.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        body.extend(text.bytes());
    }
    body
}

/// A statement, the consistency, and no flags.
fn query(statement: &str) -> Vec<u8> {
    let mut body = u32::try_from(statement.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    body.extend(statement.bytes());
    body.extend(CONSISTENCY_ONE.to_be_bytes());
    body.push(0);
    body
}

/// Sends one frame and takes the answer, which must be of the expected kind.
fn ask(stream: &mut (impl Read + Write), kind: u8, body: &[u8], expected: u8) -> std::io::Result<()> {
    let length = u32::try_from(body.len()).map_err(Error::other)?;
    // Version, flags, stream, kind, length.
    let mut frame = vec![REQUEST, 0, 0, 0, kind];
    frame.extend(length.to_be_bytes());
    frame.extend(body);
    stream.write_all(&frame)?;

    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let [version, _, _, _, kind, length @ ..] = head;
    let length = u32::from_be_bytes(length);
    if version != RESPONSE || length > ANSWER_BYTES_MAX {
        return Err(Error::new(ErrorKind::InvalidData, "this is no CQL"));
    }
    let mut answer = Vec::new();
    stream.take(length.into()).read_to_end(&mut answer)?;
    if kind != expected {
        let words = String::from_utf8_lossy(&answer).into_owned();
        return Err(Error::other(format!("the node answers {kind:#04x} instead of {expected:#04x}: {words}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Each row: what a peer answers to the two frames, and whether that is a node that answers.
    #[test]
    fn only_a_node_that_answers_the_question_answers() {
        let ready: &[u8] = &[RESPONSE, 0, 0, 0, READY, 0, 0, 0, 0];
        let result: &[u8] = &[RESPONSE, 0, 0, 0, RESULT, 0, 0, 0, 2, 7, 7];
        let error: &[u8] = &[RESPONSE, 0, 0, 0, 0, 0, 0, 0, 1, b'x'];
        let rows: &[(&[&[u8]], bool)] = &[
            (&[ready, result], true),
            (&[ready, error], false),
            (&[ready, ready], false),
            (&[error], false),
            (&[b"HTTP/1.1 400 Bad Request\r\n"], false),
            (&[&[RESPONSE, 0, 0, 0, READY, 0xff, 0xff, 0xff, 0xff]], false),
            (&[ready], false),
            (&[], false),
        ];
        for (answers_given, expected) in rows {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let given: Vec<Vec<u8>> = answers_given.iter().map(|answer| answer.to_vec()).collect();
            let peer = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                for answer in given {
                    let mut head = [0; 9];
                    stream.read_exact(&mut head).unwrap();
                    let mut body = vec![0; u32::from_be_bytes([head[5], head[6], head[7], head[8]]) as usize];
                    stream.read_exact(&mut body).unwrap();
                    stream.write_all(&answer).unwrap();
                }
            });
            assert_eq!(answers(address, None, false, PATIENCE).is_ok(), *expected, "{answers_given:?}");
            peer.join().unwrap();
        }
    }

    #[test]
    fn a_peer_that_is_silent_is_not_waited_for_longer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = answers(listener.local_addr().unwrap(), None, false, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }
}
