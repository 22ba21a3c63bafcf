//! The span of a session in a conversation: the parent of every command that it puts.

use schema::{ConversationKey, SessionId};
use tracing::Span;

/// Somebody takes part in a conversation: a socket from its join to its end, one span for each conversation that it
/// has joined; an event stream; or a request that puts a command, which has no id. `by` says which. It names ids
/// alone.
pub(crate) fn session(id: Option<SessionId>, key: ConversationKey, by: &'static str) -> Span {
    let id = id.map(tracing::field::display);
    tracing::debug_span!("session", conversation = %key.conversation, tenant = %key.tenant, session = id, by)
}
