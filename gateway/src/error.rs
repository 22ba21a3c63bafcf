//! The one table from error to status and body.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use actors::{ContactsError, Failure};
use engine_documents::Unreadable;
use engine_knowledge::KnowledgeError;
use engine_store::StoreError;
use schema::ErrorCode;
use schema::wire::ErrorBody;

use crate::answers::AnswerError;
use crate::auth::{AuthError, TenantError};
use crate::learning::LearningError;
use crate::socket::HandshakeError;

/// A failure on its way to a client.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct ApiError {
    failure: Failure,
    status: Option<StatusCode>,
    /// Boxed, because few have one and every result has room for it.
    extra: Option<Box<(header::HeaderName, header::HeaderValue)>>,
}

impl ApiError {
    /// A failure that waiting does not mend.
    pub fn new(code: ErrorCode, message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Failure::new(code, message).into()
    }

    /// A header that says what to send instead.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: header::HeaderValue) -> Self {
        self.extra = Some(Box::new((name, value)));
        self
    }

    /// What the client reads.
    #[must_use]
    pub const fn failure(&self) -> &Failure {
        &self.failure
    }
}

/// The status of each code; codes that only stand on replies have none of their own.
const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadJson | ErrorCode::BadField | ErrorCode::BadFrame | ErrorCode::BadPosition => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::UnreadableDocument => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::TooSlow => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::UnknownRoute | ErrorCode::UnknownConversation | ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Unauthorized | ErrorCode::TokenExpired => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden | ErrorCode::OriginRefused | ErrorCode::TenantDisabled => StatusCode::FORBIDDEN,
        ErrorCode::NotJoined | ErrorCode::RefConflict | ErrorCode::VersionConflict | ErrorCode::WrongState => {
            StatusCode::CONFLICT
        }
        ErrorCode::RateLimited | ErrorCode::QuotaExhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Busy
        | ErrorCode::Draining
        | ErrorCode::Restarting
        | ErrorCode::Quarantined
        | ErrorCode::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::StoreCorrupt
        | ErrorCode::Internal
        | ErrorCode::ModelRefused
        | ErrorCode::ModelRateLimited
        | ErrorCode::ModelUnavailable
        | ErrorCode::ModelBadRequest
        | ErrorCode::ModelContextTooSmall
        | ErrorCode::ModelTimeout
        | ErrorCode::ModelTruncated
        | ErrorCode::ModelBlank
        | ErrorCode::ModelProtocol
        | ErrorCode::Interrupted => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status.unwrap_or_else(|| status(self.failure.code))
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let face = self.failure.face();
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = face.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.failure.code == ErrorCode::Unauthorized || self.failure.code == ErrorCode::TokenExpired {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.failure.code == ErrorCode::TooSlow {
            // The rest of the body would come just as slowly.
            response.force_close();
        }
        if let Some((name, value)) = self.extra.as_deref() {
            response.insert_header((name.clone(), value.clone()));
        }
        response.json(ErrorBody { error: face })
    }
}

impl From<ContactsError> for ApiError {
    fn from(error: ContactsError) -> Self {
        Failure::from(error).into()
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self { failure, status: None, extra: None }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Failure::store(&error).into()
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Failure::from(error).into()
    }
}

impl From<TenantError> for ApiError {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Store(error) => error.into(),
            TenantError::KeyFile(_) | TenantError::Random(_) => {
                let source = if matches!(error, TenantError::KeyFile(_)) { "demo.key" } else { "random" };
                tracing::error!(source, %error, "a tenant could not be changed");
                let message = "this cannot be stored now; nothing was changed";
                Failure::later(ErrorCode::StoreUnavailable, message, Duration::from_secs(2)).into()
            }
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<KnowledgeError> for ApiError {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::Store(error) => error.into(),
            KnowledgeError::Busy => Failure::later(ErrorCode::Busy, error.to_string(), Duration::from_secs(2)).into(),
            KnowledgeError::TooLarge { .. } => Self::new(ErrorCode::TooLarge, error.to_string()),
            KnowledgeError::Source => Self::new(ErrorCode::BadField, error.to_string()),
            KnowledgeError::Index(reason) => {
                tracing::error!(index = "knowledge", reason, "the index cannot be used");
                Self::new(ErrorCode::Internal, "the documents cannot be used now; the node's log says why")
            }
        }
    }
}

impl From<AnswerError> for ApiError {
    fn from(error: AnswerError) -> Self {
        let code = error.code().unwrap_or(ErrorCode::Internal);
        match error {
            AnswerError::Store(error) => error.into(),
            AnswerError::Knowledge(error) => error.into(),
            error => Self::new(code, error.to_string()),
        }
    }
}

impl From<LearningError> for ApiError {
    fn from(error: LearningError) -> Self {
        let code = match error {
            LearningError::Store(error) => return error.into(),
            LearningError::Knowledge(error) => return error.into(),
            LearningError::Unreadable(Unreadable::Busy) | LearningError::Full | LearningError::Running => {
                return Failure::later(ErrorCode::Busy, error.to_string(), Duration::from_secs(5)).into();
            }
            LearningError::Draining => {
                return Failure::later(ErrorCode::Draining, error.to_string(), Duration::from_secs(2)).into();
            }
            LearningError::Unreadable(Unreadable::UnknownKind) => ErrorCode::UnsupportedMediaType,
            LearningError::Unreadable(Unreadable::TooLarge | Unreadable::TooLong) => ErrorCode::TooLarge,
            LearningError::Unreadable(Unreadable::NoReader) | LearningError::Lost => ErrorCode::Internal,
            LearningError::Unreadable(_) => ErrorCode::UnreadableDocument,
            LearningError::NotFound => ErrorCode::NotFound,
            LearningError::Url(_) | LearningError::Address(_) | LearningError::Bound { .. } => ErrorCode::BadField,
            LearningError::TooMany => ErrorCode::QuotaExhausted,
        };
        Self::new(code, error.to_string())
    }
}

impl From<HandshakeError> for ApiError {
    fn from(error: HandshakeError) -> Self {
        let code = match error {
            HandshakeError::Method => ErrorCode::MethodNotAllowed,
            HandshakeError::Protocol => ErrorCode::Internal,
            _ => ErrorCode::BadField,
        };
        let failure = Failure::new(code, error.to_string());
        Self { failure, status: Some(error.status()), extra: error.header().map(Box::new) }
    }
}
