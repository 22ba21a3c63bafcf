//! The actor itself: state, dispatch, view, rest and crash.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use engine_conversation::{Command, Conversation as Machine, Effect, Outcome, Owner, Policy, Speaker};
use schema::wire::{ConversationView, RunningTurn, Signal, SignalKind};
use schema::{Author, ConversationKey, Seq, SessionId};
use tokio::sync::oneshot;

use super::active_turn::ActiveTurn;
use super::listeners::Listeners;
use super::load::Prepared;
use super::mail::Mail;
use super::perform::Held;
use super::subscribers::Subscribers;
use super::writer::Writer;
use crate::failure::Failure;
use crate::handle::{ReplyTo, Shared};
use crate::runtime::{Actor, Attached, Scope, Sender};
use crate::supervision;
use crate::system::Worker;
use crate::tenant::Tenant;

/// A conversation that is awake: the single writer of its log. It dispatches between its parts, each with
/// an invariant of its own: the machine decides, the writer makes durable, the listeners are told, the
/// active turn reports.
pub(crate) struct Conversation {
    pub(super) key: ConversationKey,
    pub(super) worker: Rc<Worker>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) sender: Sender<Mail>,
    pub(super) shared: Arc<Shared>,
    pub(super) machine: Machine,
    pub(super) writer: Writer<Held>,
    pub(super) listeners: Listeners,
    pub(super) turn: Option<ActiveTurn>,
    /// The timer that runs: only the newest means something.
    pub(super) timer: Option<Attached>,
    pub(super) read: Option<Seq>,
}

impl Conversation {
    pub(super) fn new(
        worker: Rc<Worker>,
        tenant: Arc<Tenant>,
        key: ConversationKey,
        prepared: Prepared,
        sender: Sender<Mail>,
    ) -> (Self, Arc<Shared>) {
        let Prepared { epoch, machine, ring } = prepared;
        let shared = Arc::new(Shared::default());
        let store = Arc::clone(worker.system().store());
        let conversation = Self {
            key,
            worker,
            tenant,
            shared: Arc::clone(&shared),
            writer: Writer::new(store, key, epoch, machine.state().head),
            listeners: Listeners::new(key.conversation, sender.clone(), machine.state().head, ring),
            sender,
            machine,
            turn: None,
            timer: None,
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
        let policy = Policy {
            floor: settings.profile.floor.clone(),
            profile_version: settings.version,
            closing: system.is_closing(),
        };
        let mut effects: Vec<Effect> = Vec::new();
        self.machine.apply(command, &policy, system.clock().now(), &mut effects);
        self.perform(effects, reply, at, scope);
    }

    fn on_command(&mut self, command: Command, reply: ReplyTo<Outcome>, scope: &mut Scope<'_, Self>) {
        let says = matches!(command, Command::Say { .. });
        if says && self.writer.is_full() {
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
            if *seq > self.writer.durable() {
                return;
            }
            if author == Author::Contact {
                self.read = Some(self.read.unwrap_or_default().max(*seq));
            }
        }
        let signal = Signal { conversation: self.key.conversation, author, kind };
        self.listeners.push_signal(session, &signal);
    }

    fn on_drained(&mut self, session: SessionId, scope: &mut Scope<'_, Self>) {
        if self.listeners.waits(session) {
            self.advance(session, scope);
        }
    }

    /// How it stands when all that is decided is durable.
    fn view(&mut self) -> ConversationView {
        let subscribers = self.listeners.count();
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
            locale: state.locale.clone(),
            status: state.status,
            owner: owner.into(),
            agent,
            handoff: state.handoff,
            ownership: state.ownership,
            head: state.head,
            epoch: self.writer.epoch(),
            floor: if owner == "human" { owner } else { floor.name() }.into(),
            running,
            subscribers,
            last_at: state.last_at,
            read: self.read,
            quarantine: None,
        }
    }

    fn on_rest(&mut self, scope: &mut Scope<'_, Self>) {
        // Between the sweeper's look and now somebody may have come.
        if self.is_needless() {
            self.worker.system().directory().rested(self.key, &self.shared);
            scope.stop();
        } else {
            self.note();
        }
    }

    /// Ends, so that the conversation can be erased. The directory knows already; what is on its way to the
    /// store is erased behind it. Those who listen go to whoever asked, who tells them what became of it.
    fn on_end(&mut self, reply: oneshot::Sender<Subscribers>, scope: &mut Scope<'_, Self>) {
        self.stop_turn(scope);
        self.give_up(&Failure::restarting());
        scope.stop();
        if let Err(listening) = reply.send(self.listeners.hand_over()) {
            listening.tell(self.key.conversation, &Failure::restarting());
        }
    }

    /// Leaves this thread without a trip to the store: epoch and state go along.
    fn on_move(&mut self, reply: oneshot::Sender<bool>, scope: &mut Scope<'_, Self>) {
        let free = self.is_needless();
        if free {
            let (machine, ring) = (std::mem::take(&mut self.machine), self.listeners.take_ring());
            let prepared = Prepared { epoch: self.writer.epoch(), machine, ring };
            self.worker.system().directory().moved(self.key, &self.shared, prepared);
            scope.stop();
        }
        // The one who asked may have gone; the next to need it starts it.
        let _ = reply.send(free);
    }

    /// Whether nobody would miss this incarnation. What is being handled counts as waiting.
    fn is_needless(&mut self) -> bool {
        self.listeners.count() == 0 && self.is_idle() && self.sender.vitals().waiting() <= 1
    }

    fn is_idle(&self) -> bool {
        self.listeners.is_empty()
            && self.machine.floor() == &engine_conversation::Floor::Idle
            && self.writer.is_settled()
    }

    /// Updates what the sweeper and the drain look at.
    fn note(&self) {
        self.shared.idle.store(self.is_idle(), Ordering::Relaxed);
        self.shared.stored.store(self.writer.is_settled(), Ordering::Relaxed);
        self.shared.running.store(self.turn.is_some(), Ordering::Relaxed);
        self.shared.touched.store(self.worker.system().uptime_seconds(), Ordering::Relaxed);
    }

    /// An append is lost: what is in memory is not what the log says. End, and let the log decide; whoever
    /// waits is told to send again.
    pub(super) fn abandon(&mut self, scope: &mut Scope<'_, Self>) {
        self.stop_turn(scope);
        scope.stop();
        supervision::store_failed(&self.worker, self.key, &self.shared, self.listeners.hand_over());
    }
}

impl Actor for Conversation {
    type Message = Mail;
    const KIND: &'static str = "conversation";

    fn handle(&mut self, mail: Mail, scope: &mut Scope<'_, Self>) {
        match mail {
            Mail::Command { command, reply } => self.on_command(command, reply, scope),
            Mail::Progress { turn, attempt, progress, at } => {
                if let Some(running) = &mut self.turn {
                    running.on_piece(&progress, at);
                }
                self.apply(Command::Progress { turn, attempt, progress }, ReplyTo::nobody(), at, scope);
            }
            Mail::Stored { result, since } => self.on_stored(result, since, scope),
            Mail::Join { listener, from, reply } => self.on_join(listener, from, reply, scope),
            Mail::Leave { session } => self.listeners.leave(session),
            Mail::Signal { session, author, kind } => self.on_signal(session, author, kind),
            Mail::View(reply) => {
                let view = Box::new(self.view());
                self.hold(Held::View(reply, view));
            }
            Mail::Adopt(subscribers) => {
                // All of them before the first is served: should that crash, all are passed on.
                for session in self.listeners.adopt(subscribers) {
                    self.advance(session, scope);
                }
            }
            Mail::Drained { session } => self.on_drained(session, scope),
            Mail::Missed { session, after, page } => self.on_missed(session, after, page, scope),
            Mail::Elapsed(timer) => self.apply(Command::Elapsed(timer), ReplyTo::nobody(), Instant::now(), scope),
            Mail::End(reply) => return self.on_end(reply, scope),
            Mail::Rest => return self.on_rest(scope),
            Mail::Move(reply) => return self.on_move(reply, scope),
        }
        self.note();
    }

    fn crashed(mut self) {
        supervision::crashed(&self.worker, self.key, &self.shared, self.listeners.hand_over());
    }
}
