//! Builds a conversation from its log: claims it, reads its snapshot and what follows, folds that, starts its actor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use engine_conversation::{Command, Conversation as Machine, Effect, Policy};
use engine_store::{Append, Opening, Page, PageBounds, SharedStore, StoreError};
use schema::{Channel, ConversationKey, Locale, Seq, limits};
use tokio::sync::Semaphore;

use super::actor::ConversationActor;
use super::entry::Entry;
use super::handle::ConversationHandle;
use super::host::{Host, Keeper};
use super::mail::Mail;
use super::place::{Placed, place};
use super::prepared::Prepared;
use super::pulse::Pulse;
use super::ring::{Encoded, Ring};
use super::snapshots;
use super::writer::bring;
use crate::failure::Failure;
use crate::metrics::{CONVERSATION_WAKE, CONVERSATION_WAKES};
use crate::runtime::{Bounds, Sender, spawn};
use crate::tenant::Tenant;

/// Why a conversation could not be started.
pub(crate) enum WakeFailure {
    /// The caller's or the store's fault; trying again may help.
    Failed(Failure),
    /// Its log cannot be folded: a crash like any other.
    Crashed,
}

/// Creates a conversation in the store. No actor is started: it will run on the thread of whoever
/// needs it first.
pub(crate) async fn open(
    host: &Host,
    tenant: &Tenant,
    key: ConversationKey,
    opening: Opening,
    locale: Option<Locale>,
) -> Result<Prepared, Failure> {
    let Opening { contact, at: now, .. } = opening;
    let failed = |error: StoreError| Failure::store(&error);
    let claim = host.store.claim(key, Some(opening)).await.map_err(failed)?;
    let mut machine = Machine::default();
    let mut effects = Vec::new();
    let command = Command::Open { contact, channel: Channel::Web, locale };
    machine.apply(command, &Policy::default(), now, &mut effects);
    let events = effects.into_iter().filter_map(|effect| match effect {
        Effect::Append(event) => Some(event),
        _ => None,
    });
    let events = events.collect();
    let mut entry = Entry::found(claim.due);
    let due = entry.with_append(machine.due(&tenant.settings().profile.floor, now), now);
    let append = Append { key, epoch: claim.epoch, head: claim.head, events, due };
    let mut ring = Ring::default();
    for event in &*append.events {
        ring.push(Encoded::new(event));
    }
    let events = Arc::clone(&append.events);
    bring(Arc::clone(&host.store), append, host.jitter).await.map_err(failed)?;
    host.listing.nudge(key, &events);
    Ok(Prepared { epoch: claim.epoch, machine, snapshot: 0, ring, entry })
}

/// What is needed to start a conversation on a thread.
pub(crate) struct Waking<'a> {
    pub(crate) host: &'a Rc<Host>,
    pub(crate) keeper: Rc<dyn Keeper>,
    pub(crate) tenant: Arc<Tenant>,
    /// Bounds how many are read from the store at once.
    pub(crate) wakes: &'a Semaphore,
}

/// Starts a conversation on this thread: the thread of the session that asked for it, so that a
/// token does not change threads.
pub(crate) async fn wake(
    waking: Waking<'_>,
    key: ConversationKey,
    prepared: Option<Prepared>,
) -> Result<ConversationHandle, WakeFailure> {
    let Waking { host, keeper, tenant, wakes } = waking;
    let started = Instant::now();
    let prepared = match prepared {
        Some(prepared) => prepared,
        None => {
            let (claim, _permit) = match &host.peers {
                None => {
                    let permit = wakes.acquire().await.ok();
                    let claim = host.store.claim(key, None).await;
                    (claim.map_err(|error| WakeFailure::Failed(Failure::store(&error)))?, permit)
                }
                Some(board) => match place(host, board, &keeper, wakes, key).await? {
                    Placed::Here(claim, permit) => (claim, permit),
                    Placed::There(handle) => return Ok(handle),
                },
            };
            let (machine, snapshot) = read(&host.store, key, claim.head).await?;
            let entry = Entry::found(claim.due);
            Prepared { epoch: claim.epoch, machine, snapshot, ring: Ring::default(), entry }
        }
    };
    let Some(contact) = prepared.machine.state().contact else {
        // It was claimed and never opened: its creator got no answer, so nobody knows it.
        return Err(WakeFailure::Failed(Failure::store(&StoreError::NotFound)));
    };
    let pulse = Arc::<Pulse>::default();
    let bounds = Bounds { messages: limits::MAILBOX_MESSAGES_MAX, bytes: limits::MAILBOX_BYTES_MAX };
    let sender: Sender<Mail> = spawn(bounds, |sender| {
        ConversationActor::new(Rc::clone(host), keeper, tenant, key, prepared, sender, Arc::clone(&pulse))
    });
    let handle = ConversationHandle::new(host.worker, key, contact, sender, pulse);
    metrics::counter!(CONVERSATION_WAKES).increment(1);
    metrics::histogram!(CONVERSATION_WAKE).record(started.elapsed());
    Ok(handle)
}

/// Reads what the log says up to `head`: the newest snapshot, and the events after it. A snapshot with which these
/// cannot be folded is none. Gives the last event in the snapshot, too; 0 without one.
async fn read(store: &SharedStore, key: ConversationKey, head: Seq) -> Result<(Machine, Seq), WakeFailure> {
    if let Some(machine) = snapshots::newest(store, key, head).await {
        let snapshot = machine.state().head;
        match follow(store, key, head, machine).await {
            Ok(machine) => return Ok((machine, snapshot)),
            Err(WakeFailure::Failed(failure)) => return Err(WakeFailure::Failed(failure)),
            Err(WakeFailure::Crashed) => snapshots::unusable(key, "the events after it cannot be folded"),
        }
    }
    let machine = follow(store, key, head, Machine::default()).await?;
    Ok((machine, 0))
}

/// Reads the events after those that are folded, page by page. A log that makes the machine panic is a poison
/// message.
async fn follow(
    store: &SharedStore,
    key: ConversationKey,
    head: Seq,
    mut machine: Machine,
) -> Result<Machine, WakeFailure> {
    while machine.state().head < head {
        let after = machine.state().head;
        let read = store.read(key, after, PageBounds::FULL).await;
        let Page { events, .. } = read.map_err(|error| WakeFailure::Failed(Failure::store(&error)))?;
        let folded = catch_unwind(AssertUnwindSafe(|| {
            for event in &events {
                machine.fold(event);
            }
        }));
        if folded.is_err() || machine.state().head == after {
            return Err(WakeFailure::Crashed);
        }
    }
    Ok(machine)
}
