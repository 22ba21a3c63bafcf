//! The consumer that keeps the list of conversations: told in memory what was appended, it brings rows on in
//! batches; what it was not told of it finds by looking.
//! Invariant: no append waits for it, a word that is lost costs seconds and never a row, and any number of
//! consumers may do the same work.

mod look;
mod nudges;
mod rows;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine_store::{Projection, SharedStore, StoreError};
use schema::{ConversationKey, Event, limits};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

pub use look::rebuild;

use self::nudges::Nudges;
use self::rows::Brought;
use self::told::Told;
use crate::clock::Clock;
use crate::metrics::{PROJECTION_LAG, PROJECTION_ROWS};
use crate::pause::Pause;
use crate::phase::Phase;

/// The shortest time from one batch to the next: a conversation in which much is said is one row in each.
const BATCH_EVERY: Duration = Duration::from_millis(50);

/// The list of conversations on this node, as a projection of the logs.
///
/// The system makes it and has it follow the logs until the node closes. Each durable append nudges it; what it was not
/// told of (another life's appends, more nudges than it remembers) it looks for in the store. It is safe to run
/// several and to lose nudges: a row says up to which event it was brought, is changed by compare-and-set, and can be
/// made anew from the log.
pub struct Listing {
    store: SharedStore,
    nudges: Nudges,
    /// Something waits to be taken in.
    nudged: Notify,
    /// Something has to be looked for.
    missed: Notify,
    /// The store has failed, and it was said.
    failing: AtomicBool,
    jitter: fn() -> f64,
}

impl Listing {
    /// A consumer that has yet to look at what came before it. `jitter` gives numbers from 0 to 1 that spread its
    /// pauses.
    pub(crate) fn new(store: SharedStore, jitter: fn() -> f64) -> Self {
        let (nudged, missed) = (Notify::new(), Notify::new());
        Self { store, nudges: Nudges::default(), nudged, missed, failing: AtomicBool::new(false), jitter }
    }

    /// These events were appended to a conversation, and are durable.
    pub(crate) fn nudge(&self, key: ConversationKey, events: &Arc<[Event]>) {
        if self.nudges.nudge(key, events) {
            self.nudged.notify_one();
        } else {
            self.missed.notify_one();
        }
    }

    /// Waits until the list has what was durable on this node when this was called, for as long as whoever asks
    /// for a list may wait.
    pub async fn caught_up(&self) {
        // Later than that the list is told as it is.
        let _ = timeout(limits::LISTING_WAIT_MAX, self.nudges.reached(self.nudges.newest())).await;
    }

    /// Keeps the list until the node closes.
    pub(crate) async fn follow(&self, clock: &dyn Clock, phase: &Phase) {
        // Of one that crashed before this one: what it had in hand has to be looked for.
        self.nudges.failed();
        self.nudges.looked(false);
        tokio::join!(self.take_in(clock, phase), self.look(clock, phase));
    }

    /// Takes in what it is told of.
    async fn take_in(&self, clock: &dyn Clock, phase: &Phase) {
        let mut pause = Pause::new(self.jitter);
        let mut next = Instant::now();
        while !phase.is_closing() {
            if self.nudges.waiting() == 0 {
                gauge(Duration::ZERO);
                tokio::select! {
                    biased;
                    () = self.nudged.notified() => {}
                    () = phase.closed() => {}
                }
                continue;
            }
            if self.nudges.waiting() < limits::PROJECTION_BATCH_MAX {
                sleep_until(next).await;
            }
            next = Instant::now() + BATCH_EVERY;
            let batch = self.nudges.take(limits::PROJECTION_BATCH_MAX);
            match self.bring_all(batch, clock).await {
                Ok(()) => {
                    self.nudges.done();
                    pause.reset();
                }
                Err(error) => {
                    self.failed(&error, phase);
                    self.nudges.failed();
                    self.missed.notify_one();
                    pause.wait().await;
                }
            }
        }
    }

    /// Brings the rows of some conversations on to their logs' ends.
    ///
    /// # Errors
    /// The first one that asking again may help against; all others have been tried.
    async fn bring_all(&self, batch: Vec<(ConversationKey, Told)>, clock: &dyn Clock) -> Result<(), StoreError> {
        let Brought { rows, oldest, failure } = rows::bring_all(&self.store, batch).await;
        if rows > 0 {
            metrics::counter!(PROJECTION_ROWS, "projection" => LIST.name()).increment(rows);
        }
        if let Some(oldest) = oldest {
            gauge(clock.now().since(oldest));
        }
        match failure {
            Some(error) => Err(error),
            None => {
                self.failing.store(false, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Said once, until it works again; a node that goes away closes its store, which is no failure.
    fn failed(&self, error: &StoreError, phase: &Phase) {
        if !phase.is_closing() && !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, projection = LIST.name(), "a projection cannot go on for now, and tries again");
        }
    }
}

/// Conversations of which nothing is known but that their rows are behind.
fn behind(keys: &[ConversationKey]) -> Vec<(ConversationKey, Told)> {
    keys.iter().map(|key| (*key, Told::NOTHING)).collect()
}

/// What is kept here.
const LIST: Projection = Projection::Conversations;

fn gauge(lag: Duration) {
    metrics::gauge!(PROJECTION_LAG, "projection" => LIST.name()).set(lag.as_secs_f64());
}
