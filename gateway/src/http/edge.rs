//! What a worker thread's handlers have at hand.

use std::rc::Rc;
use std::sync::Arc;

use actors::{System, Worker};
use engine::config::Config;
use engine::knowledge::Knowledge;
use metrics_exporter_prometheus::PrometheusHandle;
use schema::Timestamp;

use super::health::Readiness;
use super::limiter::Limiter;
use super::places::Places;
use crate::auth::{Authority, Tenants};
use crate::learning::Learning;
use crate::session::Sessions;
use crate::socket::Sockets;

/// What all threads share.
pub struct EdgeParts {
    /// The configuration the node was started with.
    pub config: Config,
    /// Checks keys and tokens.
    pub authority: Authority,
    /// Makes and changes tenants.
    pub tenants: Tenants,
    /// Documents.
    pub knowledge: Knowledge,
    /// Files and sites.
    pub learning: Learning,
    /// Buckets.
    pub limiter: Arc<Limiter>,
    /// Answers that are made of what is stored.
    pub places: Places,
    /// The last look at whether the node can work.
    pub readiness: Readiness,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

/// One worker thread's edge.
pub struct Edge {
    /// Conversations of this thread.
    pub worker: Rc<Worker>,
    /// What all threads share.
    pub parts: Arc<EdgeParts>,
    /// Web sockets of this thread.
    pub sockets: Sockets,
    /// Sessions of this thread, sockets and streams.
    pub sessions: Sessions,
}

impl Edge {
    /// The system.
    #[must_use]
    pub fn system(&self) -> &Arc<System> {
        self.worker.system()
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.system().clock().now()
    }
}
