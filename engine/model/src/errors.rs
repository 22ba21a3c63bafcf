//! Turns a provider's answer into a [`ModelError`].
//! Invariant: a detail holds statuses, kinds and places, never a word of prompt, reply or key.

use std::time::Duration;

use schema::ErrorCode;
use serde::Deserialize;

use super::ModelError;
use super::oversize::Oversize;

/// Longest kind that is believed to be a kind and not prose.
const KIND_BYTES_MAX: usize = 64;

impl ModelError {
    /// An error without a word on when to come again.
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, retry_after: None, detail: detail.into(), oversize: None }
    }

    /// The stream was not what the dialect says.
    pub(super) fn protocol(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::ModelProtocol, detail)
    }

    /// The stream ended before its terminal mark.
    pub(super) fn truncated(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::ModelTruncated, detail)
    }

    /// An event that is not the JSON we know. serde's own message may quote the text, so only
    /// the place is kept.
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::protocol(format!(
            "an event is not the expected JSON at column {} ({:?})",
            error.column(),
            error.classify()
        ))
    }

    /// From an HTTP status and the beginning of the body that came with it.
    pub(super) fn from_status(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let face = Face::parse(body);
        // Not so of statuses that speak of rights or rates: those may name limits of their own.
        let oversize = if matches!(status, 400 | 413 | 422 | 500) { Oversize::said(body) } else { None };
        let code = if oversize.is_some() { ErrorCode::ModelContextTooSmall } else { face.code_for_status(status) };
        let hint = match (status, code) {
            (404, _) => "; is the model's name right, and the base URL's path?",
            (300..=399, _) => "; redirects are not followed, set the base URL to the final address",
            _ => "",
        };
        let kind = face.kind().map(|kind| format!(" {kind}")).unwrap_or_default();
        let size = oversize.map(|oversize| format!(" ({})", oversize.numbers())).unwrap_or_default();
        Self { code, retry_after, detail: format!("status {status}{kind}{size}{hint}"), oversize }
    }

    /// From an error object inside a stream or a body whose status said success.
    pub(super) fn in_band(body: &[u8]) -> Self {
        let face = Face::parse(body);
        let kind = face.kind().map(|kind| format!(" {kind}")).unwrap_or_default();
        match (face.code_in_band(), Oversize::said(body)) {
            (ErrorCode::ModelBadRequest | ErrorCode::ModelUnavailable, Some(oversize)) => Self {
                oversize: Some(oversize),
                ..Self::new(ErrorCode::ModelContextTooSmall, format!("in-band error{kind} ({})", oversize.numbers()))
            },
            (code, _) => Self::new(code, format!("in-band error{kind}")),
        }
    }
}

/// What error bodies have in common: an object, alone, under `error`, or as an array's first item.
#[derive(Debug, Default)]
struct Face {
    /// Machine-readable words about the error, most general first.
    kinds: Vec<String>,
    status: Option<u16>,
}

/// Every field is taken as it comes: the same name is a number with one provider and a word or
/// null with another.
#[derive(Deserialize)]
struct Body {
    error: Option<serde_json::Value>,
    #[serde(rename = "type")]
    kind: Option<serde_json::Value>,
    code: Option<serde_json::Value>,
    status: Option<serde_json::Value>,
    details: Option<serde_json::Value>,
}

impl Face {
    fn parse(body: &[u8]) -> Self {
        let mut face = Self::default();
        let trimmed = body.trim_ascii();
        let first = if trimmed.starts_with(b"[") {
            // Gemini wraps its error in an array when it was not asked for events.
            serde_json::from_slice::<Vec<Body>>(trimmed).ok().and_then(|bodies| bodies.into_iter().next())
        } else {
            serde_json::from_slice::<Body>(trimmed).ok()
        };
        let Some(first) = first else { return face };
        face.take(&first);
        if let Some(inner) = first.error.and_then(|inner| serde_json::from_value::<Body>(inner).ok()) {
            face.take(&inner);
        }
        face
    }

    fn take(&mut self, body: &Body) {
        let reasons =
            body.details.iter().filter_map(serde_json::Value::as_array).flatten().map(|detail| detail.get("reason"));
        let fields = [body.kind.as_ref(), body.status.as_ref(), body.code.as_ref()];
        for value in fields.into_iter().chain(reasons).flatten() {
            if let Some(status) = value.as_u64().and_then(|number| u16::try_from(number).ok()) {
                self.status = Some(status);
            } else if let Some(kind) = value.as_str().filter(|kind| is_kind(kind)) {
                self.kinds.push(kind.to_owned());
            }
        }
    }

    /// The most telling word, for the log.
    fn kind(&self) -> Option<&str> {
        self.kinds.iter().rev().find(|kind| *kind != "error").map(String::as_str)
    }

    fn code_for_status(&self, status: u16) -> ErrorCode {
        if self.kinds.iter().any(|kind| kind == "API_KEY_INVALID") {
            return ErrorCode::ModelRefused; // Gemini says 400 to a wrong key.
        }
        code_of_status(status)
    }

    fn code_in_band(&self) -> ErrorCode {
        let known = self.kinds.iter().rev().find_map(|kind| code_of_kind(kind));
        known.or_else(|| self.status.map(code_of_status)).unwrap_or(ErrorCode::ModelUnavailable)
    }
}

/// A kind is one word of ASCII; anything else may quote what people said.
fn is_kind(text: &str) -> bool {
    (1..=KIND_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn code_of_status(status: u16) -> ErrorCode {
    match status {
        401..=403 => ErrorCode::ModelRefused,
        429 => ErrorCode::ModelRateLimited,
        408 | 409 | 425 | 500.. => ErrorCode::ModelUnavailable,
        400..=499 => ErrorCode::ModelBadRequest,
        _ => ErrorCode::ModelProtocol,
    }
}

fn code_of_kind(kind: &str) -> Option<ErrorCode> {
    let kind = kind.to_ascii_lowercase();
    let has = |part: &str| kind.contains(part);
    let code = if has("rate_limit") || has("quota") || kind == "resource_exhausted" {
        ErrorCode::ModelRateLimited
    } else if has("authentication") || has("permission") || has("api_key") || kind == "unauthenticated" {
        ErrorCode::ModelRefused
    } else if has("timeout") || kind == "deadline_exceeded" {
        ErrorCode::ModelTimeout
    } else if has("invalid") || has("not_found") || has("too_large") || has("context_length") {
        ErrorCode::ModelBadRequest
    } else if has("overloaded") || has("unavailable") || has("server_error") || has("internal") || kind == "api_error" {
        ErrorCode::ModelUnavailable
    } else {
        kind.parse::<u16>().ok().map(code_of_status)?
    };
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_bodies_become_codes() {
        let rows: &[(u16, &str, ErrorCode, &str)] = &[
            (401, "", ErrorCode::ModelRefused, "status 401"),
            (403, "<html>", ErrorCode::ModelRefused, "status 403"),
            (402, "{}", ErrorCode::ModelRefused, "status 402"),
            (
                429,
                r#"{"error":{"type":"insufficient_quota","code":null,"message":"secret words"}}"#,
                ErrorCode::ModelRateLimited,
                "status 429 insufficient_quota",
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error"}}"#,
                ErrorCode::ModelBadRequest,
                "status 400 invalid_request_error",
            ),
            (413, "", ErrorCode::ModelBadRequest, "status 413"),
            (422, r#"{"error":"secret words"}"#, ErrorCode::ModelBadRequest, "status 422"),
            (
                400,
                r#"[{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
                ErrorCode::ModelRefused,
                "status 400 API_KEY_INVALID",
            ),
            (500, "not json", ErrorCode::ModelUnavailable, "status 500"),
            (
                400,
                r#"{"error":{"type":"exceed_context_size_error","message":"secret words","n_ctx":2048,"n_prompt_tokens":3000}}"#,
                ErrorCode::ModelContextTooSmall,
                "status 400 exceed_context_size_error (3000 tokens, at most 2048)",
            ),
            (
                429,
                r#"{"error":{"type":"rate_limit_error","message":"prompt is too long: 9 tokens > 1 maximum"}}"#,
                ErrorCode::ModelRateLimited,
                "status 429 rate_limit_error",
            ),
            (
                529,
                r#"{"error":{"type":"overloaded_error"}}"#,
                ErrorCode::ModelUnavailable,
                "status 529 overloaded_error",
            ),
        ];
        for (status, body, code, detail) in rows {
            let error = ModelError::from_status(*status, None, body.as_bytes());
            assert_eq!((error.code, error.detail.as_str()), (*code, *detail));
        }
    }

    #[test]
    fn errors_inside_a_stream_become_codes() {
        let rows: &[(&str, ErrorCode)] = &[
            (r#"{"error":{"type":"overloaded_error","message":"x"}}"#, ErrorCode::ModelUnavailable),
            (r#"{"error":{"code":"rate_limit_exceeded"}}"#, ErrorCode::ModelRateLimited),
            (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, ErrorCode::ModelRateLimited),
            (r#"{"error":{"code":502,"message":"x"}}"#, ErrorCode::ModelUnavailable),
            (r#"{"error":{"code":"400"}}"#, ErrorCode::ModelBadRequest),
            (r#"{"type":"error","code":"permission_error","message":"x"}"#, ErrorCode::ModelRefused),
            (r#"{"error":{"type":"timeout_error"}}"#, ErrorCode::ModelTimeout),
            (r#"{"error":"something went wrong with your words"}"#, ErrorCode::ModelUnavailable),
            (
                r#"{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}"#,
                ErrorCode::ModelContextTooSmall,
            ),
            ("", ErrorCode::ModelUnavailable),
        ];
        for (body, code) in rows {
            let error = ModelError::in_band(body.as_bytes());
            assert_eq!(error.code, *code, "{body}");
            assert!(!error.detail.contains("words"), "{}", error.detail);
        }
    }

    #[test]
    fn a_detail_never_quotes_a_field_that_is_prose() {
        let body = br#"{"error":{"type":"my card number is 1234","code":"also my card number"}}"#;
        assert_eq!(ModelError::from_status(400, None, body).detail, "status 400");
    }
}
