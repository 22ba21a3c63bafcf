//! A tenant's own settings.

use actix_web::web;
use schema::ErrorCode;
use schema::wire::{TenantPut, TenantView};

use super::body::Json;
use super::caller::{Caller, With};
use super::edge::Edge;
use crate::auth::Action;
use crate::error::ApiError;

pub(super) async fn view(caller: Caller, edge: web::Data<Edge>) -> Result<web::Json<TenantView>, ApiError> {
    caller.may(Action::Configure)?;
    Ok(web::Json(at(&edge, caller.tenant_view())))
}

/// Only the node knows under which address the world has it.
fn at(edge: &Edge, view: TenantView) -> TenantView {
    TenantView { public_url: edge.parts.config.public_url.clone(), ..view }
}

pub(super) async fn replace(
    With(caller, Json(body)): With<Json<TenantPut>>,
    edge: web::Data<Edge>,
) -> Result<web::Json<TenantView>, ApiError> {
    caller.may(Action::Configure)?;
    let TenantPut { version, profile } = body;
    let models = edge.worker.models();
    let known = models.candidates(&profile.models);
    known.map_err(|error| ApiError::new(ErrorCode::BadField, format!("`models`: {error}")))?;
    Ok(web::Json(at(&edge, caller.tenant.put_profile(version, profile, models.list()).await?)))
}
