//! The web socket transport, driven byte by byte over TCP: RFC 6455 rule by rule, limits, stalls, silence.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::Stream;
use gateway::socket::{self, Outgoing, Pace, Peer, SocketLimits, Sockets, Sweep, Tcp, WRITE_BUFFER_BYTES};

mod lives;
mod rules;

/// How a test server differs from the product.
#[derive(Clone, Copy)]
struct Setting {
    limits: SocketLimits,
    pace: Pace,
    tcp: Tcp,
    /// Zero ends TCP at once, so that hundreds of short lives take no time.
    linger: Duration,
}

impl Default for Setting {
    fn default() -> Self {
        let limits = SocketLimits {
            frame_bytes: 70_000,
            message_bytes: 100_000,
            close_wait: Duration::from_millis(300),
            ..SocketLimits::default()
        };
        Self { limits, pace: Pace::default(), tcp: Tcp::default(), linger: Duration::ZERO }
    }
}

/// Mounts the socket code for peers of any kind; the server lives as long as the tests.
fn serve<P, O>(setting: Setting, peer: impl Fn() -> (P, O) + Clone + Send + Sync + 'static) -> SocketAddr
where
    P: Peer,
    O: Stream<Item = Outgoing> + Unpin + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    thread::spawn(move || {
        let server = HttpServer::new(move || {
            let sockets = Sockets { limits: setting.limits, sweep: Sweep::start(setting.pace) };
            let peer = peer.clone();
            let open = move |request: HttpRequest, payload: web::Payload| {
                let (peer, outgoing) = peer();
                let chosen = socket::offered(request.headers()).find(|name| name.starts_with("tertulia."));
                ready(sockets.open(&request, payload, chosen, peer, outgoing).unwrap_or_else(|error| {
                    let mut response = HttpResponse::build(error.status());
                    if let Some(header) = error.header() {
                        response.insert_header(header);
                    }
                    response.body(error.to_string())
                }))
            };
            App::new().default_service(web::to(open))
        })
        .workers(1)
        .disable_signals()
        .on_connect(setting.tcp.on_connect())
        .h1_write_buffer_size(WRITE_BUFFER_BYTES)
        .client_disconnect_timeout(setting.linger)
        .listen(listener)
        .expect("a listening socket")
        .run();
        actix_web::rt::System::new().block_on(server)
    });
    address
}

/// One echo server for all tests that need no other.
fn echo() -> SocketAddr {
    static ADDRESS: LazyLock<SocketAddr> = LazyLock::new(|| serve(Setting::default(), || socket::echo(100_000)));
    *ADDRESS
}
