//! How a server ends when another process goes on with its listening socket.
//! Invariant: a connection that was taken is not dropped before it could ask and was answered; one that was not taken
//! stays in the socket.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_server::ServerHandle;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::meter::Meter;

/// So many looks in a row nobody comes in after the acceptor was told to take nobody more. It does not say when it has
/// heard, and what it has taken is on its way to a worker, which drops it when it stops. Looks and not time: on a busy
/// machine that thread comes to its turn as seldom as this one.
const QUIET_LOOKS: u32 = 10;
/// Longest wait for that.
const QUIET_MAX: Duration = Duration::from_secs(1);
/// How long a connection that was just opened has to ask something: browsers open some for later.
const FIRST_MAX: Duration = Duration::from_millis(500);
/// Longest wait for connections to end.
pub(crate) const END_MAX: Duration = Duration::from_secs(2);
/// How often it is looked how far it has come.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The connections of one server, over all its threads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ending(Arc<Shared>);

struct Shared {
    came: AtomicU64,
    open: AtomicUsize,
    stopping: watch::Sender<bool>,
}

/// A connection, from when a worker has it until it ends.
pub(super) struct Guest(Arc<Shared>);

impl Ending {
    pub(crate) fn new() -> Self {
        let stopping = watch::Sender::new(false);
        Self(Arc::new(Shared { came: AtomicU64::new(0), open: AtomicUsize::new(0), stopping }))
    }

    pub(super) fn enter(&self) -> Guest {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.came.fetch_add(1, Ordering::Relaxed);
        Guest(Arc::clone(&self.0))
    }

    /// Completes when a connection is to end after the answer that it waits for, if it does.
    pub(super) async fn over(self, meter: Option<Rc<Meter>>) {
        let mut stopping = self.0.stopping.subscribe();
        // It lives as long as this does.
        let _ = stopping.wait_for(|stopping| *stopping).await;
        if let Some(meter) = meter {
            // Apart, as it would take its room in each connection all its life.
            let asked = Box::pin(async move {
                if timeout(FIRST_MAX, meter.asked()).await.is_err() {
                    // What it asked may be here and not read yet, if this thread was busy: it is read before this goes on.
                    for _ in 0..2 {
                        yield_now().await;
                    }
                }
            });
            asked.await;
        }
    }

    /// Ends the server and closes its listening socket: for a node that nobody follows.
    pub(crate) async fn close(&self, server: &ServerHandle) {
        self.0.stopping.send_replace(true);
        server.stop(true).await;
    }

    /// Ends the server, whose listening socket another process goes on with. The server has to be polled meanwhile.
    pub(crate) async fn leave(&self, server: &ServerHandle) {
        server.pause().await;
        let began = Instant::now();
        let (mut came, mut quiet) = (self.0.came.load(Ordering::Relaxed), 0);
        while quiet < QUIET_LOOKS && began.elapsed() < QUIET_MAX {
            sleep(LOOK_EVERY).await;
            let now = self.0.came.load(Ordering::Relaxed);
            quiet = if now == came { quiet + 1 } else { 0 };
            came = now;
        }
        self.0.stopping.send_replace(true);
        let began = Instant::now();
        while self.0.open.load(Ordering::Relaxed) > 0 && began.elapsed() < END_MAX {
            sleep(LOOK_EVERY).await;
        }
        let open = self.0.open.load(Ordering::Relaxed);
        if open > 0 {
            tracing::info!(open, "connections that did not end in time are cut");
        }
        // Those that were waited for are over: the server itself looks once a second.
        server.stop(false).await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
