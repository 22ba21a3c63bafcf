//! Whether somebody of a tenant may still do what they were let in for, as the tenant stands now.

use actors::TenantRecord;

use super::error::AuthError;
use super::principal::{Agent, Kind, MadeBy, Visitor};

/// # Errors
/// [`AuthError::Disabled`]; [`AuthError::Unauthorized`] for a key that was taken away,
/// [`AuthError::Rotated`] for a token that such a key has made.
pub fn admits(tenant: &TenantRecord, kind: &Kind) -> Result<(), AuthError> {
    match kind {
        Kind::ApiKey { key, .. } if !tenant.keys.contains(key) => Err(AuthError::Unauthorized),
        _ if tenant.disabled => Err(AuthError::Disabled),
        Kind::Visitor(Visitor { by: MadeBy::Key(generation), .. }) | Kind::Agent(Agent { generation, .. })
            if *generation != tenant.generation =>
        {
            Err(AuthError::Rotated)
        }
        _ => Ok(()),
    }
}
