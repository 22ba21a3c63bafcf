//! Builds a conversation from its log: claims it, reads it, folds it, starts its actor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use engine::conversation::{Command, Conversation as Machine, Outcome};
use engine::store::{Opening, Page, StoreError};
use schema::{Channel, Contact, ConversationKey, limits};

use super::actor::Conversation;
use super::mail::Mail;
use crate::failure::Failure;
use crate::handle::{ConversationHandle, ReplyTo, Shared};
use crate::metrics::{CONVERSATION_WAKE, CONVERSATION_WAKES};
use crate::runtime::{Sender, spawn};
use crate::system::Worker;

/// Why a conversation could not be started.
pub(crate) enum WakeFailure {
    /// The caller's or the store's fault; trying again may help.
    Failed(Failure),
    /// Its log cannot be folded: a crash like any other.
    Crashed,
}

/// Starts a conversation on this thread: the thread of the session that asked for it, so that a
/// token does not change threads. With `open` it is a new one, and `reply` is told of its first
/// event.
pub(crate) async fn wake(
    worker: &Rc<Worker>,
    key: ConversationKey,
    open: Option<(Contact, ReplyTo<Outcome>)>,
) -> Result<ConversationHandle, WakeFailure> {
    let system = worker.system();
    let _permit = system.wake_permit().await;
    let started = Instant::now();
    let tenant = system.tenants().get(worker, key.tenant).await.map_err(WakeFailure::Failed)?;
    let opening = open.as_ref().map(|(contact, _)| Opening { contact: contact.clone(), at: system.clock().now() });
    let store_failed = |error: StoreError| WakeFailure::Failed(Failure::store(&error));
    let claim = system.store().claim(key, opening).await.map_err(store_failed)?;
    let machine = read(worker, key, claim.head).await?;
    if open.is_none() && machine.state().contact.is_none() {
        // It was claimed and never opened: its creator got no answer, so nobody knows it.
        return Err(WakeFailure::Failed(Failure::store(&StoreError::NotFound)));
    }
    let contact = match &open {
        Some((contact, _)) => contact.clone(),
        None => machine.state().contact.clone().unwrap_or_else(Contact::anonymous),
    };
    let (first, reply) = match open {
        Some((contact, reply)) => (Command::Open { contact, channel: Channel::Web }, reply),
        None => (Command::Wake, ReplyTo::nobody()),
    };
    let mut shared: Option<Arc<Shared>> = None;
    let sender: Sender<Mail> = spawn(limits::MAILBOX_COMMANDS_MAX, |sender| {
        let (conversation, made) = Conversation::new(Rc::clone(worker), tenant, key, claim.epoch, machine, sender);
        shared = Some(made);
        conversation
    });
    let handle = ConversationHandle::new(key, contact, sender, shared.unwrap_or_default());
    handle.command(first, reply);
    metrics::counter!(CONVERSATION_WAKES).increment(1);
    metrics::histogram!(CONVERSATION_WAKE).record(started.elapsed());
    Ok(handle)
}

/// Reads the whole log, page by page. A log that makes the machine panic is a poison message.
async fn read(worker: &Rc<Worker>, key: ConversationKey, head: schema::Seq) -> Result<Machine, WakeFailure> {
    let mut machine = Machine::default();
    while machine.state().head < head {
        let after = machine.state().head;
        let read = worker.system().store().read(key, after, limits::PAGE_EVENTS_MAX).await;
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
