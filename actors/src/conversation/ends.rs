//! The ways in which a conversation's incarnation ends, but for a crash.
//! Invariant: the keeper is told before the mailbox closes, unless whoever asks for the end knows already.

use std::rc::Rc;
use std::time::Duration;

use engine_conversation::{Command, Effect, Floor, Policy};
use engine_store::StoreError;
use schema::ErrorCode;
use tokio::sync::oneshot;

use super::actor::ConversationActor;
use super::listener::Joined;
use super::mail::Mail;
use super::prepared::Prepared;
use super::subscribers::Subscribers;
use crate::failure::Failure;
use crate::reply::ReplyTo;
use crate::runtime::Execution;

/// Longest pause before a conversation that another node has claimed is looked for there.
const FOUND_AGAIN_MAX: Duration = Duration::from_millis(100);

impl ConversationActor {
    pub(super) fn on_rest(&mut self, execution: &mut Execution<'_, Self>) {
        // Between the sweeper's look and now somebody may have come.
        if self.is_needless() {
            self.keeper.rested(self.key, &self.pulse);
            execution.stop();
        } else {
            self.note();
        }
    }

    /// Ends, so that the conversation can be erased: what was said goes from the machine and from the ring. The
    /// directory knows already; what is on its way to the store is erased behind it. Whoever asked gets the
    /// subscribers, and tells them what became of the conversation.
    pub(super) fn on_end(&mut self, reply: oneshot::Sender<Subscribers>, execution: &mut Execution<'_, Self>) {
        let mut effects = Vec::new();
        self.machine.apply(Command::Erase, &Policy::default(), self.host.clock.now(), &mut effects);
        if effects.contains(&Effect::Stop) {
            self.turns.stop(execution);
        }
        drop(self.listeners.take_ring());
        self.give_up(&Failure::restarting());
        execution.stop();
        if let Err(listening) = reply.send(self.listeners.hand_over()) {
            listening.tell(self.key, &Failure::restarting());
        }
    }

    /// The node drains: another one may have it, unless a reply runs.
    pub(super) fn on_release(&mut self, reply: oneshot::Sender<bool>, execution: &mut Execution<'_, Self>) {
        let free = self.machine.floor() == &Floor::Idle && self.writer.is_settled();
        if free {
            self.keeper.rested(self.key, &self.pulse);
            self.listeners.hand_over().tell(self.key, &Failure::draining());
            execution.stop();
        }
        let _ = reply.send(free);
    }

    /// Leaves this thread without a trip to the store: epoch and state go along.
    pub(super) fn on_move(&mut self, reply: oneshot::Sender<bool>, execution: &mut Execution<'_, Self>) {
        let free = self.is_needless();
        if free {
            let (machine, ring) = (std::mem::take(&mut self.machine), self.listeners.take_ring());
            let (epoch, snapshot, entry) = (self.writer.epoch(), self.snapshots.newest(), *self.writer.entry());
            let prepared = Prepared { epoch, machine, snapshot, ring, entry };
            self.keeper.moved(self.key, &self.pulse, prepared);
            execution.stop();
        }
        // The one who asked may have gone; the next to need it starts it.
        let _ = reply.send(free);
    }

    /// An append is lost: what is in memory is not what the log says. End, and let the log decide; whoever
    /// waits is told to send again.
    pub(super) fn abandon(&mut self, error: &StoreError, execution: &mut Execution<'_, Self>) {
        self.turns.stop(execution);
        execution.stop();
        let (keeper, listening) = (Rc::clone(&self.keeper), self.listeners.hand_over());
        if *error == StoreError::Fenced && self.host.peers.is_some() {
            let pause = FOUND_AGAIN_MAX.mul_f64((self.host.jitter)());
            keeper.owner_changed(self.key, &self.pulse, listening, pause);
        } else {
            keeper.store_failed(self.key, &self.pulse, listening);
        }
    }

    /// A session has a position that is none here. It may have it of another node, which claimed the conversation while
    /// this one was held for dead.
    pub(super) fn refuse_join(
        &mut self,
        failure: Failure,
        reply: ReplyTo<Joined>,
        execution: &mut Execution<'_, Self>,
    ) {
        let me = self.host.peers.as_ref().map(|board| board.me());
        let Some(me) = me.filter(|_| failure.code == ErrorCode::BadPosition) else { return reply.send(Err(failure)) };
        if std::mem::replace(&mut self.is_looked_up, true) {
            // One look is enough for all, however many come: it costs the store more than they pay.
            return reply.send(Err(Failure::restarting()));
        }
        let owner = self.host.store.owner(self.key);
        execution.later(async move {
            let is_lost = owner.await.is_ok_and(|owner| owner.node != Some(me));
            reply.send(Err(if is_lost { Failure::restarting() } else { failure }));
            Mail::Looked { is_lost }
        });
    }

    /// Somebody has looked: another node has it.
    pub(super) fn on_lost(&mut self, execution: &mut Execution<'_, Self>) {
        self.give_up(&Failure::restarting());
        self.abandon(&StoreError::Fenced, execution);
    }

    /// Whether nobody would miss this incarnation. What is being handled counts as waiting.
    fn is_needless(&mut self) -> bool {
        self.listeners.count() == 0 && self.is_idle() && self.sender.vitals().waiting() <= 1
    }
}
