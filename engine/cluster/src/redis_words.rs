//! Why there is no connection to Redis, in words that name the setting to look at.
//! The driver keeps what the system or TLS has said as text, in which the reasons have the names of their types.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fred::error::{Error, ErrorKind};

/// Reasons for there being no connection that are told in a row.
const PROBLEMS_MAX: usize = 8;

/// What is in the text of a problem, and what that means.
const OF_TLS: &[(&[&str], &str)] = &[
    // A new authority may have the name of an old one.
    (
        &["InvalidCertificate(UnknownIssuer", "InvalidCertificate(BadSignature"],
        "its certificate is signed by no authority that this system trusts: SSL_CERT_FILE names a file of others",
    ),
    (&["InvalidCertificate(NotValidForName"], "its certificate is for another name or address than redis.url has"),
    (
        &["InvalidCertificate(Expired", "InvalidCertificate(NotValidYet"],
        "its certificate has ended or has not begun, by the clock of this machine",
    ),
    (&["InvalidMessage("], "it does not speak TLS at this port: see redis.url, in which rediss:// stands for TLS"),
    (
        &["AlertReceived(CertificateRequired", "AlertReceived(BadCertificate", "AlertReceived(HandshakeFailure"],
        "it asks for a certificate, and this program has none for it: set tls-auth-clients to \"no\" over there",
    ),
];

/// What the driver says where the other end has hung up.
const HUNG_UP: &[&str] = &["UnexpectedEof", "ConnectionReset", "BrokenPipe", "Connection Closed", "Null"];

/// What was told since there was a connection last.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Told {
    /// Whether it was not told yet; from now on it was.
    pub(crate) fn is_news(&self, problem: &str) -> bool {
        let mut told = self.told();
        let is_news = told.len() < PROBLEMS_MAX && !told.iter().any(|before| before == problem);
        if is_news {
            told.push(problem.to_owned());
        }
        is_news
    }

    /// There is a connection again.
    pub(crate) fn forget(&self) {
        self.told().clear();
    }

    fn told(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A problem in words that are safe to log.
pub(crate) fn of_connecting(problem: &Error, by_tls: bool) -> String {
    let text = problem.details();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if *problem.kind() == ErrorKind::Timeout {
        // One that waits for the end of a line takes the first words of TLS for the beginning of one.
        let words = if by_tls {
            "it does not answer: does it speak TLS at this port (redis.url)?"
        } else {
            "it does not answer"
        };
        return words.into();
    }
    if by_tls && let Some((_, words)) = OF_TLS.iter().find(|(parts, _)| has(parts)) {
        return (*words).into();
    }
    if !by_tls && has(HUNG_UP) {
        return "it ends the connection: does it speak TLS (rediss:// in redis.url)?".into();
    }
    if *problem.kind() == ErrorKind::Auth {
        return format!("it does not let this program in: see redis.user and redis.password ({text})");
    }
    match of_system(text) {
        Some(message) => format!("it cannot be reached: {message}"),
        None => text.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// What the system has said, in its words.
fn of_system(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix("Os {")?.split_once("message: \"")?;
    rest.split_once('"').map(|(message, _)| message)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn each_reason_is_told_once_until_there_is_a_connection() {
        let told = Told::default();
        assert!(told.is_news("gone") && !told.is_news("gone") && told.is_news("late"));
        told.forget();
        assert!(told.is_news("gone"));
        assert_eq!((0..100).filter(|n| told.is_news(&n.to_string())).count(), PROBLEMS_MAX - 1);
    }

    #[test]
    fn a_problem_says_where_to_look() {
        let tls = |error: rustls::Error| Error::from(io::Error::new(io::ErrorKind::InvalidData, error));
        let of_certificate = |wrong| tls(rustls::Error::InvalidCertificate(wrong));
        let alert = |alert| tls(rustls::Error::AlertReceived(alert));
        use rustls::{AlertDescription as Alert, CertificateError as Wrong, InvalidMessage};
        let plain = |kind: io::ErrorKind| Error::from(io::Error::from(kind));
        let rows = [
            (of_certificate(Wrong::UnknownIssuer), true, "signed by no authority that this system trusts"),
            (of_certificate(Wrong::BadSignature), true, "SSL_CERT_FILE"),
            (of_certificate(Wrong::NotValidForName), true, "for another name or address than redis.url has"),
            (of_certificate(Wrong::Expired), true, "has ended or has not begun"),
            (of_certificate(Wrong::NotValidYet), true, "has ended or has not begun"),
            (tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)), true, "does not speak TLS"),
            (alert(Alert::CertificateRequired), true, "tls-auth-clients"),
            (alert(Alert::InternalError), true, "AlertReceived(InternalError)"),
            (plain(io::ErrorKind::UnexpectedEof), false, "does it speak TLS (rediss:// in redis.url)?"),
            (plain(io::ErrorKind::UnexpectedEof), true, "UnexpectedEof"),
            (io::Error::from_raw_os_error(111).into(), true, "it cannot be reached: Connection refused"),
            (Error::new(ErrorKind::Timeout, "Request timed out."), true, "does it speak TLS at this port (redis.url)?"),
            (Error::new(ErrorKind::Timeout, "Request timed out."), false, "it does not answer"),
            (Error::new(ErrorKind::Auth, "WRONGPASS no"), true, "see redis.user and redis.password (WRONGPASS no)"),
            (Error::new(ErrorKind::Unknown, "two\nlines"), false, "two lines"),
        ];
        for (problem, by_tls, words) in rows {
            let told = of_connecting(&problem, by_tls);
            assert!(told.contains(words), "{words:?} is not in {told:?}");
        }
    }
}
