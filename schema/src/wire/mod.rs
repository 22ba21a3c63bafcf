//! What goes over the wire: socket frames, HTTP bodies, close codes.

mod agents;
mod client;
mod close;
mod contacts;
mod documents;
mod http;
mod improve;
mod learning;
mod server;

pub use agents::{AgentIn, AgentToken, AgentView};
pub use client::ClientFrame;
pub use close::Close;
pub use contacts::{ContactList, ContactView, MergeIn, SplitIn};
pub use documents::{
    DocumentFacts, DocumentIn, DocumentList, DocumentMarkdown, DocumentPage, DocumentView, Learned, LeftOut,
    LeftOutReason,
};
pub use http::{
    ClusterState, ConversationClosed, ConversationList, ConversationSummary, ConversationView, Created, ErrorBody,
    ErrorFace, EventList, HumanAction, HumanIn, KeyMade, Look, MessageIn, NodeState, OpenIn, PlanChoice, PlanList,
    PlanPut, PlanView, Released, RunningTurn, Said, Status, TenantIn, TenantList, TenantPut, TenantView, TurnStopped,
    VisitorIn, VisitorToken, WidgetIn, WidgetSession,
};
pub use improve::{
    AnswerIn, AnswerList, AnswerView, UnansweredAt, UnansweredList, UnansweredQuestion, Verdict, VerdictIn, VerdictView,
};
pub use learning::{
    JobStarted, JobState, JobView, LearnedCounts, LeftOutParts, LimitHit, LimitKind, SiteIn, SiteList, SiteView,
    SkippedPage,
};
pub use server::{Delta, ServerFrame, Signal, SignalKind};

/// The socket's subprotocol; its number grows when a frame changes its meaning.
pub const SUBPROTOCOL: &str = "tertulia.v1";
/// In a browser the visitor token rides as a second subprotocol with this prefix.
pub const TOKEN_SUBPROTOCOL_PREFIX: &str = "bearer.";
