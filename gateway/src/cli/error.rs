//! Why a command failed, in one line, and with which exit code.

use std::io;
use std::path::PathBuf;

use engine_config::ConfigError;
use schema::ErrorCode;

use crate::auth::{AuthError, TenantError};
use crate::invocation;
use crate::stores::OpenError;

#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Usage(String),
    #[error("no node answers at {address}: start one with `{}`", invocation::command(""))]
    Unreachable { address: String },
    #[error("{message} ({code})")]
    Refused { code: ErrorCode, message: String },
    #[error("the server at {address} is not a node of this version: {problem}")]
    Strange { address: String, problem: String },
    #[error("the node at {address} did not answer in time")]
    Slow { address: String },
    #[error("the connection is lost, and the node at {address} does not come back")]
    Lost { address: String },
    #[error("the node closed the conversation: {reason} ({code})")]
    Closed { code: u16, reason: String },
    #[error("{}: {problem}", .path.display())]
    File { path: PathBuf, problem: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Tenant(#[from] TenantError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Node(#[from] crate::node::NodeError),
}

impl CliError {
    /// 2 for how it was called or configured, 1 for the rest.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage(_) => 2,
            _ => 1,
        }
    }

    /// Whether only the reader of our output went away, as `head` does.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
