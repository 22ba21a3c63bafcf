//! Looks for conversations whose rows do not go to their heads: when a node starts, now and then, and whenever
//! something was said that could not be kept or done. The durable cursor follows behind.

use std::time::Duration;

use engine_store::{Behind, LogCursor, SharedStore, StoreError};
use schema::limits;
use tokio::time::{Instant, timeout};

use super::{LIST, Listing, behind, rows};
use crate::clock::Clock;
use crate::metrics::PROJECTION_REBUILDS;
use crate::pause::Pause;

/// How often it is looked without a reason: so long a word that was lost may leave a row behind.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a wait may last before it is looked whether the node goes away.
const IDLE_MAX: Duration = Duration::from_secs(1);

impl Listing {
    /// Looks again and again, until `is_over`.
    pub(super) async fn look(&self, clock: &dyn Clock, is_over: &impl Fn() -> bool) {
        let mut pause = Pause::new(self.jitter);
        let mut cursor = None;
        let mut next = Instant::now();
        while !is_over() {
            if !self.nudges.has_missed() && Instant::now() < next {
                let wait = IDLE_MAX.min(next.saturating_duration_since(Instant::now()));
                // Woken or not: what is missed is seen above.
                let _ = timeout(wait, self.missed.notified()).await;
                continue;
            }
            self.nudges.look();
            let looked = self.look_once(&mut cursor, clock, is_over).await;
            self.nudges.looked(matches!(looked, Ok(true)));
            next = Instant::now() + LOOK_EVERY;
            match looked {
                Ok(_) => pause.reset(),
                Err(error) => {
                    self.failed(&error, is_over);
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
        is_over: &impl Fn() -> bool,
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
        while !is_over() {
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
