//! The tenant's documents: learned, listed, shown, forgotten.

use actix_web::{HttpRequest, HttpResponse, web};
use engine_knowledge::Document;
use schema::wire::{DocumentIn, DocumentList, DocumentMarkdown, DocumentPage, Learned};
use schema::{ErrorCode, limits};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body;
use super::caller::{Caller, neighbour};
use super::edge::Edge;
use super::places::Placed;
use crate::answers::is_answer;
use crate::auth::Action;
use crate::error::ApiError;

/// A document as JSON: its text may double in size by escaping.
const DOCUMENT_JSON_BYTES_MAX: usize = 2 * limits::DOCUMENT_BYTES_MAX + limits::BODY_BYTES_MAX;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// `next` of the page before
    after: Option<String>,
    /// At most so many; 100 when left out
    #[schemars(range(min = 1, max = limits::PAGE_DOCUMENTS_MAX))]
    limit: Option<usize>,
}

pub(super) async fn list(
    caller: Caller,
    edge: web::Data<Edge>,
    page: web::Query<ListParameters>,
    request: HttpRequest,
) -> Result<Placed<DocumentList>, ApiError> {
    caller.may(Action::Teach)?;
    let ListParameters { after, limit } = page.into_inner();
    let limit = limit.unwrap_or(limits::PAGE_DOCUMENTS_MAX);
    if !(1..=limits::PAGE_DOCUMENTS_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_DOCUMENTS_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let (mut documents, mut next) = (Vec::new(), after);
    // Typed answers are documents too, and have a list of their own: the page is filled up with what follows.
    loop {
        let (page, more) = edge.parts.knowledge.page(caller.tenant_id(), next, limit - documents.len()).await?;
        documents.extend(page.into_iter().filter(|document| !is_answer(&document.source)));
        next = more;
        if documents.len() == limit || next.is_none() {
            return Ok(Placed(place, DocumentList { documents, next }));
        }
    }
}

/// # Errors
/// `bad_field` for a name that only typed answers have.
pub(super) fn check_source(source: &str) -> Result<(), ApiError> {
    if is_answer(source) {
        let message = "a source that begins with `answer:` is a typed answer; see /v1/answers";
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    Ok(())
}

pub(super) async fn learn(
    caller: Caller,
    edge: web::Data<Edge>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<web::Json<Learned>, ApiError> {
    caller.may(Action::Teach)?;
    let tenant = caller.tenant_id();
    let mut held = edge.parts.learning.hold(tenant);
    let DocumentIn { source, text } =
        body::whole_json(&request, payload, DOCUMENT_JSON_BYTES_MAX, |more| held.take(more)).await?;
    caller.still_may(&edge).await?;
    check_source(&source)?;
    let learned = edge.parts.knowledge.learn(tenant, vec![Document::new(source, text)], edge.now()).await?;
    let one = learned.into_iter().next();
    one.map(web::Json).ok_or_else(|| ApiError::new(ErrorCode::Internal, "nothing was learned"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Passages {
    /// Which one
    source: String,
    /// `next` of the page before
    #[serde(default)]
    after: usize,
    /// At most so many passages; 100 when left out
    #[schemars(range(min = 1, max = limits::PAGE_PASSAGES_MAX))]
    limit: Option<usize>,
}

pub(super) async fn document(
    caller: Caller,
    edge: web::Data<Edge>,
    asked: web::Query<Passages>,
    request: HttpRequest,
) -> Result<Placed<DocumentPage>, ApiError> {
    caller.may(Action::Teach)?;
    let Passages { source, after, limit } = asked.into_inner();
    let limit = limit.unwrap_or(limits::PAGE_PASSAGES_MAX);
    if !(1..=limits::PAGE_PASSAGES_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_PASSAGES_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    check_source(&source)?;
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let page = edge.parts.knowledge.document(caller.tenant_id(), source, after, limit).await?;
    Ok(Placed(place, page.ok_or_else(never_learned)?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Piece {
    /// Which one
    source: String,
    /// `next` of the piece before
    #[serde(default)]
    after: usize,
}

pub(super) async fn markdown(
    caller: Caller,
    edge: web::Data<Edge>,
    asked: web::Query<Piece>,
    request: HttpRequest,
) -> Result<Placed<DocumentMarkdown>, ApiError> {
    caller.may(Action::Teach)?;
    let Piece { source, after } = asked.into_inner();
    check_source(&source)?;
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let piece = edge.parts.knowledge.markdown(caller.tenant_id(), source, after).await?;
    Ok(Placed(place, piece.ok_or_else(never_learned)?))
}

fn never_learned() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "no document of this name was learned")
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Which one
    source: String,
}

pub(super) async fn forget(
    caller: Caller,
    edge: web::Data<Edge>,
    which: web::Query<Which>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::Teach)?;
    let source = which.into_inner().source;
    check_source(&source)?;
    if edge.parts.knowledge.forget(caller.tenant_id(), source).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(never_learned())
}
