//! What a page needs to hold a conversation without a server of its own: a visitor's token, the
//! secret that brings the visitor back, and the look of the chat. The page's origin is the key.

use actix_web::{HttpRequest, web};
use actors::Failure;
use schema::wire::{Look, WidgetIn, WidgetSession};
use schema::{Contact, ErrorCode};

use super::body::Optional;
use super::caller::{address, page};
use super::edge::Edge;
use super::error::ApiError;
use crate::auth::{AuthError, Visitor};

pub(super) async fn session(
    request: HttpRequest,
    edge: web::Data<Edge>,
    tenant: web::Path<String>,
    Optional(WidgetIn { visitor }): Optional<WidgetIn>,
) -> Result<web::Json<WidgetSession>, ApiError> {
    let found = edge.parts.tenants.find(&tenant).await?;
    let tenant = edge.worker.tenant(found.id).await?;
    if tenant.is_disabled() {
        return Err(Failure::new(ErrorCode::TenantDisabled, "the tenant is disabled").into());
    }
    let page = page(&request).ok_or(AuthError::Origin)?;
    if !page.may_speak(|origin| tenant.allows_origin(origin)) {
        return Err(AuthError::Origin.into());
    }
    edge.parts.limiter.tenant(&tenant)?;
    let now = edge.now();
    let tokens = edge.parts.authority.tokens();
    let contact = match visitor.and_then(|secret| tokens.recognise(tenant.id(), &secret, now)) {
        Some(contact) => {
            edge.parts.limiter.visitor(tenant.id(), &contact)?;
            contact
        }
        None => {
            // The address first: whoever is refused for it takes nothing from the tenant's budget.
            edge.parts.limiter.new_visitor(address(&request))?;
            tenant.visitor_comes()?;
            Contact::anonymous()
        }
    };
    // Made anew each time: whoever comes often enough is never forgotten.
    let visitor = tokens.remember(tenant.id(), contact.clone(), now).map_err(AuthError::from)?;
    let expires_at = now.plus(edge.parts.config.limits.visitor_token_ttl);
    let seal = Visitor { contact: contact.clone(), conversation: None, origin: page.origin(), expires_at };
    let (token, expires_at) = tokens.seal(tenant.id(), seal, now).map_err(AuthError::from)?;
    let profile = tenant.view().profile;
    let look = Look { name: profile.assistant.name, widget: profile.widget };
    Ok(web::Json(WidgetSession { token, expires_at, contact, visitor, look }))
}
