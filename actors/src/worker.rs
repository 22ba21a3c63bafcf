//! What each worker thread has for itself, and how others ask it for conversations.

use std::rc::Rc;
use std::sync::Arc;

use engine_conversation::{Command, Outcome};
use engine_model::Registry;
use engine_store::Opening;
use schema::{ContactError, ContactId, ConversationId, ConversationKey, ErrorCode, Locale, Seq, TenantId};

use crate::contacts::{ContactsError, ErasedSoFar, Standing};
use crate::conversation::{ConversationHandle, Host};
use crate::due::Attendant;
use crate::failure::Failure;
use crate::runtime::{spawn_local, to_the_end};
use crate::supervision::Supervisor;
use crate::system::System;
use crate::tenant::{Booking, Tenant, Visit};
use crate::wanted::Want;

/// A worker thread's part of the system: conversations started through it stay on the thread, and so do the
/// connections of its models.
pub struct Worker {
    system: Arc<System>,
    host: Rc<Host>,
    supervisor: Rc<Supervisor>,
}

impl Worker {
    /// A worker for the current thread.
    #[must_use]
    pub fn new(system: Arc<System>, models: Registry) -> Rc<Self> {
        let host = Rc::new(system.host(system.next_worker(), models));
        let conversations = Arc::clone(system.conversations());
        let (tenants, wakes) = (Arc::clone(system.tenants()), Arc::clone(system.wakes()));
        let supervisor = Rc::new(Supervisor::new(Rc::clone(&host), conversations, tenants, wakes));
        Rc::new(Self { system, host, supervisor })
    }

    /// Has conversations on this thread do what is due, and serves nodes that own nothing; run it on every worker thread,
    /// beside [`System::sweep`] on one. It ends with the thread.
    pub async fn attend(self: Rc<Self>) {
        let attendant = Attendant {
            supervisor: Rc::clone(&self.supervisor),
            work: Arc::clone(self.system.due_work()),
            phase: Arc::clone(&self.host.phase),
        };
        tokio::join!(attendant.attend(), self.serve_others());
    }

    /// Does for other nodes what takes a worker.
    async fn serve_others(&self) {
        let Some(service) = self.system.service() else { return };
        while let Some(want) = service.wanted.next().await {
            let (system, supervisor) = (Arc::clone(&self.system), Rc::clone(&self.supervisor));
            // Whoever has asked may have gone.
            spawn_local(async move {
                match want {
                    Want::Find(key, answer) => drop(answer.send(supervisor.find(key).await)),
                    Want::Open(key, opening, locale, answer) => {
                        let opened = match system.tenants().get(key.tenant).await {
                            Ok(tenant) => supervisor.open(&tenant, key, opening, locale).await,
                            Err(failure) => Err(failure),
                        };
                        drop(answer.send(opened));
                    }
                }
            });
        }
    }

    /// What all workers share.
    #[must_use]
    pub const fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// This thread's models.
    #[must_use]
    pub fn models(&self) -> &Registry {
        self.host.workshop.models()
    }

    /// A tenant.
    ///
    /// # Errors
    /// `not_found`, or why the store could not be read.
    pub async fn tenant(&self, id: TenantId) -> Result<Arc<Tenant>, Failure> {
        self.system.tenants().get(id).await
    }

    /// A conversation, started on this thread if it runs nowhere.
    ///
    /// # Errors
    /// `unknown_conversation`, `quarantined`, `restarting`, or why the store could not be read.
    pub async fn find(&self, key: ConversationKey) -> Result<ConversationHandle, Failure> {
        self.supervisor.find(key).await
    }

    /// The same, preferably on this thread: for somebody who will listen here. An idle
    /// conversation comes over from another thread.
    ///
    /// # Errors
    /// As [`Worker::find`].
    pub async fn find_here(&self, key: ConversationKey) -> Result<ConversationHandle, Failure> {
        self.supervisor.find_here(key).await
    }

    /// A new conversation with a contact, whose own it stays when merges come and go; `locale` is what the contact's page
    /// or app says of its language. It is durable when this completes, with its first event as its head.
    ///
    /// # Errors
    /// `draining`, or why it could not be stored.
    pub async fn open(
        &self,
        tenant: TenantId,
        contact: ContactId,
        locale: Option<Locale>,
    ) -> Result<(ConversationKey, Seq), Failure> {
        let key = ConversationKey { tenant, conversation: ConversationId::generate() };
        Ok((key, self.open_as(key, contact, locale).await?))
    }

    /// The same for a visitor, within its budgets.
    ///
    /// # Errors
    /// As [`Worker::open`], and what [`Visit::says`] is refused with.
    pub async fn open_for(&self, visit: &Visit, locale: Option<Locale>) -> Result<(ConversationKey, Seq), Failure> {
        let booking = visit.opens()?;
        let opened = self.open(visit.tenant().id(), visit.contact(), locale).await;
        // Whoever goes away meanwhile has paid: it may well be stored.
        if opened.is_err() {
            booking.give_back();
        }
        opened
    }

    /// A new conversation under a name that nobody has used; gives its head.
    ///
    /// # Errors
    /// As [`Worker::open`].
    pub async fn open_as(
        &self,
        key: ConversationKey,
        contact: ContactId,
        locale: Option<Locale>,
    ) -> Result<Seq, Failure> {
        if self.system.is_draining() {
            return Err(Failure::draining());
        }
        let tenant = self.tenant(key.tenant).await?;
        if !self.host.admission.admits(tenant.share()) {
            return Err(Failure::overloaded((self.host.jitter)()));
        }
        let contacts = self.system.contacts();
        let erased = contacts.erased_so_far();
        let whom = contacts.standing(key.tenant, contact).await?;
        if whom.is_erasing {
            return Err(ContactsError::from(ContactError::Erasing).into());
        }
        let opening = Opening { contact, is_anonymous: !whom.is_known, at: self.host.clock.now() };
        let (system, supervisor) = (Arc::clone(&self.system), Rc::clone(&self.supervisor));
        // To its end, so that whoever hangs up leaves none behind that an erasure has not found. A crash between the two
        // looks may: one of those that were just being opened, with the contact's number and no word in it. What an
        // erasure that has not ended finds after the start is gone with it; of the others those with somebody of whom
        // nothing was known go by themselves, unspoken, and the rest stand in the list for the tenant to erase.
        let opened = to_the_end(async move {
            let opened = supervisor.open(&tenant, key, opening, locale).await;
            // One of which nothing was heard may be there all the same.
            if opened.as_ref().is_ok() || opened.as_ref().is_err_and(|error| error.code == ErrorCode::Restarting) {
                stays(&system, key, contact, &whom, erased).await?;
            }
            opened
        });
        opened.await.unwrap_or_else(|| Err(Failure::restarting()))
    }

    /// Puts a command to a conversation, wherever it is. One that was just going to rest is woken
    /// again: what it did not answer it has not done, or its `ref` tells.
    ///
    /// # Errors
    /// The refusal, or why it could not be put.
    pub async fn submit(&self, key: ConversationKey, command: Command) -> Result<Outcome, Failure> {
        self.submit_for(None, key, command).await
    }

    /// The same for a visitor, within its budgets.
    ///
    /// # Errors
    /// As [`Worker::submit`], and what [`Visit::says`] is refused with.
    pub async fn submit_for(
        &self,
        visit: Option<&Visit>,
        key: ConversationKey,
        command: Command,
    ) -> Result<Outcome, Failure> {
        let handle = self.find(key).await?;
        match handle.call_paid(command.clone(), book(visit, &command)?).await {
            Err(failure) if failure.code == ErrorCode::Restarting && !handle.is_open() => {
                let booking = book(visit, &command)?;
                self.find(key).await?.call_paid(command, booking).await
            }
            answer => answer,
        }
    }
}

/// Erases a conversation that was just opened if its contact may have been erased meanwhile, as whom it was opened with:
/// such an erasure may have looked for their conversations before this one was there.
async fn stays(
    system: &System,
    key: ConversationKey,
    contact: ContactId,
    whom: &Standing,
    erased: ErasedSoFar,
) -> Result<(), Failure> {
    let refused = match system.contacts().may_be_erased(key.tenant, contact, whom, erased).await {
        Ok(false) => return Ok(()),
        Ok(true) => ContactsError::from(ContactError::Erasing).into(),
        Err(error) => Failure::from(error),
    };
    match system.erase(key).await {
        Ok(()) => Err(refused),
        // The erasure has found it, or is at it.
        Err(gone) if matches!(gone.code, ErrorCode::UnknownConversation | ErrorCode::Restarting) => Err(refused),
        Err(failure) => {
            let ConversationKey { tenant, conversation } = key;
            tracing::error!(%tenant, %conversation, %failure, "a conversation of an erased contact was not erased");
            Err(failure)
        }
    }
}

fn book(visit: Option<&Visit>, command: &Command) -> Result<Option<Booking>, Failure> {
    match (visit, command) {
        (Some(visit), Command::Say { text, .. }) => visit.says(text.stored_bytes()).map(Some),
        _ => Ok(None),
    }
}
