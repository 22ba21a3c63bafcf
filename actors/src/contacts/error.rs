//! Why a contact is not found or changed as asked.

use engine_store::StoreError;
use schema::{ContactError, ContactId, ErrorCode, IdentityError};

use crate::failure::Failure;

/// Why a contact is not found or changed as asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ContactsError {
    #[error("it is at version {found} now; read it again")]
    Version {
        /// The version in the store; 0 when there is no record.
        found: u64,
    },
    #[error("{by} has that identity: merge the contacts, or take it from that one first")]
    Held {
        /// The contact who has the identity.
        by: ContactId,
    },
    #[error(transparent)]
    Refused(#[from] ContactError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ContactsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { found } => Self::Version { found },
            StoreError::Held { by } => match by.parse() {
                Ok(by) => Self::Held { by },
                Err(_) => Self::Store(StoreError::Held { by }),
            },
            error => Self::Store(error),
        }
    }
}

impl ContactsError {
    /// What it is to those who look for who somebody is, and change nothing.
    #[must_use]
    pub fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            // Somebody else changes it all the time.
            Self::Version { .. } | Self::Held { .. } | Self::Refused(_) => StoreError::Busy,
            Self::Identity(_) => StoreError::Corrupt("a contact's name cannot be one".into()),
        }
    }
}

impl From<ContactsError> for Failure {
    fn from(error: ContactsError) -> Self {
        let code = match &error {
            ContactsError::Store(error) => return Self::store(error),
            ContactsError::Version { .. } => ErrorCode::VersionConflict,
            // Something else has to be asked for: no other state of the records helps.
            ContactsError::Identity(_)
            | ContactsError::Refused(
                ContactError::Identities
                | ContactError::Attributes
                | ContactError::Consents
                | ContactError::Future
                | ContactError::Merged
                | ContactError::NothingToSplit,
            ) => ErrorCode::BadField,
            // What may be done depends on what stands in the records already.
            ContactsError::Held { .. } | ContactsError::Refused(_) => ErrorCode::WrongState,
        };
        Self::new(code, error.to_string())
    }
}
