//! Looks for conversations that have events beyond their rows: when a node starts, now and then, and whenever something
//! was said that could not be kept or done. The durable cursor follows behind.

use std::time::Duration;

use engine_store::{Behind, LogCursor, SharedStore, StoreError};
use schema::limits;
use tokio::time::{Instant, sleep_until};

use super::{LIST, Listing, behind, gauge, rows};
use crate::clock::Clock;
use crate::metrics::PROJECTION_REBUILDS;
use crate::pause::Pause;
use crate::phase::Phase;

/// How often it is looked without a reason: so long a word that was lost may leave a row behind.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Listing {
    /// Looks again and again, until the node closes.
    pub(super) async fn look(&self, clock: &dyn Clock, phase: &Phase) {
        let mut pause = Pause::new(self.jitter);
        let mut cursor = None;
        let mut next = Instant::now();
        while !phase.is_closing() {
            if !self.nudges.has_missed() && Instant::now() < next {
                // Woken or not: what is missed is seen above.
                tokio::select! {
                    biased;
                    () = self.missed.notified() => {}
                    () = sleep_until(next) => {}
                    () = phase.closed() => {}
                }
                continue;
            }
            self.nudges.look();
            let looked = self.look_once(&mut cursor, clock, phase).await;
            self.nudges.looked(matches!(looked, Ok(true)));
            if matches!(looked, Ok(true)) && self.nudges.waiting() == 0 {
                gauge(Duration::ZERO);
            }
            next = Instant::now() + LOOK_EVERY;
            match looked {
                Ok(_) => pause.reset(),
                Err(error) => {
                    self.failed(&error, phase);
                    pause.wait().await;
                    next = Instant::now();
                }
            }
        }
    }

    /// Looks from the cursor to the end of all logs; false when the node goes away before that. `cursor` is where
    /// the next look begins, once it is known.
    async fn look_once(
        &self,
        cursor: &mut Option<LogCursor>,
        clock: &dyn Clock,
        phase: &Phase,
    ) -> Result<bool, StoreError> {
        let mut from = match *cursor {
            Some(from) => from,
            None => {
                let kept = self.store.cursor(LIST).await?;
                if kept == LogCursor::default() {
                    metrics::counter!(PROJECTION_REBUILDS, "projection" => LIST.name()).increment(1);
                }
                *cursor.insert(kept)
            }
        };
        while !phase.is_closing() {
            let Behind { keys, cursor: to, is_all } =
                self.store.behind(LIST, from, limits::PROJECTION_LOOK_EVENTS).await?;
            for batch in keys.chunks(limits::PROJECTION_BATCH_MAX) {
                self.bring_all(behind(batch), clock).await?;
            }
            if to > from {
                self.store.advance(LIST, to).await?;
                from = *cursor.insert(to);
            }
            if is_all {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Drops the list of conversations and makes it anew from the logs; gives the number of rows. For a store that no
/// node uses meanwhile: whoever lists during it finds little.
///
/// # Errors
/// When the store cannot be read or written. What was made until then stays, and a node goes on from there.
pub async fn rebuild(store: &SharedStore) -> Result<u64, StoreError> {
    store.reset(LIST).await?;
    let (mut from, mut rows) = (LogCursor::default(), 0);
    loop {
        let Behind { keys, cursor, is_all } = store.behind(LIST, from, limits::PROJECTION_LOOK_EVENTS).await?;
        for batch in keys.chunks(limits::PROJECTION_BATCH_MAX) {
            let brought = rows::bring_all(store, behind(batch)).await;
            rows += brought.rows;
            if let Some(error) = brought.failure {
                return Err(error);
            }
        }
        store.advance(LIST, cursor).await?;
        if is_all {
            return Ok(rows);
        }
        from = cursor;
    }
}
