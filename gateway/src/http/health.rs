//! What orchestrators and dashboards ask.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use actors::Failure;
use engine::store::{RecordName, Scope, StoreError};
use futures_util::future;
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
    let store = edge.system().store();
    let name = RecordName { scope: Scope::Node, kind: "tenant", id: String::new() };
    let answers = future::join(store.get(name), store.probe());
    let Ok((read, written)) = tokio::time::timeout(STORE_MAX, answers).await else {
        return Err(Failure::later(ErrorCode::StoreUnavailable, "the store does not answer", STORE_MAX).into());
    };
    for answer in [read.map(drop), written] {
        match answer {
            // A node at its limit works: were it taken out of service, the next one would be too.
            Ok(()) | Err(StoreError::Busy) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(HttpResponse::Ok().json(json!({"status": "ready"})))
}

pub(super) async fn metrics(edge: web::Data<Edge>) -> HttpResponse {
    edge.parts.metrics.run_upkeep();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(edge.parts.metrics.render())
}
