//! Counts every request before anything else is done with it, by address and by connection, and holds
//! its body to a pace. The outermost layer: what is refused here has cost no more than its head.

use std::cell::RefCell;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{ConnectionType, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use actors::Failure;
use bytes::Bytes;
use futures_util::Stream;
use pin_project_lite::pin_project;

use super::caller::Client;
use crate::access::Limiter;
use crate::connection::{Meter, Paced, Proxies, passed_on};
use crate::error::ApiError;

/// What the layer goes by; among the app's data.
#[derive(Clone)]
pub struct Counting {
    limiter: Arc<Limiter>,
    proxies: Arc<Proxies>,
    patience: Duration,
    bytes_per_second: NonZeroU32,
}

impl Counting {
    pub(crate) const fn new(
        limiter: Arc<Limiter>,
        proxies: Arc<Proxies>,
        patience: Duration,
        bytes_per_second: NonZeroU32,
    ) -> Self {
        Self { limiter, proxies, patience, bytes_per_second }
    }

    /// Whom it comes from, when that is within its address's and its connection's share.
    fn admit(&self, request: &ServiceRequest, meter: &Meter) -> Result<IpAddr, Failure> {
        let headers = request.headers();
        let client = self.proxies.client(meter.peer(), headers);
        if !meter.carries_many() && passed_on(headers) {
            self.limiter.untrusted_proxy(meter.peer());
        }
        if !meter.allows() {
            return Err(Limiter::connection());
        }
        self.limiter.address(client.into())?;
        Ok(client)
    }
}

pub(crate) async fn count<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<CountedBody<B>>>, Error> {
    let meter = request.conn_data::<Rc<Meter>>().cloned();
    let counting = request.app_data::<web::Data<Counting>>().cloned();
    let (Some(meter), Some(counting)) = (meter, counting) else {
        return Err(ApiError::new(schema::ErrorCode::Internal, "the node is not set up").into());
    };
    meter.begins(body_length(&request));
    let answering = Answering(Rc::clone(&meter));
    if meter.turn_is_over() {
        tokio::task::yield_now().await;
    }
    let client = match counting.admit(&request, &meter) {
        Ok(client) => client,
        Err(failure) => {
            let mut response = ApiError::from(failure).error_response();
            // A proxy's connection carries others, who have done nothing.
            if !meter.carries_many() {
                response.head_mut().set_connection_type(ConnectionType::Close);
                meter.end();
            }
            return Ok(request.into_response(response.map_into_right_body()));
        }
    };
    request.extensions_mut().insert(Client(client));
    pace(&mut request, &counting);
    let response = next.call(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        meter.upgraded();
    }
    Ok(response.map_body(|_, body| EitherBody::left(CountedBody { body, answering })))
}

/// The length of the body that comes with a request, as far as it is declared.
fn body_length(request: &ServiceRequest) -> Option<u64> {
    let headers = request.headers();
    let is_socket = |value: &header::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    // What claims to be a socket has no end for actix-http, whatever length it declares.
    if headers.contains_key(header::TRANSFER_ENCODING) || headers.get_all(header::UPGRADE).any(is_socket) {
        return None;
    }
    match headers.get(header::CONTENT_LENGTH) {
        None => Some(0),
        Some(length) => length.to_str().ok()?.trim().parse().ok(),
    }
}

/// Every body, whatever its request says that it is: only what has become a socket takes it out again.
fn pace(request: &mut ServiceRequest, counting: &Counting) {
    match request.take_payload() {
        Payload::None => {}
        payload => {
            let raw = Raw(Rc::new(RefCell::new(payload)));
            if request.headers().contains_key(header::UPGRADE) {
                request.extensions_mut().insert(raw.clone());
            }
            let paced = Paced::new(raw, counting.patience, counting.bytes_per_second);
            request.set_payload(Payload::Stream { payload: Box::pin(paced) });
        }
    }
}

/// A body that is held to no pace.
#[derive(Clone)]
struct Raw(Rc<RefCell<Payload>>);

impl Stream for Raw {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

/// What comes on a connection after its request, for the one route that makes sockets: they have signs of
/// life of their own. Nothing is read from it before there is a socket.
pub(crate) struct Unpaced(pub(crate) web::Payload);

impl FromRequest for Unpaced {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut payload = match request.extensions_mut().remove::<Raw>() {
            Some(Raw(raw)) => raw.replace(Payload::None),
            None => payload.take(),
        };
        ready(web::Payload::from_request(request, &mut payload).into_inner().map(Self))
    }
}

/// While it lives, the connection is answering.
struct Answering(Rc<Meter>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.ends();
    }
}

pin_project! {
    /// An answer's body, with which the answering ends.
    pub(crate) struct CountedBody<B> {
        #[pin]
        body: B,
        answering: Answering,
    }
}

impl<B: MessageBody> MessageBody for CountedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(cx)
    }
}

/// Every `GET` route answers `HEAD`: the same head, without the body.
pub(crate) async fn head<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, Omitted>>, Error> {
    if request.method() != actix_web::http::Method::HEAD {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    request.head_mut().method = actix_web::http::Method::GET;
    // A socket begins with GET itself.
    request.headers_mut().remove(header::UPGRADE);
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => return Err(error),
    };
    Ok(response.map_body(|_, body: BoxBody| EitherBody::right(Omitted(body.size()))))
}

/// A body of which only the size is told; a stream that has no end ends here.
pub(crate) struct Omitted(BodySize);

impl MessageBody for Omitted {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}
