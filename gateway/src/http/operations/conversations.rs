//! Conversations, and the visitors who hold them.

use schema::wire::{
    AgentIn, AgentToken, AgentView, ConversationClosed, ConversationList, ConversationView, Created, EventList,
    HumanIn, MessageIn, OpenIn, Said, TurnStopped, VerdictIn, VisitorIn, VisitorToken, WidgetIn, WidgetSession,
};
use schema::{ConversationId, Seq};

use super::super::{agents, conversations, stream, unanswered, visitors, widget};
use crate::docs::{Auth, Make, Operation, delete, get, post, schema_of};

const ID: &[(&str, Make)] = &[("id", schema_of::<ConversationId>())];
const REPLY: &[(&str, Make)] = &[ID[0], ("seq", schema_of::<Seq>())];

pub(super) static ALL: &[Operation] = &[
    get(
        "/v1/conversations",
        Auth::Caller,
        "The tenant's conversations, newest activity first; a visitor sees their own",
        |to| to.to(conversations::list),
    )
    .query::<conversations::ListParameters>()
    .gives::<ConversationList>(200),
    post("/v1/conversations", Auth::Caller, "Open a conversation", |to| to.to(conversations::open))
        .may_take::<OpenIn>()
        .gives::<Created>(201),
    get(
        "/v1/conversations/{id}",
        Auth::Caller,
        "How a conversation stands: owner, head, what runs, quarantine",
        |to| to.to(conversations::view),
    )
    .at(ID)
    .gives::<ConversationView>(200),
    delete(
        "/v1/conversations/{id}",
        Auth::Key,
        "Erase a conversation with all that was said in it; a reply that runs is stopped, who listens is told",
        |to| to.to(conversations::erase),
    )
    .at(ID)
    .done(204, "Erased"),
    post(
        "/v1/conversations/{id}/messages",
        Auth::Caller,
        "Say something; durable when answered, stored once for each ref",
        |to| to.to(conversations::say),
    )
    .at(ID)
    .takes::<MessageIn>()
    .gives::<Said>(200),
    get("/v1/conversations/{id}/events", Auth::Caller, "The log, in order", |to| to.to(conversations::events))
        .at(ID)
        .query::<conversations::EventsParameters>()
        .gives::<EventList>(200),
    get(
        "/v1/conversations/{id}/stream",
        Auth::Caller,
        "Events and the running reply as server-sent events; `id` is the position",
        |to| to.to(stream::open),
    )
    .at(ID)
    .query::<stream::From>()
    .gives_media("text/event-stream", "Each `data` is an event or a delta as on the socket"),
    post(
        "/v1/conversations/{id}/cancel",
        Auth::Caller,
        "Stop the running reply; no error when none runs",
        |to| to.to(conversations::cancel),
    )
    .at(ID)
    .gives::<TurnStopped>(200),
    post("/v1/conversations/{id}/human", Auth::Team, "A human agent takes over or hands back", |to| {
        to.to(conversations::human)
    })
    .at(ID)
    .takes::<HumanIn>()
    .gives::<ConversationView>(200),
    post(
        "/v1/conversations/{id}/close",
        Auth::Team,
        "End the conversation until somebody speaks in it again",
        |to| to.to(conversations::close),
    )
    .at(ID)
    .gives::<ConversationClosed>(200),
    post(
        "/v1/conversations/{id}/messages/{seq}/verdict",
        Auth::Key,
        "Say that a reply was wrong, or right; a wrong one joins the unanswered questions",
        |to| to.to(unanswered::judge),
    )
    .at(REPLY)
    .takes::<VerdictIn>()
    .done(204, "Noted"),
    post("/v1/agents", Auth::Key, "Make a short-lived token for one person of the team", |to| to.to(agents::make))
        .takes::<AgentIn>()
        .gives::<AgentToken>(201),
    get("/v1/agents", Auth::Team, "Whom the agent's token that is shown speaks for", |to| to.to(agents::view))
        .gives::<AgentView>(200),
    delete(
        "/v1/agents",
        Auth::Key,
        "End an agent's tokens, and what they have open, at once and for good",
        |to| to.to(agents::log_out),
    )
    .query::<agents::Which>()
    .done(204, "Ended"),
    post(
        "/v1/visitors",
        Auth::Caller,
        "Make a visitor's short-lived token, or renew the one shown",
        |to| to.to(visitors::make),
    )
    .may_take::<VisitorIn>()
    .gives::<VisitorToken>(201),
    delete(
        "/v1/visitors",
        Auth::Key,
        "Log a visitor out: its tokens end, and what they have open, at once and for good",
        |to| to.to(visitors::log_out),
    )
    .query::<visitors::Which>()
    .done(204, "Logged out"),
    post(
        "/v1/widget/{tenant}",
        Auth::None,
        "What one of our own pages, or one on the tenant's list, needs to hold a conversation; `tenant` is its id or name",
        |to| to.to(widget::session),
    )
    .may_take::<WidgetIn>()
    .gives::<WidgetSession>(200),
];
