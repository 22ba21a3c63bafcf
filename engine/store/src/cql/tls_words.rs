//! What is wrong with TLS towards a cluster, in words that name the setting to look at.

use std::io;

use rustls::{AlertDescription, CertificateError};
use scylla::errors::{BrokenConnectionError, BrokenConnectionErrorKind};
use scylla::frame::frame_errors::FrameHeaderParseError;

/// What TLS has against a cluster; none where it has nothing.
pub(super) fn of_handshake(error: &io::Error, shows_certificate: bool) -> Option<String> {
    let inner = error.get_ref()?;
    let error = inner.downcast_ref::<rustls::Error>()?;
    Some(words(error, shows_certificate))
}

/// The same of a connection that broke later: with TLS 1.3 a server looks at a client's certificate when the client
/// takes the handshake for done.
pub(super) fn of_broken(error: &BrokenConnectionError, shows_certificate: bool) -> Option<String> {
    let error = match error.downcast_ref()? {
        BrokenConnectionErrorKind::FrameHeaderParseError(FrameHeaderParseError::HeaderIoError(error))
        | BrokenConnectionErrorKind::WriteError(error) => error,
        _ => return None,
    };
    match error.get_ref()?.downcast_ref()? {
        // All that is looked at so late; some servers have no other word for a certificate that they do not trust.
        rustls::Error::AlertReceived(_) => Some(of_own_certificate(shows_certificate)),
        error => Some(words(error, shows_certificate)),
    }
}

fn of_own_certificate(is_shown: bool) -> String {
    match is_shown {
        true => "it does not take the certificate that it is shown: see store.tls_certificate".into(),
        false => "it asks for a certificate: set store.tls_certificate and store.tls_key".into(),
    }
}

fn words(error: &rustls::Error, shows_certificate: bool) -> String {
    match error {
        rustls::Error::InvalidCertificate(wrong) => of_certificate(wrong),
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS at this port: set store.tls to \"off\", or name its port for TLS in store.url".into()
        }
        rustls::Error::AlertReceived(alert) if is_of_certificate(*alert) => of_own_certificate(shows_certificate),
        error => format!("TLS with it fails (store.tls): {error}"),
    }
}

fn of_certificate(wrong: &CertificateError) -> String {
    match wrong {
        // A new authority may have the name of an old one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is signed by no authority that store.tls names".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another address: each host needs one for the IP address at which store.url or the \
             cluster names it"
                .into()
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "its certificate has ended or has not begun, by the clock of this machine (store.tls)".into()
        }
        wrong => format!("its certificate cannot be used (store.tls): {wrong}"),
    }
}

/// What a server says of a client's certificate, or of there being none.
fn is_of_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::NoCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

#[cfg(test)]
mod tests {
    use rustls::InvalidMessage;

    use super::*;

    #[test]
    fn each_reason_names_the_setting_to_look_at() {
        let of_certificate = rustls::Error::InvalidCertificate;
        let alert = rustls::Error::AlertReceived;
        for (error, shows_certificate, expected) in [
            (of_certificate(CertificateError::UnknownIssuer), false, "no authority that store.tls names"),
            (of_certificate(CertificateError::BadSignature), false, "no authority that store.tls names"),
            (of_certificate(CertificateError::NotValidForName), true, "store.url"),
            (of_certificate(CertificateError::Expired), true, "by the clock of this machine (store.tls)"),
            (of_certificate(CertificateError::NotValidYet), true, "by the clock of this machine (store.tls)"),
            (of_certificate(CertificateError::Revoked), true, "cannot be used (store.tls)"),
            (rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType), false, "set store.tls to \"off\""),
            (alert(AlertDescription::CertificateRequired), false, "set store.tls_certificate and store.tls_key"),
            (alert(AlertDescription::BadCertificate), false, "set store.tls_certificate and store.tls_key"),
            (alert(AlertDescription::CertificateUnknown), true, "see store.tls_certificate"),
            (alert(AlertDescription::ProtocolVersion), true, "fails (store.tls)"),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            let told = of_handshake(&error, shows_certificate).unwrap();
            assert!(told.contains(expected), "{expected:?} is not in {told:?}");
        }
        assert_eq!(of_handshake(&io::ErrorKind::ConnectionRefused.into(), true), None);
        for (shows_certificate, expected) in [(true, "see store.tls_certificate"), (false, "set store.tls_certificate")]
        {
            let error = io::Error::new(io::ErrorKind::InvalidData, alert(AlertDescription::InternalError));
            let broken = BrokenConnectionErrorKind::FrameHeaderParseError(FrameHeaderParseError::HeaderIoError(error));
            let told = of_broken(&broken.into(), shows_certificate).unwrap();
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(of_broken(&BrokenConnectionErrorKind::ChannelError.into(), true), None);
    }
}
