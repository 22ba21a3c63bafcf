//! Why a request to the engine was not done. The edge turns it into a status or a frame.

use std::borrow::Cow;
use std::time::Duration;

use engine_conversation::Refusal;
use engine_store::StoreError;
use schema::ErrorCode;
use schema::wire::ErrorFace;

/// A refusal or failure with the advice that goes with it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{code}: {message}")]
pub struct Failure {
    /// The stable code by which programs tell it from others.
    pub code: ErrorCode,
    /// For people; never holds what people said.
    pub message: Cow<'static, str>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that waiting does not mend.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// One that may be gone after a while.
    #[must_use]
    pub fn later(code: ErrorCode, message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self { code, message: message.into(), retry_after: Some(retry_after) }
    }

    pub(crate) fn busy() -> Self {
        let wait = Duration::from_secs(1);
        Self::later(ErrorCode::Busy, "too much is waiting here; send it again with the same ref", wait)
    }

    /// The node has enough to do. `spread` is between 0 and 1: those who are refused at once should not
    /// come back at once.
    pub(crate) fn overloaded(spread: f64) -> Self {
        let wait = Duration::from_secs(1 + (spread * 3.0) as u64);
        Self::later(
            ErrorCode::Busy,
            "the node has more work than it can do; ask again after the wait, with the same ref if there is one",
            wait,
        )
    }

    pub(crate) fn restarting() -> Self {
        let wait = Duration::from_secs(1);
        Self::later(
            ErrorCode::Restarting,
            "it is not known whether this was done; send it again, a message with the same ref",
            wait,
        )
    }

    /// Its owner lives, and cannot be asked: nobody else may serve it.
    pub(crate) fn unreachable() -> Self {
        let wait = Duration::from_secs(1);
        Self::later(
            ErrorCode::Restarting,
            "the node that has this conversation cannot be reached now; send it again, a message with the same ref",
            wait,
        )
    }

    /// This node owns nothing, and no node that does can be asked.
    pub(crate) fn ownerless() -> Self {
        let wait = Duration::from_secs(1);
        Self::later(
            ErrorCode::Restarting,
            "no node that takes conversations can be reached now; send it again, a message with the same ref",
            wait,
        )
    }

    /// As another node has told it.
    pub(crate) fn from_node(face: ErrorFace) -> Self {
        let ErrorFace { code, message, retry_after } = face;
        Self { code, message: message.into(), retry_after: retry_after.map(Duration::from_secs) }
    }

    pub(crate) fn draining() -> Self {
        let wait = Duration::from_secs(2);
        Self::later(ErrorCode::Draining, "the node is shutting down; come back in a moment", wait)
    }

    pub(crate) fn erased() -> Self {
        Self::new(ErrorCode::UnknownConversation, "the conversation was erased")
    }

    pub(crate) fn quarantined() -> Self {
        Self::new(
            ErrorCode::Quarantined,
            "the conversation crashed repeatedly and is out of service until an operator releases it",
        )
    }

    /// The answer for a failed read or write of the store.
    #[must_use]
    pub fn store(error: &StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::new(ErrorCode::UnknownConversation, "there is no such conversation"),
            StoreError::Conflict { found } => {
                Self::new(ErrorCode::VersionConflict, format!("it is at version {found} now; read it again"))
            }
            StoreError::Held { .. } => Self::new(ErrorCode::WrongState, "another record has one of the keys"),
            StoreError::Busy => Self::busy(),
            StoreError::Fenced | StoreError::Unknown(_) => Self::restarting(),
            StoreError::Corrupt(_) => Self::new(
                ErrorCode::StoreCorrupt,
                "the stored data is damaged; the operator has to restore it from a backup",
            ),
            StoreError::Ending(_) => Self::later(
                ErrorCode::StoreUnavailable,
                "it is removed, and its key cannot be ended yet: until it is, copies can be read; ask again",
                Duration::from_secs(2),
            ),
            StoreError::Unavailable(_) => Self::later(
                ErrorCode::StoreUnavailable,
                "the store cannot do this now; nothing acknowledged was lost",
                Duration::from_secs(2),
            ),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal.held_by {
            Some(agent) => Self::new(refusal.code, format!("{agent} has this conversation: {}", refusal.message)),
            None => Self::new(refusal.code, refusal.message),
        }
    }
}
