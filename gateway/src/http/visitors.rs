//! Visitors' tokens: made with the API key, renewed with the token itself, ended with the API key.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use actors::{ContactsError, Meant};
use schema::wire::{VisitorIn, VisitorToken};
use schema::{Contact, ContactId, ErrorCode, TenantId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{Optional, parse, to_the_end};
use super::caller::{Caller, With};
use super::edge::Edge;
use crate::auth::{Action, AuthError, MadeBy, TOKEN_TTL_MAX, Visitor, Whom};
use crate::error::ApiError;

pub(super) async fn make(
    With(caller, Optional(asked)): With<Optional<VisitorIn>>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, ApiError> {
    asked.contact.as_ref().map(Contact::checked).transpose().map_err(ContactsError::from)?;
    let ttl = life(&edge, asked.ttl_seconds)?;
    let (contacts, tenant) = (edge.system().contacts(), caller.tenant_id());
    let since = edge.now();
    let made = edge.parts.access.authority.logouts().now(tenant).await.map_err(AuthError::from)?;
    let expires_at = since.plus(ttl);
    let visitor = match caller.principal.visitor() {
        Some(visitor) => {
            caller.may(Action::Renew)?;
            renewed(visitor, &asked, expires_at)?
        }
        None => {
            caller.may(Action::LetIn)?;
            let origin_allowed =
                asked.origin.as_ref().is_none_or(|origin| caller.tenant.allows_origin(origin.as_str()));
            if !origin_allowed {
                return Err(AuthError::Origin.into());
            }
            let Meant { own: sealed_for, id: contact } = match asked.conversation {
                // A token for a conversation is a token for whom it is with.
                Some(id) => {
                    let with = edge.worker.find(caller.key(id)).await?.contact();
                    let family = match &asked.contact {
                        Some(contact) => contacts.family(tenant, contact).await?,
                        None => vec![with],
                    };
                    if !family.contains(&with) {
                        let message = "`conversation` is with another contact";
                        return Err(ApiError::new(ErrorCode::BadField, message));
                    }
                    contacts.named(tenant, &with.into()).await?
                }
                None => match &asked.contact {
                    Some(name) => contacts.named(tenant, name).await?,
                    None => {
                        let id = ContactId::generate();
                        Meant { own: id, id }
                    }
                },
            };
            let (conversation, origin, by) = (asked.conversation, asked.origin, MadeBy::Key(caller.generation()?));
            Visitor { contact, sealed_for, conversation, origin, expires_at, since, made, by }
        }
    };
    let contact_id = visitor.contact;
    let contact = contacts.standing(tenant, contact_id).await?.shown;
    let sealed = edge.parts.access.authority.tokens().seal(caller.tenant_id(), visitor, edge.now());
    let (token, expires_at) = sealed.map_err(AuthError::from)?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(VisitorToken { token, expires_at, contact, contact_id }))
}

/// How long a token is to hold: as it was asked for, or as the configuration says.
pub(super) fn life(edge: &Edge, seconds: Option<u32>) -> Result<Duration, ApiError> {
    let Some(seconds) = seconds else { return Ok(edge.parts.config.limits.visitor_token_ttl) };
    let ttl = Duration::from_secs(u64::from(seconds));
    if ttl.is_zero() || ttl > TOKEN_TTL_MAX {
        let message = format!("`ttl_seconds` is from 1 to {}", TOKEN_TTL_MAX.as_secs());
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    Ok(ttl)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Whom, as the tenant names them
    #[schemars(with = "Contact")]
    contact: String,
}

/// Logs a visitor out: its tokens, and the secrets by which it is known again, end with what they have open.
pub(super) async fn log_out(
    caller: Caller,
    edge: web::Data<Edge>,
    which: web::Query<Which>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::LetIn)?;
    let contact: Contact = parse(&which.contact, ErrorCode::BadField)?;
    let tenant = caller.tenant_id();
    to_the_end(async move {
        let contacts = edge.system().contacts();
        // Nobody has a token for a name that nobody has.
        log_out_all(&edge, tenant, &contacts.family(tenant, &contact).await?).await?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

/// Logs a contact out, with those who were merged into it: a token may name any of them.
pub(super) async fn log_out_all(edge: &Edge, tenant: TenantId, family: &[ContactId]) -> Result<(), ApiError> {
    for contact in family {
        let logout = edge
            .parts
            .access
            .authority
            .logouts()
            .log_out(tenant, &Whom::Contact(*contact), edge.system().clock())
            .await?;
        edge.sessions.presence().log_out(tenant, *contact, |made| logout.ends(made));
    }
    Ok(())
}

/// A visitor gets the same rights for longer, and no others.
fn renewed(visitor: &Visitor, asked: &VisitorIn, expires_at: schema::Timestamp) -> Result<Visitor, ApiError> {
    if asked.origin.is_some() || asked.contact.is_some() || asked.conversation.is_some() {
        let message = "a visitor's token is renewed as it is: leave `origin`, `contact` and `conversation` out";
        return Err(ApiError::new(ErrorCode::Forbidden, message));
    }
    Ok(Visitor { expires_at, ..visitor.clone() })
}
