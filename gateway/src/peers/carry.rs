//! One link, while it stands: what the system has to say goes out, what comes goes in, and signs of life go both ways.
//! Invariant: a link from which nothing comes for [`SILENT_MAX`] is ended, and so is one that says what is no frame.

use std::io::ErrorKind;
use std::time::Duration;

use actors::{Link, LinkError, OutboxItem};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use schema::limits::LINK_FRAME_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::metrics::{LINK_BYTES, LINK_FRAMES, LINK_ROUND_TRIP};

/// How often a sign of life is asked for.
pub(super) const PING_EVERY: Duration = Duration::from_secs(2);
/// How long a link may be silent. Shorter than what makes a node dead (10 s), so that sessions learn of a cut before.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(6);
/// How long the other end may take for a farewell.
const FAREWELL_MAX: Duration = Duration::from_millis(500);
/// What is gathered before it is written, where more is at hand.
const WRITE_BYTES: usize = 32 * 1024;

/// Why a link has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum CarryError {
    #[error("the other node was silent for {} s", SILENT_MAX.as_secs())]
    Silent,
    #[error("the other node ended it")]
    Ended,
    #[error(transparent)]
    Frame(#[from] LinkError),
    #[error("the connection was lost: {0}")]
    Lost(String),
}

impl From<Error> for CarryError {
    fn from(error: Error) -> Self {
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Ended,
            // What the library says of it explains TLS, not that a node has died.
            Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => Self::Lost("its other end is gone".into()),
            error => Self::Lost(error.to_string()),
        }
    }
}

/// How web sockets between nodes are set up.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(WRITE_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(Some(LINK_FRAME_BYTES_MAX))
        .max_frame_size(Some(LINK_FRAME_BYTES_MAX))
}

/// Carries a link to its end. On an actix thread, as what comes is worked at there.
pub(super) async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    link: &Link,
) -> Result<(), CarryError> {
    let (mut sink, source) = socket.split();
    let began = Instant::now();
    let ended = tokio::select! {
        ended = take(source, link, began) => ended,
        ended = give(&mut sink, link, began) => ended,
    };
    // So that the other end need not wait for its silence.
    let _ = timeout(FAREWELL_MAX, sink.close()).await;
    ended
}

async fn give<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    link: &Link,
    began: Instant,
) -> Result<(), CarryError> {
    let (frames, bytes) =
        (metrics::counter!(LINK_FRAMES, "way" => "out"), metrics::counter!(LINK_BYTES, "way" => "out"));
    let mut items = link.stream();
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut next = tokio::select! {
            next = items.next() => next,
            _ = pings.tick() => Some(OutboxItem::Ping),
        };
        // All that is at hand goes in one write.
        loop {
            match next {
                Some(OutboxItem::Frame(frame)) => {
                    frames.increment(1);
                    bytes.increment(frame.len() as u64);
                    let text =
                        Utf8Bytes::try_from(frame.into_bytes()).map_err(|error| Error::Utf8(error.to_string()))?;
                    sink.feed(Message::Text(text)).await?;
                }
                Some(OutboxItem::Ping) => {
                    let sent = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                    sink.feed(Message::Ping(Bytes::copy_from_slice(&sent.to_be_bytes()))).await?;
                }
                Some(OutboxItem::Close(_)) | None => return Ok(()),
            }
            match items.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        sink.flush().await?;
    }
}

async fn take<S: AsyncRead + AsyncWrite + Unpin>(
    mut source: SplitStream<WebSocketStream<S>>,
    link: &Link,
    began: Instant,
) -> Result<(), CarryError> {
    let (frames, bytes) = (metrics::counter!(LINK_FRAMES, "way" => "in"), metrics::counter!(LINK_BYTES, "way" => "in"));
    let round_trip = metrics::histogram!(LINK_ROUND_TRIP);
    loop {
        let message = timeout(SILENT_MAX, source.next()).await.map_err(|_| CarryError::Silent)?;
        match message.ok_or(CarryError::Ended)?? {
            Message::Text(text) => {
                frames.increment(1);
                bytes.increment(text.len() as u64);
                link.receive(&text)?;
            }
            Message::Pong(sent) => {
                if let Ok(sent) = <[u8; 8]>::try_from(&*sent) {
                    let sent = Duration::from_micros(u64::from_be_bytes(sent));
                    round_trip.record(began.elapsed().saturating_sub(sent).as_secs_f64());
                }
            }
            Message::Close(_) => return Err(CarryError::Ended),
            Message::Binary(_) => return Err(LinkError::NoFrame.into()),
            // Answered by the library.
            Message::Ping(_) | Message::Frame(_) => {}
        }
    }
}
