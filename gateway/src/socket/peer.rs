//! The port between a socket and its application. Nothing here names a framework.

use std::num::NonZeroU32;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use schema::limits;
use schema::wire::Close;

/// The application's side of one socket. All calls come from the socket's own thread, one at a
/// time, and must not block: they run between two reads.
pub trait Peer: Unpin + 'static {
    /// The handshake is answered; messages may come now.
    fn opened(&mut self) {}

    /// Whether the peer can take one more message. Asked before each one. While it is pending
    /// nothing is read, so that TCP slows the client down; wake the context to go on. Pending must
    /// not last for ever: meanwhile the client's own close is not seen either.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let _ = context;
        Poll::Ready(())
    }

    /// The client sent a whole text message.
    ///
    /// # Errors
    /// The close with which to end the socket.
    fn text(&mut self, text: ByteString) -> Result<(), Close>;

    /// The client sent a whole binary message.
    ///
    /// # Errors
    /// The close with which to end the socket.
    fn binary(&mut self, bytes: Bytes) -> Result<(), Close>;

    /// The socket is over: called exactly once, when it is decided. Nothing is taken from the
    /// outgoing stream any more; TCP itself may last up to [`SocketLimits::close_wait`] longer.
    fn closed(&mut self, how: Closed);
}

/// One thing to send. A socket takes many in one go, and writes them with one system call.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// A text message. Cloning one for many sockets shares its bytes.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// An empty ping; liveness needs none, the [`super::Sweep`] sends its own.
    Ping,
    /// Ends the socket. Nothing is taken after it. The end of the stream means [`Close::NORMAL`].
    Close(Close),
}

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client closed, with this code if it gave one.
    ByClient(Option<u16>),
    /// We closed: the application, or the transport because of what the client did or did not do.
    ByUs(Close),
    /// TCP ended without a close frame.
    Abnormal,
}

/// What one socket may cost.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// Payload of one frame, in bytes; judged by the declared length, before any of it is read.
    pub frame_bytes: usize,
    /// One message of any number of frames, in bytes.
    pub message_bytes: usize,
    /// Pings, pongs and fragments a second, lasting. Whole messages are for the [`Peer`] to count.
    pub small_frames_per_second: NonZeroU32,
    /// How many of them may come at once, before that rate holds.
    pub small_frames_burst: NonZeroU32,
    /// How long to wait for the client's close after ours before TCP is ended.
    pub close_wait: Duration,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            frame_bytes: limits::FRAME_BYTES_MAX,
            message_bytes: limits::FRAME_BYTES_MAX,
            small_frames_per_second: limits::SMALL_FRAMES_PER_SECOND,
            small_frames_burst: limits::SMALL_FRAMES_BURST,
            close_wait: Duration::from_secs(2),
        }
    }
}
