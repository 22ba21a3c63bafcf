//! What others hold of a conversation: a handle with verbs, not a channel.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytestring::ByteString;
use engine_conversation::{Command, Outcome};
use schema::wire::ConversationView;
use schema::wire::SignalKind;
use schema::{Author, Contact, ConversationKey, Position, Ref, SessionId, Turn};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::conversation::{Joined, Listener, Mail, Subscribers};
use crate::failure::Failure;
use crate::frames::reply_frame;
use crate::metrics::ACTOR_MAILBOX_FULL;
use crate::outbox::Outbox;
use crate::runtime::{SendFailure, Sender};
use crate::system::Worker;
use crate::tenant::Booking;

/// The way in to a conversation that is awake. Cheap to clone.
#[derive(Clone)]
pub struct ConversationHandle {
    key: ConversationKey,
    contact: Contact,
    sender: Sender<Mail>,
    shared: Arc<Shared>,
    worker: usize,
}

/// What a conversation lets others see and do past its mailbox.
#[derive(Default)]
pub(crate) struct Shared {
    /// Nobody listens, nothing runs, nothing waits for the store.
    pub(crate) idle: AtomicBool,
    /// Everything decided is durable.
    pub(crate) stored: AtomicBool,
    /// A reply runs.
    pub(crate) running: AtomicBool,
    /// Seconds of the system's life when it was last told something.
    pub(crate) touched: AtomicU64,
    /// Stops the turn that runs without queueing behind data.
    pub(crate) cancel: Mutex<Option<(Turn, CancellationToken)>>,
}

impl ConversationHandle {
    /// The way in to an actor that was started by a worker, on its thread.
    pub(crate) fn new(
        worker: &Worker,
        key: ConversationKey,
        contact: Contact,
        sender: Sender<Mail>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { key, contact, sender, shared, worker: worker.id() }
    }

    /// Which conversation.
    #[must_use]
    pub const fn key(&self) -> ConversationKey {
        self.key
    }

    /// Whom it is with.
    #[must_use]
    pub const fn contact(&self) -> &Contact {
        &self.contact
    }

    /// Whether it still runs; if not, find it again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sender.is_open()
    }

    /// The first messages of a new incarnation: those who listened to the one before it, and the
    /// wish to look at what the log says.
    pub(crate) fn begin(&self, listening: Subscribers) {
        if !listening.is_empty() {
            drop(self.sender.owe(Mail::Adopt(listening)));
        }
        self.command(Command::Wake, ReplyTo::nobody());
    }

    /// Puts a command; the answer goes to `reply`, in every case. A cancel of the turn that runs overtakes
    /// all that waits; one of a turn that does not run yet stays behind the message that will start it.
    pub fn command(&self, command: Command, reply: ReplyTo<Outcome>) {
        let overtakes = match command {
            Command::Cancel { turn } => self.stop_turn(turn),
            Command::Interrupt => true,
            _ => false,
        };
        let mail = Mail::Command { command, reply };
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

    /// Silences the running turn at once, past the mailbox; true if it is the first to do so. The command
    /// that records it follows.
    fn stop_turn(&self, turn: Option<Turn>) -> bool {
        let running = self.shared.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((running, token)) = running else { return false };
        if turn.is_some_and(|turn| turn != running) || token.is_cancelled() {
            return false;
        }
        token.cancel();
        true
    }

    /// Whether it could come to this worker: it runs at another one, and nobody needs it there.
    pub(crate) fn could_move_to(&self, worker: &Worker) -> bool {
        self.worker != worker.id() && self.is_idle()
    }

    /// Tells it to end for good, and waits until it has. Gives those who listened; nobody, if it had ended
    /// otherwise.
    pub(crate) async fn end(&self) -> Subscribers {
        self.stop_turn(None);
        let (reply, ended) = oneshot::channel();
        drop(self.sender.interject(Mail::End(reply)));
        ended.await.unwrap_or_default()
    }

    /// Asks it to leave its thread; true if it did.
    pub(crate) async fn ask_to_move(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Mail::Move(reply)).is_ok() && answer.await.unwrap_or(false)
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

    pub(crate) const fn sender(&self) -> &Sender<Mail> {
        &self.sender
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn is_incarnation(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }

    /// Whether all it has decided is durable.
    pub(crate) fn is_stored(&self) -> bool {
        self.shared.stored.load(Ordering::Relaxed) && self.sender.vitals().waiting() == 0
    }

    pub(crate) fn is_running(&self) -> bool {
        self.shared.running.load(Ordering::Relaxed)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.shared.idle.load(Ordering::Relaxed)
    }
}

/// Something that can stand as `ok` in a reply frame.
pub trait Answer {
    /// Its JSON.
    fn to_json(&self) -> Value;
}

impl Answer for Outcome {
    fn to_json(&self) -> Value {
        let mut fields = serde_json::Map::new();
        if let Some(seq) = self.seq {
            fields.insert("seq".into(), json!(seq));
        }
        if let Some(turn) = self.turn {
            fields.insert("turn".into(), json!(turn));
        }
        Value::Object(fields)
    }
}

/// Who waits for an answer. Dropped unanswered, it tells them to send again: a crash or a rest
/// never leaves anyone waiting.
pub struct ReplyTo<T: Answer> {
    waiting: Option<Waiting<T>>,
    booking: Option<Box<Booking>>,
}

enum Waiting<T> {
    Call(oneshot::Sender<Result<T, Failure>>),
    Frame { outbox: Arc<Outbox>, r#ref: Ref },
}

impl<T: Answer> ReplyTo<T> {
    /// Nobody waits.
    #[must_use]
    pub const fn nobody() -> Self {
        Self { waiting: None, booking: None }
    }

    /// A task waits.
    #[must_use]
    pub fn call() -> (Self, oneshot::Receiver<Result<T, Failure>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { waiting: Some(Waiting::Call(sender)), booking: None }, receiver)
    }

    /// A session waits for the reply frame with its ref.
    #[must_use]
    pub const fn frame(outbox: Arc<Outbox>, r#ref: Ref) -> Self {
        Self { waiting: Some(Waiting::Frame { outbox, r#ref }), booking: None }
    }

    /// What was paid comes back with an answer that says that nothing was stored.
    #[must_use]
    pub fn paid_with(mut self, booking: Option<Booking>) -> Self {
        self.booking = booking.map(Box::new);
        self
    }

    /// What it was paid for goes to the store.
    pub(crate) fn decide(&mut self) {
        if let Some(booking) = &mut self.booking {
            booking.decide();
        }
    }

    /// Answers.
    pub fn send(mut self, result: Result<T, Failure>) {
        self.answer(result);
    }

    fn answer(&mut self, result: Result<T, Failure>) {
        if let Some(booking) = self.booking.take() {
            booking.settle(result.is_ok());
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.answer(result);
        }
    }
}

impl<T: Answer> Waiting<T> {
    fn answer(self, result: Result<T, Failure>) {
        match self {
            // The one who asked may have gone; then nobody needs the answer.
            Self::Call(sender) => drop(sender.send(result)),
            Self::Frame { outbox, r#ref } => {
                let frame: ByteString = reply_frame(&r#ref, result.map(|answer| answer.to_json()));
                outbox.push(frame);
            }
        }
    }
}

impl<T: Answer> Drop for ReplyTo<T> {
    fn drop(&mut self) {
        if self.waiting.is_some() || self.booking.is_some() {
            self.answer(Err(Failure::restarting()));
        }
    }
}
