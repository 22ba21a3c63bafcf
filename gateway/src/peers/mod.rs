//! The links between this node and the others of its installation: an internal listener, and one web socket to each of
//! them, under TLS and proven at both ends.
//! Invariant: nobody who does not know the installation's secret gets further than the upgrade, and no link carries
//! words in the clear.
//!
//! Of each two nodes the one with the smaller id dials; the other dials too if no link stands after a while, as a cut
//! may be one way, and so does one that owns nothing, at once. A second link between the same two takes the place of
//! the first.

mod accept;
mod carry;
mod dial;
mod pace;
mod places;
mod proof;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

pub(crate) use proof::{PeerSecret, SecretFrom};
pub(crate) use tls::Ends;
pub(crate) use tls::TlsSetupError;
pub(crate) use transport::Transport;

/// The route of the web socket at the internal listener.
const PATH: &str = "/peer";
