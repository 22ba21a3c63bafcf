//! Contacts over HTTP: for the tenant's API key alone.

use actix_web::{HttpRequest, HttpResponse, web};
use actors::ContactsError;
use engine_store::ListQuery;
use schema::wire::{ContactList, ContactView, MergeIn, SplitIn};
use schema::{ContactChange, ContactError, ContactId, ErrorCode, Identity, TenantId, identity_pattern, limits};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{Json, parse, to_the_end};
use super::caller::{Caller, With, neighbour};
use super::edge::Edge;
use super::places::Placed;
use super::spelling;
use super::visitors::log_out_all;
use crate::auth::Action;
use crate::error::ApiError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// Only the contact who has this identity, written `kind:value`, such as `phone:+34600123456`
    #[schemars(extend("pattern" = identity_pattern()))]
    identity: Option<String>,
    /// `next` of the page before
    after: Option<ContactId>,
    /// At most so many; 50 when left out
    #[schemars(range(min = 1, max = limits::PAGE_CONTACTS_MAX))]
    limit: Option<usize>,
}

pub(super) async fn list(
    caller: Caller,
    edge: web::Data<Edge>,
    page: web::Query<ListParameters>,
    request: HttpRequest,
) -> Result<Placed<ContactList>, ApiError> {
    caller.may(Action::KeepContacts)?;
    let ListParameters { identity, after, limit } = page.into_inner();
    let limit = limit.unwrap_or(50);
    if !(1..=limits::PAGE_CONTACTS_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_CONTACTS_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    let (contacts, tenant) = (edge.system().contacts(), caller.tenant_id());
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let Some(identity) = identity else { return Ok(Placed(place, contacts.list(tenant, after, limit).await?)) };
    let found = match Identity::read_as_before(&identity) {
        Some(as_before) => contacts.find(tenant, &as_before).await?,
        None => None,
    };
    let found = match found {
        Some(found) => Some(found),
        None => contacts.find(tenant, &parse(&identity, ErrorCode::BadField)?).await?,
    };
    Ok(Placed(place, ContactList { contacts: found.into_iter().collect(), next: None }))
}

pub(super) async fn view(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<ContactView>, ApiError> {
    caller.may(Action::KeepContacts)?;
    Ok(web::Json(known(&edge, caller.tenant_id(), contact(&id)?).await?))
}

pub(super) async fn change(
    With(caller, Json(mut change)): With<Json<ContactChange>>,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<ContactView>, ApiError> {
    let by = caller.changed_by()?;
    let id = contact(&id)?;
    // Others may change it meanwhile: then its version is another one, and nothing is done.
    let stored = match change.attributes.is_empty() && change.consents.is_empty() {
        true => None,
        false => edge.system().contacts().view(caller.tenant_id(), id).await?,
    };
    spelling::spell(&mut change, stored.as_ref())?;
    to_the_end(
        async move { Ok(web::Json(edge.system().contacts().change(caller.tenant_id(), id, change, &by).await?)) },
    )
    .await
}

pub(super) async fn merge(
    With(caller, Json(MergeIn { other })): With<Json<MergeIn>>,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<ContactView>, ApiError> {
    let by = caller.changed_by()?;
    let (tenant, id) = (caller.tenant_id(), contact(&id)?);
    to_the_end(async move {
        // The other may be somebody of whom nothing is known yet: a page's visitor who signs in.
        known(&edge, tenant, id).await?;
        let contacts = edge.system().contacts();
        let touched = [contacts.family_of(tenant, id).await?, contacts.family_of(tenant, other).await?].concat();
        let merged = contacts.merge(tenant, id, other, &by).await;
        if may_be_done(&merged) {
            edge.sessions.presence().resolve_anew(tenant, &touched);
        }
        Ok(web::Json(merged?))
    })
    .await
}

pub(super) async fn split(
    With(caller, Json(asked)): With<Json<SplitIn>>,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<ContactView>, ApiError> {
    let by = caller.changed_by()?;
    let (tenant, id) = (caller.tenant_id(), contact(&id)?);
    to_the_end(async move {
        let contacts = edge.system().contacts();
        let touched = contacts.family_of(tenant, id).await?;
        let split = contacts.split(tenant, id, asked, &by).await;
        if may_be_done(&split) {
            edge.sessions.presence().resolve_anew(tenant, &touched);
        }
        Ok(web::Json(split?))
    })
    .await
}

pub(super) async fn erase(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::KeepContacts)?;
    let (tenant, id) = (caller.tenant_id(), contact(&id)?);
    if !edge.system().contacts().standing(tenant, id).await?.is_erasing {
        known(&edge, tenant, id).await?;
    }
    to_the_end(async move {
        // First, so that nobody comes back as them meanwhile; and again with those who came in before it had begun.
        log_out_all(&edge, tenant, &edge.system().contacts().family_of(tenant, id).await?).await?;
        log_out_all(&edge, tenant, &edge.system().begin_erasing_contact(tenant, id).await?).await?;
        edge.system().erase_contact(tenant, id).await?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

/// What is known of a contact. Somebody of whom nothing is known is there when there are conversations with them.
async fn known(edge: &Edge, tenant: TenantId, id: ContactId) -> Result<ContactView, ApiError> {
    if let Some(view) = edge.system().contacts().view(tenant, id).await? {
        return Ok(view);
    }
    edge.system().listing().caught_up().await;
    let query = ListQuery { tenant, contacts: Some(vec![id]), before: None, limit: 1 };
    if edge.system().store().list(query).await?.is_empty() {
        return Err(unknown());
    }
    Ok(ContactView::unknown(id))
}

/// Whether contacts may stand for others now: also where it is not known whether it was done, and where one of them is
/// being erased, which may have come after it.
fn may_be_done<T>(changed: &Result<T, ContactsError>) -> bool {
    !matches!(changed, Err(ContactsError::Refused(why)) if *why != ContactError::Erasing)
}

/// The id in a path. One that cannot be an id is one that does not exist.
fn contact(id: &str) -> Result<ContactId, ApiError> {
    id.parse().map_err(|_| unknown())
}

fn unknown() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no such contact")
}
