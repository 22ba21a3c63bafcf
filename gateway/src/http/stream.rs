//! Server-sent events of one conversation: durable events and the running reply, resumable by
//! `Last-Event-ID` or `?after=`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::http::{ConnectionType, Version, header};
use actix_web::{HttpRequest, HttpResponse, web};
use actors::{Failure, Format, Listener, Outbox, OutboxItem, OutboxStream, ReplyTo};
use bytes::Bytes;
use futures_util::Stream;
use schema::{ErrorCode, Position, SessionId};
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::Span;

use super::body;
use super::caller::{Caller, neighbour, page};
use super::conversations::conversation;
use super::edge::Edge;
use crate::access::check_token_page;
use crate::error::ApiError;
use crate::session::{Registration, session_span};

/// What browsers wait before they come back, in milliseconds.
const RETRY_MS: u32 = 1500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// A position, `seq` or `seq:turn:offset`; `Last-Event-ID` has precedence
    #[schemars(with = "Option<Position>")]
    after: Option<String>,
}

pub(super) async fn open(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
    from: web::Query<From>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = conversation(&id)?;
    // Some clients send the header before they have anything to say in it.
    let last =
        request.headers().get("last-event-id").and_then(|last| last.to_str().ok()).filter(|last| !last.is_empty());
    // A browser that reconnects sends where it was; the address still says where it began.
    let from = match last.or(from.after.as_deref()) {
        Some(text) => body::parse::<Position>(text, ErrorCode::BadPosition)?,
        None => Position::default(),
    };
    let key = caller.key(id);
    let handle = edge.worker.find_here(key).await?;
    caller.sees(id, handle.contact())?;
    let outbox = Outbox::new();
    let session = SessionId::generate();
    let mut registration = edge.sessions.register(session, Format::Sse, Arc::clone(&outbox), neighbour(&request))?;
    let (principal, page) = (Arc::new(caller.principal.clone()), page(&request));
    registration.identify(&principal, page.as_ref(), &caller.tenant)?;
    // The right may have ended between the first look and the entry, when nobody would have told it.
    caller.still_may(&edge).await?;
    check_token_page(page.as_ref(), &principal, &caller.tenant)?;
    let (reply, joined) = ReplyTo::call();
    let audience = principal.audience();
    let span = session_span(Some(session), key, "stream");
    handle.join(Listener { session, outbox: Arc::clone(&outbox), format: Format::Sse, audience }, from, reply);
    let body = Body {
        first: true,
        _span: span,
        items: outbox.stream(),
        leave: Leave { edge: edge.clone(), key, session },
        _registration: registration,
    };
    let restarts = |_| Err(Failure::later(ErrorCode::Restarting, "the conversation restarts", Duration::from_secs(1)));
    joined.await.unwrap_or_else(restarts)?;
    let mut response = HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache, no-transform"))
        // Tells nginx, among others, not to collect the stream into larger pieces.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body);
    if request.version() < Version::HTTP_11 {
        // It knows no chunks: the connection's end is the stream's (RFC 9112, 6.1).
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// The response's body; dropped with the connection.
struct Body {
    first: bool,
    /// Ends with the stream.
    _span: Span,
    items: OutboxStream,
    leave: Leave,
    _registration: Registration,
}

struct Leave {
    edge: web::Data<Edge>,
    key: schema::ConversationKey,
    session: SessionId,
}

impl Stream for Body {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.first) {
            return Poll::Ready(Some(Ok(Bytes::from(format!("retry: {RETRY_MS}\n\n")))));
        }
        let _ = &self.leave;
        match Pin::new(&mut self.items).poll_next(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(OutboxItem::Frame(frame))) => Poll::Ready(Some(Ok(frame.into_bytes()))),
            Poll::Ready(Some(OutboxItem::Ping)) => Poll::Ready(Some(Ok(Bytes::from_static(b": ping\n\n")))),
            Poll::Ready(Some(OutboxItem::Close(_)) | None) => Poll::Ready(None),
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.edge.system().leave(self.key, self.session);
    }
}
