//! What orchestrators and dashboards ask.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use actors::Failure;
use engine::store::{RecordName, Scope};
use schema::ErrorCode;
use serde_json::json;

use super::edge::Edge;
use super::error::ApiError;

/// Longest wait for the store's sign of life.
const STORE_MAX: Duration = Duration::from_secs(2);

pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

pub(super) async fn ready(edge: web::Data<Edge>) -> Result<HttpResponse, ApiError> {
    if edge.system().is_draining() {
        let failure = Failure::later(ErrorCode::Draining, "the node is shutting down", Duration::from_secs(5));
        return Err(failure.into());
    }
    let name = RecordName { scope: Scope::Node, kind: "tenant", id: String::new() };
    match tokio::time::timeout(STORE_MAX, edge.system().store().get(name)).await {
        Ok(Ok(_)) => Ok(HttpResponse::Ok().json(json!({"status": "ready"}))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Failure::later(ErrorCode::StoreUnavailable, "the store does not answer", STORE_MAX).into()),
    }
}

pub(super) async fn metrics(edge: web::Data<Edge>) -> HttpResponse {
    edge.parts.metrics.run_upkeep();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(edge.parts.metrics.render())
}
