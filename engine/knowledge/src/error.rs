//! Why something could not be learned or found.

use std::io;

use engine_store::StoreError;
use tantivy::TantivyError;
use tantivy::directory::error::{OpenDirectoryError, OpenReadError};

use schema::limits::SOURCE_CHARS_MAX;

/// Why something could not be learned or found.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    #[error("the index cannot be used: {0}")]
    Index(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{source_name}` has {bytes} bytes; a document has at most {max}", max = schema::limits::DOCUMENT_BYTES_MAX)]
    TooLarge {
        /// The document's source.
        source_name: String,
        /// Its size.
        bytes: usize,
    },
    #[error("a document's source has 1 to {max} visible characters", max = SOURCE_CHARS_MAX)]
    Source,
    #[error("too many searches or documents wait already")]
    Busy,
}

impl From<TantivyError> for KnowledgeError {
    /// [`KnowledgeError::Index`] says that an index is damaged, and so leads to its being built anew: nothing that
    /// lies with the machine may become one.
    fn from(error: TantivyError) -> Self {
        if lies_with_the_machine(&error) {
            Self::Store(StoreError::Unavailable(error.to_string()))
        } else {
            Self::Index(error.to_string())
        }
    }
}

/// Whether an error says nothing of the index: no file can be opened any more, no thread begun, the disk is full,
/// another holds the lock.
fn lies_with_the_machine(error: &TantivyError) -> bool {
    // What was cut short or makes no sense is damage; and what is not there, of files that an index names.
    let of_io = |error: &io::Error| {
        !matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::NotFound
        )
    };
    match error {
        TantivyError::IoError(error) => of_io(error),
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })
        | TantivyError::OpenDirectoryError(
            OpenDirectoryError::IoError { io_error, .. } | OpenDirectoryError::FailedToCreateTempDir(io_error),
        ) => of_io(io_error),
        TantivyError::OpenWriteError(_)
        | TantivyError::LockFailure(..)
        | TantivyError::Poisoned
        | TantivyError::ErrorInThread(_)
        | TantivyError::SystemError(_) => true,
        _ => false,
    }
}
