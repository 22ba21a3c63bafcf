//! Conversations over HTTP.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::ContactsError;
use engine_store::{ListCursor, ListQuery, PageBounds, StoreError};
use schema::wire::{
    ConversationClosed, ConversationList, ConversationSummary, ConversationView, Created, EventList, HumanAction,
    HumanIn, MessageIn, OpenIn, Said, Status, TurnStopped,
};
use schema::{Channel, Contact, ContactId, ConversationId, ErrorCode, Fact, PersonName, Seq, Timestamp, limits};
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::Instrument;

use super::body::{self, Json, Optional};
use super::caller::{Caller, With, neighbour, unknown_conversation};
use super::edge::Edge;
use super::places::Placed;
use crate::auth::Action;
use crate::commands;
use crate::error::ApiError;

pub(super) async fn open(
    With(caller, Optional(OpenIn { contact, locale })): With<Optional<OpenIn>>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, ApiError> {
    contact.as_ref().map(Contact::checked).transpose().map_err(ContactsError::from)?;
    let contacts = edge.system().contacts();
    let (tenant, visitor) = (caller.tenant_id(), caller.principal.visitor());
    let wanted = match (contact, visitor) {
        (None, _) => None,
        (Some(name), None) => Some(contacts.named(tenant, &name).await?.own),
        // A visitor makes nobody, and names nobody but itself.
        (Some(name), Some(visitor)) => {
            let family = contacts.family(tenant, &name).await?;
            if !family.contains(&visitor.contact) {
                let message = "a visitor's token opens conversations with its own contact only";
                return Err(ApiError::new(ErrorCode::Forbidden, message));
            }
            Some(visitor.sealed_for)
        }
    };
    let contact = caller.principal.opens_as(wanted).ok_or_else(|| {
        ApiError::new(ErrorCode::Forbidden, "this token does not open conversations, or not for that contact")
    })?;
    let (key, head) = match &caller.visit {
        Some(visit) => edge.worker.open_for(visit, locale).await?,
        None => edge.worker.open(caller.tenant_id(), contact, locale).await?,
    };
    let created = Created { id: key.conversation, head };
    Ok(HttpResponse::build(StatusCode::CREATED).json(created))
}

pub(super) async fn view(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<ConversationView>, ApiError> {
    let id: ConversationId = conversation(&id)?;
    let key = caller.key(id);
    let handle = match edge.worker.find(key).await {
        Ok(handle) => handle,
        // On whichever node that is.
        Err(failure) if failure.code == ErrorCode::Quarantined => {
            let (contact, page_head, last_at) = glance(&edge, &caller, id).await?;
            return Ok(web::Json(named(&edge, &caller, quarantined(id, contact, page_head, last_at)).await?));
        }
        Err(failure) => return Err(failure.into()),
    };
    caller.sees(&edge, id, handle.contact()).await?;
    Ok(web::Json(named(&edge, &caller, handle.view().await?).await?))
}

/// What can be told of a conversation that cannot be woken.
fn quarantined(id: ConversationId, contact: ContactId, head: Seq, last_at: Timestamp) -> ConversationView {
    ConversationView {
        id,
        contact: Some(contact.into()),
        contact_id: Some(contact),
        contact_name: None,
        channel: Channel::default(),
        locale: None,
        status: Status::Open,
        owner: "assistant".into(),
        agent: None,
        handoff: None,
        ownership: 0,
        head,
        epoch: 0,
        floor: "idle".into(),
        running: None,
        subscribers: 0,
        last_at,
        read: None,
        quarantine: Some("it crashed repeatedly; an operator can release it".into()),
    }
}

pub(super) async fn say(
    With(caller, Json(body)): With<Json<MessageIn>>,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<Said>, ApiError> {
    let id = conversation(&id)?;
    let MessageIn { r#ref, text, agent } = body;
    let command = commands::say(&caller.principal, agent, r#ref, text)?;
    seen(&edge, &caller, id).await?;
    let said = edge.worker.submit_for(caller.visit.as_ref(), caller.key(id), command);
    let outcome = said.instrument(caller.session(id)).await?;
    Ok(web::Json(Said { seq: outcome.seq.unwrap_or_default() }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsParameters {
    /// Only events after this one
    #[serde(default)]
    after: Seq,
    /// At most so many; 100 when left out. A page of long events holds fewer
    #[schemars(range(min = 1, max = limits::PAGE_EVENTS_MAX))]
    limit: Option<usize>,
}

pub(super) async fn events(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
    page: web::Query<EventsParameters>,
    request: HttpRequest,
) -> Result<Placed<EventList>, ApiError> {
    let id = conversation(&id)?;
    let limit = page.limit.unwrap_or(100);
    if !(1..=limits::PAGE_EVENTS_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_EVENTS_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    if !caller.principal.may(Action::ReadAsTeam) {
        glance(&edge, &caller, id).await?;
    }
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    let read = edge.system().store().read(caller.key(id), page.after, PageBounds::events(limit)).await?;
    if read.head == 0 || read.erased {
        return Err(unknown_conversation());
    }
    let (mut events, mut verdicts) = (read.events, Vec::new());
    if caller.principal.may(Action::ReadAsTeam) {
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            verdicts = edge.system().unanswered().verdicts(caller.key(id), first.seq, last.seq).await?;
        }
    } else {
        for event in &mut events {
            if let Some(shown) = event.for_contact() {
                *event = shown;
            }
        }
    }
    Ok(Placed(place, EventList { events, head: read.head, verdicts }))
}

pub(super) async fn cancel(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let command = commands::cancel(&caller.principal, None)?;
    let id = conversation(&id)?;
    seen(&edge, &caller, id).await?;
    let stopped = edge.worker.submit(caller.key(id), command);
    let outcome = stopped.instrument(caller.session(id)).await?;
    Ok(HttpResponse::Ok().json(TurnStopped { turn: outcome.turn }))
}

pub(super) async fn human(
    With(caller, Json(body)): With<Json<HumanIn>>,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<web::Json<ConversationView>, ApiError> {
    let HumanIn { action, agent } = body;
    let command = match action {
        HumanAction::Take => commands::take(&caller.principal, agent)?,
        HumanAction::HandBack => commands::hand_back(&caller.principal, agent)?,
    };
    let id = conversation(&id)?;
    let key = caller.key(id);
    edge.worker.submit(key, command).instrument(caller.session(id)).await?;
    Ok(web::Json(named(&edge, &caller, edge.worker.find(key).await?.view().await?).await?))
}

pub(super) async fn close(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let command = commands::close(&caller.principal)?;
    let id = conversation(&id)?;
    let closed = edge.worker.submit(caller.key(id), command);
    let outcome = closed.instrument(caller.session(id)).await?;
    Ok(HttpResponse::Ok().json(ConversationClosed { seq: outcome.seq }))
}

pub(super) async fn erase(
    caller: Caller,
    edge: web::Data<Edge>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    caller.may(Action::Erase)?;
    edge.system().erase(caller.key(conversation(&id)?)).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// `next` of the page before
    #[schemars(regex(pattern = r"^[0-9]{1,18}:conv_[0-9a-f]{32}$"))]
    before: Option<String>,
    /// At most so many; 50 when left out
    #[schemars(range(min = 1, max = limits::PAGE_CONVERSATIONS_MAX))]
    limit: Option<usize>,
    /// Only conversations with this contact
    #[schemars(with = "Option<Contact>")]
    contact: Option<String>,
}

pub(super) async fn list(
    caller: Caller,
    edge: web::Data<Edge>,
    page: web::Query<ListParameters>,
    request: HttpRequest,
) -> Result<Placed<ConversationList>, ApiError> {
    caller.may(Action::Read)?;
    let ListParameters { before, limit, contact } = page.into_inner();
    let limit = limit.unwrap_or(50);
    if !(1..=limits::PAGE_CONVERSATIONS_MAX).contains(&limit) {
        let message = format!("`limit` is from 1 to {}", limits::PAGE_CONVERSATIONS_MAX);
        return Err(ApiError::new(ErrorCode::BadField, message));
    }
    let contact = contact.map(|contact| body::parse::<Contact>(&contact, ErrorCode::BadField)).transpose()?;
    let (registry, tenant) = (edge.system().contacts(), caller.tenant_id());
    let contacts = match (caller.principal.visitor(), contact) {
        (Some(visitor), _) => Some(registry.family_of(tenant, visitor.contact).await?),
        (None, Some(name)) => Some(registry.family(tenant, &name).await?),
        (None, None) => None,
    };
    let before = before.as_deref().map(read_cursor).transpose()?;
    // Before the place is taken: who waits for the list to catch up holds nothing.
    edge.system().listing().caught_up().await;
    let place = edge.parts.places.take(neighbour(&request), Some(caller.share())).await?;
    if let Some(only) = caller.principal.visitor().and_then(|visitor| visitor.conversation) {
        // Not by way of the listing: even a page's cursor would name the contact's others.
        let conversations = if before.is_none() { row(&edge, &caller, only).await? } else { Vec::new() };
        return Ok(Placed(place, ConversationList { conversations, next: None }));
    }
    let query = ListQuery { tenant, contacts, before, limit };
    let mut conversations = edge.system().store().list(query).await?;
    let next = (conversations.len() == limit).then(|| conversations.last().map(write_cursor)).flatten();
    if !caller.principal.may(Action::ReadAsTeam) {
        conversations = conversations.into_iter().map(ConversationSummary::for_contact).collect();
    }
    for row in &mut conversations {
        let whom = name_of(&edge, &caller, row.contact_id).await?;
        (row.contact, row.contact_id, row.contact_name) = (whom.contact, whom.id, whom.name);
    }
    Ok(Placed(place, ConversationList { conversations, next }))
}

/// One conversation of the contact's as the list shows it.
async fn row(edge: &Edge, caller: &Caller, id: ConversationId) -> Result<Vec<ConversationSummary>, ApiError> {
    let (contact, ..) = glance(edge, caller, id).await?;
    let (store, tenant) = (edge.system().store(), caller.tenant_id());
    let row = match store.row(caller.key(id)).await? {
        Some(row) => Some(row.page(id)),
        // One that is being made anew is listed as it was.
        None => {
            let limit = limits::PAGE_CONVERSATIONS_MAX;
            let rows = store.list(ListQuery { tenant, contacts: Some(vec![contact]), before: None, limit }).await?;
            rows.into_iter().find(|row| row.id == id)
        }
    };
    let Some(row) = row else { return Ok(Vec::new()) };
    let mut row = row.for_contact();
    let whom = name_of(edge, caller, row.contact_id).await?;
    (row.contact, row.contact_id, row.contact_name) = (whom.contact, whom.id, whom.name);
    Ok(vec![row])
}

fn write_cursor(row: &ConversationSummary) -> String {
    format!("{}:{}", row.last_at.as_millis(), row.id)
}

fn read_cursor(text: &str) -> Result<ListCursor, ApiError> {
    let cursor = text.split_once(':').and_then(|(millis, id)| {
        Some(ListCursor { last_at: Timestamp::from_millis(millis.parse().ok()?), id: id.parse().ok()? })
    });
    cursor.ok_or_else(|| ApiError::new(ErrorCode::BadField, "`before` is what an earlier page gave as `next`"))
}

/// The id in a path. One that cannot be an id is one that does not exist.
pub(super) fn conversation(id: &str) -> Result<ConversationId, ApiError> {
    id.parse().map_err(|_| unknown_conversation())
}

/// Checks that a conversation is the caller's. The team needs no look: its conversations are all of the tenant's.
async fn seen(edge: &Edge, caller: &Caller, id: ConversationId) -> Result<(), ApiError> {
    if caller.principal.may(Action::ReadAsTeam) {
        return Ok(());
    }
    let handle = edge.worker.find(caller.key(id)).await?;
    caller.sees(edge, id, handle.contact()).await
}

/// A conversation's state with its contact named as answers do: the log knows the id alone.
async fn named(edge: &Edge, caller: &Caller, view: ConversationView) -> Result<ConversationView, ApiError> {
    let Named { contact, id: contact_id, name: contact_name } = name_of(edge, caller, view.contact_id).await?;
    Ok(ConversationView { contact, contact_id, contact_name, ..view })
}

/// Whom a conversation is with now.
#[derive(Default)]
struct Named {
    /// The tenant's own name for them where there is one.
    contact: Option<Contact>,
    id: Option<ContactId>,
    /// What they are called: for the team's eyes.
    name: Option<PersonName>,
}

async fn name_of(edge: &Edge, caller: &Caller, contact: Option<ContactId>) -> Result<Named, ApiError> {
    let Some(contact) = contact else { return Ok(Named::default()) };
    let whom = match edge.system().contacts().standing(caller.tenant_id(), contact).await {
        Ok(whom) => whom,
        // One damaged record takes nothing else with it: of that contact the id is known.
        Err(ContactsError::Store(StoreError::Corrupt(_))) => {
            return Ok(Named { contact: Some(contact.into()), id: Some(contact), name: None });
        }
        Err(error) => return Err(error.into()),
    };
    let name = whom.name.filter(|_| caller.principal.may(Action::ReadAsTeam));
    Ok(Named { contact: Some(whom.shown), id: Some(whom.id), name })
}

/// Looks at a conversation without waking it.
async fn glance(edge: &Edge, caller: &Caller, id: ConversationId) -> Result<(ContactId, Seq, Timestamp), ApiError> {
    let page = edge.system().store().read(caller.key(id), 0, PageBounds::events(1)).await?;
    if page.erased {
        return Err(unknown_conversation());
    }
    let Some((Fact::Opened { contact, .. }, at)) = page.events.first().map(|event| (&event.fact, event.at)) else {
        return Err(unknown_conversation());
    };
    caller.sees(edge, id, *contact).await?;
    Ok((*contact, page.head, at))
}
