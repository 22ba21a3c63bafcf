//! What each end of a link shows the other: that it knows the installation's secret, on this very connection.
//! Invariant: a proof is worth nothing on another connection, for another node, or for the other end.
//!
//! Both ends compute the same 32 bytes of keying material from their TLS session (RFC 9266, `tls-exporter`); a proof is
//! an HMAC over them, the sender's id and its end of the connection. Whoever stands between the two has a session with
//! each of them, and so two different materials.

use hmac::{Hmac, KeyInit, Mac};
use schema::NodeId;
use secrecy::ExposeSecret;
use sha2::Sha256;
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::secret::{Key, mac};

/// The label and the context of the exporter.
pub(super) const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";
/// What the acceptor's proof stands in; the dialer's is its `Authorization`.
const ANSWER: HeaderName = HeaderName::from_static("tertulia-peer");
const SCHEME: &str = "Tertulia-Peer";
const CONTEXT: &[u8] = b"tertulia: proof of a node, version 2";

/// Keying material of one TLS session.
pub(super) type Material = [u8; 32];

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Dialer,
    Acceptor,
}

/// What all nodes of an installation know and nobody else. Its `Debug` shows nothing.
///
/// It is changed without a node left out: the new one is accepted everywhere first, then shown, then the old one goes.
#[derive(Debug)]
pub(crate) struct PeerSecret {
    /// Nodes of another installation that have the same secret are strangers.
    installation: String,
    /// By this one the node shows itself.
    shown: Key,
    /// By this one others may show themselves besides.
    accepted: Option<Key>,
}

/// What a [`PeerSecret`] is made of.
pub(crate) enum SecretFrom<'a> {
    /// Derived from the root key.
    Derived(Key),
    /// Words that the operator chose, as long as the configuration demands: too many to be guessed.
    Chosen(&'a str),
}

impl PeerSecret {
    /// The one of an installation.
    pub(crate) fn new(installation: &str, shown: SecretFrom<'_>, accepted: Option<SecretFrom<'_>>) -> Self {
        let key = |origin: SecretFrom<'_>| match origin {
            SecretFrom::Derived(key) => key,
            SecretFrom::Chosen(words) => mac(&Key::new(Box::new([0; 32])), words.as_bytes()),
        };
        Self { installation: installation.to_owned(), shown: key(shown), accepted: accepted.map(key) }
    }

    fn hmac(&self, key: &Key, side: Side, node: NodeId, material: &Material) -> Hmac<Sha256> {
        // As long as the hash's block: HMAC fills a key up to it with zeros.
        let mut block = [0; 64];
        block[..32].copy_from_slice(key.expose_secret());
        let mut mac = Hmac::<Sha256>::new((&block).into());
        mac.update(CONTEXT);
        mac.update(match side {
            Side::Dialer => b"dialer",
            Side::Acceptor => b"accept",
        });
        mac.update(node.as_bytes());
        mac.update(material);
        mac.update(self.installation.as_bytes());
        mac
    }

    /// The header by which `node` shows at its `side` who it is.
    pub(super) fn header(&self, side: Side, node: NodeId, material: &Material) -> (HeaderName, HeaderValue) {
        let proof = hex::encode(self.hmac(&self.shown, side, node, material).finalize().into_bytes());
        match (side, HeaderValue::try_from(format!("{SCHEME} {node} {proof}"))) {
            (Side::Dialer, Ok(value)) => (AUTHORIZATION, value),
            (Side::Acceptor, Ok(value)) => (ANSWER, value),
            // Letters and digits make a header.
            (_, Err(_)) => (ANSWER, HeaderValue::from_static("")),
        }
    }

    /// The node that shows itself in these headers as the other end; none if it does not know the secret.
    pub(super) fn shown(&self, headers: &HeaderMap, side: Side, material: &Material) -> Option<NodeId> {
        let name = match side {
            Side::Dialer => AUTHORIZATION,
            Side::Acceptor => ANSWER,
        };
        let text = headers.get(name)?.to_str().ok()?.strip_prefix(SCHEME)?.strip_prefix(' ')?;
        let (node, proof) = text.split_once(' ')?;
        let (node, mut given) = (node.parse().ok()?, [0; 32]);
        hex::decode_to_slice(proof, &mut given).ok()?;
        let knows = |key: &Key| self.hmac(key, side, node, material).verify_slice(&given).is_ok();
        (knows(&self.shown) || self.accepted.as_ref().is_some_and(knows)).then_some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(words: &str) -> PeerSecret {
        PeerSecret::new("here", SecretFrom::Chosen(words), None)
    }

    #[test]
    fn a_proof_is_of_one_node_at_one_end_of_one_connection_under_one_secret() {
        let (ours, theirs) = (secret("one"), secret("two"));
        let (node, here, elsewhere) = (NodeId::generate(), [1; 32], [2; 32]);
        for side in [Side::Dialer, Side::Acceptor] {
            let (name, value) = ours.header(side, node, &here);
            let headers: HeaderMap = [(name, value.clone())].into_iter().collect();
            assert_eq!(ours.shown(&headers, side, &here), Some(node));
            assert_eq!(theirs.shown(&headers, side, &here), None, "another secret");
            let both = PeerSecret::new("here", SecretFrom::Chosen("two"), Some(SecretFrom::Chosen("one")));
            assert_eq!(both.shown(&headers, side, &here), Some(node), "accepted while it is changed");
            let away = PeerSecret::new("away", SecretFrom::Chosen("one"), None);
            assert_eq!(away.shown(&headers, side, &here), None, "another installation");
            assert_eq!(ours.shown(&headers, side, &elsewhere), None, "another connection");
            // The other end's header, with the same value.
            let other = if side == Side::Dialer { Side::Acceptor } else { Side::Dialer };
            let (name, _) = ours.header(other, node, &here);
            let headers: HeaderMap = [(name, value.clone())].into_iter().collect();
            assert_eq!(ours.shown(&headers, other, &here), None, "the other end");
            let claimed = value.to_str().unwrap().replace(&node.to_string(), &NodeId::generate().to_string());
            let (name, _) = ours.header(side, node, &here);
            let headers: HeaderMap = [(name, claimed.parse().unwrap())].into_iter().collect();
            assert_eq!(ours.shown(&headers, side, &here), None, "another node");
        }
        for wrong in ["", "Bearer x", "Tertulia-Peer ", "Tertulia-Peer node_1 zz", "Tertulia-Peer  "] {
            let headers: HeaderMap = [(AUTHORIZATION, wrong.parse().unwrap())].into_iter().collect();
            assert_eq!(ours.shown(&headers, Side::Dialer, &here), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_shows_nothing() {
        assert!(!format!("{:?}", secret("canary")).contains("canary"));
    }
}
