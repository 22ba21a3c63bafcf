//! From which pages a credential may be used.

use actors::{Failure, Tenant};
use schema::ErrorCode;

use crate::auth::{AuthError, CallingPage, Principal, Visitor};

/// A visitor's token works on the page it was made for, while that page may speak to the tenant.
///
/// # Errors
/// [`AuthError::Origin`].
pub(crate) fn check_visitor_page(
    page: Option<&CallingPage>,
    visitor: &Visitor,
    tenant: &Tenant,
) -> Result<(), AuthError> {
    match (page, &visitor.origin) {
        (None, _) => Ok(()),
        (Some(page), Some(bound)) if page.is(bound) && page.may_speak(|origin| tenant.allows_origin(origin)) => Ok(()),
        _ => Err(AuthError::Origin),
    }
}

/// The same for whoever opens a session.
///
/// # Errors
/// `origin_refused` for a token on a page it was not made for; `forbidden` for an API key in a
/// browser, where every visitor could read it.
pub(crate) fn check_page(principal: &Principal, page: Option<&CallingPage>, tenant: &Tenant) -> Result<(), Failure> {
    match (principal.visitor(), page) {
        (Some(visitor), page) => Ok(check_visitor_page(page, visitor, tenant)?),
        (None, None) => Ok(()),
        (None, Some(_)) => {
            let message = "an API key does not belong in a browser; use a visitor's token";
            Err(Failure::new(ErrorCode::Forbidden, message))
        }
    }
}
