//! An authority that vouches for the stores of a test and for whoever comes to them, by certificates that it signs.
//! Invariant: its key is drawn anew and stays in this process; nothing that it signs is trusted beyond its test.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, crypto};

/// A certificate and its key, both as PEM.
pub struct Identity {
    /// What is shown.
    pub certificate: String,
    /// What is kept, as PKCS 8.
    pub key: String,
}

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one. Two of the same name are two all the same.
    ///
    /// # Errors
    /// When no key can be drawn.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its own certificate, by which others trust it (PEM).
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names and addresses.
    ///
    /// # Errors
    /// When a name is none.
    pub fn vouch(&self, names: &[String]) -> anyhow::Result<Identity> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "one of a test");
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }

    /// TLS of a client that trusts this authority, and shows a certificate of it.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn client(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.0.der().clone())?;
        let shown = self.vouch(&[])?;
        let chain = vec![CertificateDer::from_pem_slice(shown.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes())?;
        let provider = Arc::new(crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let client = client.with_root_certificates(trusted).with_client_auth_cert(chain, key);
        Ok(Arc::new(client.context("a client's certificate")?))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(…)")
    }
}
