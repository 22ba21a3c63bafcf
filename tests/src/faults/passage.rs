//! Who stands before a node, Cassandra or Redis and passes on what is said to it, as the weather is between the two.
//! All nodes come to the same address; who it is the system knows.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::weather::{Place, Way, Ways, Weather, way};
use super::who::Who;

const BUFFER: usize = 16 * 1024;

/// It passes on until it is dropped.
#[derive(Debug)]
pub(super) struct Passage(JoinHandle<()>);

impl Passage {
    /// Passes on from one address to another.
    pub(super) fn open(
        at: SocketAddr,
        to: (Place, SocketAddr),
        who: Arc<Who>,
        weather: &Arc<Weather>,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let weather = Arc::clone(weather);
        #[allow(clippy::disallowed_methods, reason = "it ends when dropped")]
        let life = tokio::spawn(async move {
            let mut lines = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, dialler)) = listener.accept() => {
                        let (who, seen) = (Arc::clone(&who), weather.seen());
                        lines.spawn(async move {
                            let from = tokio::task::spawn_blocking(move || who.dials(dialler, at)).await;
                            line(stream, from.ok().flatten(), to, seen).await;
                        });
                    }
                    Some(_) = lines.join_next() => {}
                }
            }
        });
        Ok(Self(life))
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One connection to its end.
async fn line(
    stream: TcpStream,
    from: Option<usize>,
    (place, address): (Place, SocketAddr),
    seen: watch::Receiver<Ways>,
) {
    let here = move |ways: &Ways| from.map_or_else(Way::default, |from| way(ways, from, place));
    // Nobody is there yet to be heard by: the call itself is under way.
    if !opens(&mut seen.clone(), here, false).await {
        return;
    }
    let born = here(&seen.borrow());
    let Ok(far) = TcpStream::connect(born.detour.unwrap_or(address)).await else { return };
    if stream.set_nodelay(true).and_then(|()| far.set_nodelay(true)).is_err() {
        return;
    }
    let ((near_in, near_out), (far_in, far_out)) = (stream.into_split(), far.into_split());
    let mut ends = seen.clone();
    let there = pass(near_in, far_out, seen.clone(), here, false);
    let back = pass(far_in, near_out, seen, here, true);
    tokio::select! {
        _ = futures_util::future::join(there, back) => {}
        _ = ends.wait_for(|ways| here(ways).number != born.number) => {}
    }
}

/// One direction to its end, which is passed on too.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut seen: watch::Receiver<Ways>,
    here: impl Fn(&Ways) -> Way,
    back: bool,
) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if !opens(&mut seen, &here, back).await {
            return;
        }
        let passed = match buffer.get(..read) {
            Some(some) if read > 0 => to.write_all(some).await,
            _ => {
                // Who has ended hears nothing any more.
                let _ = to.shutdown().await;
                return;
            }
        };
        if passed.is_err() {
            return;
        }
    }
}

/// Waits until words go on in a direction; false when nobody decides about them any more.
async fn opens(seen: &mut watch::Receiver<Ways>, here: impl Fn(&Ways) -> Way, back: bool) -> bool {
    seen.wait_for(|ways| here(ways).is_open(back)).await.is_ok()
}
