//! Why a store did not do as asked, and how every answer of it comes.

use futures_util::future::BoxFuture;

/// Every call returns at once; the future completes when the answer is known. It owns what it
/// needs, so that an actor can hand it to its own executor.
pub type Pending<T> = BoxFuture<'static, Result<T, StoreError>>;

/// Why the store did not do as asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    #[error("not found")]
    NotFound,
    #[error("fenced: another owner has claimed the conversation, or its head has moved")]
    Fenced,
    #[error("the record is at version {found}")]
    Conflict {
        /// The version in the store; 0 when there is none.
        found: u64,
    },
    #[error("another record has one of the keys")]
    Held {
        /// The id of the record that has it.
        by: String,
    },
    #[error("it is unknown whether the write was done: {0}")]
    Unknown(String),
    #[error("the store's queue is full")]
    Busy,
    #[error("it is removed, and its key cannot be ended yet: {0}")]
    Ending(String),
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
}
