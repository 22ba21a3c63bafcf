//! From which pages a credential may be used.

use actors::{Failure, Tenant};
use schema::ErrorCode;

use crate::auth::{Action, AuthError, CallingPage, Holder};

/// A token works on the page it was made for, while that page may speak to the tenant; an agent's that names no page
/// on the node's own. A key is not asked: a request that carries one has it from its page, and from nowhere else.
///
/// # Errors
/// [`AuthError::Origin`].
pub(crate) fn check_token_page(
    page: Option<&CallingPage>,
    principal: &Holder,
    tenant: &Tenant,
) -> Result<(), AuthError> {
    if principal.expires_at().is_none() || fits(page, principal, tenant) { Ok(()) } else { Err(AuthError::Origin) }
}

/// The same for whoever opens a session, where a key works on the node's own pages and in programs alone.
///
/// # Errors
/// `origin_refused` for a token on a page it was not made for; `forbidden` for an API key on another's
/// page, where every visitor could read it.
pub(crate) fn check_page(principal: &Holder, page: Option<&CallingPage>, tenant: &Tenant) -> Result<(), Failure> {
    if fits(page, principal, tenant) {
        return Ok(());
    }
    if principal.expires_at().is_some() {
        return Err(AuthError::Origin.into());
    }
    let message = "an API key does not belong in a page; use a visitor's or an agent's token";
    Err(Failure::new(ErrorCode::Forbidden, message))
}

fn fits(page: Option<&CallingPage>, principal: &Holder, tenant: &Tenant) -> bool {
    match (page, principal.origin()) {
        (None, _) => true,
        (Some(page), Some(bound)) => page.is(bound) && page.may_speak(|origin| tenant.allows_origin(origin)),
        (Some(page), None) => page.is_own() && principal.may(Action::UseOwnPages),
    }
}
