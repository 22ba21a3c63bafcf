//! Notes the replies that are due: from the actors' reports as they come, from the due records after a crash.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use engine_store::{PageBounds, SharedStore, StoreError};
use engine_unanswered::{Asked, Change, Place, asked};
use futures_util::future::join_all;
use schema::wire::Verdict;
use schema::{ConversationKey, Event, Fact, Seq, TenantId, limits};
use tokio::time::{Instant, sleep_until};

use super::{Note, Unanswered, due, verdicts};
use crate::phase::Phase;

/// How often due records are looked for that nobody reports, once there may be some.
const CATCH_UP_EVERY: Duration = Duration::from_secs(30);
/// What is noted together.
const TOGETHER_MAX: usize = 64;
/// How long something that is due may be missing from the log: nobody tries to write for so long.
const AWAITED_MAX: Duration = Duration::from_secs(300);
/// Events before a question that are read with it: a burst is a few messages.
const BEFORE_MAX: Seq = 12;

/// What is to become of a place.
enum Said {
    /// The log does not reach there, or is still there: its writer may be on its way, or has failed.
    NotYet,
    /// It is to be on the board.
    Open(Place),
    /// It is not to be on the board.
    Settled,
}

impl Unanswered {
    /// Notes what is reported until the node closes. What comes after that is found by its due record.
    pub(crate) async fn follow(&self, phase: &Phase) {
        let Some(mut inbox) = self.take_inbox() else { return };
        self.seal_old().await;
        self.catch_up().await;
        let mut looked = Instant::now();
        while !phase.is_closing() {
            let Some(reported) = &mut inbox.notes else { return };
            let mut notes = Vec::with_capacity(TOGETHER_MAX);
            let is_behind = async {
                sleep_until(looked + CATCH_UP_EVERY).await;
                // A call that came while nobody waited is kept.
                self.behind.notified().await;
            };
            tokio::select! {
                biased;
                () = is_behind => {
                    looked = Instant::now();
                    self.catch_up().await;
                }
                _ = reported.recv_many(&mut notes, TOGETHER_MAX) => self.note(notes).await,
                () = phase.closed() => {}
            }
        }
    }

    async fn note(&self, notes: Vec<Note>) {
        let (mut sent, mut durable) = (Vec::new(), Vec::new());
        for note in notes {
            match note {
                Note::Due(put) => sent.push(put),
                Note::Durable(key, seq) => durable.push((key, seq)),
            }
        }
        // They are only seen to; where one fails, a crash just now would forget one question.
        join_all(sent).await;
        self.settle_all(durable).await;
    }

    /// Looks through all due records.
    async fn catch_up(&self) {
        let mut after = None;
        loop {
            let page = match due::scan(&self.store, after, TOGETHER_MAX).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(index = "unanswered", %error, "what is due for the unanswered questions cannot be read; trying later");
                    return self.behind.notify_one();
                }
            };
            let full = page.len() == TOGETHER_MAX;
            after = page.last().map(|record| record.id.clone());
            self.settle_all(page.iter().filter_map(|record| due::read(&record.id)).collect()).await;
            if !full {
                return;
            }
        }
    }

    async fn settle_all(&self, places: Vec<(ConversationKey, Seq)>) {
        // Sorted, so that a simulated world is the same each time.
        let mut by_tenant: BTreeMap<TenantId, Vec<(ConversationKey, Seq)>> = BTreeMap::new();
        for (key, seq) in places {
            by_tenant.entry(key.tenant).or_default().push((key, seq));
        }
        for (tenant, places) in by_tenant {
            if let Err(error) = self.settle(tenant, &places).await {
                let replies = places.len();
                tracing::warn!(%tenant, replies, %error, "unanswered questions could not be noted; trying later");
                self.behind.notify_one();
            }
        }
    }

    /// Brings a tenant's board to what the log says of some places.
    async fn settle(&self, tenant: TenantId, places: &[(ConversationKey, Seq)]) -> Result<(), StoreError> {
        let slot = self.boards.slot(tenant);
        let mut kept = slot.lock().await;
        kept.board(&self.store, tenant).await?;
        let said = join_all(places.iter().map(|(key, seq)| said(&self.store, *key, *seq))).await;
        let (mut changes, mut done) = (Vec::new(), Vec::new());
        for ((key, seq), said) in places.iter().zip(said) {
            let board = kept.board(&self.store, tenant).await?;
            match said {
                Ok(Said::Open(place)) => changes.extend(board.add(place)),
                Ok(Said::Settled) => changes.extend(board.withdraw(key.conversation, *seq)),
                Ok(Said::NotYet) if self.awaits(*key, *seq) => continue,
                Ok(Said::NotYet) => {}
                // The conversation is gone.
                Err(StoreError::NotFound) => {
                    changes.extend(board.forget(key.conversation));
                    verdicts::forget(&self.store, *key).await?;
                }
                Err(error) => return Err(error),
            }
            done.push((*key, *seq));
        }
        kept.write(&self.store, tenant, changes).await?;
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).retain(|place, _| !done.contains(place));
        for deleted in join_all(done.iter().map(|(key, seq)| due::delete(&self.store, *key, *seq))).await {
            deleted?;
        }
        Ok(())
    }

    /// Whether something that is not in the log may still come there.
    fn awaits(&self, key: ConversationKey, seq: Seq) -> bool {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = awaited.len() < limits::UNANSWERED_WAITING_MAX || awaited.contains_key(&(key, seq));
        let awaits = has_room && awaited.entry((key, seq)).or_insert_with(Instant::now).elapsed() < AWAITED_MAX;
        if awaits {
            self.behind.notify_one();
        }
        awaits
    }

    /// A conversation is about to be erased: should the node crash meanwhile, what was noted of it goes all the
    /// same.
    pub(crate) async fn erasing(&self, key: ConversationKey) -> Result<(), StoreError> {
        match due::put(&self.store, key, due::ERASED).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// It was erased, or not: the log says.
    pub(crate) async fn erased(&self, key: ConversationKey) {
        self.settle_all(vec![(key, due::ERASED)]).await;
    }

    /// The same for somebody who cannot wait: it is looked at soon.
    pub(crate) fn may_be_erased(&self, key: ConversationKey) {
        self.durable(key, due::ERASED);
    }

    /// What a reply was to answer, as a place; for [`Unanswered::judge`], which holds the board.
    pub(super) async fn place(&self, key: ConversationKey, reply: Event) -> Result<Option<Place>, StoreError> {
        let seq = reply.seq;
        let Some(Asked { words, at, .. }) = question(&self.store, key, reply).await? else { return Ok(None) };
        Ok(Some(Place { conversation: key.conversation, seq, at, words, wrong: false }))
    }

    /// Writes a board down after one place has changed, and has nothing due any more.
    pub(super) async fn finish(
        &self,
        kept: &mut super::boards::Kept,
        key: ConversationKey,
        seq: Seq,
        changes: Vec<Change>,
    ) -> Result<(), StoreError> {
        kept.write(&self.store, key.tenant, changes).await?;
        due::delete(&self.store, key, seq).await
    }
}

async fn said(store: &SharedStore, key: ConversationKey, seq: Seq) -> Result<Said, StoreError> {
    if seq == due::ERASED {
        return store.read(key, 0, PageBounds::HEAD).await.map(|_| Said::NotYet);
    }
    // Whether it is there and what it says come from one reading: it may be written meanwhile.
    let page = store.read(key, seq - 1, PageBounds::events(1)).await?;
    let Some(event) = page.events.into_iter().next() else { return Ok(Said::NotYet) };
    let Some(asked) = question(store, key, event).await? else { return Ok(Said::Settled) };
    let verdict = verdicts::get(store, key, seq).await?;
    let wrong = verdict == Some(Verdict::Wrong);
    if verdict == Some(Verdict::Right) || !(wrong || asked.unanswered) {
        return Ok(Said::Settled);
    }
    let Asked { words, at, .. } = asked;
    Ok(Said::Open(Place { conversation: key.conversation, seq, at, words, wrong }))
}

/// Reads what a reply was to answer: the events up to there.
async fn question(store: &SharedStore, key: ConversationKey, event: Event) -> Result<Option<Asked>, StoreError> {
    let seq = event.seq;
    let Fact::Message { reply: Some(reply), .. } = &event.fact else { return Ok(None) };
    let mut after = reply.answers.saturating_sub(BEFORE_MAX);
    let mut events: Vec<Event> = Vec::new();
    while after < reply.answers {
        let room = usize::try_from(reply.answers - after).unwrap_or(limits::PAGE_EVENTS_MAX);
        let page = store.read(key, after, PageBounds::events(room)).await?;
        let Some(last) = page.events.last() else { break };
        after = last.seq;
        events.extend(page.events);
    }
    events.push(event);
    // As when it wakes: one log that makes the fold panic is not to end the notes of all.
    let asked = catch_unwind(AssertUnwindSafe(|| asked(&events, seq)));
    asked.map_err(|_| StoreError::Corrupt("its events cannot be folded".into()))
}
