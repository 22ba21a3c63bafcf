//! The transport of web sockets: RFC 6455 over actix-web, with everything bounded.
//! Invariant: it knows messages and closes, not conversations; `actix-web-actors` is named in `actor` only.
//!
//! An application brings a [`Peer`], which takes what the client says, and a stream of [`Outgoing`],
//! which the socket pulls from while the client keeps reading. Nothing is ever pushed into a socket:
//! when its client stalls, the stream is not polled, and whoever fills it sees that at once.

mod actor;
mod decode;
mod echo;
mod handshake;
mod peer;
mod sweep;
mod tcp;

pub use actor::Sockets;
pub use decode::replay;
pub use echo::{Echo, EchoOutgoing, echo};
pub use handshake::{HandshakeError, offered};
pub use peer::{Closed, Outgoing, Peer, SocketLimits};
pub use sweep::{Pace, Sweep};
pub use tcp::{LINGER, Tcp, WRITE_BUFFER_BYTES};
