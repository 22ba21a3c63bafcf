//! The fold behind a shared log: each conversation's events of an interval go into its own partition as one write, and a
//! segment is removed once it is sealed and all of it is folded.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, TryStreamExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::Failure;
use crate::tables::{Decided, Place, Tables};

/// Writes of a fold under way at once.
const AT_ONCE: usize = 8;
/// Events in one write.
const WRITE_EVENTS_MAX: usize = 128;

/// What is decided and not folded.
#[derive(Default)]
pub(crate) struct Behind {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    decided: Vec<Decided>,
    sealed: Vec<i32>,
    has_ended: bool,
}

impl Behind {
    pub(crate) fn decided(&self, events: &[Decided]) {
        self.lock().decided.extend_from_slice(events);
    }

    /// All of this segment's events were told before.
    pub(crate) fn sealed(&self, segment: i32) {
        self.lock().sealed.push(segment);
    }

    /// Nothing comes after this.
    pub(crate) fn end(&self) {
        self.lock().has_ended = true;
        self.ended.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Folds once in each interval, and whatever is left at the end.
pub(crate) async fn fold_until(
    tables: Arc<Tables>,
    place: Place,
    interval: Duration,
    behind: Arc<Behind>,
    folds: Arc<AtomicU64>,
) -> Result<(), Failure> {
    loop {
        // Either is a reason to fold.
        let _ = timeout(interval, behind.ended.notified()).await;
        let State { decided, sealed, has_ended } = {
            let mut state = behind.lock();
            State { decided: take(&mut state.decided), sealed: take(&mut state.sealed), has_ended: state.has_ended }
        };
        let mut of: BTreeMap<_, Vec<Decided>> = BTreeMap::new();
        for event in decided {
            of.entry(event.log).or_default().push(event);
        }
        let writes: Vec<&[Decided]> = of.values().flat_map(|events| events.chunks(WRITE_EVENTS_MAX)).collect();
        folds.fetch_add(writes.len() as u64, Ordering::Relaxed);
        stream::iter(writes.into_iter().map(Ok)).try_for_each_concurrent(AT_ONCE, |events| tables.fold(events)).await?;
        for segment in sealed {
            tables.remove_segment(place, segment).await?;
        }
        if has_ended {
            return Ok(());
        }
    }
}
