//! Plans, by the operator's key: what tenants may use.

use actix_web::web;
use schema::wire::{PlanChoice, PlanList, PlanPut, PlanView, TenantView};
use schema::{ErrorCode, Plan};
use schemars::{Schema, SchemaGenerator};

use super::admin::{reload, tenant};
use super::body::{Json, to_the_end};
use super::caller::Operator;
use super::edge::Edge;
use crate::error::ApiError;

/// The name of a plan, in a path.
pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "string", "pattern": Plan::NAME_PATTERN})
}

pub(super) async fn list(_: Operator, edge: web::Data<Edge>) -> Result<web::Json<PlanList>, ApiError> {
    Ok(web::Json(PlanList { plans: edge.parts.tenants.plans().list().await? }))
}

pub(super) async fn view(
    _: Operator,
    edge: web::Data<Edge>,
    name: web::Path<String>,
) -> Result<web::Json<PlanView>, ApiError> {
    Ok(web::Json(edge.parts.tenants.plans().find(&name).await?))
}

pub(super) async fn replace(
    _: Operator,
    edge: web::Data<Edge>,
    name: web::Path<String>,
    Json(body): Json<PlanPut>,
) -> Result<web::Json<PlanView>, ApiError> {
    let PlanPut { version, plan } = body;
    edge.worker
        .models()
        .candidates(&plan.models)
        .map_err(|error| ApiError::new(ErrorCode::BadField, format!("`models`: {error}")))?;
    to_the_end(async move {
        let view = edge.parts.tenants.plans().put(&name, version, plan).await?;
        edge.system().plan_changed(&view);
        Ok(web::Json(view))
    })
    .await
}

pub(super) async fn choose(
    _: Operator,
    edge: web::Data<Edge>,
    id: web::Path<String>,
    Json(body): Json<PlanChoice>,
) -> Result<web::Json<TenantView>, ApiError> {
    let id = tenant(&id)?;
    to_the_end(async move {
        let view = edge.parts.tenants.set_plan(id, &body.plan).await?;
        reload(&edge, view.id).await?;
        Ok(web::Json(view))
    })
    .await
}
