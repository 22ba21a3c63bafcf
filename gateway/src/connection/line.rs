//! The connection as HTTP reads and writes it: a little at a time.
//! Invariant: in one turn of its thread a connection hands over a bounded number of bytes, and of heads.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ending::Guest;
use super::meter::{Ended, Meter};

/// An accepted connection with its account.
pub(super) struct Line {
    stream: TcpStream,
    meter: Rc<Meter>,
    /// What is left of this turn's bytes.
    left: usize,
    _guest: Guest,
}

impl Line {
    pub(super) fn new(stream: TcpStream, meter: Rc<Meter>, guest: Guest) -> Self {
        let left = meter.turn_bytes();
        Self { stream, meter, left, _guest: guest }
    }

    pub(super) const fn meter(&self) -> &Rc<Meter> {
        &self.meter
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.meter.next_turn();
        match self.meter.ended(cx.waker()) {
            // An end of input: what has been answered is still sent.
            Some(Ended::OverItsShare) => return Poll::Ready(Ok(())),
            Some(Ended::TooSlow) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            None => {}
        }
        if self.left == 0 {
            // actix-http reads until there is nothing more, and this is where its turn ends.
            self.left = self.meter.turn_bytes();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(room) = self.meter.room(cx.waker()) else {
            self.left = self.meter.turn_bytes();
            return Poll::Pending;
        };
        let most = room.min(self.left).min(buffer.remaining());
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut piece);
        let read = piece.filled().len();
        buffer.advance(read);
        match &polled {
            Poll::Ready(Ok(())) => {
                self.left -= read;
                self.meter.took(read);
            }
            _ => self.left = self.meter.turn_bytes(),
        }
        polled
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
