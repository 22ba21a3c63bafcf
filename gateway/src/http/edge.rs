//! The state that a worker thread's handlers use.

use std::rc::Rc;
use std::sync::Arc;

use actors::{System, Worker};
use engine_config::Config;
use engine_knowledge::Knowledge;
use metrics_exporter_prometheus::PrometheusHandle;
use schema::{Neighbour, Timestamp};
use tokio::time::Instant;

use super::error::ApiError;
use super::guesses::Guesses;
use super::health::Readiness;
use super::limiter::Limiter;
use super::places::Places;
use crate::answers::Answers;
use crate::auth::{Admin, AuthError, Authority, Principal, Tenants, is_generated, is_token};
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
    /// Answers that teams have typed.
    pub answers: Answers,
    /// Files and sites.
    pub learning: Learning,
    /// Buckets.
    pub limiter: Arc<Limiter>,
    /// Answers that are made of what is stored.
    pub places: Places,
    /// The last look at whether the node can work.
    pub readiness: Readiness,
    /// Wrong keys.
    pub guesses: Guesses,
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

    /// Who shows this key or token, from this address. A key that somebody could have guessed waits where
    /// wrong ones came from; nobody comes upon a generated key or a token.
    ///
    /// # Errors
    /// `rate_limited` after wrong keys, or why the credential opens nothing.
    pub(crate) async fn principal(&self, credential: &str, address: Neighbour) -> Result<Principal, ApiError> {
        if is_token(credential) || is_generated(credential) {
            return Ok(self.parts.authority.principal(credential, self.now()).await?);
        }
        self.parts.guesses.may_try(address, Instant::now())?;
        match self.parts.authority.principal(credential, self.now()).await {
            Err(AuthError::Unauthorized) => Err(self.wrong(address)),
            checked => Ok(checked?),
        }
    }

    /// Whether this is the operator's key, with the same care.
    ///
    /// # Errors
    /// `rate_limited` or `unauthorized`.
    pub(crate) fn admin(&self, credential: &str, address: Neighbour) -> Result<Admin, ApiError> {
        if is_generated(credential) {
            return Ok(self.parts.authority.admin(credential)?);
        }
        self.parts.guesses.may_try(address, Instant::now())?;
        self.parts.authority.admin(credential).map_err(|_| self.wrong(address))
    }

    fn wrong(&self, address: Neighbour) -> ApiError {
        let (guesses, now) = (&self.parts.guesses, Instant::now());
        let refused = guesses.may_try(address, now);
        guesses.wrong(address, now);
        match refused {
            Ok(()) => AuthError::Unauthorized.into(),
            Err(failure) => failure.into(),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.system().clock().now()
    }
}
