//! Where the other nodes reach this one.
//! Invariant: a node that shares its store listens to the others, and says an address that they can reach.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use engine_config::{Config, StoreUrl};

/// Why others could not reach the node, in one line for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    #[error(
        "{0} is for nodes that share a store, and this one has its own: take it away, or set TERTULIA_STORE to cql://HOST:PORT/KEYSPACE"
    )]
    Alone(&'static str),
    #[error(
        "the nodes of a cluster listen to each other: set TERTULIA_PEER_LISTEN to an address of this machine that the others reach, such as 10.0.0.7:8081"
    )]
    NoListener,
    #[error("cannot listen to other nodes on {address}: {problem}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        problem: io::Error,
    },
}

/// The internal listener.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) listener: TcpListener,
    /// As others reach it: `host:port`.
    pub(crate) address: String,
}

impl Seat {
    /// Where a node is to listen to others; nowhere where the store is its own.
    ///
    /// # Errors
    /// [`SeatError`].
    pub(crate) fn wanted(config: &Config) -> Result<Option<SocketAddr>, SeatError> {
        if matches!(config.store.url, StoreUrl::Sqlite) {
            return match (&config.redis.url, config.peer.listen, config.conversations.own) {
                (Some(_), ..) => Err(SeatError::Alone("TERTULIA_REDIS")),
                (None, Some(_), _) => Err(SeatError::Alone("TERTULIA_PEER_LISTEN")),
                (None, None, false) => Err(SeatError::Alone("TERTULIA_CONVERSATIONS__OWN=false")),
                (None, None, true) => Ok(None),
            };
        }
        match config.peer.listen {
            Some(address) => Ok(Some(address)),
            // A node for this machine alone: its peers are on it too.
            None if config.listen.ip().is_loopback() => Ok(Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))),
            None => Err(SeatError::NoListener),
        }
    }

    /// Begins to listen to other nodes, on a socket that was taken over if there is one; none where the store is the
    /// node's own.
    ///
    /// # Errors
    /// [`SeatError`].
    pub(crate) fn take(config: &Config, taken: Option<TcpListener>) -> Result<Option<Self>, SeatError> {
        let Some(address) = Self::wanted(config)? else { return Ok(None) };
        let failed = |problem| SeatError::Listen { address, problem };
        let listener = taken.map_or_else(|| TcpListener::bind(address), Ok).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        // One that nobody can reach is none that the configuration takes.
        let told = config.peer.address.clone().unwrap_or_else(|| bound.to_string());
        Ok(Some(Self { listener, address: told }))
    }
}
