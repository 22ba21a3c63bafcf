//! The head of a request or an answer.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head that is read.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// First line and fields of a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first line, for example `HTTP/1.1 200 OK`.
    pub first: String,
    fields: Vec<(String, String)>,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It has this many bytes.
    Sized(usize),
    /// It comes in chunks.
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

/// Why a peer cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection failed.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The connection ended too early.
    #[error("connection closed in mid-answer")]
    Closed,
    /// The head is too long or not HTTP/1.1.
    #[error("not HTTP/1.1")]
    Head,
    /// The chunks are not chunks.
    #[error("malformed chunked body")]
    Chunk,
}

impl Head {
    /// Takes a head off the front of `buffer`, if it is complete.
    ///
    /// # Errors
    /// It is none, or too long.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, HttpError> {
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if buffer.len() > HEAD_BYTES_MAX { Err(HttpError::Head) } else { Ok(None) };
        };
        let text = std::str::from_utf8(&buffer[..end]).map_err(|_| HttpError::Head)?;
        let mut lines = text.split("\r\n");
        let first = lines.next().filter(|line| line.contains("HTTP/1.1")).ok_or(HttpError::Head)?.to_owned();
        let fields = lines
            .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
            .collect::<Option<_>>()
            .ok_or(HttpError::Head)?;
        buffer.advance(end + 4);
        Ok(Some(Self { first, fields }))
    }

    /// A field by its name in small letters.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The status of an answer.
    ///
    /// # Errors
    /// The first line has none.
    pub fn status(&self) -> Result<u16, HttpError> {
        self.first.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(HttpError::Head)
    }

    /// How its body ends. A request without a length has none.
    #[must_use]
    pub fn body(&self) -> Body {
        if self.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Body::Chunked;
        }
        match self.field("content-length").map(str::parse) {
            Some(Ok(bytes)) => Body::Sized(bytes),
            _ if self.first.starts_with("HTTP/") && !matches!(self.status(), Ok(101 | 204 | 304)) => Body::UntilClose,
            _ => Body::Sized(0),
        }
    }
}

/// Reads until a head is there; `None` when the peer closed before it began one.
///
/// # Errors
/// See [`HttpError`].
pub async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Option<Head>, HttpError> {
    loop {
        if let Some(head) = Head::take(buffer)? {
            return Ok(Some(head));
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(HttpError::Closed) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_what_follows_them() {
        for (text, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nx", Some(200), Body::Sized(12)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\nx", Some(200), Body::Chunked),
            ("HTTP/1.1 503 \r\n\r\nx", Some(503), Body::UntilClose),
            ("HTTP/1.1 101 Switching Protocols\r\na: b:c\r\n\r\nx", Some(101), Body::Sized(0)),
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\nx", None, Body::Sized(0)),
        ] {
            let mut buffer = BytesMut::from(text);
            let head = Head::take(&mut buffer).unwrap().unwrap();
            assert_eq!(head.status().ok(), status, "{text}");
            assert_eq!(head.body(), body, "{text}");
            assert_eq!(&buffer[..], b"x", "{text}");
        }
    }

    #[test]
    fn half_a_head_waits_and_nonsense_is_refused() {
        assert!(matches!(Head::take(&mut BytesMut::from("HTTP/1.1 200 OK\r\na: b\r\n")), Ok(None)));
        for bad in ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "\r\n\r\n"] {
            assert!(Head::take(&mut BytesMut::from(bad)).is_err(), "{bad}");
        }
        assert!(Head::take(&mut BytesMut::from("a".repeat(HEAD_BYTES_MAX + 1).as_str())).is_err());
    }
}
