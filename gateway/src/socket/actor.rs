//! The socket actor: decodes, hands on, pulls and writes. The one file that names actix-web-actors.
//! Invariant: nothing here must happen in time: while a client does not read, nothing here runs.
//!
//! Of the crate it uses the context that is polled as the response's body, and the writer. The
//! reader is ours (see `decode`), and so is the one future the actor has: it pulls both ways in
//! one turn, so that a pong goes before data and nothing goes after a close.

use std::future::Future;
use std::mem;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, StreamHandler};
use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{CloseReason, Message, ProtocolError, WebsocketContext};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use schema::wire::Close;
use tokio::time::{Sleep, sleep};

use super::decode::{Decoder, Incoming};
use super::handshake::{HandshakeError, accept};
use super::sweep::{Due, Sweep, SweepEntry};
use super::{Closed, Outgoing, Peer, SocketLimits};

/// What is taken in and sent out in one turn, before others on the thread have theirs.
const TURN_MESSAGES: usize = 32;
/// Bytes after which a turn takes no more to send.
const TURN_BYTES: usize = 16 * 1024;
/// The response's body is handed over in pieces of this size, so that the response buffer never
/// grows, nor keeps what it grew to.
const PIECE_BYTES: usize = 4096;

/// What the sockets of one worker thread have in common. Cheap to clone.
#[derive(Clone)]
pub struct Sockets {
    /// What each of them may cost.
    pub limits: SocketLimits,
    /// Who watches over their silence.
    pub sweep: Sweep,
}

impl Sockets {
    /// Makes a socket of a request. `protocol` is the subprotocol chosen among those
    /// [`super::offered`]. `outgoing` should be bounded: it is polled only while the client reads.
    ///
    /// # Errors
    /// When the request does not ask for a web socket as RFC 6455 wants it; the peer is dropped
    /// without a call.
    #[allow(clippy::needless_pass_by_value, reason = "the body is the request's to give away")]
    pub fn open<P, O>(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        protocol: Option<&str>,
        peer: P,
        outgoing: O,
    ) -> Result<HttpResponse, HandshakeError>
    where
        P: Peer,
        O: Stream<Item = Outgoing> + Unpin + 'static,
    {
        let accept = accept(request)?;
        let protocol = protocol.map(HeaderValue::from_str).transpose().map_err(|_| HandshakeError::Protocol)?;

        let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
        response.upgrade("websocket").insert_header((header::SEC_WEBSOCKET_ACCEPT, accept));
        if let Some(protocol) = protocol {
            response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, protocol));
        }
        let socket = Socket {
            peer,
            outgoing: Some(outgoing),
            payload,
            unread: Bytes::new(),
            decoder: Decoder::new(&self.limits),
            small_frames: RateLimiter::direct(
                Quota::per_second(self.limits.small_frames_per_second).allow_burst(self.limits.small_frames_burst),
            ),
            entry: self.sweep.join(),
            close_wait: self.limits.close_wait,
            closing: None,
            told: false,
            deaf: false,
        };
        let body = WebsocketContext::create(socket, stream::empty());
        Ok(response.body(BodyStream::new(Pieces { body, rest: Bytes::new() })))
    }
}

struct Socket<P: Peer, O> {
    peer: P,
    /// Gone as soon as we have closed.
    outgoing: Option<O>,
    payload: web::Payload,
    /// What has been read and not yet decoded.
    unread: Bytes,
    decoder: Decoder,
    small_frames: DefaultDirectRateLimiter,
    entry: SweepEntry,
    close_wait: Duration,
    /// We have closed, and wait this long for the client to do so.
    closing: Option<Pin<Box<Sleep>>>,
    told: bool,
    /// Nothing is read any more, not even the client's close: it would come behind the rest of a flood.
    deaf: bool,
}

/// What reading came to.
enum Read {
    Incoming(Incoming),
    Wrong(Close),
    Eof,
}

impl<P: Peer, O: Stream<Item = Outgoing> + Unpin + 'static> Socket<P, O> {
    /// One turn: everything that can be done now, up to a bound.
    fn turn(&mut self, ctx: &mut WebsocketContext<Self>, cx: &mut Context<'_>) {
        let due = self.entry.poll(cx);
        if self.closing.is_none() {
            match due {
                Some(Due::Ping) => ctx.ping(b""),
                Some(Due::End) => {
                    // Nobody seems to be there: no use in waiting for an answer.
                    self.close(Close::SILENT, ctx);
                    return ctx.stop();
                }
                None => {}
            }
        }
        self.receive(ctx, cx);
        self.send(ctx, cx);
        if let Some(wait) = &mut self.closing
            && wait.as_mut().poll(cx).is_ready()
        {
            ctx.stop();
        }
    }

    fn receive(&mut self, ctx: &mut WebsocketContext<Self>, cx: &mut Context<'_>) {
        for _ in 0..TURN_MESSAGES {
            if self.deaf {
                return;
            }
            if self.closing.is_none() {
                let paused = self.peer.poll_ready(cx).is_pending();
                self.entry.pause(paused);
                if paused {
                    return;
                }
            }
            let Poll::Ready(read) = self.poll_read(cx) else { return };
            if self.take(read, ctx, cx).is_break() {
                return;
            }
        }
        cx.waker().wake_by_ref();
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        loop {
            match self.decoder.decode(&mut self.unread) {
                Ok(Some(incoming)) => return Poll::Ready(Read::Incoming(incoming)),
                Err(close) => return Poll::Ready(Read::Wrong(close)),
                // Not even an empty part of a read buffer is kept from being used again.
                Ok(None) => self.unread = Bytes::new(),
            }
            match ready!(self.payload.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => {
                    self.entry.heard();
                    self.unread = bytes;
                }
                Some(Err(_)) | None => return Poll::Ready(Read::Eof),
            }
        }
    }

    fn take(&mut self, read: Read, ctx: &mut WebsocketContext<Self>, cx: &mut Context<'_>) -> ControlFlow<()> {
        let taken = match read {
            Read::Incoming(Incoming::Text(text)) => self.peer.text(text),
            Read::Incoming(Incoming::Binary(bytes)) => self.peer.binary(bytes),
            Read::Incoming(Incoming::Ping(bytes)) => self.count().map(|()| ctx.write_raw(Message::Pong(bytes))),
            Read::Incoming(Incoming::Pong | Incoming::Fragment) => self.count(),
            Read::Incoming(Incoming::Close(code)) => {
                self.pull(ctx, cx, usize::MAX);
                if self.closing.is_none() {
                    self.tell(Closed::ByClient(code));
                    ctx.close(code.map(|code| CloseReason { code: code.into(), description: None }));
                }
                ctx.stop();
                return ControlFlow::Break(());
            }
            Read::Wrong(close) => Err(close),
            Read::Eof => {
                self.tell(Closed::Abnormal);
                ctx.stop();
                return ControlFlow::Break(());
            }
        };
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(close) => {
                // What the peer has answered to what came before goes out before.
                self.pull(ctx, cx, usize::MAX);
                self.close(close, ctx);
                ControlFlow::Break(())
            }
        }
    }

    /// A frame that no peer is told of, and that costs all the same. After our close none counts.
    fn count(&self) -> Result<(), Close> {
        if self.closing.is_some() || self.small_frames.check().is_ok() { Ok(()) } else { Err(Close::FLOOD) }
    }

    fn send(&mut self, ctx: &mut WebsocketContext<Self>, cx: &mut Context<'_>) {
        if self.pull(ctx, cx, TURN_BYTES) {
            cx.waker().wake_by_ref();
        }
    }

    /// Takes what is ready to be sent, up to about `bytes_max`; true when there may be more.
    fn pull(&mut self, ctx: &mut WebsocketContext<Self>, cx: &mut Context<'_>, bytes_max: usize) -> bool {
        let mut bytes = 0;
        for _ in 0..TURN_MESSAGES {
            let Some(outgoing) = &mut self.outgoing else { return false };
            let Poll::Ready(next) = outgoing.poll_next_unpin(cx) else { return false };
            match next {
                Some(Outgoing::Text(text)) => {
                    bytes += text.len();
                    ctx.text(text);
                }
                Some(Outgoing::Binary(binary)) => {
                    bytes += binary.len();
                    ctx.binary(binary);
                }
                Some(Outgoing::Ping) => ctx.ping(b""),
                Some(Outgoing::Close(close)) => self.close(close, ctx),
                None => self.close(Close::NORMAL, ctx),
            }
            if bytes >= bytes_max {
                return true;
            }
        }
        true
    }

    /// Our close: nothing is sent after it, and of what still comes only the client's close counts.
    fn close(&mut self, close: Close, ctx: &mut WebsocketContext<Self>) {
        if self.closing.is_some() {
            return;
        }
        ctx.close(Some(CloseReason { code: close.code.into(), description: Some(close.reason.into()) }));
        self.outgoing = None;
        self.deaf = close == Close::FLOOD;
        self.decoder.discard();
        self.closing = Some(Box::pin(sleep(self.close_wait)));
        self.tell(Closed::ByUs(close));
        if self.decoder.ended() {
            ctx.stop();
        }
    }
}

impl<P: Peer, O> Socket<P, O> {
    fn tell(&mut self, how: Closed) {
        if !self.told {
            self.told = true;
            self.peer.closed(how);
        }
    }
}

impl<P: Peer, O> Drop for Socket<P, O> {
    /// A connection that fails is dropped by the server without another turn.
    fn drop(&mut self) {
        self.tell(Closed::Abnormal);
    }
}

impl<P: Peer, O: Stream<Item = Outgoing> + Unpin + 'static> Actor for Socket<P, O> {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.peer.opened();
        ctx.spawn(Turns);
    }
}

/// The actor's one future.
struct Turns;

impl<P: Peer, O: Stream<Item = Outgoing> + Unpin + 'static> ActorFuture<Socket<P, O>> for Turns {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        socket: &mut Socket<P, O>,
        ctx: &mut WebsocketContext<Socket<P, O>>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        socket.turn(ctx, task);
        Poll::Pending
    }
}

/// What the crate's own reader would call. It is given an empty stream and is done at once.
impl<P: Peer, O: Stream<Item = Outgoing> + Unpin + 'static> StreamHandler<Result<Message, ProtocolError>>
    for Socket<P, O>
{
    fn handle(&mut self, _: Result<Message, ProtocolError>, _: &mut Self::Context) {}

    fn finished(&mut self, _: &mut Self::Context) {}
}

/// The response's body, cut small.
struct Pieces<B> {
    body: B,
    rest: Bytes,
}

impl<B, E> Stream for Pieces<B>
where
    B: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.rest.is_empty() {
            match ready!(self.body.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => self.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        let size = self.rest.len().min(PIECE_BYTES);
        let piece = if size == self.rest.len() { mem::take(&mut self.rest) } else { self.rest.split_to(size) };
        Poll::Ready(Some(Ok(piece)))
    }
}
