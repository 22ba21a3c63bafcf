//! Builds a conversation from its log: claims it, reads it, folds it, starts its actor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use engine::conversation::{Command, Conversation as Machine, Effect, Policy};
use engine::store::{Append, Opening, Page, PageBounds, StoreError};
use schema::{Channel, Contact, ConversationKey, Epoch, Locale, limits};

use super::actor::Conversation;
use super::mail::Mail;
use super::ring::{Encoded, Ring};
use super::writer::bring;
use crate::failure::Failure;
use crate::handle::{ConversationHandle, Shared};
use crate::metrics::{CONVERSATION_WAKE, CONVERSATION_WAKES};
use crate::runtime::{Bounds, Sender, spawn};
use crate::system::Worker;

/// Why a conversation could not be started.
pub(crate) enum WakeFailure {
    /// The caller's or the store's fault; trying again may help.
    Failed(Failure),
    /// Its log cannot be folded: a crash like any other.
    Crashed,
}

/// A conversation that runs nowhere and can be started without asking the store: just opened, or
/// on its way to another thread. Whoever holds it owns the conversation under its epoch.
pub(crate) struct Prepared {
    pub(crate) epoch: Epoch,
    pub(crate) machine: Machine,
    /// The newest events, for those who will listen.
    pub(crate) ring: Ring,
}

/// Creates a conversation in the store. No actor is started: it will run on the thread of whoever
/// needs it first.
pub(crate) async fn open(
    worker: &Rc<Worker>,
    key: ConversationKey,
    contact: Contact,
    locale: Option<Locale>,
) -> Result<Prepared, Failure> {
    let system = worker.system();
    let now = system.clock().now();
    let failed = |error: StoreError| Failure::store(&error);
    let opening = Opening { contact: contact.clone(), at: now };
    let claim = system.store().claim(key, Some(opening)).await.map_err(failed)?;
    let mut machine = Machine::default();
    let mut effects = Vec::new();
    let command = Command::Open { contact, channel: Channel::Web, locale };
    machine.apply(command, &Policy::default(), now, &mut effects);
    let events = effects.into_iter().filter_map(|effect| match effect {
        Effect::Append(event) => Some(event),
        _ => None,
    });
    let append = Append { key, epoch: claim.epoch, head: claim.head, events: events.collect() };
    let mut ring = Ring::default();
    for event in &*append.events {
        ring.push(Encoded::new(event));
    }
    bring(Arc::clone(system.store()), append, system.options().jitter).await.map_err(failed)?;
    system.listing().nudge(key);
    Ok(Prepared { epoch: claim.epoch, machine, ring })
}

/// Starts a conversation on this thread: the thread of the session that asked for it, so that a
/// token does not change threads.
pub(crate) async fn wake(
    worker: &Rc<Worker>,
    key: ConversationKey,
    prepared: Option<Prepared>,
) -> Result<ConversationHandle, WakeFailure> {
    let system = worker.system();
    let started = Instant::now();
    let tenant = system.tenants().get(worker, key.tenant).await.map_err(WakeFailure::Failed)?;
    let prepared = match prepared {
        Some(prepared) => prepared,
        None => {
            let _permit = system.wake_permit().await;
            let claim = system.store().claim(key, None).await;
            let claim = claim.map_err(|error| WakeFailure::Failed(Failure::store(&error)))?;
            let machine = read(worker, key, claim.head).await?;
            Prepared { epoch: claim.epoch, machine, ring: Ring::default() }
        }
    };
    let Some(contact) = prepared.machine.state().contact.clone() else {
        // It was claimed and never opened: its creator got no answer, so nobody knows it.
        return Err(WakeFailure::Failed(Failure::store(&StoreError::NotFound)));
    };
    let mut shared: Option<Arc<Shared>> = None;
    let bounds = Bounds { messages: limits::MAILBOX_MESSAGES_MAX, bytes: limits::MAILBOX_BYTES_MAX };
    let sender: Sender<Mail> = spawn(bounds, |sender| {
        let (conversation, made) = Conversation::new(Rc::clone(worker), tenant, key, prepared, sender);
        shared = Some(made);
        conversation
    });
    let handle = ConversationHandle::new(worker, key, contact, sender, shared.unwrap_or_default());
    metrics::counter!(CONVERSATION_WAKES).increment(1);
    metrics::histogram!(CONVERSATION_WAKE).record(started.elapsed());
    Ok(handle)
}

/// Reads the whole log, page by page. A log that makes the machine panic is a poison message.
async fn read(worker: &Rc<Worker>, key: ConversationKey, head: schema::Seq) -> Result<Machine, WakeFailure> {
    let mut machine = Machine::default();
    while machine.state().head < head {
        let after = machine.state().head;
        let read = worker.system().store().read(key, after, PageBounds::FULL).await;
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
