//! The operator's routes. They take the key in the data directory's `admin.key`, and no other.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use schema::wire::{KeyMade, Released, TenantIn, TenantList, TenantView};
use schema::{ConversationKey, DEFAULT_PLAN, ErrorCode, TenantId, limits};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::body::{self, Json, to_the_end};
use super::caller::{Operator, neighbour};
use super::conversations::conversation;
use super::edge::Edge;
use super::places::Placed;
use crate::error::ApiError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// `next` of the page before
    after: Option<TenantId>,
}

pub(super) async fn list(
    _: Operator,
    edge: web::Data<Edge>,
    page: web::Query<ListParameters>,
    request: HttpRequest,
) -> Result<Placed<TenantList>, ApiError> {
    let place = edge.parts.places.take(neighbour(&request), None).await?;
    let (tenants, next) = edge.parts.tenants.page(page.after, limits::PAGE_TENANTS_MAX).await?;
    Ok(Placed(place, TenantList { tenants, next }))
}

pub(super) async fn create(
    _: Operator,
    edge: web::Data<Edge>,
    Json(body): Json<TenantIn>,
) -> Result<HttpResponse, ApiError> {
    let plan = body.plan.as_deref().unwrap_or(DEFAULT_PLAN);
    let (tenant, key) = edge.parts.tenants.create_on(&body.name, plan, edge.now()).await?;
    let made = KeyMade { tenant: tenant.id, name: tenant.name, api_key: key.expose_secret().to_owned() };
    Ok(HttpResponse::build(StatusCode::CREATED).json(made))
}

pub(super) async fn rotate_key(
    _: Operator,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<KeyMade>, ApiError> {
    let id = tenant(&id)?;
    to_the_end(async move {
        let (tenant, key) = edge.parts.tenants.rotate_key(id, edge.now()).await?;
        reload(&edge, tenant.id).await?;
        Ok(web::Json(KeyMade { tenant: tenant.id, name: tenant.name, api_key: key.expose_secret().to_owned() }))
    })
    .await
}

pub(super) async fn disable(
    _: Operator,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<TenantView>, ApiError> {
    set_disabled(edge, &id, true).await
}

pub(super) async fn enable(
    _: Operator,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<TenantView>, ApiError> {
    set_disabled(edge, &id, false).await
}

pub(super) async fn release(
    _: Operator,
    edge: web::Data<Edge>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (tenant_id, id) = path.into_inner();
    let key = ConversationKey { tenant: tenant(&tenant_id)?, conversation: conversation(&id)? };
    if edge.system().release(key).await? {
        return Ok(HttpResponse::Ok().json(Released { released: true }));
    }
    Err(ApiError::new(ErrorCode::WrongState, "the conversation is not in quarantine"))
}

async fn set_disabled(edge: web::Data<Edge>, id: &str, disabled: bool) -> Result<web::Json<TenantView>, ApiError> {
    let id = tenant(id)?;
    to_the_end(async move {
        let view = edge.parts.tenants.set_disabled(id, disabled).await?;
        reload(&edge, view.id).await?;
        Ok(web::Json(view))
    })
    .await
}

/// Lets running conversations and open sessions know at once. A tenant that is met just now is read here
/// too: whoever reads it may have begun before the change.
pub(super) async fn reload(edge: &Edge, id: TenantId) -> Result<(), ApiError> {
    Ok(edge.worker.tenant(id).await?.reload().await?)
}

pub(super) fn tenant(id: &str) -> Result<TenantId, ApiError> {
    body::parse(id, ErrorCode::NotFound)
}
