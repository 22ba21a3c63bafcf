//! Reads request bodies and paths; what is wrong with them comes back as our own errors.

use std::str::FromStr;

use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::web::{self, JsonConfig, PathConfig, PayloadConfig, QueryConfig};
use schema::{ErrorCode, limits};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// JSON bodies up to the general limit.
pub(super) fn json() -> JsonConfig {
    JsonConfig::default().limit(limits::BODY_BYTES_MAX).error_handler(|error, _| json_error(&error).into())
}

/// JSON bodies that hold a document: its text may double in size by escaping.
pub(super) fn document_json() -> JsonConfig {
    let limit = 2 * limits::DOCUMENT_BYTES_MAX + limits::BODY_BYTES_MAX;
    JsonConfig::default().limit(limit).error_handler(|error, _| json_error(&error).into())
}

/// Raw bodies.
pub(super) fn payload() -> PayloadConfig {
    PayloadConfig::new(limits::BODY_BYTES_MAX)
}

/// Queries.
pub(super) fn query() -> QueryConfig {
    QueryConfig::default().error_handler(|error, _| {
        let message = match error {
            QueryPayloadError::Deserialize(error) => error.to_string(),
            error => error.to_string(),
        };
        ApiError::new(ErrorCode::BadField, format!("the query cannot be read: {message}")).into()
    })
}

/// Ids in paths.
pub(super) fn path() -> PathConfig {
    PathConfig::default().error_handler(|error, _| {
        let message = match error {
            PathError::Deserialize(error) => error.to_string(),
            _ => "the path cannot be read".to_owned(),
        };
        ApiError::new(ErrorCode::BadField, message).into()
    })
}

/// A JSON body that may be left out.
pub(super) fn optional<T: DeserializeOwned + Default>(body: &web::Bytes) -> Result<T, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| from_serde(&error))
}

/// A value of its own kind in a path or query.
pub(super) fn parse<T: FromStr>(text: &str, code: ErrorCode) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| ApiError::new(code, error.to_string()))
}

fn json_error(error: &JsonPayloadError) -> ApiError {
    match error {
        JsonPayloadError::OverflowKnownLength { limit, .. } | JsonPayloadError::Overflow { limit } => {
            ApiError::new(ErrorCode::TooLarge, format!("the body is larger than {limit} bytes"))
        }
        JsonPayloadError::ContentType => {
            ApiError::new(ErrorCode::UnsupportedMediaType, "send the body as `Content-Type: application/json`")
        }
        JsonPayloadError::Deserialize(error) => from_serde(error),
        _ => ApiError::new(ErrorCode::BadJson, "the body could not be read"),
    }
}

/// serde's message names the field and the place, never what people said in it.
fn from_serde(error: &serde_json::Error) -> ApiError {
    let code = if error.is_data() { ErrorCode::BadField } else { ErrorCode::BadJson };
    ApiError::new(code, format!("the body cannot be read: {error}"))
}
