//! How a connection comes in: counted, set up, and handed to HTTP as a [`Line`].

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Request, Response};
use actix_server::ServerBuilder;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use schema::Neighbour;
use socket2::SockRef;
use tokio::time::timeout;

use super::ending::Ending;
use super::line::Line;
use super::meter::{Meter, Whose};
use super::places::Places;
use super::proxies::Proxies;
use super::proxy_protocol::{self, ProxyError};
use super::watch::Watch;
use crate::metrics::{CONNECTIONS_ENDED, CONNECTIONS_REFUSED};
use crate::socket::{LINGER, Tcp, WRITE_BUFFER_BYTES};

/// Descriptors kept for the store, indexes, models and readers of documents.
const DESCRIPTORS_KEPT: u64 = 256;

/// What is sent to an address with too many connections, in one write. Whoever has not spoken yet reads
/// it; to one that has the connection is just ended.
const REFUSAL: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 5\r\n\
    connection: close\r\ncontent-length: 110\r\n\r\n\
    {\"error\":{\"code\":\"rate_limited\",\"message\":\"too many connections from this address; wait 5 s\",\"retry_after\":5}}";

/// What every connection meets first. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    places: Places,
    proxies: Arc<Proxies>,
    per_second: NonZeroU32,
    patience: Duration,
    ending: Ending,
}

/// Why a connection ended that HTTP did not end.
#[derive(Debug, thiserror::Error)]
enum DoorError {
    #[error("too many connections from one address")]
    Crowded,
    #[error("the connection was lost at once: {0}")]
    Lost(io::Error),
    #[error("a proxy did not say whom it speaks for: {0}")]
    Proxy(#[from] ProxyError),
    #[error("{0}")]
    Http(DispatchError),
}

impl Door {
    /// `per_address` connections of each address, of `connections` in all; on each `per_second`
    /// requests; `patience` for a head.
    pub(crate) fn new(
        proxies: Arc<Proxies>,
        per_address: NonZeroU32,
        connections: usize,
        per_second: NonZeroU32,
        patience: Duration,
    ) -> Self {
        let (places, ending) = (Places::new(per_address.get(), connections), Ending::new());
        Self { places, proxies, per_second, patience, ending }
    }

    /// How the connections that came in by it end.
    pub(crate) const fn ending(&self) -> &Ending {
        &self.ending
    }

    async fn enter(self, watch: Watch, mut stream: TcpStream) -> Result<(Line, Option<SocketAddr>), DoorError> {
        let guest = self.ending.enter();
        let (peer, local) =
            (stream.peer_addr().map_err(DoorError::Lost)?, stream.local_addr().map_err(DoorError::Lost)?);
        let mut whose = Whose { peer: peer.ip(), carries_many: self.proxies.trust(peer.ip()), local };
        if whose.carries_many && self.proxies.speak_first() {
            let told = timeout(self.patience, proxy_protocol::read(&mut stream)).await;
            whose.peer = told.map_err(|_| ProxyError::TooSlow)??.unwrap_or(whose.peer);
            // From here on it is one client's connection; a proxy that asks for itself stays one.
            whose.carries_many = self.proxies.trust(whose.peer);
        }
        let place = if whose.carries_many { None } else { Some(self.place(&stream, whose.peer.into())?) };
        if let Err(error) = Tcp::default().set(&stream) {
            // Mostly a client that is gone already.
            tracing::debug!(%error, "could not set up a connection");
        }
        let peer = SocketAddr::new(whose.peer, peer.port());
        let meter = Meter::new(whose, self.per_second, watch.join(), place);
        Ok((Line::new(stream, meter, guest), Some(peer)))
    }

    fn place(&self, stream: &TcpStream, address: Neighbour) -> Result<super::places::Place, DoorError> {
        self.places.take(address).ok_or_else(|| {
            // One try, without waiting: it fits the empty buffer of a new connection or is not worth more.
            let _ = SockRef::from(stream).send(REFUSAL);
            DoorError::Crowded
        })
    }
}

/// Serves an application on one more listener of a server. `app` is called once on each of its threads.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn serve<F, I, S, B>(
    server: ServerBuilder,
    name: &str,
    listener: TcpListener,
    door: Door,
    app: F,
) -> io::Result<ServerBuilder>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as actix_service::Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let told: Arc<str> = name.into();
    server.listen(name, listener, move || {
        let (door, name) = (door.clone(), Arc::clone(&told));
        let ending = door.ending.clone();
        // HTTP asks how a connection will end right after it has told which one began, and does not say which it asks of.
        let began: Rc<RefCell<Option<Rc<Meter>>>> = Rc::default();
        let ends = Rc::clone(&began);
        let watch = Watch::start(door.patience);
        let app = app().into_factory().map_err(|error| error.into().error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || ending.clone().over(ends.borrow_mut().take()))
            .client_request_timeout(door.patience)
            .client_disconnect_timeout(LINGER)
            .h1_write_buffer_size(WRITE_BUFFER_BYTES)
            .on_connect_ext(move |line: &Line, data| {
                *began.borrow_mut() = Some(Rc::clone(line.meter()));
                data.insert(Rc::clone(line.meter()));
            })
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| door.clone().enter(watch.clone(), stream))
            .and_then(http.map_err(DoorError::Http))
            .map_err(move |error| tell(&error, &name))
    })
}

/// What goes wrong on a connection is mostly the client's doing, and a client must not fill the log.
fn tell(error: &DoorError, server: &str) {
    let why = match error {
        DoorError::Crowded => {
            metrics::counter!(CONNECTIONS_REFUSED).increment(1);
            return;
        }
        DoorError::Lost(_) => "lost",
        DoorError::Proxy(_) => "proxy",
        DoorError::Http(DispatchError::Parse(_)) => "malformed",
        DoorError::Http(DispatchError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => "slow",
        DoorError::Http(DispatchError::SlowRequestTimeout | DispatchError::DisconnectTimeout) => "slow",
        DoorError::Http(DispatchError::Io(_) | DispatchError::HandlerDroppedPayload) => "lost",
        DoorError::Http(_) => "failed",
    };
    metrics::counter!(CONNECTIONS_ENDED, "why" => why).increment(1);
    if why == "failed" {
        tracing::warn!(server, %error, "a connection failed");
    } else {
        tracing::debug!(server, %error, why, "a connection ended early");
    }
}

/// Lets this process open as many files as the system allows it to, and tells how many connections fit,
/// at most `wished`.
pub(crate) fn open_files(wished: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = match (current, maximum) {
        (Some(current), maximum) if maximum.is_none_or(|maximum| current < maximum) => {
            let needed = (wished as u64).saturating_add(DESCRIPTORS_KEPT).max(current);
            let target = maximum.map_or(needed, |maximum| maximum.min(needed));
            match setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum }) {
                Ok(()) => Some(target),
                Err(_) => Some(current),
            }
        }
        (current, _) => current,
    };
    let fit = raised.map_or(wished, |files| {
        let fit = files.saturating_sub(DESCRIPTORS_KEPT).max(files / 2).max(1);
        usize::try_from(fit).unwrap_or(usize::MAX).min(wished)
    });
    if fit < wished {
        tracing::info!(
            connections = fit,
            wished,
            "the system lets this process open fewer connections; see `ulimit -n`"
        );
    }
    fit
}

/// Whether an address is of this machine itself.
pub(crate) fn is_this_machine(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_the_form_that_failures_have() {
        let text = str::from_utf8(REFUSAL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        let body: schema::wire::ErrorBody = serde_json::from_str(body).unwrap();
        assert_eq!((body.error.code, body.error.retry_after), (schema::ErrorCode::RateLimited, Some(5)));
    }
}
