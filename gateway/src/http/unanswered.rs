//! Unanswered questions, and the team's verdicts on replies.

use actix_web::{HttpRequest, HttpResponse, web};
use schema::wire::{UnansweredList, UnansweredQuestion, VerdictIn};
use schema::{ErrorCode, Seq, Timestamp, limits};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{Json, to_the_end};
use super::caller::{Caller, With, neighbour};
use super::conversations::conversation;
use super::edge::Edge;
use super::places::Placed;
use crate::auth::Action;
use crate::error::ApiError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// `next` of the page before
    #[schemars(regex(pattern = r"^[0-9]{1,18}:.+$"))]
    after: Option<String>,
    /// At most so many; 100 when left out
    #[schemars(range(min = 1, max = limits::PAGE_UNANSWERED_MAX))]
    limit: Option<usize>,
}

pub(super) async fn list(
    caller: Caller,
    edge: web::Data<Edge>,
    page: web::Query<ListParameters>,
    request: HttpRequest,
) -> Result<Placed<UnansweredList>, ApiError> {
    caller.may(Action::Teach)?;
    let ListParameters { after, limit } = page.into_inner();
    let limit = limit.unwrap_or(limits::PAGE_UNANSWERED_MAX);
    if !(1..=limits::PAGE_UNANSWERED_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_UNANSWERED_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    let after = after.as_deref().map(read_cursor).transpose()?;
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let questions = edge.system().unanswered().page(caller.tenant_id(), after, limit).await?;
    let next = (questions.len() == limit).then(|| questions.last().map(write_cursor)).flatten();
    Ok(Placed(place, UnansweredList { questions, next }))
}

pub(super) async fn dismiss(
    caller: Caller,
    edge: web::Data<Edge>,
    key: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::Teach)?;
    to_the_end(async move {
        if edge.system().unanswered().dismiss(caller.tenant_id(), &key).await? {
            return Ok(HttpResponse::NoContent().finish());
        }
        Err(ApiError::new(ErrorCode::NotFound, "there is no such question on the list"))
    })
    .await
}

pub(super) async fn judge(
    With(caller, Json(body)): With<Json<VerdictIn>>,
    edge: web::Data<Edge>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::Judge)?;
    let (id, seq) = path.into_inner();
    let key = caller.key(conversation(&id)?);
    let no_reply = || ApiError::new(ErrorCode::NotFound, "no reply of the assistant has this number");
    let seq: Seq = seq.parse().ok().filter(|seq| *seq > 0 && *seq < Seq::MAX).ok_or_else(no_reply)?;
    let VerdictIn { verdict, note } = body;
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().nth(limits::VERDICT_NOTE_CHARS_MAX).is_some()) {
        let message = format!("`note` has at most {} characters", limits::VERDICT_NOTE_CHARS_MAX);
        return Err(ApiError::new(ErrorCode::TooLarge, message));
    }
    to_the_end(async move {
        if edge.system().unanswered().judge(key, seq, verdict, note, edge.now()).await? {
            return Ok(HttpResponse::NoContent().finish());
        }
        Err(no_reply())
    })
    .await
}

fn write_cursor(row: &UnansweredQuestion) -> String {
    format!("{}:{}", row.last_at.as_millis(), row.key)
}

fn read_cursor(text: &str) -> Result<(Timestamp, String), ApiError> {
    let cursor = text
        .split_once(':')
        .and_then(|(millis, key)| Some((Timestamp::from_millis(millis.parse().ok()?), key.to_owned())));
    cursor.ok_or_else(|| ApiError::new(ErrorCode::BadField, "`after` is what an earlier page gave as `next`"))
}
