//! The writer's part of a conversation: what was decided goes to the store, and nothing that may only be
//! seen then leaves before it is durable.
//! Invariant: one append is under way at a time, and it ends in one of two ways: durable, or lost for good.

use std::future::Future;
use std::sync::Arc;

use engine_store::{Append, PageBounds, Reschedule, SharedStore, StoreError};
use futures_util::future::Either;
use schema::{ConversationKey, Epoch, Event, Seq, Timestamp, limits};
use tracing::{Instrument, Span};

use super::entry::{Entry, Move};
use super::gate::Gate;
use crate::patience::{Patience, patiently};
use crate::spans::{self, HeldSpan};

/// Decided events on their way to the store, under the epoch that owns the log.
///
/// An event is *decided* ([`Writer::append`]), *under way* ([`Writer::next`] gave the future that brings it to the
/// store), and then *durable* ([`Writer::stored`]) or *lost* ([`Writer::lost`]). The actor makes one writer for its
/// incarnation, polls its futures and tells it what came of them. It is safe because one append is under way at a
/// time and each is conditional on epoch and head: an append that was tried twice is written once, a writer whose
/// epoch has passed writes nothing, and after a loss the incarnation ends and the log is read anew.
pub(crate) struct Writer<H> {
    key: ConversationKey,
    epoch: Epoch,
    store: SharedStore,
    gate: Gate<H>,
    /// When it is due, as the store knows it.
    entry: Entry,
    /// Bytes of what was said in events that are not durable yet: of the append under way, and since.
    in_flight: usize,
    waiting: usize,
    /// The append that is being decided, as it is told, and the one that is under way.
    deciding: HeldSpan,
    storing: HeldSpan,
    jitter: fn() -> f64,
}

impl<H> Writer<H> {
    /// The writer of a log that ends at `head`. `jitter` gives numbers from 0 to 1 that spread the pauses between
    /// tries.
    pub(crate) const fn new(
        store: SharedStore,
        key: ConversationKey,
        epoch: Epoch,
        head: Seq,
        entry: Entry,
        jitter: fn() -> f64,
    ) -> Self {
        Self {
            key,
            epoch,
            store,
            gate: Gate::new(head),
            entry,
            in_flight: 0,
            waiting: 0,
            deciding: HeldSpan::NONE,
            storing: HeldSpan::NONE,
            jitter,
        }
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// When it is due, as the store knows it.
    pub(crate) const fn entry(&mut self) -> &mut Entry {
        &mut self.entry
    }

    /// Everything up to here is durable, and may be shown.
    pub(crate) const fn durable(&self) -> Seq {
        self.gate.durable()
    }

    /// Whether everything decided is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.gate.unstored() == 0 && self.entry.is_settled()
    }

    /// Whether as much waits for the store as may.
    pub(crate) fn is_full(&self) -> bool {
        self.gate.unstored() >= limits::UNSTORED_EVENTS_MAX
            || self.in_flight + self.waiting >= limits::UNSTORED_BYTES_MAX
    }

    /// An event was decided; `held` goes out when it is durable.
    pub(crate) fn append(&mut self, event: Event, held: H) {
        self.waiting += event.fact.text_bytes();
        if self.deciding.is_none() {
            self.deciding = HeldSpan::new(spans::append(self.key));
        } else {
            // One append for several commands is a part of the first, and follows from the others.
            self.deciding.get().follows_from(Span::current());
        }
        self.gate.append(event, held);
    }

    /// Something that may only be seen after every event decided so far. Given back when nothing stands in
    /// its way.
    pub(crate) fn after_all(&mut self, held: H) -> Option<H> {
        self.gate.after_all(held)
    }

    /// Takes what was decided to the store, unless an append is under way: then it goes with the next one.
    /// With it goes when the conversation is due after that: `due` says so, and what time it is. Where nothing
    /// was decided, the entry alone is moved, if it needs that.
    ///
    /// The future ends when it is durable or lost; tell [`Writer::stored`], [`Writer::lost`] or [`Writer::moved`].
    pub(crate) fn next(
        &mut self,
        due: &dyn Fn() -> (Option<Timestamp>, Timestamp),
    ) -> Option<impl Future<Output = Written> + use<H>> {
        // It is asked with each token: nothing is done before it is known that there is something to do.
        if let Some((head, events)) = self.gate.next_append() {
            self.in_flight = std::mem::take(&mut self.waiting);
            let (wanted, now) = due();
            let due = self.entry.with_append(wanted, now);
            let append = Append { key: self.key, epoch: self.epoch, head, events: events.into(), due };
            self.storing = std::mem::take(&mut self.deciding);
            let span = self.storing.get();
            span.record("head", append.head).record("events", append.events.len());
            let (store, jitter) = (Arc::clone(&self.store), self.jitter);
            let events = Arc::clone(&append.events);
            let written = async move { Written::Append(bring(store, append, jitter).await.map(|()| events)) };
            return Some(Either::Left(written.instrument(span)));
        }
        if self.gate.unstored() > 0 || !self.entry.is_to_be_looked_at() {
            return None;
        }
        let (wanted, now) = due();
        let Move { ticket, at } = self.entry.alone(wanted, now)?;
        let change = Reschedule { key: self.key, epoch: self.epoch, head: self.gate.durable(), at };
        let (store, jitter) = (Arc::clone(&self.store), self.jitter);
        // Asked for now, not when it is first polled: an append that follows comes behind it.
        let first = store.reschedule(change);
        Some(Either::Right(async move {
            let moved = match first.await {
                Err(StoreError::Busy | StoreError::Unavailable(_)) => {
                    patiently(jitter, || store.reschedule(change)).await
                }
                answer => answer,
            };
            Written::Entry(ticket, moved)
        }))
    }

    /// The change of the entry alone has ended, well or not. Whether it was the newest: nothing was appended since.
    pub(crate) fn moved(&mut self, ticket: u64, well: bool) -> bool {
        self.entry.moved(ticket, well)
    }

    /// The append under way is durable. Gives its span, for what is let out now.
    pub(crate) fn stored(&mut self) -> Span {
        self.in_flight = 0;
        self.gate.stored();
        self.storing.take()
    }

    /// The next thing that may go out.
    pub(crate) fn release(&mut self) -> Option<H> {
        self.gate.release()
    }

    /// The append under way is lost, and with it all that was decided since: everything still held.
    pub(crate) fn lost(&mut self) -> impl Iterator<Item = H> + use<H> {
        (self.deciding, self.storing) = (HeldSpan::NONE, HeldSpan::NONE);
        self.gate.give_up()
    }
}

/// What became of a write.
pub(crate) enum Written {
    /// Of events, which are given back once they are durable, and of the entry with them.
    Append(Result<Arc<[Event]>, StoreError>),
    /// Of the entry alone, with the ticket of its move.
    Entry(u64, Result<(), StoreError>),
}

/// What stands in the log where an append would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// Nothing yet.
    Nothing,
    /// These very events.
    These,
    /// Others: the log has another owner.
    Others,
}

/// Brings an append to the store. A store that surely did nothing is asked again for a while; after an answer
/// that leaves it open the log is read, and what stands there decides. Asking again is safe: the condition on
/// epoch and head lets one of many tries write.
///
/// # Errors
/// Why it is not durable. [`StoreError::Fenced`] when the log belongs to another owner.
pub(super) async fn bring(store: SharedStore, append: Append, jitter: fn() -> f64) -> Result<(), StoreError> {
    let mut patience = Patience::new(jitter);
    // An earlier try may have written it, or may yet.
    let mut is_open = false;
    loop {
        let Err(error) = store.append(append.clone()).await else { return Ok(()) };
        match &error {
            StoreError::Busy | StoreError::Unavailable(_) => {}
            StoreError::Unknown(_) => is_open = true,
            // The condition failed: by another owner's claim, or by our own earlier try.
            StoreError::Fenced if is_open => {}
            StoreError::Fenced
            | StoreError::NotFound
            | StoreError::Conflict { .. }
            | StoreError::Held { .. }
            | StoreError::Ending(_)
            | StoreError::Corrupt(_) => {
                return Err(error);
            }
        }
        if is_open {
            match stands(&store, &append).await {
                Ok(Stands::These) => return Ok(()),
                Ok(Stands::Others) => return Err(StoreError::Fenced),
                Ok(Stands::Nothing) if error == StoreError::Fenced => return Err(error),
                Ok(Stands::Nothing) | Err(_) => {}
            }
        }
        if !patience.wait().await {
            return Err(error);
        }
    }
}

async fn stands(store: &SharedStore, append: &Append) -> Result<Stands, StoreError> {
    let mut found = 0;
    while let Some(rest) = append.events.get(found..).filter(|rest| !rest.is_empty()) {
        let page = store.read(append.key, append.head + found as Seq, PageBounds::FULL).await?;
        if page.events.is_empty() {
            // An append is stored whole: a part of it alone is another's.
            let nothing = found == 0 && page.head <= append.head;
            return Ok(if nothing { Stands::Nothing } else { Stands::Others });
        }
        if !rest.iter().zip(&page.events).all(|(ours, stored)| ours == stored) {
            return Ok(Stands::Others);
        }
        found += page.events.len();
    }
    Ok(Stands::These)
}
