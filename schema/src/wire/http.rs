//! Bodies of HTTP requests and answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VerdictView;
use crate::{
    AgentName, Channel, Contact, ConversationId, DEFAULT_PLAN, Epoch, ErrorCode, Event, HandoffReason, Locale, Origin,
    Ownership, Plan, Profile, Ref, Seq, TenantId, Text, Timestamp, Turn, Widget,
};

/// What every failure looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The failure.
    pub error: ErrorFace,
}

/// A failure as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorFace {
    /// For programs; see `schema/ERRORS.md`.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Seconds to wait before trying again, where that may help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// `POST /v1/conversations`; the body may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenIn {
    /// Whom it is with; left out, someone unnamed. A visitor's token already says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// In which language the contact's page or app is: a tag such as `es` or `pt-BR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}

/// A conversation was opened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// Its id.
    pub id: ConversationId,
    /// Its newest event.
    pub head: Seq,
}

/// `POST /v1/conversations/{id}/messages`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageIn {
    /// The key against doubles: the same ref with the same text is stored once.
    pub r#ref: Ref,
    /// The words.
    pub text: Text,
    /// A human agent's name, when it is their message and not the contact's. API keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
}

/// The message is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// Its number.
    pub seq: Seq,
}

/// `GET /v1/conversations/{id}/events`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    /// In order.
    pub events: Vec<Event>,
    /// The conversation's newest event; when the last one listed is older, there is more.
    pub head: Seq,
    /// What the team has said of the replies among them; API keys only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<VerdictView>,
}

/// `POST /v1/conversations/{id}/human`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HumanIn {
    /// Take over or hand back.
    pub action: HumanAction,
    /// The human agent's name.
    pub agent: AgentName,
}

/// What a human agent does with a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HumanAction {
    /// Silence the assistant and answer oneself.
    Take,
    /// Let the assistant answer again.
    HandBack,
}

/// Whether a conversation goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    #[default]
    Open,
    /// It rests until somebody speaks.
    Closed,
}

/// `GET /v1/conversations/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConversationView {
    /// Its id.
    pub id: ConversationId,
    /// Whom it is with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// How they came.
    pub channel: Channel,
    /// In which language their page or app is, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
    /// Whether it goes on.
    pub status: Status,
    /// Who answers: `assistant` or `human`.
    pub owner: String,
    /// The human agent who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Why the contact waits for a person, until one of the team has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<HandoffReason>,
    /// Counts takings and hand-backs.
    pub ownership: Ownership,
    /// Its newest event.
    pub head: Seq,
    /// The fencing number of the node that runs it.
    pub epoch: Epoch,
    /// Who has the floor: `idle`, `listening`, `thinking`, `speaking` or `human`.
    pub floor: String,
    /// The reply that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<RunningTurn>,
    /// Sockets and streams that listen.
    pub subscribers: usize,
    /// When somebody last spoke.
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
    /// Which turn.
    pub turn: Turn,
    /// The model that answers, once one has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Characters said so far.
    pub offset: usize,
}

/// `GET /v1/conversations`: newest activity first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConversationList {
    /// One page.
    pub conversations: Vec<ConversationPage>,
    /// Give this as `?before=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One row of the list: what its consumer has made of a conversation's log up to `head`.
///
/// It is not written with the messages but a moment after them. Whoever lists sees all that was durable on this
/// node when they asked, unless the list is more than a quarter of a second behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationPage {
    /// Its id.
    pub id: ConversationId,
    /// Whom it is with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
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
    /// When that was; it never goes back.
    pub last_at: Timestamp,
    /// The contact's last words: the beginning of their newest message, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_words: Option<Text>,
    /// Why the contact waits for a person, until one of the team has answered. API keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<HandoffReason>,
    /// Since when the contact waits: the moment of their oldest message that nobody has answered, or of the wish
    /// for a person. Absent when nobody waits, and while the conversation is closed. API keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// The contact's messages that nobody of the business's side has answered. API keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
}

impl ConversationPage {
    /// The row as the contact sees it: without what the team alone goes by.
    #[must_use]
    pub fn for_contact(self) -> Self {
        Self { handoff: None, waiting_since: None, unread: None, ..self }
    }
}

/// `POST /v1/visitors`. With a visitor's own token and an empty body, the token is renewed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VisitorIn {
    /// The page the visitor is on; it must be on the tenant's list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Who it is; left out, someone unnamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The only conversation the token opens; left out, all of the contact's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// How long it is valid, in seconds; at most an hour, 15 minutes when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
}

/// A visitor's token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VisitorToken {
    /// To be shown as `Authorization: Bearer`, or on the socket.
    pub token: String,
    /// Until when.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub contact: Contact,
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
    /// Until when it holds; ask again before that.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub contact: Contact,
    /// To be kept in the browser: it brings the same contact back for 90 days.
    pub visitor: String,
    /// How the chat looks.
    pub look: Look,
}

/// How a tenant's chat looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// The assistant's name.
    pub name: String,
    /// Greeting, accent, corner, language.
    #[serde(flatten)]
    pub widget: Widget,
}

/// `GET /v1/tenant`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantView {
    /// The tenant.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// The profile's version: give it back on a change.
    pub version: u64,
    /// Whether its keys are refused.
    #[serde(default)]
    pub disabled: bool,
    /// Its settings.
    pub profile: Profile,
    /// What they may be at most; where one says more, this holds.
    #[serde(default)]
    pub plan: PlanView,
    /// The node's public address (`public_url`), where it has one: what is written into other pages begins with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<Origin>,
}

/// A plan with its name. `GET /v1/admin/plans/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// Its name.
    pub name: String,
    /// Its version: give it back on a change. 0: nobody has written it, and it is as the defaults are.
    pub version: u64,
    /// What it allows.
    pub plan: Plan,
}

impl Default for PlanView {
    fn default() -> Self {
        Self { name: DEFAULT_PLAN.into(), version: 0, plan: Plan::default() }
    }
}

/// `GET /v1/admin/plans`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanList {
    /// All of them, by name.
    pub plans: Vec<PlanView>,
}

/// `PUT /v1/admin/plans/{name}`: makes a plan (`version` 0), or replaces one that is still at `version`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanPut {
    /// The version this change was made from; 0 for a new one.
    pub version: u64,
    /// What it shall allow.
    pub plan: Plan,
}

/// `PUT /v1/admin/tenants/{id}/plan`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChoice {
    /// Which plan the tenant shall have.
    pub plan: String,
}

/// `PUT /v1/tenant`: replaces the profile if it is still at `version`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantPut {
    /// The version this change was made from.
    pub version: u64,
    /// The settings to have.
    pub profile: Profile,
}

/// `POST /v1/admin/tenants`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantIn {
    /// Its name, 1 to 80 characters.
    pub name: String,
    /// Its plan; left out, `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

/// A key was made. It is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyMade {
    /// Whose.
    pub tenant: TenantId,
    /// The tenant's name.
    pub name: String,
    /// The key.
    pub api_key: String,
}

/// `GET /v1/admin/tenants`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantList {
    /// One page, oldest first.
    pub tenants: Vec<TenantView>,
    /// Give this as `?after=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<TenantId>,
}
