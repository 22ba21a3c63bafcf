//! The opening handshake: which requests may become a socket, and what is answered.

use actix_http::ws::hash_key;
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Version};

/// The one version of the protocol there is.
const VERSION: &str = "13";

/// Why a request does not become a socket. Each has a status, and some a header to send with it.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HandshakeError {
    #[error("a web socket is opened with GET")]
    Method,
    #[error("this address speaks web sockets: send `Connection: Upgrade` and `Upgrade: websocket`, by HTTP/1.1")]
    Upgrade,
    #[error("send `Sec-WebSocket-Version: 13`")]
    Version,
    #[error("`Sec-WebSocket-Key` must be there once, and be 16 bytes in base64")]
    Key,
    #[error("the chosen subprotocol is not a word")]
    Protocol,
}

impl HandshakeError {
    /// The response's status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Upgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
            Self::Protocol => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A header that tells the client what to send instead.
    #[must_use]
    pub fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Method => Some((header::ALLOW, HeaderValue::from_static("GET"))),
            Self::Upgrade => Some((header::UPGRADE, HeaderValue::from_static("websocket"))),
            Self::Version => Some((header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION))),
            Self::Key | Self::Protocol => None,
        }
    }
}

/// The subprotocols a client offers, the one it likes best first.
pub fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    words(headers, header::SEC_WEBSOCKET_PROTOCOL)
}

/// Checks the request and gives the value of `Sec-WebSocket-Accept`.
pub(super) fn accept(request: &HttpRequest) -> Result<HeaderValue, HandshakeError> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(HandshakeError::Method);
    }
    let upgrade = words(headers, header::UPGRADE).any(|word| word.eq_ignore_ascii_case("websocket"));
    let connection = words(headers, header::CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"));
    if request.version() != Version::HTTP_11 || !upgrade || !connection {
        return Err(HandshakeError::Upgrade);
    }
    if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Err(HandshakeError::Version);
    }
    let key = only(headers, header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(HandshakeError::Key)?;
    HeaderValue::from_bytes(&hash_key(key.as_bytes())).map_err(|_| HandshakeError::Key)
}

fn words(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// The value of a header that may be there once only.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name);
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

/// Whether it is 16 bytes in base64: 22 digits and two signs of filling.
fn is_key(key: &str) -> bool {
    key.strip_suffix("==").is_some_and(|digits| {
        digits.len() == 22 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    })
}
