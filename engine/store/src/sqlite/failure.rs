//! Turns failures of SQLite into errors for callers. Invariant: no text that came from a row gets into it.

use rusqlite::ErrorCode;

use crate::StoreError;
use crate::metrics::ERRORS;

/// A failed statement in words that are safe to log: SQLite's name for it, never its message.
pub(super) fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => failure.to_string(),
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            "a column has an unexpected type".into()
        }
        _ => "a statement failed".into(),
    }
}

/// A reading failed: nothing was changed, whatever it was.
pub(super) fn of_reading(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(_) if is_damage(error) => StoreError::Corrupt(words(error)),
        Some(_) => StoreError::Unavailable(words(error)),
        None => StoreError::Corrupt(words(error)),
    }
}

/// Whether the file itself is to blame, and not one row in it.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether the statement met a row that contradicts it. The connection is fine then.
pub(super) fn is_contradiction(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig),
        None => true,
    }
}

/// Counts failures that are the store's own. Fences and conflicts are answers.
pub(super) fn count(error: &StoreError) {
    let kind = match error {
        StoreError::Busy => "busy",
        StoreError::Unavailable(_) | StoreError::Ending(_) => "unavailable",
        StoreError::Unknown(_) => "unknown",
        StoreError::Corrupt(_) => "corrupt",
        StoreError::NotFound | StoreError::Fenced | StoreError::Conflict { .. } | StoreError::Held { .. } => return,
    };
    metrics::counter!(ERRORS, "kind" => kind).increment(1);
}
