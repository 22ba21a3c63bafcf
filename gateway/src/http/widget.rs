//! What a page needs to hold a conversation without a server of its own: a visitor's token, the
//! secret that brings the visitor back, and the look of the chat. The page's origin is the key.

use actix_web::{HttpRequest, web};
use actors::Meant;
use schema::ContactId;
use schema::wire::{Look, WidgetIn, WidgetSession};

use super::body::Optional;
use super::caller::{neighbour, page};
use super::edge::Edge;
use crate::auth::{AuthError, MadeBy, TenantError, Visitor};
use crate::error::ApiError;

pub(super) async fn session(
    request: HttpRequest,
    edge: web::Data<Edge>,
    tenant: web::Path<String>,
    Optional(WidgetIn { visitor }): Optional<WidgetIn>,
) -> Result<web::Json<WidgetSession>, ApiError> {
    let page = page(&request).ok_or(AuthError::Origin)?;
    let found = match edge.parts.tenants.find(&tenant).await {
        // A foreign page does not learn which tenants there are.
        Err(TenantError::NotFound) if !page.is_own() => return Err(AuthError::Origin.into()),
        found => found?,
    };
    let tenant = edge.worker.tenant(found.id).await?;
    if !page.may_speak(|origin| tenant.allows_origin(origin)) {
        return Err(AuthError::Origin.into());
    }
    if tenant.is_disabled() {
        return Err(AuthError::Disabled.into());
    }
    // Before the look at log-outs: one that comes later then ends what is made here.
    let now = edge.now();
    let authority = &edge.parts.access.authority;
    let tokens = authority.tokens();
    let made = authority.logouts().now(tenant.id()).await.map_err(AuthError::from)?;
    let returning = match visitor {
        Some(secret) => authority.returning(tenant.id(), &secret, now).await?,
        None => None,
    };
    let Meant { own: sealed_for, id: contact } = match returning {
        Some(whom) => {
            edge.parts.access.limiter.visitor(tenant.id(), whom.id)?;
            whom
        }
        None => {
            edge.parts.access.limiter.new_visitor(neighbour(&request))?;
            tenant.visitor_comes()?;
            let id = ContactId::generate();
            Meant { own: id, id }
        }
    };
    edge.parts.access.limiter.of_tenant(&tenant, true)?;
    // Made anew each time: whoever comes often enough is never forgotten.
    let visitor = tokens.remember(tenant.id(), sealed_for, made, now).map_err(AuthError::from)?;
    let expires_at = now.plus(edge.parts.config.limits.visitor_token_ttl);
    let origin = page.origin();
    let by = MadeBy::Page;
    let seal = Visitor { contact, sealed_for, conversation: None, origin, expires_at, since: now, made, by };
    let (token, expires_at) = tokens.seal(tenant.id(), seal, now).map_err(AuthError::from)?;
    let whom = edge.system().contacts().standing(tenant.id(), contact).await?;
    let profile = tenant.view().profile;
    let look = Look { name: profile.assistant.name, widget: profile.widget };
    Ok(web::Json(WidgetSession { token, expires_at, contact: whom.shown, contact_id: contact, visitor, look }))
}
