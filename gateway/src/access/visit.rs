//! Whose budgets what somebody does is taken from.

use std::sync::Arc;

use actors::{Tenant, Visit};
use schema::Neighbour;

use crate::auth::{Holder, MadeBy};

/// What a visitor does, whichever way it comes. Those who came by a page alone share what their address may use.
pub(crate) fn visit(principal: &Holder, tenant: &Arc<Tenant>, from: Neighbour) -> Option<Visit> {
    let visitor = principal.visitor()?;
    let from = (visitor.by == MadeBy::Page).then_some(from);
    Some(Visit::new(Arc::clone(tenant), visitor.sealed_for, from))
}
