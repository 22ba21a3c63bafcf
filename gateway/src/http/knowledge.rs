//! What the tenant's assistant has learned.

use actix_web::{HttpResponse, web};
use engine::knowledge::Document;
use schema::ErrorCode;
use schema::wire::{DocumentIn, DocumentList, Learned};
use serde::Deserialize;

use super::caller::Caller;
use super::edge::Edge;
use super::error::ApiError;

pub(super) async fn list(caller: Caller, edge: web::Data<Edge>) -> Result<web::Json<DocumentList>, ApiError> {
    caller.manages()?;
    let documents = edge.parts.knowledge.list(caller.tenant_id()).await?;
    Ok(web::Json(DocumentList { documents }))
}

pub(super) async fn learn(
    caller: Caller,
    edge: web::Data<Edge>,
    body: web::Json<DocumentIn>,
) -> Result<web::Json<Learned>, ApiError> {
    caller.manages()?;
    let DocumentIn { source, text } = body.into_inner();
    let learned = edge.parts.knowledge.learn(caller.tenant_id(), vec![Document { source, text }], edge.now()).await?;
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
