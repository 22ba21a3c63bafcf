//! The sockets that a node listens on: bound anew, given by whoever started it, or taken over from the node that ran
//! before.
//! Invariant: a socket that is not bound here has the address that the settings name.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use engine_config::Config;
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

use crate::cluster::{Seat, SeatError};

/// Connections the kernel may hold for us before we take them.
const BACKLOG: i32 = 4096;

/// Why a node cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct ListenError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// Why, and what to do.
    pub reason: String,
}

/// Why the sockets that this program was started with are not taken.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// They are no listening sockets.
    #[error("this program was started with sockets (LISTEN_FDS) that it cannot use: {0}")]
    Unusable(io::Error),
    /// They are somebody else's.
    #[error(
        "this program was started with a socket on {0} (LISTEN_FDS), and its settings name no such address: set \
         TERTULIA_LISTEN to it"
    )]
    Elsewhere(SocketAddr),
}

/// What a listening socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Use {
    /// HTTP and sockets of clients.
    Http,
    /// The metrics, at an address of their own.
    Metrics,
    /// Links of other nodes.
    Internal,
}

impl Use {
    /// For messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "clients",
            Self::Metrics => "metrics",
            Self::Internal => "other nodes",
        }
    }
}

/// The addresses that the settings name.
pub(crate) struct Wanted(Vec<(Use, SocketAddr)>);

impl Wanted {
    /// # Errors
    /// [`SeatError`], when other nodes could not reach this one.
    pub(crate) fn of(config: &Config) -> Result<Self, SeatError> {
        let metrics = config.metrics_listen.map(|address| (Use::Metrics, address));
        let internal = Seat::wanted(config)?.map(|address| (Use::Internal, address));
        Ok(Self([Some((Use::Http, config.listen)), metrics, internal].into_iter().flatten().collect()))
    }

    /// The first use for which other addresses are there than are wanted; a port that is not chosen fits any.
    pub(crate) fn misses(&self, found: &[(Use, SocketAddr)]) -> Option<(Use, Option<SocketAddr>, Option<SocketAddr>)> {
        let of = |all: &[(Use, SocketAddr)], wanted| all.iter().find(|(of, _)| *of == wanted).map(|(_, at)| *at);
        [Use::Http, Use::Metrics, Use::Internal].into_iter().find_map(|each| {
            let (wanted, found) = (of(&self.0, each), of(found, each));
            let fit = match (wanted, found) {
                (Some(wanted), Some(found)) => fits(wanted, found),
                (wanted, found) => wanted == found,
            };
            (!fit).then_some((each, wanted, found))
        })
    }

    /// The first use for which an address was wanted and is not there yet.
    fn takes(&self, address: SocketAddr, there: &[(Use, TcpListener)]) -> Option<Use> {
        let of = |(of, wanted): &(Use, SocketAddr)| {
            (fits(*wanted, address) && there.iter().all(|(there, _)| there != of)).then_some(*of)
        };
        self.0.iter().find_map(of)
    }
}

fn fits(wanted: SocketAddr, found: SocketAddr) -> bool {
    wanted.ip() == found.ip() && [0, found.port()].contains(&wanted.port())
}

/// A node's listening sockets before it listens to them.
#[derive(Default)]
pub(crate) struct Listening {
    sockets: Vec<(Use, TcpListener)>,
    /// How long the node that had them may take to give its data directory back; none where there was none.
    follows: Option<Duration>,
    is_kept: bool,
}

impl Listening {
    /// Those that another node had, and how long that may keep its data directory.
    pub(crate) const fn taken(sockets: Vec<(Use, TcpListener)>, patience: Duration) -> Self {
        Self { sockets, follows: Some(patience), is_kept: false }
    }

    /// Those that this process was started with, as systemd does by a `.socket` unit; it keeps them itself. To be
    /// called before there are threads, as it takes them out of the environment.
    ///
    /// # Errors
    /// [`GivenError`].
    pub(crate) fn given(wanted: &Wanted) -> Result<Self, GivenError> {
        let (mut given, mut sockets) = (ListenFd::from_env(), Vec::new());
        for at in 0..given.len() {
            let Some(socket) = given.take_tcp_listener(at).map_err(GivenError::Unusable)? else { continue };
            if !socket_acceptconn(&socket).map_err(io::Error::from).map_err(GivenError::Unusable)? {
                return Err(GivenError::Unusable(io::Error::other("nobody listens on it; set Accept=no")));
            }
            socket.set_nonblocking(true).map_err(GivenError::Unusable)?;
            let address = socket.local_addr().map_err(GivenError::Unusable)?;
            let of = wanted.takes(address, &sockets).ok_or(GivenError::Elsewhere(address))?;
            sockets.push((of, socket));
        }
        Ok(Self { is_kept: !sockets.is_empty(), sockets, follows: None })
    }

    /// Whether they were another node's, and how long that may keep its data directory.
    pub(crate) const fn follows(&self) -> Option<Duration> {
        self.follows
    }

    /// Whether somebody keeps them for whoever comes when this process has ended.
    pub(crate) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The one that is there for a use, if any is.
    pub(crate) fn take(&mut self, wanted: Use) -> Option<TcpListener> {
        let at = self.sockets.iter().position(|(of, _)| *of == wanted)?;
        Some(self.sockets.swap_remove(at).1)
    }

    /// The one that is there for a use, or one that is bound now.
    ///
    /// # Errors
    /// Why nobody can listen there.
    pub(crate) fn take_or_bind(&mut self, wanted: Use, address: SocketAddr) -> Result<TcpListener, ListenError> {
        self.take(wanted).map_or_else(|| bind(address), Ok)
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok::<TcpListener, io::Error>(socket.into())
    };
    listen().map_err(|error| ListenError {
        address,
        reason: match error.kind() {
            io::ErrorKind::AddrInUse => "another program uses this port; set TERTULIA_LISTEN to another one".into(),
            io::ErrorKind::PermissionDenied => "this needs more rights; choose a port from 1024 on".into(),
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address".into(),
            _ => error.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_fit_by_use_and_address() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (http, other) = (at("127.0.0.1:8080"), at("127.0.0.1:9100"));
        let wanted = |address: &str, metrics: Option<&str>| {
            let metrics = metrics.map(|address| (Use::Metrics, at(address)));
            Wanted([Some((Use::Http, at(address))), metrics].into_iter().flatten().collect())
        };
        let both = [(Use::Metrics, other), (Use::Http, http)];
        for (wanted, found, misses) in [
            (wanted("127.0.0.1:8080", None), &both[1..], None),
            (wanted("127.0.0.1:0", Some("127.0.0.1:9100")), &both[..], None),
            (wanted("127.0.0.1:8081", None), &both[1..], Some(Use::Http)),
            (wanted("0.0.0.0:0", None), &both[1..], Some(Use::Http)),
            (wanted("127.0.0.1:8080", None), &both[..], Some(Use::Metrics)),
            (wanted("127.0.0.1:8080", Some("127.0.0.1:0")), &both[1..], Some(Use::Metrics)),
            (wanted("127.0.0.1:8080", None), &[][..], Some(Use::Http)),
        ] {
            assert_eq!(wanted.misses(found).map(|(of, ..)| of), misses, "{:?} {found:?}", wanted.0);
        }
    }
}
