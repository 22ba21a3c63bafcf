//! What others hold of a conversation: a handle with verbs, not a channel.

use std::sync::Arc;

use engine_conversation::{Command, Outcome};
use schema::wire::{ConversationView, SignalKind};
use schema::{Author, ContactId, ConversationKey, Position, SessionId};
use tokio::sync::oneshot;
use tracing::Span;

use super::follow::Followed;
use super::listener::{Joined, Listener};
use super::mail::Mail;
use super::prepared::Prepared;
use super::pulse::Pulse;
use super::subscribers::Subscribers;
use crate::directory::{Incarnation, Listening};
use crate::failure::Failure;
use crate::metrics::ACTOR_MAILBOX_FULL;
use crate::reply::ReplyTo;
use crate::runtime::{SendFailure, Sender, Vitals};
use crate::spans::{self, HeldSpan};
use crate::tenant::Booking;

/// The way in to a conversation that is awake. Cheap to clone.
///
/// The supervisor makes it when it starts the actor, and the directory gives it to whoever looks for the
/// conversation. It does not keep the actor alive: once that has ended (it rested, moved, crashed, was erased), the
/// handle is closed for good, whoever waits for an answer is told to send again, and the next search gives another
/// handle. That is safe because an incarnation that has ended writes nothing, and a message that is sent again has
/// the same `ref`.
#[derive(Clone)]
pub struct ConversationHandle {
    key: ConversationKey,
    contact: ContactId,
    sender: Sender<Mail>,
    pulse: Arc<Pulse>,
    worker: usize,
    /// It is a relay, and the conversation another node's.
    is_relay: bool,
    /// The session's that uses it: the parent of its commands.
    session: HeldSpan,
}

impl ConversationHandle {
    /// The way in to an actor that was started by a worker, on its thread.
    pub(crate) const fn new(
        worker: usize,
        key: ConversationKey,
        contact: ContactId,
        sender: Sender<Mail>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self { key, contact, sender, pulse, worker, is_relay: false, session: HeldSpan::NONE }
    }

    /// The same for a relay.
    pub(super) fn of_another_node(self) -> Self {
        Self { is_relay: true, ..self }
    }

    /// Whether another node owns the conversation.
    pub(crate) const fn is_relay(&self) -> bool {
        self.is_relay
    }

    /// Lets another node's relay follow from the head on. Everything after that is pushed into the listener's outbox,
    /// behind the reply.
    pub(crate) fn follow(&self, listener: Listener, reply: ReplyTo<Followed>) {
        self.mail(Mail::Follow { listener, reply });
    }

    /// Asks it to end unless a reply runs, so that another node can take over; true if it did.
    pub(crate) async fn release(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Mail::Release(reply)).is_ok() && answer.await.unwrap_or(false)
    }

    /// Another node has claimed it.
    pub(crate) fn lose(&self) {
        drop(self.sender.interject(Mail::Lost));
    }

    /// Its commands are told as a part of this span; without it as a part of the span in which they are put.
    #[must_use]
    pub fn within(self, session: Span) -> Self {
        Self { session: HeldSpan::new(session), ..self }
    }

    /// The span that its commands are a part of.
    #[must_use]
    pub fn session(&self) -> Span {
        self.session.get()
    }

    /// The conversation's full name: the same for every incarnation.
    #[must_use]
    pub const fn key(&self) -> ConversationKey {
        self.key
    }

    /// Whom it is with.
    #[must_use]
    pub const fn contact(&self) -> ContactId {
        self.contact
    }

    /// Whether it still runs; if not, find it again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sender.is_open()
    }

    /// Puts a command; the answer goes to `reply`, in every case. A cancel of the turn that runs overtakes
    /// all that waits; one of a turn that does not run yet stays behind the message that will start it.
    pub fn command(&self, command: Command, reply: ReplyTo<Outcome>) {
        let overtakes = match command {
            Command::Cancel { turn } => self.pulse.stop_turn(turn),
            Command::Interrupt => true,
            _ => false,
        };
        let span = self.session.get().in_scope(|| spans::command(self.key, &command));
        let mail = Mail::Command { command, reply, span: HeldSpan::new(span) };
        if overtakes {
            // Dropping it tells whoever waits to send again.
            drop(self.sender.interject(mail));
        } else {
            self.mail(mail);
        }
    }

    /// Puts a command and waits for what comes of it.
    ///
    /// # Errors
    /// The refusal, or why it could not be put.
    pub async fn call(&self, command: Command) -> Result<Outcome, Failure> {
        self.call_paid(command, None).await
    }

    /// The same for somebody who has paid for it.
    pub(crate) async fn call_paid(&self, command: Command, booking: Option<Booking>) -> Result<Outcome, Failure> {
        let (reply, answer) = ReplyTo::call();
        self.command(command, reply.paid_with(booking));
        answer.await.unwrap_or_else(|_| Err(Failure::restarting()))
    }

    /// Lets a session listen from a position on. Everything after it is pushed into the
    /// listener's outbox, behind the reply.
    pub fn join(&self, listener: Listener, from: Position, reply: ReplyTo<Joined>) {
        self.mail(Mail::Join { listener, from, reply });
    }

    /// A session listens no longer. It is owed: it follows a join that was let in.
    pub fn leave(&self, session: SessionId) {
        drop(self.sender.owe(Mail::Leave { session }));
    }

    /// Tells those who listen, except `session`, of a sign of life.
    pub fn signal(&self, session: SessionId, author: Author, kind: SignalKind) {
        self.mail(Mail::Signal { session, author, kind });
    }

    /// How it stands. What it tells is durable, as with every answer.
    ///
    /// # Errors
    /// [`Failure`] when it cannot answer now.
    pub async fn view(&self) -> Result<ConversationView, Failure> {
        let (reply, answer) = oneshot::channel();
        match self.sender.try_send(Mail::View(reply)) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(Failure::restarting())),
            Err(SendFailure::Full(_)) => Err(Failure::busy()),
            Err(SendFailure::Closed(_)) => Err(Failure::restarting()),
        }
    }

    /// Tells it to end for good. When it has, those who listened come; nobody does, if it had ended otherwise.
    pub(crate) fn end(&self) -> oneshot::Receiver<Subscribers> {
        self.pulse.stop_turn(None);
        let (reply, ended) = oneshot::channel();
        drop(self.sender.interject(Mail::End(reply)));
        ended
    }

    fn mail(&self, mail: Mail) {
        match self.sender.try_send(mail) {
            Ok(()) => {}
            Err(SendFailure::Full(mail)) => {
                metrics::counter!(ACTOR_MAILBOX_FULL, "actor" => "conversation").increment(1);
                mail.refuse(&Failure::busy());
            }
            // Dropping it tells whoever waits to send again.
            Err(SendFailure::Closed(_)) => {}
        }
    }

    /// Asks it to end if nobody needs it. A full mailbox would mean that somebody does.
    pub(crate) fn ask_to_rest(&self) {
        drop(self.sender.try_send(Mail::Rest));
    }

    /// How its mailbox is.
    pub(crate) fn vitals(&self) -> &Vitals {
        self.sender.vitals()
    }

    /// Whether all it has decided is durable.
    pub(crate) fn is_stored(&self) -> bool {
        self.pulse.is_stored() && self.sender.vitals().waiting() == 0
    }

    /// Whether a reply runs.
    pub(crate) fn is_running(&self) -> bool {
        self.pulse.is_running()
    }

    /// Whether nobody listens, nothing runs, and nothing waits for the store.
    pub(crate) fn is_idle(&self) -> bool {
        self.pulse.is_idle()
    }

    /// Whether somebody has wished something of it, or listened: it was not woken for what was due alone.
    pub(crate) fn is_asked(&self) -> bool {
        self.pulse.is_asked()
    }

    /// Seconds of the node's life when it was last told something.
    pub(crate) fn touched(&self) -> u64 {
        self.pulse.touched()
    }
}

impl Incarnation for ConversationHandle {
    type Listening = Subscribers;
    type Prepared = Prepared;
    type Failure = Failure;
    type Mark = Pulse;

    fn is_open(&self) -> bool {
        self.is_open()
    }

    fn is(&self, mark: &Arc<Pulse>) -> bool {
        Arc::ptr_eq(&self.pulse, mark)
    }

    /// Its first messages: those who listened to the one before it, and the wish to look at what the log says.
    fn begin(&self, listening: Subscribers) {
        if !listening.is_empty() {
            drop(self.sender.owe(Mail::Adopt(listening)));
        }
        // Owed too: a relay's mailbox may be full by now of what its owner says.
        let span = HeldSpan::new(spans::command(self.key, &Command::Wake));
        drop(self.sender.owe(Mail::Command { command: Command::Wake, reply: ReplyTo::nobody(), span }));
    }

    fn leave(&self, session: SessionId) {
        self.leave(session);
    }

    fn could_move_to(&self, worker: usize) -> bool {
        self.worker != worker && self.is_idle()
    }

    async fn ask_to_move(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Mail::Move(reply)).is_ok() && answer.await.unwrap_or(false)
    }
}
