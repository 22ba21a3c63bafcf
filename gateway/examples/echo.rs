//! Echoes text and binary messages over the gateway's own socket code, for any RFC 6455 suite.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Parser;
use gateway::socket::{HandshakeError, Pace, SocketLimits, Sockets, Sweep, Tcp, WRITE_BUFFER_BYTES, echo};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
struct Args {
    /// Where to listen; every path is a socket.
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Largest frame and largest message, in bytes.
    #[arg(long, default_value_t = 16 * 1024 * 1024)]
    max_bytes: usize,
    /// Threads that serve.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let limits = SocketLimits {
        frame_bytes: args.max_bytes,
        message_bytes: args.max_bytes,
        // A conformance suite sends whole messages in the smallest fragments there are.
        small_frames_per_second: NonZeroU32::MAX,
        small_frames_burst: NonZeroU32::MAX,
        ..SocketLimits::default()
    };
    let server = HttpServer::new(move || {
        let sockets = Sockets { limits, sweep: Sweep::start(Pace::default()) };
        App::new().app_data(web::Data::new(sockets)).default_service(web::to(open))
    })
    .workers(args.workers)
    .on_connect(Tcp::default().on_connect())
    .h1_write_buffer_size(WRITE_BUFFER_BYTES)
    // Nothing but sockets here: when one is done, its TCP ends at once.
    .client_disconnect_timeout(Duration::ZERO)
    .bind(args.listen)?;
    for address in server.addrs() {
        println!("echo on ws://{address}/");
    }
    server.run().await
}

async fn open(request: HttpRequest, payload: web::Payload, sockets: web::Data<Sockets>) -> HttpResponse {
    let (peer, outgoing) = echo(sockets.limits.message_bytes);
    sockets.open(&request, payload, None, peer, outgoing).unwrap_or_else(refuse)
}

fn refuse(error: HandshakeError) -> HttpResponse {
    let mut response = HttpResponse::build(error.status());
    if let Some(header) = error.header() {
        response.insert_header(header);
    }
    response.body(format!("{error}\n"))
}
