//! The snapshots' part of a conversation: when one is written, and what a wake makes of the one that is kept.
//! Invariant: one is under way at a time, of exactly the events that are durable. A snapshot costs a wake nothing but
//! its reading: where it cannot be used, or is not there, the log is read from its beginning, and the conversation
//! is the same.

use engine_conversation::Conversation;
use engine_store::{Pending, SharedStore, Snapshot, StoreError};
use schema::{ConversationKey, Epoch, Seq};

use crate::metrics::SNAPSHOTS_UNUSABLE;

/// Keeps a conversation's snapshot about as new as its log.
///
/// One write is under way at a time ([`SnapshotWriter::next`], answered to [`SnapshotWriter::kept`]). It is safe to lose one,
/// or all: a snapshot is never the truth. The store keeps it only under the epoch that owns the log, and a wake takes
/// it only if it is whole, of this version and not beyond the log.
pub(super) struct SnapshotWriter {
    store: SharedStore,
    key: ConversationKey,
    /// A snapshot is due after so many events since the last one that was tried.
    every: u64,
    tried: Seq,
    under_way: bool,
}

impl SnapshotWriter {
    /// `newest` is the last event in the snapshot that is kept, 0 without one.
    pub(super) const fn new(store: SharedStore, key: ConversationKey, every: u64, newest: Seq) -> Self {
        Self { store, key, every, tried: newest, under_way: false }
    }

    /// The last event in the newest snapshot, or in the one that was tried last.
    pub(super) const fn newest(&self) -> Seq {
        self.tried
    }

    const fn is_due(&self, durable: Seq) -> bool {
        !self.under_way && durable.saturating_sub(self.tried) > self.every
    }

    /// Sends a snapshot to the store when one is due and nothing speaks against it: what the machine has decided
    /// beyond `durable` is not in the log yet, and the words of a reply that is coming in do not wait for a snapshot.
    /// Tell the answer to [`SnapshotWriter::kept`].
    pub(super) fn next(&mut self, machine: &Conversation, epoch: Epoch, durable: Seq) -> Option<Pending<bool>> {
        let is_quiet = || machine.state().head == durable && machine.floor().said().is_none();
        if !self.is_due(durable) || !is_quiet() {
            return None;
        }
        // Kept or not: one that is not is made up for by the next.
        self.tried = durable;
        let Some(bytes) = machine.snapshot(self.key) else {
            tracing::debug!(conversation = %self.key.conversation, head = durable, "a snapshot is too large to be kept");
            return None;
        };
        self.under_way = true;
        Some(self.store.set_snapshot(self.key, epoch, durable, bytes))
    }

    /// The store has answered.
    pub(super) fn kept(&mut self, kept: Result<bool, StoreError>) {
        self.under_way = false;
        if let Err(error) = kept {
            tracing::debug!(conversation = %self.key.conversation, %error, "a snapshot was not kept");
        }
    }
}

/// The conversation as its snapshot has it. `None` where there is none, or none that can be used: it must be whole,
/// of this program's version, and of no more than the log has.
pub(super) async fn newest(store: &SharedStore, key: ConversationKey, head: Seq) -> Option<Conversation> {
    let why = match store.snapshot(key).await {
        Ok(None) => return None,
        Ok(Some(Snapshot { head: named, bytes })) => match Conversation::from_snapshot(key, &bytes) {
            Some(machine) if machine.state().head == named && named <= head => return Some(machine),
            Some(_) => "it stands on other events than it says".to_owned(),
            None => "it is damaged, or another version's".to_owned(),
        },
        Err(error) => error.to_string(),
    };
    unusable(key, &why);
    None
}

/// Counts a snapshot in whose place the log is read.
pub(super) fn unusable(key: ConversationKey, why: &str) {
    metrics::counter!(SNAPSHOTS_UNUSABLE).increment(1);
    let ConversationKey { tenant, conversation } = key;
    tracing::info!(%conversation, %tenant, why, "a snapshot cannot be used, reading the whole log");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine_store::memory::MemoryStore;
    use engine_store::{Append, DueChange, Log, Opening, Snapshots as _};
    use futures_util::FutureExt;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use schema::{Author, ConversationId, Event, Fact, TenantId, Timestamp};

    use super::*;

    /// What the plain store in memory answers at once.
    fn now<T>(pending: Pending<T>) -> T {
        pending.now_or_never().unwrap().unwrap()
    }

    #[test]
    fn what_cannot_be_used_is_counted_and_what_is_not_there_is_not() {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let event = |seq| Event { seq, at: Timestamp::default(), author: Author::System, fact: Fact::Reopened {} };
        let log: Vec<Event> = (1..=5).map(event).collect();
        let of = |events: usize| Conversation::from_events(&log[..events]).snapshot(key).unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            // Each row: what is kept as the snapshot of which event, the log's head as the wake was told it, and the head
            // of what it gets.
            let rows = [
                (None, 5, None),
                (Some((5, of(5))), 5, Some(5)),
                (Some((3, of(3))), 5, Some(3)),
                (Some((5, of(5))), 4, None),
                (Some((5, of(4))), 5, None),
                (Some((4, of(5))), 5, None),
                (Some((5, b"words".to_vec())), 5, None),
            ];
            for (n, (kept, head, found)) in rows.into_iter().enumerate() {
                let store = Arc::new(MemoryStore::default());
                let opening =
                    Opening { contact: schema::ContactId::generate(), is_anonymous: true, at: Timestamp::default() };
                let epoch = now(store.claim(key, Some(opening))).epoch;
                now(store.append(Append { key, epoch, head: 0, events: log.clone().into(), due: DueChange::Keep }));
                if let Some((of, bytes)) = kept {
                    assert!(now(store.set_snapshot(key, epoch, of, bytes)));
                }
                let machine = newest(&(store as SharedStore), key, head).now_or_never().unwrap();
                assert_eq!(machine.map(|machine| machine.state().head), found, "row {n}");
            }
        });
        let told = recorder.handle().render();
        assert!(told.contains(&format!("{SNAPSHOTS_UNUSABLE} 4")), "{told}");
    }

    #[test]
    fn one_is_due_after_so_many_events_and_one_is_under_way() {
        let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
        let event = |seq| Event { seq, at: Timestamp::default(), author: Author::System, fact: Fact::Reopened {} };
        let log: Vec<Event> = (1..=40).map(event).collect();
        let of = |events: usize| Conversation::from_events(&log[..events]);
        let mut snapshots = SnapshotWriter::new(Arc::new(MemoryStore::default()), key, 5, 10);
        // Each row: events that are decided, those of them that are durable, and whether a snapshot is sent then.
        for (decided, durable, sent) in [(10, 10, false), (15, 15, false), (17, 16, false), (17, 17, true)] {
            assert_eq!(snapshots.next(&of(decided), 1, durable).is_some(), sent, "{decided} {durable}");
        }
        assert!(snapshots.next(&of(40), 1, 40).is_none(), "one is under way");
        snapshots.kept(Err(StoreError::Busy));
        assert!(snapshots.next(&of(22), 1, 22).is_none(), "kept or not, the next comes after as many again");
        assert!(snapshots.next(&of(23), 1, 23).is_some());
        assert_eq!(snapshots.newest(), 23);
    }
}
