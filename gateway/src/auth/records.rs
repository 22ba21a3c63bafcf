//! How API keys, reserved names and logouts are stored; tenants themselves are [`actors::TenantRecord`]s.
//! Invariant: a key is valid while its tenant's record names it, so left-over key records open nothing.

use actors::KeyId;
use engine_store::{RecordName, Scope};
use schema::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::logouts::Whom;

/// The format of the bodies below.
pub(super) const FORMAT: u32 = 1;

const TENANT_NAME: &str = "tenant_name";
const API_KEY: &str = "api_key";
/// See [`super::logouts`], and [`super::logout_count`].
pub(crate) const LOGOUT: &str = "logout";
pub(crate) const AGENT_LOGOUT: &str = "agent_logout";
const LOGOUT_COUNT: &str = "logout_count";

/// An API key, as stored: enough to recognise it, not enough to use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeyBody {
    pub(super) format: u32,
    pub(super) tenant: TenantId,
    /// HMAC-SHA-256 under the node's pepper, in hexadecimal.
    pub(super) digest: String,
    /// What people may know a key by.
    pub(super) last4: String,
    pub(super) created_at: Timestamp,
}

/// The record that keeps a tenant's name its own; its body is the tenant's id.
pub(super) fn reserved(name: &str) -> RecordName {
    RecordName { scope: Scope::Node, kind: TENANT_NAME, id: name.into() }
}

pub(super) fn api_key(id: KeyId) -> RecordName {
    RecordName { scope: Scope::Node, kind: API_KEY, id: id.to_string() }
}

/// The record of somebody who was logged out. Its id is a contact's, or says no agent's name in plain words.
pub(crate) fn logout(tenant: TenantId, whom: &Whom) -> RecordName {
    let (kind, id) = match whom {
        Whom::Contact(contact) => (LOGOUT, contact.to_string()),
        Whom::Agent(name) => (AGENT_LOGOUT, hex::encode(Sha256::digest(name.as_bytes()))),
    };
    RecordName { scope: Scope::Tenant(tenant), kind, id }
}

/// The record that counts a tenant's log-outs.
pub(super) fn logout_count(tenant: TenantId) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: LOGOUT_COUNT, id: "all".into() }
}
