//! Answers that the team has typed.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use schema::wire::{AnswerIn, AnswerList, AnswerView};
use schema::{ErrorCode, limits};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::body::{Json, to_the_end};
use super::caller::{Caller, With, neighbour};
use super::edge::Edge;
use super::places::Placed;
use crate::answers::made_id;
use crate::auth::Action;
use crate::error::ApiError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// `next` of the page before
    after: Option<String>,
    /// At most so many; 50 when left out
    #[schemars(range(min = 1, max = limits::PAGE_ANSWERS_MAX))]
    limit: Option<usize>,
}

/// The id of an answer, in a path.
pub(super) fn id(_: &mut SchemaGenerator) -> Schema {
    let pattern = format!("^[a-z0-9][a-z0-9-]{{0,{}}}$", limits::ANSWER_ID_CHARS_MAX - 1);
    schemars::json_schema!({"type": "string", "pattern": pattern})
}

pub(super) async fn list(
    caller: Caller,
    edge: web::Data<Edge>,
    page: web::Query<ListParameters>,
    request: HttpRequest,
) -> Result<Placed<AnswerList>, ApiError> {
    caller.may(Action::Teach)?;
    let ListParameters { after, limit } = page.into_inner();
    let limit = limit.unwrap_or(limits::PAGE_ANSWERS_MAX);
    if !(1..=limits::PAGE_ANSWERS_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_ANSWERS_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let (answers, next) = edge.parts.answers.page(caller.tenant_id(), after, limit).await?;
    Ok(Placed(place, AnswerList { answers, next }))
}

pub(super) async fn put(
    With(caller, Json(body)): With<Json<AnswerIn>>,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<AnswerView>, ApiError> {
    write(caller, edge, id.into_inner(), body).await.map(web::Json)
}

pub(super) async fn post(
    With(caller, Json(body)): With<Json<AnswerIn>>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, ApiError> {
    let id = made_id(&body.questions);
    let written = write(caller, edge, id, body).await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(written))
}

async fn write(caller: Caller, edge: web::Data<Edge>, id: String, body: AnswerIn) -> Result<AnswerView, ApiError> {
    caller.may(Action::Teach)?;
    to_the_end(async move {
        let (tenant, answers) = (caller.tenant_id(), body.unanswered.clone());
        let written = edge.parts.answers.put(tenant, &id, body, edge.now()).await?;
        if let Some(key) = answers {
            edge.system().unanswered().dismiss(tenant, &key).await?;
        }
        Ok(written)
    })
    .await
}

pub(super) async fn delete(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::Teach)?;
    to_the_end(async move {
        if edge.parts.answers.delete(caller.tenant_id(), &id).await? {
            return Ok(HttpResponse::NoContent().finish());
        }
        Err(ApiError::new(ErrorCode::NotFound, "there is no such answer"))
    })
    .await
}
