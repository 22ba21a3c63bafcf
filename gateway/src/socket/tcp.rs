//! Sets a socket's TCP options, so that a client that stops reading is ended and costs little until then.

use std::any::Any;
use std::io;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};

/// For `HttpServer::h1_write_buffer_size`. The response buffer of a connection starts with 8 KiB;
/// filled by halves at most it never grows, and a socket that once sent a large message goes back
/// to its idle size. It is also all that waits in front of the kernel for a client that stalls.
pub const WRITE_BUFFER_BYTES: usize = 4096;

/// For `HttpServer::client_disconnect_timeout`. When a socket is done, actix-http waits up to this
/// long for the client to end TCP before it does so itself; many clients wait for the server, so
/// it should be short, but a refused upload needs it to read its answer. It must stay well above
/// half a second: actix-http counts from a clock that ticks twice a second, and a deadline that is
/// past when it is set wakes nobody, so that the connection stays. A server with nothing but
/// sockets does best with zero, which ends TCP at once.
pub const LINGER: Duration = Duration::from_millis(750);

/// Settings of each accepted connection; give [`Tcp::on_connect`] to `HttpServer::on_connect`.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    /// How long sent bytes may stay unacknowledged, or the client's window closed, before the
    /// kernel ends the connection. actix-web polls a socket actor only while the response buffer
    /// has room, so nothing inside the actor can end a stalled client: this does.
    pub user_timeout: Duration,
    /// `TCP_NOTSENT_LOWAT`: how much the kernel takes beyond what is on its way, in bytes. A
    /// stalled reader held 3.9 MiB of kernel memory by default (loopback, both ends), 250 KiB with
    /// a send buffer of 64 KiB, and 150 KiB with a mark of 16 KiB here, which unlike the smaller
    /// buffer does not slow a long, fat path: what is in flight is not counted.
    pub unsent_bytes: u32,
    /// After this long without a packet the kernel asks whether the other end is there: the second
    /// line behind the [`super::Sweep`], for connections that have no socket any more or never had.
    pub keepalive: Duration,
}

impl Default for Tcp {
    fn default() -> Self {
        Self { user_timeout: Duration::from_secs(15), unsent_bytes: 16 * 1024, keepalive: Duration::from_secs(60) }
    }
}

impl Tcp {
    /// The function for `HttpServer::on_connect`. It touches the accepted connection and keeps no
    /// copy of it: a second descriptor for each would halve the number of sockets a node can hold.
    pub fn on_connect(self) -> impl Fn(&dyn Any, &mut Extensions) + Clone + Send + Sync + 'static {
        move |connection, _| {
            if let Some(stream) = connection.downcast_ref::<TcpStream>()
                && let Err(error) = self.set(stream)
            {
                // Mostly a client that is gone already.
                tracing::debug!(%error, "could not set up a connection");
            }
        }
    }

    /// Sets one connection so.
    ///
    /// # Errors
    /// What the system says; most often the client is gone.
    pub fn set(self, stream: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(stream);
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(self.keepalive))?;
        #[cfg(target_os = "linux")]
        {
            socket.set_tcp_user_timeout(Some(self.user_timeout))?;
            socket.set_tcp_notsent_lowat(self.unsent_bytes)?;
        }
        Ok(())
    }
}
