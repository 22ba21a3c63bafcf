//! A request becomes a socket: origin and credential are checked before it does.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::{Failure, Format, Outbox, OutboxItem};
use futures_util::StreamExt;
use schema::wire::{SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX};
use schema::{ErrorCode, SessionId};

use super::caller::{neighbour, page};
use super::count::Unpaced;
use super::edge::Edge;
use crate::auth::bearer;
use crate::error::ApiError;
use crate::session::Session;
use crate::socket::{Outgoing, offered};

pub(super) async fn open(
    request: HttpRequest,
    Unpaced(payload): Unpaced,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, ApiError> {
    let neighbour = neighbour(&request);
    if edge.system().is_draining() {
        let wait = std::time::Duration::from_secs(2);
        return Err(Failure::later(ErrorCode::Draining, "the node is shutting down", wait).into());
    }
    let headers = request.headers();
    let named = offered(headers).any(|protocol| protocol == SUBPROTOCOL);
    let authorization = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok()).and_then(bearer);
    // Browsers cannot set headers on a socket: their token rides as a second subprotocol.
    let token = authorization
        .or_else(|| offered(headers).find_map(|protocol| protocol.strip_prefix(TOKEN_SUBPROTOCOL_PREFIX)))
        .map(str::to_owned);

    let outbox = Outbox::new();
    let id = SessionId::generate();
    let registration = edge.sessions.register(id, Format::Socket, Arc::clone(&outbox), neighbour)?;
    let session = Session::new(
        Rc::clone(&edge.worker),
        Arc::clone(&edge.parts.access),
        id,
        Arc::clone(&outbox),
        neighbour,
        page(&request),
        registration,
    );
    if let Some(token) = token {
        let holder = edge.holder(&token, neighbour).await?;
        session.identify(holder).await?;
    }
    let outgoing = outbox.stream().map(|item| match item {
        OutboxItem::Frame(frame) => Outgoing::Text(frame),
        OutboxItem::Ping => Outgoing::Ping,
        OutboxItem::Close(close) => Outgoing::Close(close),
    });
    if !named && headers.contains_key(header::UPGRADE) {
        let message = format!("offer the subprotocol `{SUBPROTOCOL}`");
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    Ok(edge.sockets.open(&request, payload, Some(SUBPROTOCOL), session, outgoing)?)
}
