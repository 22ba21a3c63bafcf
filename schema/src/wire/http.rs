//! Bodies of HTTP requests and answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VerdictView;
use crate::{
    AgentName, Channel, Contact, ContactId, ConversationId, DEFAULT_PLAN, Epoch, ErrorCode, Event, HandoffReason,
    Locale, Origin, Ownership, PersonName, Plan, Profile, Ref, Seq, TenantId, Text, Timestamp, Turn, Widget, limits,
};

/// The body of every answer that is a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What failed, and what to do about it.
    pub error: ErrorFace,
}

/// A failure as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorFace {
    /// The stable code, for programs; `schema/ERRORS.md` has a row for each.
    pub code: ErrorCode,
    /// The failure in words, for people; it may be reworded.
    pub message: String,
    /// Seconds to wait before trying again, where that may help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// `POST /v1/conversations`; the body may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenIn {
    /// The contact with whom it is; left out, a new anonymous one. A visitor's token decides it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// Language of the contact's page or app: a tag such as `es` or `pt-BR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}

/// The answer to `POST /v1/conversations`: the conversation exists.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// The conversation's id.
    pub id: ConversationId,
    /// The `seq` of its newest event.
    pub head: Seq,
}

/// `POST /v1/conversations/{id}/messages`: a message of the contact, or of a human agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageIn {
    /// The key against doubles: the same ref with the same text is stored once.
    pub r#ref: Ref,
    /// The message, at most 16 KiB of UTF-8.
    #[schemars(length(max = limits::TEXT_BYTES_MAX), regex(pattern = r"\S"))]
    pub text: Text,
    /// A human agent's name, when it is their message and not the contact's. With an API key; an agent's token names
    /// them already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
}

/// `GET /healthz` and `GET /readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeState {
    /// `alive` or `ready`.
    pub status: String,
    /// How the node stands among others that share its store; absent where its store is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterState>,
}

/// What a node sees of the others of its installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterState {
    /// By what it sees them: `whole` (Redis and the store), `without_redis`, `without_store`, or `blind`.
    pub sight: String,
    /// How many it takes to live, itself among them.
    pub members: usize,
}

/// `POST /v1/conversations/{id}/cancel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnStopped {
    /// The turn that was stopped; null when none ran.
    pub turn: Option<Turn>,
}

/// `POST /v1/conversations/{id}/close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationClosed {
    /// The event that says so; null when the conversation was closed already.
    pub seq: Option<Seq>,
}

/// `POST /v1/admin/tenants/{tenant}/conversations/{id}/release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// True: it may be woken again.
    pub released: bool,
}

/// The answer to a message: it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// The number of the event that holds it.
    pub seq: Seq,
}

/// `GET /v1/conversations/{id}/events`: a page of the log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    /// The events after `after`, in the order of `seq`.
    pub events: Vec<Event>,
    /// The `seq` of the conversation's newest event; when the last one listed is older, there is more.
    pub head: Seq,
    /// What the team has said of the replies among them; not for visitors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<VerdictView>,
}

/// `POST /v1/conversations/{id}/human`: a human agent takes the conversation over, or hands it back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HumanIn {
    /// Take over or hand back.
    pub action: HumanAction,
    /// The human agent's name; with an agent's token it may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
}

/// What a human agent does with a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HumanAction {
    /// The agent answers from here on; the assistant is silent.
    Take,
    /// The assistant answers again.
    HandBack,
}

/// Whether a conversation goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Messages are answered as they come.
    #[default]
    Open,
    /// Ended for now; the next message reopens it.
    Closed,
}

/// `GET /v1/conversations/{id}`: the state of a conversation, folded from its log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConversationView {
    /// The conversation's id.
    pub id: ConversationId,
    /// The contact with whom it is: the tenant's own name for them where it has one, else their id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The id of that contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<ContactId>,
    /// What that person is called, where their record says it. Not shown to visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<PersonName>,
    /// The channel by which the contact came.
    pub channel: Channel,
    /// Language of the contact's page or app, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
    /// Whether it is open or ended for now.
    pub status: Status,
    /// Who answers: `assistant` or `human`.
    pub owner: String,
    /// The human agent who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Why the contact waits for a person, until one of the team has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<HandoffReason>,
    /// How often the conversation was taken over or handed back.
    pub ownership: Ownership,
    /// The `seq` of its newest event.
    pub head: Seq,
    /// The number of the running node's claim on it.
    pub epoch: Epoch,
    /// Who has the floor: `idle`, `listening`, `thinking`, `speaking` or `human`.
    pub floor: String,
    /// The reply that runs; absent when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<RunningTurn>,
    /// Number of sockets and streams that listen to it.
    pub subscribers: usize,
    /// When the newest message came; before the first, when the conversation was opened.
    pub last_at: Timestamp,
    /// The last event the contact is known to have seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Seq>,
    /// Set when the conversation crashed too often and waits for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
}

/// A reply in progress.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunningTurn {
    /// The number of the turn that this reply will end.
    pub turn: Turn,
    /// The model that answers; absent until one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Length of the reply so far, in characters.
    pub offset: usize,
}

/// `GET /v1/conversations`: newest activity first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConversationList {
    /// At most `limit` conversations.
    pub conversations: Vec<ConversationSummary>,
    /// Give this as `?before=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One row of the list: what its consumer has made of a conversation's log up to `head`.
///
/// It is not written with the messages but a moment after them. Whoever lists sees all that was durable on this
/// node when they asked, unless the list is more than a quarter of a second behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationSummary {
    /// The conversation's id.
    pub id: ConversationId,
    /// Whom it is with: the tenant's own name for them where it has one, else their id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The id of that contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<ContactId>,
    /// What that person is called, where their record says it. Not shown to visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<PersonName>,
    /// How they came.
    #[serde(default)]
    pub channel: Channel,
    /// In which language their page or app is, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
    /// Whether it goes on.
    #[serde(default)]
    pub status: Status,
    /// Who answers: `assistant` or `human`.
    pub owner: String,
    /// The human agent who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The newest event that the row tells of.
    pub head: Seq,
    /// When somebody last did something in it, by which the list is ordered. It never goes back, and what the node
    /// does by itself, such as closing what is idle, leaves it as it is.
    pub last_at: Timestamp,
    /// The contact's last words: the beginning of their newest message, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_words: Option<Text>,
    /// Why the contact waits for a person, until one of the team has answered. Not shown to visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<HandoffReason>,
    /// Since when the contact waits: the moment of their oldest message that nobody has answered, or of the wish
    /// for a person. Absent when nobody waits, and while the conversation is closed. Not shown to visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// The contact's messages that nobody of the business's side has answered. Not shown to visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
}

impl ConversationSummary {
    /// The row as the contact sees it: without what the team alone goes by.
    #[must_use]
    pub fn for_contact(self) -> Self {
        Self { contact_name: None, handoff: None, waiting_since: None, unread: None, ..self }
    }
}

/// `POST /v1/visitors`. With a visitor's own token and an empty body, the token is renewed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VisitorIn {
    /// The page the visitor is on; it must be on the tenant's list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The contact; left out, a new anonymous one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The only conversation the token opens; left out, all of the contact's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// How long it is valid, in seconds; at most an hour, 15 minutes when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600))]
    pub ttl_seconds: Option<u32>,
}

/// The answer to `POST /v1/visitors`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VisitorToken {
    /// To be shown as `Authorization: Bearer`, or on the socket.
    pub token: String,
    /// When it stops being valid; sockets that use it are closed then.
    pub expires_at: Timestamp,
    /// The contact that the token speaks for: the tenant's own name for them where it has one, else their id.
    pub contact: Contact,
    /// The id of that contact.
    pub contact_id: ContactId,
}

/// `POST /v1/widget/{tenant}`, from one of our own pages or one on the tenant's list; the body may be
/// left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WidgetIn {
    /// `visitor` of an earlier answer: brings the same contact back. One that is not valid any more
    /// makes a new contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitor: Option<String>,
}

/// What a page needs to hold a conversation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WidgetSession {
    /// A visitor's token, bound to the page's origin.
    pub token: String,
    /// When the token stops being valid; ask again before that.
    pub expires_at: Timestamp,
    /// The contact that the token speaks for: the tenant's own name for them where it has one, else their id.
    pub contact: Contact,
    /// The id of that contact.
    pub contact_id: ContactId,
    /// To be kept in the browser: it brings the same contact back for 90 days.
    pub visitor: String,
    /// Name, greeting, colour, corner and language of the chat.
    pub look: Look,
}

/// How a tenant's chat looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// The assistant's name in the profile.
    pub name: String,
    /// The profile's `widget`.
    #[serde(flatten)]
    pub widget: Widget,
}

/// `GET /v1/tenant`: a tenant with its profile and plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantView {
    /// The tenant's id.
    pub id: TenantId,
    /// The tenant's name, 1 to 80 characters.
    pub name: String,
    /// The profile's version: give it back on a change.
    pub version: u64,
    /// Whether its keys are refused.
    #[serde(default)]
    pub disabled: bool,
    /// The settings, as they were written.
    pub profile: Profile,
    /// The plan that bounds them: where the profile asks for more, the plan's bound is in force.
    #[serde(default)]
    pub plan: PlanView,
    /// The node's public address (`public_url`), where it has one: what is written into other pages begins with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<Origin>,
}

/// A plan with its name. `GET /v1/admin/plans/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// The plan's name.
    pub name: String,
    /// Its version: give it back on a change. 0: nobody has written it, and it is as the defaults are.
    pub version: u64,
    /// What the plan allows.
    pub plan: Plan,
}

impl Default for PlanView {
    fn default() -> Self {
        Self { name: DEFAULT_PLAN.into(), version: 0, plan: Plan::default() }
    }
}

/// `GET /v1/admin/plans`: every plan of the operator.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanList {
    /// Sorted by name.
    pub plans: Vec<PlanView>,
}

/// `PUT /v1/admin/plans/{name}`: makes a plan (`version` 0), or replaces one that is still at `version`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanPut {
    /// The version this change was made from; 0 for a new one.
    pub version: u64,
    /// The whole plan; what is left out is as the defaults are.
    pub plan: Plan,
}

/// `PUT /v1/admin/tenants/{id}/plan`: gives a tenant another plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChoice {
    /// The plan's name.
    #[schemars(regex(pattern = Plan::NAME_PATTERN))]
    pub plan: String,
}

/// `PUT /v1/tenant`: replaces the profile if it is still at `version`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantPut {
    /// The version this change was made from.
    pub version: u64,
    /// The whole profile; what is left out is as the defaults are.
    pub profile: Profile,
}

/// `POST /v1/admin/tenants`: makes a tenant and its first API key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantIn {
    /// Its name, 1 to 80 characters.
    #[schemars(length(min = 1, max = limits::TENANT_NAME_CHARS_MAX), regex(pattern = limits::LINE_PATTERN))]
    pub name: String,
    /// Its plan; left out, `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = Plan::NAME_PATTERN))]
    pub plan: Option<String>,
}

/// A key was made. It is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyMade {
    /// The tenant that the key belongs to.
    pub tenant: TenantId,
    /// The tenant's name.
    pub name: String,
    /// The key in full; it cannot be read again.
    pub api_key: String,
}

/// `GET /v1/admin/tenants`: all tenants, in pages.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantList {
    /// At most 20 tenants, oldest first.
    pub tenants: Vec<TenantView>,
    /// Give this as `?after=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<TenantId>,
}
