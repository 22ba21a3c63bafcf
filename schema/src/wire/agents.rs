//! Bodies of the route that makes agents' tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentName, Origin, Timestamp};

/// `POST /v1/agents`: a token for one person of the team.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentIn {
    /// The name under which the agent writes, takes over and hands back.
    pub agent: AgentName,
    /// The page on which the token is used, where that is not one of the node's own; it must be on the tenant's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How long it is valid, in seconds; at most an hour, 15 minutes when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600))]
    pub ttl_seconds: Option<u32>,
}

/// The answer to `GET /v1/agents`: whom the agent's token that was shown speaks for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentView {
    /// The agent.
    pub agent: AgentName,
    /// When the token stops being valid.
    pub expires_at: Timestamp,
    /// The name of the tenant, of whose team the agent is.
    pub tenant: String,
    /// What the tenant's assistant is called.
    pub assistant: String,
}

/// The answer to `POST /v1/agents`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentToken {
    /// To be shown as `Authorization: Bearer`, or on the socket.
    pub token: String,
    /// When it stops being valid; sockets that use it are closed then. It is not renewed: make another one.
    pub expires_at: Timestamp,
    /// The agent that the token speaks for.
    pub agent: AgentName,
}
