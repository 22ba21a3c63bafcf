//! Reads request bodies and paths; what is wrong with them comes back as our own errors.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::error::{PathError, PayloadError, QueryPayloadError};
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, PathConfig, PayloadConfig, QueryConfig};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use schema::{ErrorCode, limits};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The bound on bodies that are read as bytes.
pub(super) fn payload() -> PayloadConfig {
    PayloadConfig::new(limits::BODY_BYTES_MAX)
}

/// Has a query that cannot be read answered in our own words.
pub(super) fn query() -> QueryConfig {
    QueryConfig::default().error_handler(|error, _| {
        let message = match error {
            QueryPayloadError::Deserialize(error) => error.to_string(),
            error => error.to_string(),
        };
        ApiError::new(ErrorCode::BadField, format!("the query cannot be read: {message}")).into()
    })
}

/// Has an id that cannot be read answered in our own words.
pub(super) fn path() -> PathConfig {
    PathConfig::default().error_handler(|error, _| {
        let message = match error {
            PathError::Deserialize(error) => error.to_string(),
            _ => "the path cannot be read".to_owned(),
        };
        ApiError::new(ErrorCode::BadField, message).into()
    })
}

/// A JSON body. It stands in for `web::Json`, which takes an array for a struct.
pub(super) struct Json<T>(pub(super) T);

/// A JSON body that may be left out.
pub(super) struct Optional<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let said = check_is_json(request).and_then(|()| check_is_unpacked(request));
        let body = bounded(request, payload);
        Box::pin(async move {
            said?;
            read(&body.await?).map(Self)
        })
    }
}

impl<T: DeserializeOwned + Default> FromRequest for Optional<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (said, body) = (check_is_unpacked(request), bounded(request, payload));
        Box::pin(async move {
            said?;
            let body = body.await?;
            if body.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self(T::default()));
            }
            read(&body).map(Self)
        })
    }
}

/// A body up to the general limit.
fn bounded(request: &HttpRequest, payload: &mut Payload) -> impl Future<Output = Result<Bytes, ApiError>> + use<> {
    let body = Bytes::from_request(request, payload);
    async {
        body.await.map_err(|error| match error.as_error::<PayloadError>() {
            Some(error) => broken(error, limits::BODY_BYTES_MAX),
            None => unreadable(),
        })
    }
}

fn check_is_json(request: &HttpRequest) -> Result<(), ApiError> {
    let named = request.mime_type().ok().flatten();
    if named.is_some_and(|kind| kind.subtype() == "json" || kind.suffix().is_some_and(|suffix| suffix == "json")) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, "send the body as `Content-Type: application/json`"))
}

/// Bodies are not unpacked: what one unpacks to would have to be counted, and paced, all over again.
pub(super) fn check_is_unpacked(request: &HttpRequest) -> Result<(), ApiError> {
    let named = request.headers().get_all(header::CONTENT_ENCODING);
    let is_plain = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
    let mut codings = named.map(|value| value.to_str().unwrap_or("?"));
    if codings.all(|codings| codings.split(',').all(is_plain)) {
        return Ok(());
    }
    let message = "send the body unpacked, without `Content-Encoding`";
    let error = ApiError::new(ErrorCode::UnsupportedMediaType, message);
    Err(error.with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.starts_with(b"\xFF\xFE") || body.starts_with(b"\xFE\xFF") {
        return Err(ApiError::new(ErrorCode::BadJson, "the body cannot be read: it is UTF-16; send UTF-8"));
    }
    schema::read_json(body).map_err(|error| {
        // Its message names the field and the place, never what people said in it.
        let code = if error.is_data() { ErrorCode::BadField } else { ErrorCode::BadJson };
        ApiError::new(code, format!("the body cannot be read: {error}"))
    })
}

/// Does what goes on when whoever asked has gone: a change that is stored must also be told.
pub(super) async fn to_the_end<T: 'static>(
    work: impl Future<Output = Result<T, ApiError>> + 'static,
) -> Result<T, ApiError> {
    let done = actix_web::rt::spawn(work).await;
    done.unwrap_or_else(|_| Err(ApiError::new(ErrorCode::Internal, "it is not known whether this was done")))
}

/// A body that may be long, whole; `take` is told of every piece before it is kept.
pub(super) async fn whole<E: Into<ApiError>>(
    mut payload: web::Payload,
    limit: usize,
    mut take: impl FnMut(usize) -> Result<(), E>,
) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| broken(&error, limit))?;
        if bytes.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        take(piece.len()).map_err(Into::into)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// The same as JSON.
pub(super) async fn whole_json<T: DeserializeOwned, E: Into<ApiError>>(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
    take: impl FnMut(usize) -> Result<(), E>,
) -> Result<T, ApiError> {
    check_is_json(request)?;
    check_is_unpacked(request)?;
    read(&whole(payload, limit, take).await?)
}

/// A value of its own kind in a path or query.
pub(super) fn parse<T: FromStr>(text: &str, code: ErrorCode) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| ApiError::new(code, error.to_string()))
}

pub(super) fn too_large(limit: usize) -> ApiError {
    ApiError::new(ErrorCode::TooLarge, format!("the body is larger than {limit} bytes"))
}

/// A body that did not come as it should.
pub(super) fn broken(error: &PayloadError, limit: usize) -> ApiError {
    match error {
        PayloadError::Overflow => too_large(limit),
        PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            ApiError::new(ErrorCode::TooSlow, "the body came too slowly")
        }
        _ => unreadable(),
    }
}

fn unreadable() -> ApiError {
    ApiError::new(ErrorCode::BadJson, "the body could not be read")
}
