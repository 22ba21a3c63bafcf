//! What a relay has asked the owner, and who waits for the answers.
//! Invariant: whoever waits is answered once, or told to send again.

use std::collections::BTreeMap;

use engine_conversation::Outcome;
use schema::wire::ConversationView;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::peers::Switchboard;
use crate::reply::ReplyTo;

/// One who waits.
pub(super) enum Question {
    Wish(ReplyTo<Outcome>),
    View(oneshot::Sender<Result<ConversationView, Failure>>),
}

/// Those who wait, by the number of their question. Their number is bounded by the link's.
#[derive(Default)]
pub(super) struct Questions(BTreeMap<u64, (Question, Instant)>);

impl Question {
    pub(super) fn refuse(self, failure: &Failure) {
        match self {
            Self::Wish(reply) => reply.send(Err(failure.clone())),
            // Whoever asked may have gone.
            Self::View(reply) => drop(reply.send(Err(failure.clone()))),
        }
    }
}

impl Questions {
    pub(super) fn put(&mut self, id: u64, question: Question, until: Instant) {
        self.0.insert(id, (question, until));
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Question> {
        self.0.remove(&id).map(|(question, _)| question)
    }

    /// When the first of them has waited too long: numbers rise as time does.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.0.first_key_value().map(|(_, (_, until))| *until)
    }

    /// Those who have waited too long are told to send again; what comes of their questions nobody waits for any more.
    pub(super) fn refuse_late(&mut self, board: &Switchboard, now: Instant) {
        let later = self.0.iter().find(|(_, (_, until))| *until > now).map_or(u64::MAX, |(id, _)| *id);
        let rest = self.0.split_off(&later);
        for (id, (question, _)) in std::mem::replace(&mut self.0, rest) {
            board.forget(id);
            question.refuse(&Failure::restarting());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// No answer will come.
    pub(super) fn give_up(&mut self, board: &Switchboard) {
        for (id, (question, _)) in std::mem::take(&mut self.0) {
            board.forget(id);
            question.refuse(&Failure::restarting());
        }
    }
}
