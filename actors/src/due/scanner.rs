//! Looks through the index of what is due, one for each node: page by page, with pauses, and no faster than the
//! workers attend to it.

use std::sync::Arc;
use std::time::Duration;

use engine_store::{DueEntry, DueQuery, SharedStore, StoreError};
use schema::limits;
use tokio::time::{Instant, sleep, timeout};

use super::DueWork;
use super::hastening::Hastening;
use super::remembered::Remembered;
use crate::clock::Clock;
use crate::metrics::{DUE_LAG, DUE_SCANNED};
use crate::phase::Phase;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two pages of a look: three hundred conversations in a second at most, so that those who talk feel
/// nothing of what has piled up.
const PAGE_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for a page.
const PAGE_MAX: Duration = Duration::from_secs(10);
/// How often, while the workers are busy, it is looked whether the node drains.
const GLANCE_EVERY: Duration = Duration::from_millis(250);

/// Why a look ended before it had seen everything.
enum Cut {
    Store(StoreError),
    Draining,
}

/// Looks through the index for one node.
///
/// The system runs one from its start until it drains. A look reads all that is due by now, page by page; it ends
/// with the index, with a store that does not answer (all then pause), or with the drain. It may send for a
/// conversation once too often, which asks the conversation for nothing new; it never takes an entry away.
pub(crate) struct Scanner {
    pub(crate) store: SharedStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) phase: Arc<Phase>,
    pub(crate) work: Arc<DueWork>,
    /// Numbers from 0 to 1 that spread pauses.
    pub(crate) jitter: fn() -> f64,
    /// Whether no other node has the same store: nothing can be on its way but what this life has begun.
    pub(crate) alone: bool,
}

impl Scanner {
    /// Sends for those who are due, until the node drains.
    pub(crate) async fn scan(&self) {
        let (mut remembered, mut hastening) = (Remembered::default(), Hastening::default());
        let mut ahead = if self.alone { limits::DUE_AHEAD_AT_START } else { Duration::ZERO };
        while !self.phase.is_draining() {
            remembered.begin();
            match self.look(&mut remembered, ahead).await {
                Ok(()) => {
                    remembered.end();
                    ahead = Duration::ZERO;
                }
                Err(Cut::Draining) => return,
                Err(Cut::Store(error)) => {
                    tracing::warn!(index = "due", %error, "what is due could not be looked for; it is tried again");
                    self.work.failed((self.jitter)());
                }
            }
            if let Err(error) = hastening.go_on(self).await {
                tracing::warn!(index = "hastening", %error, "conversations could not be told of a new policy; it is tried again");
            }
            sleep(LOOK_EVERY.max(self.work.pause_left())).await;
        }
    }

    async fn look(&self, remembered: &mut Remembered, ahead: Duration) -> Result<(), Cut> {
        let mut after: Option<DueEntry> = None;
        loop {
            let now = self.clock.now();
            let query = DueQuery { before: now.plus(ahead), after, limit: limits::PAGE_DUE_MAX };
            let page = timeout(PAGE_MAX, self.store.due(query)).await;
            let page = page.unwrap_or_else(|_| Err(StoreError::Unavailable("no page came in time".into())));
            let page = page.map_err(Cut::Store)?;
            metrics::counter!(DUE_SCANNED).increment(page.len() as u64);
            if after.is_none() {
                let lag = page.first().map_or(Duration::ZERO, |oldest| now.since(oldest.at));
                metrics::gauge!(DUE_LAG).set(lag.as_secs_f64());
            }
            for entry in &page {
                if remembered.is_to_be_sent(*entry, Instant::now(), (self.jitter)()) {
                    self.send(*entry).await?;
                }
            }
            match page.last() {
                Some(last) if page.len() == limits::PAGE_DUE_MAX => after = Some(*last),
                _ => return Ok(()),
            }
            sleep(PAGE_PAUSE).await;
        }
    }

    /// Gives an entry to the next worker that has a hand free.
    async fn send(&self, entry: DueEntry) -> Result<(), Cut> {
        let work = &self.work;
        loop {
            if self.phase.is_draining() {
                return Err(Cut::Draining);
            }
            let pause = work.pause_left();
            if !pause.is_zero() {
                sleep(pause.min(GLANCE_EVERY)).await;
            } else if let Ok(Ok(place)) = timeout(GLANCE_EVERY, work.waiting.reserve()).await {
                place.send(entry);
                return Ok(());
            }
        }
    }
}
