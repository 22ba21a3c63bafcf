//! Takes requests and hands each to the pacer; one thread for this, one for the pacing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use anyhow::{Context, Result};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::pacer::{self, Job};
use crate::clock;
use crate::http::{Body, HttpError, read_head};
use crate::plan::Plan;

/// Streams that may wait for the pacer; past it a request waits for its turn.
const WAITING_MAX: usize = 4_096;
/// Longest request that is read.
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a request gets that brings no plan of its own.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// Tokens of a reply.
    pub tokens: u32,
    /// Tokens a second; 0 for as fast as they are read.
    pub rate: u32,
    /// Bytes of one token's event.
    pub chunk_bytes: usize,
}

/// A running stub. It ends when dropped.
#[derive(Debug)]
pub struct Stub {
    /// Where it listens.
    pub address: SocketAddr,
    counters: Arc<Counters>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) started: AtomicU64,
    pub(super) finished: AtomicU64,
    pub(super) gone: AtomicU64,
    pub(super) tokens: AtomicU64,
    pub(super) blocked: AtomicU64,
    pub(super) late: AtomicU64,
}

/// What a stub has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    /// Streams begun.
    pub started: u64,
    /// Streams written to their end.
    pub finished: u64,
    /// Streams whose reader went away.
    pub gone: u64,
    /// Tokens written.
    pub tokens: u64,
    /// Times a reader's buffers were full.
    pub blocked: u64,
    /// Streams that were asked for after they should have begun.
    pub late: u64,
}

impl Stub {
    /// Begins to listen on `address`.
    ///
    /// # Errors
    /// The address is taken, or threads cannot be had.
    pub fn start(address: SocketAddr, defaults: Defaults) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            listen(address)?
        };
        let address = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        let (jobs, waiting) = std::sync::mpsc::sync_channel(WAITING_MAX);
        let (stop, mut stopped) = oneshot::channel();
        let (for_pacer, for_server) = (counters.clone(), counters.clone());
        std::thread::Builder::new()
            .name("stub-pacer".into())
            .spawn(move || pacer::run(&waiting, defaults.chunk_bytes, &for_pacer))?;
        std::thread::Builder::new().name("stub-accept".into()).spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = &mut stopped => return,
                        accepted = listener.accept() => {
                            let Ok((stream, _)) = accepted else { continue };
                            tokio::spawn(serve(stream, jobs.clone(), for_server.clone(), defaults));
                        }
                    }
                }
            });
        })?;
        Ok(Self { address, counters, _stop: stop })
    }

    /// What it has done so far.
    #[must_use]
    pub fn done(&self) -> Done {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Done {
            started: read(&self.counters.started),
            finished: read(&self.counters.finished),
            gone: read(&self.counters.gone),
            tokens: read(&self.counters.tokens),
            blocked: read(&self.counters.blocked),
            late: read(&self.counters.late),
        }
    }
}

/// Listens with a queue long enough for all streams of a run to come at once.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address).with_context(|| format!("cannot listen on {address}"))?;
    Ok(socket.listen(4_096)?)
}

async fn serve(mut stream: TcpStream, jobs: SyncSender<Job>, counters: Arc<Counters>, defaults: Defaults) {
    let Ok(Some((path, body))) = read_request(&mut stream).await else { return };
    if !path.ends_with("/chat/completions") {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        return;
    }
    let plan = Plan::find(&body).unwrap_or(Plan { tokens: defaults.tokens, rate: defaults.rate, start_ns: 0 });
    let start_ns = match (plan.start_ns, plan.rate) {
        (0, 1..) => clock::now() + phase(plan.rate),
        (start, 1..) => in_step(start, plan.rate, clock::now()),
        (start, 0) => start,
    };
    if start_ns > plan.start_ns && plan.start_ns > 0 {
        counters.late.fetch_add(1, Ordering::Relaxed);
    }
    let with_usage = body.windows(15).any(|part| part == b"\"include_usage\"");
    let _ = stream.set_nodelay(true);
    if let Ok(stream) = stream.into_std() {
        let job = Job { stream, plan: Plan { start_ns, ..plan }, with_usage };
        // Full only if thousands of streams begin within microseconds; then this thread waits.
        let _ = jobs.send(job);
    }
}

/// Streams begun together are spread over one token's time by the golden ratio.
fn phase(rate: u32) -> u64 {
    static STREAMS: AtomicU64 = AtomicU64::new(0);
    let nth = STREAMS.fetch_add(1, Ordering::Relaxed);
    let fraction = nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    ((clock::SECOND / u64::from(rate)) * fraction) >> 24
}

/// A stream that is asked for too late begins at its next step instead: no model speaks before it
/// is asked, and a rush to catch up would be another load than the one that was ordered.
fn in_step(start_ns: u64, rate: u32, now_ns: u64) -> u64 {
    let period = clock::SECOND / u64::from(rate);
    start_ns + now_ns.saturating_sub(start_ns).div_ceil(period) * period
}

async fn read_request(stream: &mut TcpStream) -> Result<Option<(String, Vec<u8>)>, HttpError> {
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    let Some(head) = read_head(stream, &mut buffer).await? else { return Ok(None) };
    let path = head.first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut body = Vec::new();
    let mut dechunker = crate::http::Dechunker::default();
    loop {
        let done = match head.body() {
            Body::Chunked => dechunker.feed(&buffer, &mut body)?,
            Body::Sized(size) => {
                body.extend_from_slice(&buffer);
                body.len() >= size
            }
            Body::UntilClose => return Err(HttpError::Head),
        };
        buffer.clear();
        if done {
            return Ok(Some((path, body)));
        }
        if body.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut buffer).await? == 0 {
            return Err(HttpError::Closed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_stream_keeps_its_step() {
        let period = clock::SECOND / 50;
        for (start, now, begins) in [
            (1_000, 0, 1_000),
            (1_000, 1_000, 1_000),
            (1_000, 1_001, 1_000 + period),
            (1_000, 1_000 + 3 * period, 1_000 + 3 * period),
            (1_000, 1_001 + 3 * period, 1_000 + 4 * period),
        ] {
            assert_eq!(in_step(start, 50, now), begins, "{start} {now}");
        }
    }
}
