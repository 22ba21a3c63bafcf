//! Brings rows on to the ends of their logs: folds what was told, or else reads what is missing in bounded pages, and
//! writes a batch of rows together, so that they share a transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use engine_store::{ConversationRow, Page, PageBounds, SharedStore, StoreError};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use schema::{ConversationKey, Event, Seq, Timestamp};

use super::told::Told;

/// Logs that are read at the same time: each is a page in memory.
const READS_AT_ONCE: usize = 4;
/// Tries when somebody else was faster.
const TRIES: usize = 4;

/// What came of a batch.
#[derive(Default)]
pub(super) struct Brought {
    /// Rows that were written.
    pub(super) rows: u64,
    /// When the oldest of the events that were new to them was decided.
    pub(super) oldest: Option<Timestamp>,
    /// The first failure after which trying again may help.
    pub(super) failure: Option<StoreError>,
}

/// A row that goes further than the one in the store.
struct Longer {
    expected: Seq,
    oldest: Timestamp,
    row: ConversationRow,
}

/// Brings the rows of these conversations on. Where somebody else does the same, that is as good.
pub(super) async fn bring_all(store: &SharedStore, batch: Vec<(ConversationKey, Told)>) -> Brought {
    let mut brought = Brought::default();
    let mut left = batch;
    for _ in 0..TRIES {
        let batch = std::mem::take(&mut left);
        let rows = rows_of(store, batch.iter().map(|(key, _)| *key).collect()).await;
        let longer: Vec<_> = stream::iter(batch.into_iter().zip(rows))
            .map(|((key, told), row)| async move { (key, longer(store, key, told, row).await) })
            .buffer_unordered(READS_AT_ONCE)
            .collect()
            .await;
        let mut writes = Vec::new();
        for (key, found) in longer {
            match found {
                Ok(Some(Longer { expected, oldest, row })) => {
                    let written = store.project(key, expected, row);
                    writes.push(async move { (key, oldest, written.await) });
                }
                Ok(None) => {}
                Err(error) => brought.failed(key, error),
            }
        }
        for (key, oldest, written) in join_all(writes).await {
            match written {
                Ok(()) => {
                    brought.rows += 1;
                    brought.oldest = Some(brought.oldest.map_or(oldest, |known| known.min(oldest)));
                }
                Err(StoreError::Conflict { .. }) => left.push((key, Told::NOTHING)),
                Err(error) => brought.failed(key, error),
            }
        }
        if left.is_empty() {
            break;
        }
    }
    if !left.is_empty() {
        brought.failure.get_or_insert(StoreError::Busy);
    }
    brought
}

impl Brought {
    fn failed(&mut self, key: ConversationKey, error: StoreError) {
        match error {
            // It was erased, and with it its row.
            StoreError::NotFound | StoreError::Fenced | StoreError::Held { .. } => {}
            // Others must not wait for a log that cannot be read. Once it was repaired, its next event or a
            // rebuild takes it in.
            StoreError::Corrupt(_) => {
                let ConversationKey { tenant, conversation } = key;
                tracing::warn!(%conversation, %tenant, %error, "a conversation cannot be listed anew");
            }
            StoreError::Conflict { .. }
            | StoreError::Unknown(_)
            | StoreError::Busy
            | StoreError::Unavailable(_)
            | StoreError::Ending(_) => {
                self.failure.get_or_insert(error);
            }
        }
    }
}

/// The rows of some conversations, each as far as it can be read. Where the file is damaged a reading of many fails as a
/// whole: then each is read by itself, so that the damage of one holds up no other.
async fn rows_of(store: &SharedStore, keys: Vec<ConversationKey>) -> Vec<Result<Option<ConversationRow>, StoreError>> {
    match store.rows(keys.clone()).await {
        Ok(rows) => rows,
        Err(StoreError::Corrupt(_)) => join_all(keys.into_iter().map(|key| store.row(key))).await,
        Err(error) => vec![Err(error); keys.len()],
    }
}

/// Folds into a row what its log has beyond it; nothing when that is nothing. What was told in between is the next
/// word about this conversation.
async fn longer(
    store: &SharedStore,
    key: ConversationKey,
    told: Told,
    row: Result<Option<ConversationRow>, StoreError>,
) -> Result<Option<Longer>, StoreError> {
    let mut row = row?.unwrap_or_default();
    let expected = row.head;
    let mut oldest = None;
    if let Some(events) = told.after(expected) {
        oldest = fold(&mut row, events)?;
        return Ok(oldest.map(|oldest| Longer { expected, oldest, row }));
    }
    loop {
        let Page { events, head, .. } = store.read(key, row.head, PageBounds::FULL).await?;
        let first = fold(&mut row, &events)?;
        oldest = oldest.or(first);
        if row.head >= head || events.is_empty() {
            break;
        }
    }
    Ok(oldest.map(|oldest| Longer { expected, oldest, row }))
}

/// Folds events, and gives when the first of them was decided.
fn fold<'a>(
    row: &mut ConversationRow,
    events: impl IntoIterator<Item = &'a Event>,
) -> Result<Option<Timestamp>, StoreError> {
    let mut events = events.into_iter().peekable();
    let first = events.peek().map(|event| event.at);
    // As when it wakes: one log that makes the fold panic is not to end the list of all.
    let folded = catch_unwind(AssertUnwindSafe(|| row.fold(events)));
    folded.map_err(|_| StoreError::Corrupt("its events cannot be folded".into()))?;
    Ok(first)
}
