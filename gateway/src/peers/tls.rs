//! TLS between nodes, without an authority: each node makes a key pair when it starts, and the proofs that follow bind
//! the session to the installation's secret.
//! Invariant: TLS 1.3 alone, whose sessions export keying material that no third party shares.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, ServerConfig, SignatureScheme,
};

/// Why no links can be set up on this machine.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    #[error("the system gives no random numbers")]
    NoRandom,
    #[error("TLS between nodes cannot be set up: {0}")]
    Tls(#[from] Error),
}

/// Both ends of TLS, as this node has them.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Ends {
    /// With a key pair of its own, which lasts as long as the node.
    ///
    /// # Errors
    /// When the system has no random numbers, or the library refuses.
    pub(crate) fn new() -> Result<Self, TlsSetupError> {
        let provider = Arc::new(provider::default_provider());
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| TlsSetupError::NoRandom)?;
        let key = provider::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pair.as_ref()))?;
        let public = key.public_key().ok_or(Error::General("a key without a public half".into()))?;
        let certified = CertifiedKey::new(vec![CertificateDer::from(public.to_vec())], key);
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(certified))));
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyKey(provider)))
            .with_no_client_auth();
        // A resumed session saves nothing here, and a fresh one is bound to nothing else.
        client.resumption = rustls::client::Resumption::disabled();
        client.enable_sni = false;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// Takes any key whose owner signs the handshake. Who the other end is, the proofs tell: they are made over keying
/// material that only the two ends of this handshake have.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if key.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
