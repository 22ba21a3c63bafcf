//! The rules of what clients fill in, whichever way it comes.

use actors::Failure;
use schema::{AgentName, ErrorCode, Text, limits};

/// # Errors
/// When there is nothing in it, or too much.
pub(crate) fn check_text(text: &Text) -> Result<(), Failure> {
    if text.as_str().trim().is_empty() {
        return Err(Failure::new(ErrorCode::BadField, "`text` is empty"));
    }
    if text.bytes() > limits::TEXT_BYTES_MAX {
        let message = format!("`text` is longer than {} bytes of UTF-8", limits::TEXT_BYTES_MAX);
        return Err(Failure::new(ErrorCode::TooLarge, message));
    }
    Ok(())
}

/// An agent's name in its one spelling.
///
/// # Errors
/// When it is no name that people can read and tell apart.
pub(crate) fn check_agent(agent: &AgentName) -> Result<AgentName, Failure> {
    agent.checked().map_err(|error| {
        let message = format!("`agent` is a name of 1 to {} characters: {error}", limits::AGENT_CHARS_MAX);
        Failure::new(ErrorCode::BadField, message)
    })
}
