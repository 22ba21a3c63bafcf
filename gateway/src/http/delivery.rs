//! Answers on their way out: in small pieces as the client takes them, and for a limited time.
//! Invariant: an answer that is not taken in time is dropped from memory by a clock of its own, because
//! actix-web asks a body for more only while the connection has room.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::edge::Edge;
use super::places::ReadPlace;
use crate::metrics::{ANSWERS_CUT, ANSWERS_WAITING_BYTES};
use crate::socket::WRITE_BUFFER_BYTES;

/// Takes every whole answer that does not fit the connection's buffer in hand.
pub(crate) async fn deliver<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let edge = request.app_data::<web::Data<Edge>>().cloned();
    let mut response = next.call(request).await?;
    let place = response.response_mut().extensions_mut().remove::<ReadPlace>();
    let Some(edge) = edge else { return Ok(response.map_into_boxed_body()) };
    let longest = edge.parts.config.server.answer_timeout;
    Ok(response.map_body(|_, body| match body.try_into_bytes() {
        Ok(bytes) if bytes.len() > WRITE_BUFFER_BYTES => Delivery::new(bytes, place, longest).boxed(),
        Ok(bytes) => bytes.boxed(),
        // A stream has bounds of its own: its outbox.
        Err(body) => body.boxed(),
    }))
}

/// The client took too long over its answer.
#[derive(Debug, thiserror::Error)]
#[error("the client did not receive the answer in time")]
struct Late;

/// An answer's body.
struct Delivery {
    size: u64,
    state: Rc<RefCell<State>>,
    clock: JoinHandle<()>,
}

enum State {
    Waiting(UnsentBody),
    Given,
    Late,
}

/// What is held for a client; counted until it is dropped.
struct UnsentBody {
    rest: Bytes,
    whole: usize,
    _place: Option<ReadPlace>,
}

impl Delivery {
    fn new(bytes: Bytes, place: Option<ReadPlace>, longest: Duration) -> Self {
        let size = bytes.len() as u64;
        let state = Rc::new(RefCell::new(State::Waiting(UnsentBody::new(bytes, place))));
        let clock = actix_web::rt::spawn(cut_after(longest, Rc::downgrade(&state)));
        Self { size, state, clock }
    }
}

async fn cut_after(longest: Duration, state: Weak<RefCell<State>>) {
    sleep(longest).await;
    if let Some(state) = state.upgrade()
        && matches!(*state.borrow(), State::Waiting(_))
    {
        state.replace(State::Late);
        metrics::counter!(ANSWERS_CUT).increment(1);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

impl MessageBody for Delivery {
    type Error = Late;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.size)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Late>>> {
        let mut state = self.state.borrow_mut();
        let piece = match &mut *state {
            State::Waiting(held) => held.rest.split_to(held.rest.len().min(WRITE_BUFFER_BYTES)),
            State::Given => return Poll::Ready(None),
            State::Late => return Poll::Ready(Some(Err(Late))),
        };
        if matches!(&*state, State::Waiting(held) if held.rest.is_empty()) {
            *state = State::Given;
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl UnsentBody {
    fn new(rest: Bytes, place: Option<ReadPlace>) -> Self {
        let whole = rest.len();
        metrics::gauge!(ANSWERS_WAITING_BYTES).increment(bytes(whole));
        Self { rest, whole, _place: place }
    }
}

impl Drop for UnsentBody {
    fn drop(&mut self) {
        metrics::gauge!(ANSWERS_WAITING_BYTES).decrement(bytes(self.whole));
    }
}

#[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
const fn bytes(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(body: &mut Delivery) -> Option<Result<Bytes, Late>> {
        poll_fn(|context| Pin::new(&mut *body).poll_next(context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_goes_out_in_pieces_and_is_let_go_when_time_is_up() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let whole = Bytes::from((0..10_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
                let mut body = Delivery::new(whole.clone(), None, Duration::from_secs(3));
                assert!(matches!(body.size(), BodySize::Sized(40_000)));
                let mut taken = Vec::new();
                while let Some(piece) = next(&mut body).await {
                    let piece = piece.unwrap();
                    assert!(!piece.is_empty() && piece.len() <= WRITE_BUFFER_BYTES);
                    taken.extend_from_slice(&piece);
                }
                assert_eq!(taken, whole);
                sleep(Duration::from_secs(4)).await;
                assert!(next(&mut body).await.is_none(), "given is given");

                let mut body = Delivery::new(whole, None, Duration::from_secs(3));
                assert!(next(&mut body).await.unwrap().is_ok());
                sleep(Duration::from_secs(4)).await;
                assert!(matches!(&*body.state.borrow(), State::Late), "nobody asked, and it is let go");
                assert!(next(&mut body).await.unwrap().is_err());
            })
            .await;
    }
}
