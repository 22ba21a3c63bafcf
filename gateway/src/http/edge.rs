//! The state that a worker thread's handlers use.

use std::rc::Rc;
use std::sync::Arc;

use actors::{Failure, System, Worker};
use engine_cluster::Cluster;
use engine_config::Config;
use engine_knowledge::Knowledge;
use metrics_exporter_prometheus::PrometheusHandle;
use schema::{Neighbour, Timestamp};

use super::health::Readiness;
use super::places::ReadPlaces;
use crate::access::Access;
use crate::answers::Answers;
use crate::auth::{Holder, Tenants};
use crate::learning::Learning;
use crate::session::Sessions;
use crate::socket::Sockets;

/// What all threads share.
pub struct EdgeParts {
    /// The configuration the node was started with.
    pub config: Config,
    /// Who is let in, and how often.
    pub access: Arc<Access>,
    /// Makes and changes tenants.
    pub tenants: Arc<Tenants>,
    /// The tenants' documents, and the search in them.
    pub knowledge: Knowledge,
    /// Answers that teams have typed.
    pub answers: Answers,
    /// Jobs that read files and sites into the documents.
    pub learning: Learning,
    /// Answers that are made of what is stored.
    pub places: ReadPlaces,
    /// The last look at whether the node can work.
    pub readiness: Readiness,
    /// What the node knows of others; none where it is alone with its store.
    pub cluster: Option<Arc<Cluster>>,
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
    /// The actors' system, which all threads share.
    #[must_use]
    pub fn system(&self) -> &Arc<System> {
        self.worker.system()
    }

    /// Who of a tenant shows this key or token, from this address.
    ///
    /// # Errors
    /// As [`Access::principal`], and `unauthorized` for the operator's key, which opens no tenant.
    pub(crate) async fn holder(&self, credential: &str, address: Neighbour) -> Result<Holder, Failure> {
        Ok(self.parts.access.principal(credential, address, self.now()).await?.holder()?)
    }

    /// The time now, by the system's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.system().clock().now()
    }
}
