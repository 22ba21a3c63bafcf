//! Who waits for an answer, and how it reaches them: a task, or a session by a frame with its ref.

use std::sync::Arc;

use bytestring::ByteString;
use engine_conversation::Outcome;
use schema::Ref;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::frames::{answer_frame, reply_frame};
use crate::outbox::Outbox;
use crate::tenant::Booking;

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
    Node { outbox: Arc<Outbox>, id: u64, decided: bool },
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

    /// Another node waits for the answer to its question.
    pub(crate) const fn node(outbox: Arc<Outbox>, id: u64) -> Self {
        Self { waiting: Some(Waiting::Node { outbox, id, decided: false }), booking: None }
    }

    /// What was paid comes back with an answer that says that nothing was stored.
    #[must_use]
    pub fn paid_with(mut self, booking: Option<Booking>) -> Self {
        self.booking = booking.map(Box::new);
        self
    }

    /// Whether it was paid for, as a visitor's wishes are.
    pub(crate) const fn is_paid(&self) -> bool {
        self.booking.is_some()
    }

    /// What it was paid for goes to the store.
    pub(crate) fn decide(&mut self) {
        if let Some(booking) = &mut self.booking {
            booking.decide();
        }
        if let Some(Waiting::Node { decided, .. }) = &mut self.waiting {
            *decided = true;
        }
    }

    /// Answers whoever waits, and settles what was paid.
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
            Self::Node { outbox, id, decided } => {
                outbox.push(answer_frame(id, result.map(|answer| answer.to_json()), decided));
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
