//! The list of conversations in the simulated world: rows on the same disk as the logs, reached in the same
//! weather. Whatever became of the nodes that kept it, it ends as what the logs say.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_store::{Behind, ConversationRow, ListQuery, LogCursor, Pending, Projection, Projections, StoreError};
use schema::wire::ConversationSummary;
use schema::{ConversationKey, Event, Seq};
use tokio::time::{Instant, sleep};

use super::disk::{Disk, Way};
use super::world::World;

/// Longest wait for the list to have what the logs have.
const LISTED_MAX: Duration = Duration::from_secs(60);

/// What stands beside the logs.
#[derive(Default)]
pub(super) struct Projected {
    rows: BTreeMap<ConversationKey, ConversationRow>,
    cursor: LogCursor,
    /// Whose each event was, and its seq, in the order in which they came.
    order: Vec<(ConversationKey, Seq)>,
}

impl Projected {
    pub(super) fn appended(&mut self, key: ConversationKey, events: &[Event]) {
        self.order.extend(events.iter().map(|event| (key, event.seq)));
    }

    pub(super) fn erased(&mut self, key: ConversationKey) {
        self.rows.remove(&key);
    }

    fn head(&self, key: ConversationKey) -> Seq {
        self.rows.get(&key).map_or(0, |row| row.head)
    }
}

impl Disk {
    fn behind(&self, after: LogCursor, events: usize) -> Behind {
        let projected = self.projected();
        let from = usize::try_from(after.0).unwrap_or(usize::MAX).min(projected.order.len());
        let to = from.saturating_add(events).min(projected.order.len());
        let looked_at = projected.order.get(from..to).unwrap_or_default().iter();
        // An erased conversation of the same name may have had an event that this one has not.
        let beyond = looked_at.filter(|(key, seq)| *seq > projected.head(*key) && *seq <= self.head(*key));
        let mut keys: Vec<_> = beyond.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        Behind { keys, cursor: LogCursor(to as u64), is_all: to == projected.order.len() }
    }

    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Result<(), StoreError> {
        let mut projected = self.projected();
        let found = projected.head(key);
        if found != expected {
            return Err(StoreError::Conflict { found });
        }
        if row.head > self.head(key) {
            return Err(StoreError::Fenced);
        }
        projected.rows.insert(key, row);
        Ok(())
    }
}

impl Projections for Way {
    fn cursor(&self, _: Projection) -> Pending<LogCursor> {
        self.look(|disk| Ok(disk.projected().cursor))
    }

    fn behind(&self, _: Projection, after: LogCursor, events: usize) -> Pending<Behind> {
        self.look(move |disk| Ok(disk.behind(after, events)))
    }

    fn advance(&self, _: Projection, cursor: LogCursor) -> Pending<()> {
        self.write(move |disk| {
            let mut projected = disk.projected();
            projected.cursor = projected.cursor.max(cursor);
            Ok(())
        })
    }

    fn reset(&self, _: Projection) -> Pending<()> {
        self.write(|disk| {
            let mut projected = disk.projected();
            projected.rows.clear();
            projected.cursor = LogCursor::default();
            Ok(())
        })
    }

    fn rows(&self, keys: Vec<ConversationKey>) -> Pending<Vec<Result<Option<ConversationRow>, StoreError>>> {
        self.look(move |disk| {
            let projected = disk.projected();
            Ok(keys.iter().map(|key| Ok(projected.rows.get(key).cloned())).collect())
        })
    }

    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Pending<()> {
        self.write(move |disk| disk.project(key, expected, row))
    }

    fn list(&self, query: ListQuery) -> Pending<Vec<ConversationSummary>> {
        self.look(move |disk| {
            let projected = disk.projected();
            let rows = projected.rows.iter().filter(|(key, _)| key.tenant == query.tenant);
            let mut pages: Vec<_> = rows.map(|(key, row)| row.clone().page(key.conversation)).collect();
            pages.sort_by_key(|page| std::cmp::Reverse((page.last_at, page.id)));
            pages.truncate(query.limit);
            Ok(pages)
        })
    }
}

impl World {
    /// Conversations whose row in the list is not what their log says.
    pub(super) async fn listed(&self) -> Vec<String> {
        let deadline = Instant::now() + LISTED_MAX;
        loop {
            let differ: Vec<String> = self.keys.iter().filter_map(|key| self.difference(*key)).collect();
            if differ.is_empty() || Instant::now() >= deadline {
                return differ;
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    fn difference(&self, key: ConversationKey) -> Option<String> {
        let mut wanted = ConversationRow::default();
        wanted.fold(&self.disk.log(key));
        let found = self.disk.projected().rows.get(&key).cloned().unwrap_or_default();
        let what = || {
            let (head, log) = (found.head, wanted.head);
            format!("listed: the row of {} at {head} is not what its log up to {log} says", key.conversation)
        };
        (found != wanted).then(what)
    }
}
