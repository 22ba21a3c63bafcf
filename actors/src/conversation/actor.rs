//! The actor itself: it dispatches messages and effects between its parts, and ends when it is told to.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use engine_conversation::{Command, Conversation, Effect, Floor, Outcome, Policy, Speaker};
use engine_store::StoreError;
use schema::wire::{Signal, SignalKind};
use schema::{Author, ConversationKey, Event, Position, Seq, SessionId};

use super::alarm::Alarm;
use super::catch_up::LogReader;
use super::durable_event::DurableEvent;
use super::follow::Followed;
use super::gated::Gated;
use super::host::{Host, Keeper};
use super::listener::{Audience, Joined, Listener};
use super::listeners::{Listeners, Next};
use super::mail::Mail;
use super::prepared::Prepared;
use super::pulse::{Beat, Pulse};
use super::snapshots::SnapshotWriter;
use super::subscriber::{Speech, on_room};
use super::turns::Turns;
use super::view::{Around, view};
use super::writer::{Writer, Written};
use crate::failure::Failure;
use crate::frames::Voice;
use crate::metrics::{APPEND_WAIT, TURN_PUSH};
use crate::reply::ReplyTo;
use crate::runtime::{Actor, Execution, Sender};
use crate::spans::{self, HeldSpan};
use crate::tenant::Tenant;

/// A conversation that is awake: the single writer of its log. It dispatches between its parts, each with
/// an invariant of its own: the machine decides, the writer makes durable, the listeners are told, the
/// turns report. No part knows another, or the actor.
///
/// A supervisor starts it with what the log says, on the thread of whoever needs it. It ends once: it *rests* when
/// nobody needs it, *moves* to another thread, *crashes* with a handler's panic, is *failed* by the store, or is
/// *ended* to be erased. Each of these but the last, whose asker knows, is told to the keeper before the mailbox
/// closes, so that the directory never finds a closed mailbox without knowing why. Two incarnations of one
/// conversation do no harm: the later one has the higher epoch, and the store refuses the other's appends.
pub(super) struct ConversationActor {
    pub(super) key: ConversationKey,
    pub(super) host: Rc<Host>,
    pub(super) keeper: Rc<dyn Keeper>,
    tenant: Arc<Tenant>,
    pub(super) sender: Sender<Mail>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) machine: Conversation,
    pub(super) writer: Writer<Gated>,
    pub(super) listeners: Listeners,
    log: LogReader,
    pub(super) snapshots: SnapshotWriter,
    pub(super) turns: Turns,
    alarm: Alarm,
    /// How far the contact has read.
    read: Option<Seq>,
    /// It is being read whose the conversation is.
    pub(super) is_looked_up: bool,
}

impl ConversationActor {
    pub(super) fn new(
        host: Rc<Host>,
        keeper: Rc<dyn Keeper>,
        tenant: Arc<Tenant>,
        key: ConversationKey,
        prepared: Prepared,
        sender: Sender<Mail>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let Prepared { epoch, machine, snapshot, ring, entry } = prepared;
        let head = machine.state().head;
        let (workshop, admission) = (Rc::clone(&host.workshop), Arc::clone(&host.admission));
        Self {
            key,
            keeper,
            writer: Writer::new(Arc::clone(&host.store), key, epoch, head, entry, host.jitter),
            listeners: Listeners::new(Voice { key, epoch }, on_room(&sender), head, ring),
            log: LogReader::new(Arc::clone(&host.store), key, host.jitter),
            snapshots: SnapshotWriter::new(Arc::clone(&host.store), key, host.snapshot_events, snapshot),
            turns: Turns::new(key, Arc::clone(&tenant), workshop, admission, Arc::clone(&pulse)),
            alarm: Alarm::default(),
            host,
            tenant,
            sender,
            pulse,
            machine,
            read: None,
            is_looked_up: false,
        }
    }

    /// Has the machine decide, and performs what it decided.
    fn apply(&mut self, command: Command, reply: ReplyTo<Outcome>, at: Instant, execution: &mut Execution<'_, Self>) {
        if let Some(before) = self.host.before {
            before(&command);
        }
        let settings = self.tenant.settings();
        let policy = Policy {
            floor: settings.profile.floor.clone(),
            profile_version: settings.version,
            closing: self.host.phase.is_closing(),
        };
        let mut effects: Vec<Effect> = Vec::new();
        match command {
            Command::Wake => self.writer.entry().look(),
            Command::Due => self.writer.entry().is_due(),
            _ => {}
        }
        self.machine.apply(command, &policy, self.host.clock.now(), &mut effects);
        self.perform(effects, reply, at, execution);
    }

    /// Performs effects in order: events to the store, answers and pushes after they are durable, turns and
    /// timers at once.
    fn perform(
        &mut self,
        effects: Vec<Effect>,
        reply: ReplyTo<Outcome>,
        at: Instant,
        execution: &mut Execution<'_, Self>,
    ) {
        let mut reply = Some(reply);
        for effect in effects {
            match effect {
                Effect::Append(event) => self.append(event, reply.as_mut(), execution),
                Effect::Reply(result) => {
                    if let Some(to) = reply.take() {
                        let work = self.host.admission.begin(self.tenant.share());
                        self.let_out_in_turn(Gated::Reply { to, result, work });
                    }
                }
                Effect::Delta { turn, offset, text } => {
                    self.let_out_in_turn(Gated::Delta { turn, offset, text, at });
                }
                Effect::Ask { turn, attempt } => self.turns.start(turn, attempt, self.machine.state(), execution),
                Effect::Stop => self.turns.stop(execution),
                Effect::Arm { timer, after } => self.alarm.arm(timer, after, execution),
            }
        }
        self.flush(execution);
    }

    fn append(&mut self, event: Event, reply: Option<&mut ReplyTo<Outcome>>, execution: &mut Execution<'_, Self>) {
        self.turns.decided(&event.fact, execution);
        let durable = DurableEvent::new(&event);
        if durable.unanswered {
            // Before the event itself: it must not be forgotten once that is durable.
            self.host.unanswered.decided(self.key, event.seq);
        }
        // What a visitor sends was counted when it came.
        if event.author != Author::Contact {
            self.tenant.stored(self.machine.state().contact, durable.event.json(Audience::Team).len());
        } else if let Some(reply) = reply {
            reply.decide();
        }
        self.writer.append(event, Gated::Event(durable));
    }

    /// Lets something out after every event decided so far.
    fn let_out_in_turn(&mut self, gated: Gated) {
        if let Some(gated) = self.writer.after_all(gated) {
            self.let_out(gated);
        }
    }

    fn let_out(&mut self, gated: Gated) {
        match gated {
            Gated::Event(event) => {
                if event.unanswered {
                    self.host.unanswered.durable(self.key, event.event.seq);
                }
                let _push = spans::push(self.key, event.event.seq).entered();
                self.listeners.push_event(event);
            }
            Gated::Reply { to, result, work } => {
                drop(work);
                to.send(result.map_err(Into::into));
            }
            Gated::View(reply, view) => drop(reply.send(Ok(*view))),
            Gated::Delta { turn, offset, text, at } => {
                self.listeners.reach(turn, offset + text.chars());
                if self.listeners.is_empty() {
                    return;
                }
                let Some(speech) = speech(&self.machine) else { return };
                // A delta held back until its reply had ended: the event says it all.
                if speech.turn == turn {
                    self.listeners.push_delta(speech, offset, text.as_str());
                    metrics::histogram!(TURN_PUSH).record(at.elapsed());
                }
            }
        }
    }

    /// Takes what was decided to the store, unless an append is under way.
    fn flush(&mut self, execution: &mut Execution<'_, Self>) {
        let due = || {
            let now = self.host.clock.now();
            (self.machine.due(&self.tenant.settings().profile.floor, now), now)
        };
        let Some(written) = self.writer.next(&due) else { return };
        let since = Instant::now();
        execution.later(async move { Mail::Stored { written: written.await, since } });
    }

    /// Handles a command within its span, which is the parent of what it decides and of the turn that it asks for.
    fn on_command(
        &mut self,
        command: Command,
        reply: ReplyTo<Outcome>,
        mut span: HeldSpan,
        execution: &mut Execution<'_, Self>,
    ) {
        let span = span.take();
        let _command = span.enter();
        if matches!(command, Command::Say { .. } | Command::Wake | Command::Due | Command::HandBack { .. }) {
            self.turns.ask(&span);
        }
        self.take(command, reply, execution);
        if self.machine.floor() == &Floor::Idle {
            self.turns.nobody_asks();
        }
    }

    fn take(&mut self, command: Command, reply: ReplyTo<Outcome>, execution: &mut Execution<'_, Self>) {
        let says = matches!(command, Command::Say { .. });
        if says && self.writer.is_full() {
            return reply.send(Err(Failure::busy()));
        }
        if says && self.host.phase.is_closing() {
            return reply.send(Err(Failure::draining()));
        }
        let is_customers = matches!(command, Command::Say { speaker: Speaker::Contact, .. });
        if is_customers && !self.host.admission.admits(self.tenant.share()) {
            return reply.send(Err(Failure::overloaded((self.host.jitter)())));
        }
        self.apply(command, reply, Instant::now(), execution);
    }

    fn on_stored(
        &mut self,
        result: Result<Arc<[Event]>, StoreError>,
        since: Instant,
        execution: &mut Execution<'_, Self>,
    ) {
        metrics::histogram!(APPEND_WAIT).record(since.elapsed());
        match result {
            Ok(events) => {
                self.host.listing.nudge(self.key, &events);
                let _append = self.writer.stored().entered();
                while let Some(gated) = self.writer.release() {
                    self.let_out(gated);
                }
                self.flush(execution);
            }
            Err(error) => {
                let ConversationKey { tenant, conversation } = self.key;
                tracing::warn!(%conversation, %tenant, %error, "append lost, reading the log again");
                self.give_up(&Failure::store(&error));
                self.abandon(&error, execution);
            }
        }
    }

    /// The entry in the due index was moved, or was not: then it is too early, and found due again.
    fn on_moved(&mut self, ticket: u64, result: Result<(), StoreError>, execution: &mut Execution<'_, Self>) {
        let is_newest = self.writer.moved(ticket, result.is_ok());
        if let Err(error) = result {
            tracing::debug!(conversation = %self.key.conversation, %error, "due entry not moved");
            // Nothing was appended since: the log has another owner.
            if is_newest && error == StoreError::Fenced {
                self.give_up(&Failure::store(&error));
                return self.abandon(&error, execution);
            }
        }
        self.flush(execution);
    }

    /// Answers all who wait for what will never be durable.
    pub(super) fn give_up(&mut self, failure: &Failure) {
        self.writer.lost().for_each(|gated| gated.give_up(failure));
    }

    fn on_join(
        &mut self,
        listener: Listener,
        from: Position,
        reply: ReplyTo<Joined>,
        execution: &mut Execution<'_, Self>,
    ) {
        if !listener.outbox.is_open() {
            // Its session has ended on the way here: nobody would say that it listens no longer.
            return;
        }
        let session = listener.session;
        let joined = match self.listeners.admit(session, from, self.writer.durable()) {
            Ok(joined) => joined,
            Err(failure) => return self.refuse_join(failure, reply, execution),
        };
        reply.send(Ok(joined));
        self.listeners.join(listener, from, joined.from);
        self.advance(session, execution);
    }

    /// A relay of another node is behind nothing: what was before the head its sessions read for themselves.
    fn on_follow(&mut self, listener: Listener, reply: ReplyTo<Followed>, execution: &mut Execution<'_, Self>) {
        let (session, head) = (listener.session, self.writer.durable());
        let from = Position::after(head);
        let contact = self.machine.state().contact;
        match (contact, self.listeners.admit(session, from, head)) {
            (Some(contact), Ok(Joined { from: begins, .. })) => {
                reply.send(Ok(Followed { epoch: self.writer.epoch(), head, contact }));
                self.listeners.join(listener, from, begins);
                self.advance(session, execution);
            }
            (_, Err(failure)) => reply.send(Err(failure)),
            (None, _) => reply.send(Err(Failure::restarting())),
        }
    }

    /// Brings a session forward as far as it has room, and has the log read for it where it must.
    fn advance(&mut self, session: SessionId, execution: &mut Execution<'_, Self>) {
        let next = self.listeners.advance(session, speech(&self.machine));
        self.read_on(session, next, execution);
    }

    fn read_on(&self, session: SessionId, next: Next, execution: &mut Execution<'_, Self>) {
        let Next::Read(after) = next else { return };
        let read = self.log.after(after);
        execution.later(async move { Mail::Missed { session, after, page: read.await } });
    }

    /// Has a snapshot written, if one is due.
    fn keep_snapshot(&mut self, execution: &mut Execution<'_, Self>) {
        let due = self.snapshots.next(&self.machine, self.writer.epoch(), self.writer.durable());
        let Some(kept) = due else { return };
        execution.later(async move { Mail::SnapshotKept(kept.await) });
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

    pub(super) fn is_idle(&self) -> bool {
        self.listeners.is_empty() && self.machine.floor() == &Floor::Idle && self.writer.is_settled()
    }

    pub(super) fn note(&self) {
        self.pulse.beat(&Beat {
            idle: self.is_idle(),
            stored: self.writer.is_settled(),
            running: self.turns.is_running(),
            at: self.host.phase.uptime_seconds(),
        });
    }
}

impl Actor for ConversationActor {
    type Message = Mail;
    const KIND: &'static str = "conversation";

    fn handle(&mut self, mail: Mail, execution: &mut Execution<'_, Self>) {
        if mail.is_asked() {
            self.pulse.ask();
        }
        match mail {
            Mail::Command { command, reply, span } => self.on_command(command, reply, span, execution),
            Mail::Progress { turn, attempt, progress, at } => {
                let _turn = self.turns.span().entered();
                self.turns.on_piece(&progress, at);
                self.apply(Command::Progress { turn, attempt, progress }, ReplyTo::nobody(), at, execution);
            }
            Mail::Stored { written: Written::Append(result), since } => self.on_stored(result, since, execution),
            Mail::Stored { written: Written::Entry(ticket, result), .. } => self.on_moved(ticket, result, execution),
            Mail::Join { listener, from, reply } => self.on_join(listener, from, reply, execution),
            Mail::Follow { listener, reply } => self.on_follow(listener, reply, execution),
            Mail::Leave { session } => self.listeners.leave(session),
            Mail::Signal { session, author, kind } => self.on_signal(session, author, kind),
            Mail::View(reply) => {
                let around = Around {
                    id: self.key.conversation,
                    epoch: self.writer.epoch(),
                    subscribers: self.listeners.count(),
                    read: self.read,
                };
                let view = Box::new(view(&self.machine, around));
                self.let_out_in_turn(Gated::View(reply, view));
            }
            Mail::Adopt(subscribers) => {
                // All of them before the first is served: should that crash, all are passed on.
                for session in self.listeners.adopt(subscribers) {
                    self.advance(session, execution);
                }
            }
            Mail::Drained { session } => {
                if self.listeners.waits(session) {
                    self.advance(session, execution);
                }
            }
            Mail::SnapshotKept(kept) => return self.snapshots.kept(kept),
            Mail::Missed { session, after, page } => {
                let next = self.listeners.advance_by(session, after, page, speech(&self.machine));
                self.read_on(session, next, execution);
            }
            Mail::Elapsed(timer) => {
                let _command = self.turns.asked().entered();
                self.apply(Command::Elapsed(timer), ReplyTo::nobody(), Instant::now(), execution);
            }
            Mail::End(reply) => return self.on_end(reply, execution),
            Mail::Rest => return self.on_rest(execution),
            Mail::Move(reply) => return self.on_move(reply, execution),
            Mail::Release(reply) => return self.on_release(reply, execution),
            Mail::Lost => return self.on_lost(execution),
            Mail::Looked { is_lost: true } => return self.on_lost(execution),
            Mail::Looked { is_lost: false } => self.is_looked_up = false,
            // For relays.
            Mail::Told(..) => {}
        }
        self.keep_snapshot(execution);
        self.note();
    }

    fn crashed(mut self) {
        let listening = self.listeners.hand_over();
        self.keeper.crashed(self.key, &self.pulse, listening);
    }
}

/// The reply that runs.
fn speech(machine: &Conversation) -> Option<Speech<'_>> {
    let (turn, text, _) = machine.floor().said()?;
    Some(Speech { turn, text })
}
