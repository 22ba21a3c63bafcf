//! What the tenant's assistant has learned.

use actix_web::{HttpRequest, HttpResponse, web};
use engine::knowledge::Document;
use schema::wire::{DocumentIn, DocumentList, Learned};
use schema::{ErrorCode, limits};
use serde::Deserialize;

use super::body;
use super::caller::{Caller, neighbour};
use super::edge::Edge;
use super::error::ApiError;
use super::places::Listing;

/// A document as JSON: its text may double in size by escaping.
const DOCUMENT_JSON_BYTES_MAX: usize = 2 * limits::DOCUMENT_BYTES_MAX + limits::BODY_BYTES_MAX;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    caller: Caller,
    edge: web::Data<Edge>,
    page: web::Query<Page>,
    request: HttpRequest,
) -> Result<Listing<DocumentList>, ApiError> {
    caller.manages()?;
    let Page { after, limit } = page.into_inner();
    let limit = limit.unwrap_or(limits::PAGE_DOCUMENTS_MAX);
    if !(1..=limits::PAGE_DOCUMENTS_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_DOCUMENTS_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let (documents, next) = edge.parts.knowledge.page(caller.tenant_id(), after, limit).await?;
    Ok(Listing(place, DocumentList { documents, next }))
}

pub(super) async fn learn(
    caller: Caller,
    edge: web::Data<Edge>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<web::Json<Learned>, ApiError> {
    caller.manages()?;
    let tenant = caller.tenant_id();
    let mut held = edge.parts.learning.hold(tenant);
    let DocumentIn { source, text } =
        body::whole_json(&request, payload, DOCUMENT_JSON_BYTES_MAX, |more| held.take(more)).await?;
    caller.still_may(&edge).await?;
    let learned = edge.parts.knowledge.learn(tenant, vec![Document { source, text }], edge.now()).await?;
    let one = learned.into_iter().next();
    one.map(web::Json).ok_or_else(|| ApiError::new(ErrorCode::Internal, "nothing was learned"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    source: String,
}

pub(super) async fn forget(
    caller: Caller,
    edge: web::Data<Edge>,
    which: web::Query<Which>,
) -> Result<HttpResponse, ApiError> {
    caller.manages()?;
    let source = which.into_inner().source;
    if edge.parts.knowledge.forget(caller.tenant_id(), source).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(ApiError::new(ErrorCode::NotFound, "no document of this name was learned"))
}
