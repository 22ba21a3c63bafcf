//! Turns the driver's failures into errors for callers. Invariant: a write is said not to be done only where it surely
//! was not, and nothing that was bound to a statement gets into a message.

use rustls::ClientConfig;
use scylla::errors::{
    BrokenConnectionError, ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError,
    ExecutionError, MetadataError, NewSessionError, PrepareError, RequestAttemptError,
};

use super::tls_words;
use crate::StoreError;
use crate::metrics::ERRORS;

/// A failed request in words that are safe to log.
pub(super) fn words(error: &ExecutionError) -> String {
    match error {
        // What the database says of a statement may name tables, and never what was bound.
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(kind, message)) => match kind {
            DbError::Unavailable { required, alive, .. } => {
                format!("{alive} of the {required} replicas that are needed can be reached")
            }
            DbError::ReadTimeout { .. } | DbError::WriteTimeout { .. } => "the replicas did not answer in time".into(),
            DbError::Unauthorized => format!("the database does not permit it: {message}"),
            kind => format!("the database answers: {kind}"),
        },
        ExecutionError::RequestTimeout(after) => format!("no answer within {} ms", after.as_millis()),
        ExecutionError::ConnectionPoolError(_) | ExecutionError::EmptyPlan => "no node can be reached".into(),
        ExecutionError::LastAttemptError(RequestAttemptError::BrokenConnectionError(_)) => {
            "the connection broke".into()
        }
        ExecutionError::LastAttemptError(_) => "the answer cannot be read".into(),
        ExecutionError::BadQuery(_) => "the statement cannot be sent".into(),
        ExecutionError::PrepareError(_) => "the statement cannot be prepared".into(),
        ExecutionError::SchemaAgreementError(_) => "the nodes of the cluster do not agree on its tables".into(),
        _ => "the request failed".into(),
    }
}

/// A reading failed: nothing was changed, whatever it was.
pub(super) fn of_reading(error: &ExecutionError) -> StoreError {
    counted(StoreError::Unavailable(words(error)))
}

/// A condition failed to be decided: was it surely not? That too few replicas can be reached may be found when the
/// others have agreed already.
pub(super) fn of_condition(error: &ExecutionError) -> StoreError {
    let is_too_few =
        matches!(error, ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Unavailable { .. }, _)));
    told(error, !is_too_few && is_surely_not_done(error))
}

/// A write failed: was it surely not done?
pub(super) fn of_write(error: &ExecutionError) -> StoreError {
    told(error, is_surely_not_done(error))
}

fn told(error: &ExecutionError, is_surely_not: bool) -> StoreError {
    counted(if is_surely_not { StoreError::Unavailable(words(error)) } else { StoreError::Unknown(words(error)) })
}

fn is_surely_not_done(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::ConnectionPoolError(_)
        | ExecutionError::EmptyPlan
        | ExecutionError::BadQuery(_)
        | ExecutionError::PrepareError(_) => true,
        ExecutionError::LastAttemptError(error) => matches!(
            error,
            RequestAttemptError::SerializationError(_)
                | RequestAttemptError::CqlRequestSerialization(_)
                | RequestAttemptError::UnableToAllocStreamId
                | RequestAttemptError::DbError(
                    DbError::Unavailable { .. }
                        | DbError::IsBootstrapping
                        | DbError::Unauthorized
                        | DbError::Invalid
                        | DbError::SyntaxError
                        | DbError::Unprepared { .. },
                    _
                )
        ),
        _ => false,
    }
}

/// What the database sent is not what was asked for.
pub(super) fn odd(what: &str) -> StoreError {
    counted(StoreError::Corrupt(format!("{what} is not as this program writes it")))
}

/// What this program shows a cluster of itself.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    password: bool,
    tls: bool,
    certificate: bool,
}

impl Shown {
    pub(super) fn new(password: bool, tls: Option<&ClientConfig>) -> Self {
        let certificate = tls.is_some_and(|tls| tls.client_auth_cert_resolver.has_certs());
        Self { password, tls: tls.is_some(), certificate }
    }
}

/// Why there is no connection. The hosts are named by whoever tells this.
pub(super) fn of_session(error: &NewSessionError, shown: Shown) -> String {
    match error {
        NewSessionError::FailedToResolveAnyHostname(_) => "none of its names can be resolved".into(),
        NewSessionError::EmptyKnownNodesList => "no host of it is named".into(),
        NewSessionError::MetadataError(MetadataError::ConnectionPoolError(ConnectionPoolError::Broken {
            last_connection_error,
            ..
        })) => of_connecting(last_connection_error, shown),
        NewSessionError::MetadataError(MetadataError::FetchError(_)) => {
            "it was reached, and does not say which hosts it has".into()
        }
        error => one_line(&error.to_string()),
    }
}

fn of_connecting(error: &ConnectionError, shown: Shown) -> String {
    match error {
        ConnectionError::ConnectTimeout => "it does not answer".into(),
        ConnectionError::IoError(error) => tls_words::of_handshake(error, shown.certificate)
            .unwrap_or_else(|| format!("it cannot be reached: {}", one_line(&error.to_string()))),
        ConnectionError::BrokenConnection(error) => of_broken(error, shown),
        ConnectionError::ConnectionSetupRequestError(refused) => match &refused.error {
            ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, _) if shown.password => {
                "it knows no such name and password: see store.user and store.password".into()
            }
            ConnectionSetupRequestErrorKind::MissingAuthentication
            | ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, _) => {
                "it asks for a name and a password: set store.user and store.password".into()
            }
            ConnectionSetupRequestErrorKind::DbError(kind, _) => format!("it answers: {kind}"),
            ConnectionSetupRequestErrorKind::BrokenConnection(error) => of_broken(error, shown),
            other => one_line(&other.to_string()),
        },
        error => one_line(&error.to_string()),
    }
}

fn of_broken(error: &BrokenConnectionError, shown: Shown) -> String {
    tls_words::of_broken(error, shown.certificate).unwrap_or_else(|| match shown {
        Shown { tls: false, .. } => {
            "it ends the connection; does it speak TLS (store.tls), and CQL at this port?".into()
        }
        // The alert that says so may be lost with the connection.
        Shown { certificate: false, .. } => {
            "it ends the connection; does it ask for a certificate (store.tls_certificate), and speak CQL at this port?"
                .into()
        }
        Shown { .. } => {
            "it ends the connection; does it take the certificate (store.tls_certificate), and speak CQL at this port?"
                .into()
        }
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn of_preparing(error: &PrepareError) -> String {
    format!("a statement cannot be prepared: {error}")
}

/// Counts failures that are the store's own.
fn counted(error: StoreError) -> StoreError {
    let kind = match error {
        StoreError::Unknown(_) => "unknown",
        StoreError::Corrupt(_) => "corrupt",
        _ => "unavailable",
    };
    metrics::counter!(ERRORS, "kind" => kind).increment(1);
    error
}
