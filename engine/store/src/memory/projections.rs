//! Projections in the model: rows beside the logs, and the order in which events came.

use std::collections::BTreeMap;

use schema::wire::ConversationSummary;
use schema::{ConversationKey, Seq};

use super::{MemoryStore, State};
use crate::{Behind, ConversationRow, ListCursor, ListQuery, LogCursor, Pending, Projection, Projections, StoreError};

/// What stands beside the logs.
#[derive(Default)]
pub(super) struct Projected {
    rows: BTreeMap<ConversationKey, ConversationRow>,
    cursors: BTreeMap<Projection, LogCursor>,
    /// Whose each event was, and its seq, in the order in which they came; those of erased conversations too.
    order: Vec<(ConversationKey, Seq)>,
}

impl Projected {
    pub(super) fn appended(&mut self, key: ConversationKey, seqs: impl IntoIterator<Item = Seq>) {
        self.order.extend(seqs.into_iter().map(|seq| (key, seq)));
    }

    pub(super) fn erased(&mut self, key: ConversationKey) {
        self.rows.remove(&key);
    }

    fn head(&self, key: ConversationKey) -> Seq {
        self.rows.get(&key).map_or(0, |row| row.head)
    }
}

impl State {
    /// Whether a conversation has an event `seq` of which its row does not tell. An erased one of the same name may
    /// have had it instead.
    fn is_behind(&self, key: ConversationKey, seq: Seq) -> bool {
        let head = self.conversations.get(&key).map_or(0, |found| found.events.len() as Seq);
        seq <= head && seq > self.projected.head(key)
    }
}

impl MemoryStore {
    /// Whoever keeps rows works beside a test's script, at moments of its own.
    fn change(&self, change: impl FnOnce(&mut State) -> Result<(), StoreError>) -> Pending<()> {
        let answer = change(&mut self.lock());
        Box::pin(async { answer })
    }
}

impl Projections for MemoryStore {
    fn cursor(&self, projection: Projection) -> Pending<LogCursor> {
        self.read(|state| Ok(state.projected.cursors.get(&projection).copied().unwrap_or_default()))
    }

    fn behind(&self, projection: Projection, after: LogCursor, events: usize) -> Pending<Behind> {
        let Projection::Conversations = projection;
        self.read(|state| {
            let order = &state.projected.order;
            let from = usize::try_from(after.0).unwrap_or(usize::MAX).min(order.len());
            let to = from.saturating_add(events).min(order.len());
            let mut keys: Vec<ConversationKey> = Vec::new();
            for (key, seq) in order.get(from..to).unwrap_or_default() {
                if state.is_behind(*key, *seq) && !keys.contains(key) {
                    keys.push(*key);
                }
            }
            Ok(Behind { keys, cursor: after.max(LogCursor(to as u64)), is_all: to == order.len() })
        })
    }

    fn advance(&self, projection: Projection, cursor: LogCursor) -> Pending<()> {
        self.change(|state| {
            let place = state.projected.cursors.entry(projection).or_default();
            *place = cursor.max(*place);
            Ok(())
        })
    }

    fn reset(&self, projection: Projection) -> Pending<()> {
        let Projection::Conversations = projection;
        self.change(|state| {
            state.projected.rows.clear();
            state.projected.cursors.remove(&projection);
            Ok(())
        })
    }

    fn rows(&self, keys: Vec<ConversationKey>) -> Pending<Vec<Result<Option<ConversationRow>, StoreError>>> {
        self.read(|state| Ok(keys.iter().map(|key| Ok(state.projected.rows.get(key).cloned())).collect()))
    }

    fn project(&self, key: ConversationKey, expected: Seq, row: ConversationRow) -> Pending<()> {
        self.change(|state| {
            let conversation = state.conversations.get(&key).ok_or(StoreError::NotFound)?;
            if row.head > conversation.events.len() as Seq {
                return Err(StoreError::Fenced);
            }
            let found = state.projected.head(key);
            if found != expected || (found > 0 && row.head <= found) {
                return Err(StoreError::Conflict { found });
            }
            state.projected.rows.insert(key, row);
            Ok(())
        })
    }

    fn list(&self, query: ListQuery) -> Pending<Vec<ConversationSummary>> {
        self.read(|state| {
            let rows = state.projected.rows.iter().filter(|(key, _)| key.tenant == query.tenant);
            let mut rows: Vec<(ConversationKey, ConversationRow)> = rows
                .filter(|(_, row)| {
                    let is_with = |contacts: &Vec<_>| row.contact.is_some_and(|contact| contacts.contains(&contact));
                    query.contacts.as_ref().is_none_or(is_with)
                })
                .filter(|(key, row)| {
                    let place = (row.last_at, key.conversation);
                    query.before.is_none_or(|ListCursor { last_at, id }| place < (last_at, id))
                })
                .map(|(key, row)| (*key, row.clone()))
                .collect();
            rows.sort_by_key(|(key, row)| std::cmp::Reverse((row.last_at, key.conversation)));
            rows.truncate(query.limit);
            Ok(rows.into_iter().map(|(key, row)| row.page(key.conversation)).collect())
        })
    }
}
