//! Health, readiness and metrics, for orchestrators and dashboards.

use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use actors::Failure;
use engine_store::{RecordName, Scope, StoreError};
use futures_util::future;
use metrics_exporter_prometheus::PrometheusHandle;
use schema::ErrorCode;
use schema::wire::NodeState;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::caller::address;
use super::edge::Edge;
use crate::cluster::state;
use crate::connection::{is_this_machine, passed_on};
use crate::error::ApiError;
use crate::telemetry::rendered;

/// Longest wait for the store's sign of life.
const STORE_MAX: Duration = Duration::from_secs(2);

pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(NodeState { status: "alive".into(), cluster: None })
}

/// How long one look at the store answers all who ask: it writes, and anybody may ask.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// When the node was last looked at, and what was found.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, Result<(), Failure>)>>);

impl Readiness {
    /// What `look` finds, or found a moment ago. Of many who ask at once one looks.
    async fn at_most_as_old_as(
        &self,
        age_max: Duration,
        look: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let mut last = self.0.lock().await;
        match &*last {
            Some((at, found)) if at.elapsed() < age_max => found.clone(),
            _ => {
                let found = look.await;
                *last = Some((Instant::now(), found.clone()));
                found
            }
        }
    }
}

pub(super) async fn ready(edge: web::Data<Edge>) -> Result<HttpResponse, ApiError> {
    if edge.system().is_draining() {
        let failure = Failure::later(ErrorCode::Draining, "the node is shutting down", Duration::from_secs(5));
        return Err(failure.into());
    }
    if !edge.system().has_taker() {
        let message = "this node takes no conversations, and no node that does can be reached";
        return Err(Failure::later(ErrorCode::Restarting, message, Duration::from_secs(1)).into());
    }
    edge.parts.readiness.at_most_as_old_as(LOOK_EVERY, look(&edge)).await?;
    let cluster = edge.parts.cluster.as_deref().map(state);
    Ok(HttpResponse::Ok().json(NodeState { status: "ready".into(), cluster }))
}

async fn look(edge: &Edge) -> Result<(), Failure> {
    let store = edge.system().store();
    let name = RecordName { scope: Scope::Node, kind: "tenant", id: String::new() };
    let answers = future::join(store.get(name), store.probe());
    let Ok((read, written)) = tokio::time::timeout(STORE_MAX, answers).await else {
        return Err(Failure::later(ErrorCode::StoreUnavailable, "the store does not answer", STORE_MAX));
    };
    for answer in [read.map(drop), written] {
        match answer {
            // A node at its limit works: were it taken out of service, the next one would be too.
            Ok(()) | Err(StoreError::Busy) => {}
            Err(error) => return Err(Failure::store(&error)),
        }
    }
    Ok(())
}

/// The metrics at the main address: for this machine, when they have no address of their own.
pub(super) async fn metrics(request: HttpRequest, edge: web::Data<Edge>) -> Result<HttpResponse, ApiError> {
    if edge.parts.config.metrics_listen.is_some() {
        return Err(super::routes::nothing_at(request.path()));
    }
    // A proxy on this machine is not who asks; and one that says nothing of its clients looks like this machine.
    let behind = edge.parts.config.public_url.is_some() || passed_on(request.headers());
    if behind || !is_this_machine(address(&request)) {
        let message =
            "metrics are for this machine only, and with `public_url` not at this address: set `metrics_listen`";
        return Err(ApiError::new(ErrorCode::Forbidden, message));
    }
    Ok(render(&edge.parts.metrics))
}

/// Mounts the metrics alone, at their own address. Their handle must be among the app's data.
pub(crate) fn only_metrics(app: &mut ServiceConfig) {
    app.route("/metrics", web::get().to(async |handle: web::Data<PrometheusHandle>| render(&handle)));
}

fn render(handle: &PrometheusHandle) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(rendered(handle))
}
