//! The smallest peer: sends back what it is sent. For conformance suites, tests and measuring.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::Stream;
use schema::wire::Close;

use super::{Closed, Outgoing, Peer};

/// A peer that answers every message with itself, and what it answers. It takes no more while
/// `bytes_max` or more bytes wait to be sent.
#[must_use]
pub fn echo(bytes_max: usize) -> (Echo, EchoOutgoing) {
    let queue = Rc::new(RefCell::new(Queue { bytes_max, ..Queue::default() }));
    (Echo(Rc::clone(&queue)), EchoOutgoing(queue))
}

/// The peer of [`echo`].
pub struct Echo(Rc<RefCell<Queue>>);

/// The stream of [`echo`].
pub struct EchoOutgoing(Rc<RefCell<Queue>>);

#[derive(Default)]
struct Queue {
    messages: VecDeque<Outgoing>,
    bytes: usize,
    bytes_max: usize,
    room: Option<Waker>,
}

impl Echo {
    fn push(&self, message: Outgoing) {
        let mut queue = self.0.borrow_mut();
        queue.bytes += cost(&message);
        queue.messages.push_back(message);
    }
}

/// A message also costs its place in the queue.
fn cost(message: &Outgoing) -> usize {
    let payload = match message {
        Outgoing::Text(text) => text.len(),
        Outgoing::Binary(bytes) => bytes.len(),
        Outgoing::Ping | Outgoing::Close(_) => 0,
    };
    payload + size_of::<Outgoing>()
}

impl Peer for Echo {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.0.borrow_mut();
        if queue.bytes < queue.bytes_max {
            return Poll::Ready(());
        }
        queue.room = Some(context.waker().clone());
        Poll::Pending
    }

    fn text(&mut self, text: ByteString) -> Result<(), Close> {
        self.push(Outgoing::Text(text));
        Ok(())
    }

    fn binary(&mut self, bytes: Bytes) -> Result<(), Close> {
        self.push(Outgoing::Binary(bytes));
        Ok(())
    }

    fn closed(&mut self, _: Closed) {}
}

impl Stream for EchoOutgoing {
    type Item = Outgoing;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut queue = self.0.borrow_mut();
        // Whatever fills the queue is called in the same turn, before this: nobody need be woken.
        let Some(message) = queue.messages.pop_front() else { return Poll::Pending };
        queue.bytes -= cost(&message);
        if queue.messages.is_empty() {
            queue.messages = VecDeque::new();
        }
        if let Some(room) = queue.room.take() {
            room.wake();
        }
        Poll::Ready(Some(message))
    }
}
