//! How a node that is told to stop comes to its end: running replies may end, then its sessions are told to come back.
//! Invariant: each wait is bounded, and [`longest`] is no shorter than all of them together.

use std::time::Duration;

use actors::System;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::connection::END_MAX;
use crate::learning::Learning;

/// Longest wait for what was decided to become durable, once replies have ended.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// Sessions closed in each second, so that they come back one after another.
const CLOSES_PER_SECOND: u32 = 5_000;
/// What it may take beside its waits: goodbyes are said, and the store is written out.
const SPARE: Duration = Duration::from_secs(15);

/// The longest that a node takes to go, as whoever follows it is told. Replies may run on for `timeout`; there are so
/// many connections at most.
pub(crate) fn longest(timeout: Duration, connections: usize) -> Duration {
    let sessions = u32::try_from(connections).unwrap_or(u32::MAX);
    let drained = timeout + 2 * FLUSH_MAX + window(sessions) + 2 * END_MAX;
    drained.max(Learning::STOP_MAX) + SPARE
}

/// Completes when replies have ended, what was decided is durable, and sessions were told.
pub(crate) async fn drain(system: &System, told: &watch::Sender<Option<Duration>>, timeout: Duration) {
    tracing::info!("draining");
    // Where other nodes take over, nobody listens here any more when all is drained.
    let listeners = system.listeners();
    system.drain(Instant::now() + timeout, FLUSH_MAX).await;
    let window = window(listeners);
    // Refused when no worker is left to hear it.
    let _ = told.send(Some(window));
    sleep(window).await;
}

/// Over how long so many sessions are closed.
fn window(sessions: u32) -> Duration {
    Duration::from_secs(1) * sessions / CLOSES_PER_SECOND
}
