//! Files and sites that the tenant's assistant learns.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use schema::limits::FILE_BYTES_MAX;
use schema::wire::{JobStarted, JobView, Learned, SiteIn, SiteList};
use schema::{ErrorCode, JobId, limits};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{self, Json, parse, to_the_end};
use super::caller::{Caller, With, neighbour};
use super::edge::Edge;
use super::knowledge::check_source;
use super::places::Placed;
use crate::auth::Action;
use crate::error::ApiError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// Its name; learning the same source again replaces it
    #[schemars(length(max = limits::SOURCE_CHARS_MAX), regex(pattern = limits::SOURCE_PATTERN))]
    source: String,
}

pub(super) async fn file(
    caller: Caller,
    edge: web::Data<Edge>,
    named: web::Query<Named>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<web::Json<Learned>, ApiError> {
    caller.may(Action::Teach)?;
    body::check_is_unpacked(&request)?;
    check_source(&named.source)?;
    let learning = &edge.parts.learning;
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut held = learning.hold(caller.tenant_id());
    let bytes = body::whole(payload, FILE_BYTES_MAX, |more| held.take(more)).await?;
    caller.still_may(&edge).await?;
    let source = named.into_inner().source;
    Ok(web::Json(learning.learn_file(caller.tenant_id(), source, media_type, bytes).await?))
}

pub(super) async fn learn_site(
    With(caller, Json(asked)): With<Json<SiteIn>>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::Teach)?;
    to_the_end(async move {
        let job = edge.parts.learning.learn_site(caller.tenant_id(), asked).await?;
        Ok(HttpResponse::Accepted().json(JobStarted { job }))
    })
    .await
}

pub(super) async fn sites(
    caller: Caller,
    edge: web::Data<Edge>,
    request: HttpRequest,
) -> Result<Placed<SiteList>, ApiError> {
    caller.may(Action::Teach)?;
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let sites = edge.parts.learning.sites(caller.tenant_id()).await?;
    Ok(Placed(place, SiteList { sites }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Where it begins
    url: String,
}

pub(super) async fn forget_site(
    caller: Caller,
    edge: web::Data<Edge>,
    which: web::Query<Which>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::Teach)?;
    to_the_end(async move {
        edge.parts.learning.forget_site(caller.tenant_id(), &which.url).await?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

pub(super) async fn job(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<JobView>, ApiError> {
    caller.may(Action::Teach)?;
    let id: JobId = parse(&id, ErrorCode::BadField)?;
    Ok(web::Json(edge.parts.learning.job(caller.tenant_id(), id).await?))
}
