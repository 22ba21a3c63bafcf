//! The team's verdicts on replies: a record for each, which is erased with its conversation.

use engine_store::{PageBounds, RecordName, Scope, SharedStore, StoreError};
use engine_unanswered::Place;
use schema::wire::{Verdict, VerdictView};
use schema::{ConversationKey, Event, Fact, Seq, Timestamp};

use super::{Unanswered, due, stored};
use crate::metrics::VERDICTS;

pub(super) const KIND: &str = "verdict";
/// Records read at a time.
const PAGE_RECORDS: usize = 100;
/// Tries when somebody else was faster.
const TRIES: usize = 4;

impl Unanswered {
    /// Somebody of the team says whether a reply was right; false where no reply of the assistant has this
    /// number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation; when the store cannot be read or written.
    pub async fn judge(
        &self,
        key: ConversationKey,
        seq: Seq,
        verdict: Verdict,
        note: Option<String>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let slot = self.boards.slot(key.tenant);
        let mut kept = slot.lock().await;
        kept.board(&self.store, key.tenant).await?;
        let page = self.store.read(key, seq.saturating_sub(1), PageBounds::events(1)).await?;
        let is_reply = |event: &Event| {
            event.seq == seq && matches!(&event.fact, Fact::Message { text, reply: Some(_), .. } if !text.is_empty())
        };
        let Some(reply) = page.events.into_iter().next().filter(is_reply) else { return Ok(false) };
        match due::put(&self.store, key, seq).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        self.put(key, VerdictView { seq, verdict, note, at }).await?;
        metrics::counter!(VERDICTS, "verdict" => verdict.name()).increment(1);
        let place = self.place(key, reply).await?;
        let board = kept.board(&self.store, key.tenant).await?;
        let changes = match (verdict, place) {
            (Verdict::Wrong, Some(place)) => board.add(Place { wrong: true, ..place }),
            (Verdict::Wrong, None) => Vec::new(),
            (Verdict::Right, _) => board.withdraw(key.conversation, seq),
        };
        self.finish(&mut kept, key, seq, changes).await?;
        Ok(true)
    }

    async fn put(&self, key: ConversationKey, verdict: VerdictView) -> Result<(), StoreError> {
        let body = stored::write_verdict(&self.store, key, &verdict).await?;
        let mut last = StoreError::Conflict { found: 0 };
        for _ in 0..TRIES {
            let name = name(key, verdict.seq);
            let version = self.store.get(name.clone()).await?.map_or(0, |record| record.version);
            match self.store.put(name, version, body.clone()).await {
                Err(error @ StoreError::Conflict { .. }) => last = error,
                done => return done.map(|_| ()),
            }
        }
        Err(last)
    }

    /// What was said of the replies from `first` to `last`, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn verdicts(&self, key: ConversationKey, first: Seq, last: Seq) -> Result<Vec<VerdictView>, StoreError> {
        let mut found = Vec::new();
        let (mut after, end) = (id(key, first.saturating_sub(1)), id(key, last));
        loop {
            let page = self.store.scan(Scope::Tenant(key.tenant), KIND, Some(after), PAGE_RECORDS).await?;
            let over = page.len() < PAGE_RECORDS || page.last().is_some_and(|record| record.id >= end);
            let Some(next) = page.last().map(|record| record.id.clone()) else { return Ok(found) };
            let theirs = page.into_iter().filter(|record| record.id <= end);
            let bodies: Vec<_> = theirs.map(|record| record.body).collect();
            found.extend(stored::read_verdicts(&self.store, key, &bodies).await?);
            if over {
                return Ok(found);
            }
            after = next;
        }
    }
}

pub(super) async fn get(store: &SharedStore, key: ConversationKey, seq: Seq) -> Result<Option<Verdict>, StoreError> {
    store.get(name(key, seq)).await?.map(|record| stored::read_verdict(&record.body)).transpose()
}

/// Forgets all verdicts on a conversation.
pub(super) async fn forget(store: &SharedStore, key: ConversationKey) -> Result<(), StoreError> {
    let (mut after, end) = (id(key, 0), id(key, Seq::MAX));
    loop {
        let page = store.scan(Scope::Tenant(key.tenant), KIND, Some(after), PAGE_RECORDS).await?;
        let full = page.len() == PAGE_RECORDS;
        let Some(next) = page.last().map(|record| record.id.clone()) else { return Ok(()) };
        let mut over = !full;
        for record in page {
            if record.id > end {
                over = true;
                break;
            }
            let name = RecordName { scope: Scope::Tenant(key.tenant), kind: KIND, id: record.id };
            match store.delete(name, record.version).await {
                Ok(()) | Err(StoreError::Conflict { found: 0 }) => {}
                Err(error) => return Err(error),
            }
        }
        if over {
            return Ok(());
        }
        after = next;
    }
}

fn name(key: ConversationKey, seq: Seq) -> RecordName {
    RecordName { scope: Scope::Tenant(key.tenant), kind: KIND, id: id(key, seq) }
}

/// Sorts by number within a conversation.
fn id(key: ConversationKey, seq: Seq) -> String {
    format!("{}:{seq:020}", key.conversation)
}
