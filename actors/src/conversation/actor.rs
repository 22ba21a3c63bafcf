//! The actor itself: state, dispatch, view, rest and crash.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use engine::conversation::{Command, Conversation as Machine, Effect, Outcome, Owner, Policy, Speaker};
use schema::wire::{ConversationView, RunningTurn, Signal, SignalKind};
use schema::{Author, ConversationKey, Epoch, Seq, SessionId, Turn, limits};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::load::Prepared;
use super::mail::Mail;
use super::perform::Held;
use super::ring::Ring;
use super::subscribers::{Pace, Speech, Subscribers};
use crate::admission::Work;
use crate::failure::Failure;
use crate::handle::{ReplyTo, Shared};
use crate::outbox::DrainHook;
use crate::runtime::{Actor, Attached, Scope, SendFailure, Sender};
use crate::supervision;
use crate::system::Worker;
use crate::tenant::{Tenant, TurnPermit};

/// A conversation that is awake: the single writer of its log.
pub(crate) struct Conversation {
    pub(super) key: ConversationKey,
    pub(super) worker: Rc<Worker>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) sender: Sender<Mail>,
    pub(super) shared: Arc<Shared>,
    pub(super) epoch: Epoch,
    pub(super) machine: Machine,
    pub(super) gate: Gate<Held>,
    pub(super) ring: Ring,
    pub(super) subscribers: Subscribers,
    pub(super) turn: Option<ActiveTurn>,
    /// What has left the gate of the reply that runs.
    pub(super) pushed: Pushed,
    pub(super) read: Option<Seq>,
}

/// How far the newest reply has been pushed.
#[derive(Clone, Copy, Default)]
pub(super) struct Pushed {
    pub(super) turn: Turn,
    pub(super) chars: usize,
}

/// The attempt that runs.
pub(super) struct ActiveTurn {
    pub(super) attached: Attached,
    pub(super) token: CancellationToken,
    pub(super) began: Instant,
    pub(super) last_piece: Option<Instant>,
    /// Counts against the tenant's quota for as long as it is held.
    pub(super) _permit: Option<TurnPermit>,
    /// Counts as the node's work for as long as it is held.
    pub(super) _work: Work,
}

impl Conversation {
    pub(super) fn new(
        worker: Rc<Worker>,
        tenant: Arc<Tenant>,
        key: ConversationKey,
        epoch: Epoch,
        machine: Machine,
        sender: Sender<Mail>,
    ) -> (Self, Arc<Shared>) {
        let shared = Arc::new(Shared::default());
        let gate = Gate::new(machine.state().head);
        let conversation = Self {
            key,
            worker,
            tenant,
            sender,
            shared: Arc::clone(&shared),
            epoch,
            machine,
            gate,
            ring: Ring::default(),
            subscribers: Subscribers::default(),
            turn: None,
            pushed: Pushed::default(),
            read: None,
        };
        (conversation, shared)
    }

    /// Has the machine decide, and performs what it decided.
    pub(super) fn apply(
        &mut self,
        command: Command,
        reply: ReplyTo<Outcome>,
        at: Instant,
        scope: &mut Scope<'_, Self>,
    ) {
        let system = self.worker.system();
        system.before(&command);
        let settings = self.tenant.settings();
        let policy = Policy { floor: settings.profile.floor.clone(), profile_version: settings.version };
        let mut effects: Vec<Effect> = Vec::new();
        self.machine.apply(command, &policy, system.clock().now(), &mut effects);
        self.perform(effects, reply, at, scope);
    }

    fn on_command(&mut self, command: Command, reply: ReplyTo<Outcome>, scope: &mut Scope<'_, Self>) {
        let says = matches!(command, Command::Say { .. });
        if says && self.gate.unstored() >= limits::UNSTORED_EVENTS_MAX {
            return reply.send(Err(Failure::busy()));
        }
        let system = self.worker.system();
        if says && system.is_closing() {
            return reply.send(Err(Failure::draining()));
        }
        let is_customers = matches!(command, Command::Say { speaker: Speaker::Contact, .. });
        if is_customers && !system.admission().admits(self.tenant.share()) {
            return reply.send(Err(Failure::overloaded(system.jitter())));
        }
        self.apply(command, reply, Instant::now(), scope);
    }

    fn on_signal(&mut self, session: SessionId, author: Author, kind: SignalKind) {
        if let SignalKind::Read { seq } = &kind {
            if *seq > self.gate.durable() {
                return;
            }
            if author == Author::Contact {
                self.read = Some(self.read.unwrap_or_default().max(*seq));
            }
        }
        let signal = Signal { conversation: self.key.conversation, author, kind };
        self.subscribers.push_signal(session, &signal);
    }

    fn on_drained(&mut self, session: SessionId, scope: &mut Scope<'_, Self>) {
        if self.subscribers.get_mut(session).is_some_and(|subscriber| subscriber.pace != Pace::Live) {
            self.catch_up(session, scope);
        }
    }

    /// How it stands when all that is decided is durable.
    fn view(&self) -> ConversationView {
        let state = self.machine.state();
        let floor = self.machine.floor();
        let (owner, agent) = match &state.owner {
            Owner::Assistant => ("assistant", None),
            Owner::Human { agent } => ("human", Some(agent.clone())),
        };
        let running = floor.running().map(|running| RunningTurn {
            turn: running.turn,
            model: (!running.model.is_empty()).then(|| running.model.clone()),
            offset: floor.said().map_or(0, |(_, _, chars)| chars),
        });
        ConversationView {
            id: self.key.conversation,
            contact: state.contact.clone(),
            channel: state.channel,
            status: state.status,
            owner: owner.into(),
            agent,
            ownership: state.ownership,
            head: state.head,
            epoch: self.epoch,
            floor: if owner == "human" { owner } else { floor.name() }.into(),
            running,
            subscribers: self.subscribers.len(),
            last_at: state.last_at,
            read: self.read,
            quarantine: None,
        }
    }

    fn on_rest(&mut self, scope: &mut Scope<'_, Self>) {
        // Between the sweeper's look and now somebody may have come.
        if self.is_idle() && self.sender.vitals().waiting() <= 1 {
            self.worker.system().directory().rested(self.key, &self.shared);
            scope.stop();
        }
    }

    /// Leaves this thread without a trip to the store: epoch and state go along.
    fn on_move(&mut self, reply: oneshot::Sender<bool>, scope: &mut Scope<'_, Self>) {
        let free = self.is_idle() && self.sender.vitals().waiting() <= 1;
        if free {
            let (machine, ring) = (std::mem::take(&mut self.machine), std::mem::take(&mut self.ring));
            let prepared = Prepared { epoch: self.epoch, machine, ring };
            self.worker.system().directory().moved(self.key, &self.shared, prepared);
            scope.stop();
        }
        // The one who asked may have gone; the next to need it starts it.
        let _ = reply.send(free);
    }

    fn is_idle(&self) -> bool {
        self.subscribers.is_empty()
            && self.machine.floor() == &engine::conversation::Floor::Idle
            && self.gate.unstored() == 0
    }

    /// Updates what the sweeper and the drain look at.
    fn note(&self) {
        self.shared.idle.store(self.is_idle(), Ordering::Relaxed);
        self.shared.stored.store(self.gate.unstored() == 0, Ordering::Relaxed);
        self.shared.running.store(self.turn.is_some(), Ordering::Relaxed);
        self.shared.touched.store(self.worker.system().uptime_seconds(), Ordering::Relaxed);
    }

    /// The reply that runs, as those who listen may know it.
    pub(super) fn speech(machine: &Machine, key: ConversationKey, seq: Seq) -> Option<Speech<'_>> {
        let (turn, text, _) = machine.floor().said()?;
        Some(Speech { conversation: key.conversation, seq, turn, text })
    }

    /// Makes the call that a slow session's outbox makes when it has room.
    pub(super) fn drain_hook(&self) -> Box<dyn Fn(SessionId) -> DrainHook> {
        let sender = self.sender.clone();
        Box::new(move |session| {
            let sender = sender.clone();
            Box::new(move || {
                // A full mailbox means more deltas are coming; a session that stays behind is
                // found by the sweep of stalled outboxes.
                if let Err(SendFailure::Full(_)) = sender.try_send(Mail::Drained { session }) {
                    tracing::debug!("mailbox full when a session had drained");
                }
            })
        })
    }

    /// The store refused or lost an append: what is in memory may be wrong. End, and let the log
    /// decide; whoever waits is told to send again.
    pub(super) fn abandon(&mut self, scope: &mut Scope<'_, Self>) {
        self.stop_turn(scope);
        scope.stop();
        supervision::store_failed(&self.worker, self.key, &self.shared, std::mem::take(&mut self.subscribers));
    }
}

impl Actor for Conversation {
    type Message = Mail;
    const KIND: &'static str = "conversation";

    fn handle(&mut self, mail: Mail, scope: &mut Scope<'_, Self>) {
        match mail {
            Mail::Command { command, reply } => self.on_command(command, reply, scope),
            Mail::Progress { turn, attempt, progress, at } => {
                self.on_piece(&progress, at);
                self.apply(Command::Progress { turn, attempt, progress }, ReplyTo::nobody(), at, scope);
            }
            Mail::Stored { result, since } => self.on_stored(result, since, scope),
            Mail::Join { listener, from, reply } => self.on_join(listener, from, reply, scope),
            Mail::Leave { session } => self.subscribers.remove(session),
            Mail::Signal { session, author, kind } => self.on_signal(session, author, kind),
            Mail::View(reply) => self.hold(Held::View(reply, Box::new(self.view()))),
            Mail::Adopt(subscribers) => {
                // All of them before the first is served: should that crash, all are passed on.
                self.subscribers.absorb(subscribers);
                for session in self.subscribers.catching() {
                    self.catch_up(session, scope);
                }
            }
            Mail::Drained { session } => self.on_drained(session, scope),
            Mail::Missed { session, page } => self.on_missed(session, page, scope),
            Mail::Elapsed(timer) => self.apply(Command::Elapsed(timer), ReplyTo::nobody(), Instant::now(), scope),
            Mail::Rest => return self.on_rest(scope),
            Mail::Move(reply) => return self.on_move(reply, scope),
        }
        self.note();
    }

    fn crashed(mut self) {
        if let Some(turn) = &self.turn {
            turn.token.cancel();
        }
        let subscribers = std::mem::take(&mut self.subscribers);
        supervision::crashed(&self.worker, self.key, &self.shared, subscribers);
    }
}
