//! How a cluster is spoken to by TLS: whom the node believes, and what it shows of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine_config::{Store, StoreTls};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Why there is no TLS, in one line.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{key}: {} {problem}", .path.display())]
    File { key: &'static str, path: PathBuf, problem: String },
    #[error("store.tls: the system trusts no authority; name the cluster's own in a file")]
    NobodyTrusted,
    #[error("store.tls_key: {} is not the key of the certificate {}: {problem}", .key.display(), .certificate.display())]
    NotItsKey { key: PathBuf, certificate: PathBuf, problem: rustls::Error },
}

/// TLS as it is configured; none when it is off. The process needs its cryptography first.
///
/// # Errors
/// A file that is not as it should be.
pub(super) fn client(settings: &Store) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let trusted = match &settings.tls {
        StoreTls::Off => return Ok(None),
        StoreTls::On => by_system()?,
        StoreTls::By(path) => by_file(path)?,
    };
    let builder = ClientConfig::builder().with_root_certificates(trusted);
    let (Some(certificate), Some(key)) = (&settings.tls_certificate, &settings.tls_key) else {
        return Ok(Some(Arc::new(builder.with_no_client_auth())));
    };
    let chain = certificates("store.tls_certificate", certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("store.tls_key", key, &error))?;
    let shown = builder.with_client_auth_cert(chain, secret).map_err(|problem| TlsError::NotItsKey {
        key: key.clone(),
        certificate: certificate.clone(),
        problem,
    })?;
    Ok(Some(Arc::new(shown)))
}

/// TLS towards whoever an authority vouches for that the system trusts.
///
/// # Errors
/// When it trusts none.
pub(crate) fn trusting_system() -> Result<Arc<ClientConfig>, TlsError> {
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(by_system()?).with_no_client_auth()))
}

fn by_system() -> Result<RootCertStore, TlsError> {
    let mut trusted = RootCertStore::empty();
    // One of hundreds that cannot be read is no reason to trust none.
    let (added, _) = trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(TlsError::NobodyTrusted) } else { Ok(trusted) }
}

fn by_file(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut trusted = RootCertStore::empty();
    for certificate in certificates("store.tls", path)? {
        trusted.add(certificate).map_err(|error| TlsError::File {
            key: "store.tls",
            path: path.into(),
            problem: format!("has a certificate that cannot be used: {error}"),
        })?;
    }
    Ok(trusted)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(wrong(key, path, &pem::Error::NoItemsFound)),
        Ok(all) => Ok(all),
        Err(error) => Err(wrong(key, path, &error)),
    }
}

fn wrong(key: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    let problem = match error {
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        pem::Error::NoItemsFound => "has nothing of the kind in it (PEM)".into(),
        _ => "is not written as PEM is".into(),
    };
    TlsError::File { key, path: path.into(), problem }
}
