//! What can go wrong at the door and with tenants, each with its public code.

use std::io;

use actors::{ContactsError, Failure};
use engine_store::StoreError;
use schema::{ErrorCode, PlanError, VisibleError};

use super::permissions::{Action, Role};
use super::token::TokenError;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("no key or token, or one that is not valid")]
    Unauthorized,
    #[error("{0} may not {1}")]
    Forbidden(Role, Action),
    #[error("the token has expired")]
    Expired,
    #[error("the tenant is disabled")]
    Disabled,
    #[error("this origin is not on the tenant's list")]
    Origin,
    #[error("the API key that made this token was replaced; get a new token")]
    Rotated,
    #[error("this visitor was logged out; get a new token")]
    LoggedOut,
    #[error("this agent's tokens were ended; get a new token")]
    AgentsEnded,
    #[error("this token cannot be renewed any longer; get a new one from the page's server")]
    Lapsed,
    #[error("whom this visitor's contact stands for has just changed; come back")]
    Changed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthError {
    /// The code a client sees.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthorized => ErrorCode::Unauthorized,
            Self::Forbidden(..) => ErrorCode::Forbidden,
            // They can all be mended by the same: a new token.
            Self::Expired | Self::Rotated | Self::LoggedOut | Self::AgentsEnded | Self::Lapsed => {
                ErrorCode::TokenExpired
            }
            Self::Disabled => ErrorCode::TenantDisabled,
            Self::Origin => ErrorCode::OriginRefused,
            Self::Changed => ErrorCode::Busy,
            Self::Store(error) => store_code(error),
        }
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Store(error) => Self::store(&error),
            AuthError::Changed => Self::store(&StoreError::Busy),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<ContactsError> for AuthError {
    fn from(error: ContactsError) -> Self {
        Self::Store(error.into_store())
    }
}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::Expired,
            TokenError::Lapsed => Self::Lapsed,
            TokenError::Invalid => Self::Unauthorized,
        }
    }
}

/// Why something about a tenant was not done.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("there is no such tenant")]
    NotFound,
    #[error("there is a tenant of this name already")]
    NameTaken,
    #[error("a tenant's name has 1 to 80 characters on one line, all of which can be seen: {0}")]
    Name(VisibleError),
    #[error("a tenant's name does not begin as tenants' ids do")]
    NameIsId,
    #[error("this API key is mistyped, or belongs to another tenant")]
    Key,
    #[error("it was changed meanwhile: it is at version {found}")]
    Version {
        /// The version it has now.
        found: u64,
    },
    #[error("there is no plan of this name: the operator makes it first")]
    NoPlan,
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the demo tenant's key file cannot be used: {0}")]
    KeyFile(io::Error),
    #[error("the system gives no random numbers: {0}")]
    Random(io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TenantError {
    /// The code a client sees.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound | Self::NoPlan => ErrorCode::NotFound,
            Self::NameTaken | Self::Name(_) | Self::NameIsId | Self::Key | Self::Plan(_) => ErrorCode::BadField,
            Self::Version { .. } => ErrorCode::VersionConflict,
            Self::KeyFile(_) | Self::Random(_) => ErrorCode::Internal,
            Self::Store(error) => store_code(error),
        }
    }
}

const fn store_code(error: &StoreError) -> ErrorCode {
    match error {
        StoreError::Busy => ErrorCode::Busy,
        StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Ending(_) => ErrorCode::StoreUnavailable,
        StoreError::Corrupt(_) => ErrorCode::StoreCorrupt,
        StoreError::NotFound | StoreError::Fenced | StoreError::Conflict { .. } | StoreError::Held { .. } => {
            ErrorCode::Internal
        }
    }
}
