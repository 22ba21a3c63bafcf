//! A conversation of another node, as this node's sessions have it.
//! Invariant: what they are told is what the owner told, in its order; of a stale owner nothing is passed on.

use std::rc::Rc;
use std::sync::Arc;

use engine_conversation::{Command, Outcome};
use schema::peer::{PeerAsk, PeerFrame, Stand};
use schema::wire::{ConversationView, Signal, SignalKind};
use schema::{
    Author, ContactId, ConversationKey, Epoch, ErrorCode, Event, NodeId, Position, SessionId, Text, Turn, limits,
};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::catch_up::LogReader;
use super::durable_event::DurableEvent;
use super::follow::{outcome, wish};
use super::heard::Heard;
use super::held_joins::{HeldJoin, HeldJoins};
use super::host::{Host, Keeper};
use super::listener::{Joined, Listener};
use super::listeners::{Listeners, Next};
use super::mail::Mail;
use super::pulse::{Beat, Pulse};
use super::questions::{Question, Questions};
use super::relay_mail::{Told, Unfollowed, deliver, pause};
use super::ring::Ring;
use super::subscriber::on_room;
use super::subscribers::Subscribers;
use crate::failure::Failure;
use crate::frames::Voice;
use crate::peers::{Answered, Arrival, Deliver, Push, Route, Switchboard, Unsent};
use crate::reply::ReplyTo;
use crate::runtime::{Actor, Execution, Sender};

/// Follows a conversation that another node owns, on behalf of all sessions of this one.
///
/// It is an incarnation like any other: started where the conversation is placed elsewhere, found, asked to rest, and
/// succeeded by the next. It joins at the owner once, as a subscriber there, from the owner's head on; what was before
/// that its sessions are sent from the store. Wishes go to the owner and come back in its order, behind what it said
/// before. It ends when nobody listens, and when its owner is gone: then those who listen wait in the directory, and
/// the conversation is placed again, here or elsewhere.
pub(super) struct RelayActor {
    key: ConversationKey,
    node: NodeId,
    host: Rc<Host>,
    board: Arc<Switchboard>,
    keeper: Rc<dyn Keeper>,
    sender: Sender<Mail>,
    pulse: Arc<Pulse>,
    /// Puts what arrives into the mailbox.
    deliver: Deliver,
    stage: Stage,
    route: Option<Route>,
    /// The highest that spoke for the conversation.
    epoch: Epoch,
    listeners: Listeners,
    log: LogReader,
    heard: Heard,
    questions: Questions,
    held: HeldJoins,
    ticking: bool,
    began: Instant,
    /// The directory knows it: those who listened before are with it.
    is_begun: bool,
    /// It is over, and ends as soon as it is begun.
    over: Option<Over>,
}

enum Stage {
    Fresh,
    Joining { ask: u64, until: Instant, answer: oneshot::Sender<Result<ContactId, Unfollowed>> },
    Following,
}

/// How it ends.
enum Over {
    /// The conversation is to be found again.
    Again,
    /// Nobody will find it: those who listen are told.
    For(Failure),
}

impl RelayActor {
    pub(super) fn new(
        host: Rc<Host>,
        board: Arc<Switchboard>,
        keeper: Rc<dyn Keeper>,
        (key, node): (ConversationKey, NodeId),
        sender: Sender<Mail>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let log = LogReader::new(Arc::clone(&host.store), key, host.jitter);
        let listeners = Listeners::new(Voice { key, epoch: 0 }, on_room(&sender), 0, Ring::default());
        Self {
            key,
            node,
            host,
            board,
            keeper,
            deliver: deliver(&sender),
            sender,
            pulse,
            stage: Stage::Fresh,
            route: None,
            epoch: 0,
            listeners,
            log,
            heard: Heard::default(),
            questions: Questions::default(),
            held: HeldJoins::default(),
            ticking: false,
            began: Instant::now(),
            is_begun: false,
            over: None,
        }
    }

    fn join_owner(
        &mut self,
        join: PeerAsk,
        answer: oneshot::Sender<Result<ContactId, Unfollowed>>,
        execution: &mut Execution<'_, Self>,
    ) {
        let (key, node) = (self.key, self.node);
        self.route = self.board.route(key, node, Arc::clone(&self.deliver));
        let asked = match &self.route {
            Some(_) => self.board.ask_for(node, key, join, Arc::clone(&self.deliver)),
            None => Err(Unsent::Full),
        };
        match asked {
            Ok(ask) => self.stage = Stage::Joining { ask, until: Instant::now() + limits::ASK_MAX, answer },
            Err(unsent) => {
                let why = match unsent {
                    Unsent::Unreachable => Unfollowed::Unreachable,
                    Unsent::Full => Unfollowed::Failed(Failure::busy()),
                };
                // Whoever asked may have gone.
                drop(answer.send(Err(why)));
                execution.stop();
            }
        }
    }

    fn on_arrival(&mut self, arrival: Arrival, execution: &mut Execution<'_, Self>) {
        match arrival {
            Arrival::Answered(id, answered) => self.on_answer(id, answered, execution),
            Arrival::Pushed(epoch, push) => {
                // What the owner said before this relay had joined was for another one.
                if matches!(self.stage, Stage::Following) && epoch >= self.epoch {
                    self.epoch = epoch;
                    self.listeners.speak_under(epoch);
                    self.on_push(push, execution);
                }
            }
            Arrival::Ended(why) => {
                if matches!(self.stage, Stage::Following) {
                    let is_final = matches!(why.code, ErrorCode::UnknownConversation | ErrorCode::Quarantined);
                    self.end(if is_final { Over::For(why) } else { Over::Again }, execution);
                }
            }
            Arrival::Gone => self.end(Over::Again, execution),
        }
    }

    fn on_answer(&mut self, id: u64, answered: Answered, execution: &mut Execution<'_, Self>) {
        match std::mem::replace(&mut self.stage, Stage::Fresh) {
            Stage::Joining { ask, answer, .. } if ask == id => {
                return self.on_joined(answered.result, answer, execution);
            }
            stage => self.stage = stage,
        }
        let Some(question) = self.questions.take(id) else { return };
        match question {
            Question::Wish(mut reply) => {
                if answered.decided {
                    reply.decide();
                }
                reply.send(answered.result.map(|ok| outcome(&ok)));
            }
            Question::View(reply) => {
                let view = answered.result.and_then(|ok| {
                    let view = serde_json::from_value::<ConversationView>(ok).map_err(|_| Failure::restarting())?;
                    // There this relay is one of them.
                    let subscribers = (view.subscribers + self.listeners.count()).saturating_sub(1);
                    Ok(ConversationView { subscribers, ..view })
                });
                drop(reply.send(view));
            }
        }
    }

    fn on_joined(
        &mut self,
        result: Result<Value, Failure>,
        answer: oneshot::Sender<Result<ContactId, Unfollowed>>,
        execution: &mut Execution<'_, Self>,
    ) {
        let stand = result.and_then(|ok| serde_json::from_value::<Stand>(ok).map_err(|_| Failure::restarting()));
        let refused = match stand {
            Ok(Stand::Followed { epoch, head, contact }) => {
                self.stage = Stage::Following;
                self.epoch = epoch;
                self.listeners =
                    Listeners::new(Voice { key: self.key, epoch }, on_room(&self.sender), head, Ring::default());
                if answer.send(Ok(contact)).is_err() {
                    self.over = Some(Over::Again);
                    execution.stop();
                }
                return;
            }
            Ok(Stand::Resting {}) => Unfollowed::Resting,
            Ok(Stand::Gone {}) => Unfollowed::Failed(Failure::erased()),
            Ok(Stand::Awake {} | Stand::Released {}) => Unfollowed::Failed(Failure::restarting()),
            Err(failure) => Unfollowed::Failed(failure),
        };
        // Before whoever asked looks for it again.
        drop(self.route.take());
        drop(answer.send(Err(refused)));
        execution.stop();
    }

    fn on_push(&mut self, push: Push, execution: &mut Execution<'_, Self>) {
        match push {
            Push::Event(event) => self.on_event(&event, execution),
            Push::Delta { turn, offset, text } => self.on_delta(turn, offset, &text, execution),
            Push::Signal { author, kind } => {
                let signal = Signal { conversation: self.key.conversation, author, kind };
                self.listeners.push_signal(Switchboard::session_of(self.board.me()), &signal);
            }
        }
    }

    fn on_event(&mut self, event: &Event, execution: &mut Execution<'_, Self>) {
        let next = self.listeners.head() + 1;
        if event.seq < next {
            return;
        }
        if event.seq > next {
            // Nothing may be missing: join anew.
            return self.end(Over::Again, execution);
        }
        self.heard.on_event(event);
        self.listeners.push_event(DurableEvent::new(event));
        for HeldJoin { listener, from, reply, .. } in self.held.reached(self.listeners.head()) {
            self.on_join(listener, from, reply, execution);
        }
    }

    fn on_delta(&mut self, turn: Turn, offset: usize, text: &Text, execution: &mut Execution<'_, Self>) {
        let Some((begins, piece)) = self.heard.take(turn, offset, text.as_str()) else {
            return self.end(Over::Again, execution);
        };
        self.listeners.reach(turn, begins + piece.chars().count());
        if let Some(speech) = self.heard.speech() {
            self.listeners.push_delta(speech, begins, &piece);
        }
    }

    fn on_command(&mut self, command: Command, reply: ReplyTo<Outcome>, execution: &mut Execution<'_, Self>) {
        if command == Command::Wake {
            self.is_begun = true;
            if let Some(over) = self.over.take() {
                self.end(over, execution);
            }
            return;
        }
        // What is due is its owner's, and so is what a drain of its node asks for.
        let Some(command) = wish(command, reply.is_paid()) else { return reply.send(Err(Failure::restarting())) };
        self.ask(PeerAsk::Command { command }, Question::Wish(reply), execution);
    }

    fn ask(&mut self, what: PeerAsk, question: Question, execution: &mut Execution<'_, Self>) {
        match self.board.ask_for(self.node, self.key, what, Arc::clone(&self.deliver)) {
            Ok(id) => self.questions.put(id, question, Instant::now() + limits::ASK_MAX),
            Err(Unsent::Full) => question.refuse(&Failure::busy()),
            Err(Unsent::Unreachable) => {
                question.refuse(&Failure::restarting());
                self.end(Over::Again, execution);
            }
        }
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
        let head = self.listeners.head();
        if from.seq > head {
            if let Some(HeldJoin { reply, .. }) = self.held.hold(listener, from, reply) {
                reply.send(Err(Failure::busy()));
            }
            return;
        }
        let session = listener.session;
        let joined = match self.listeners.admit(session, from, head) {
            Ok(joined) => joined,
            Err(failure) => return reply.send(Err(failure)),
        };
        reply.send(Ok(joined));
        self.listeners.join(listener, from, joined.from);
        self.advance(session, execution);
    }

    fn advance(&mut self, session: SessionId, execution: &mut Execution<'_, Self>) {
        let next = self.listeners.advance(session, self.heard.speech());
        self.read_on(session, next, execution);
    }

    fn read_on(&self, session: SessionId, next: Next, execution: &mut Execution<'_, Self>) {
        let Next::Read(after) = next else { return };
        let read = self.log.after(after);
        execution.later(async move { Mail::Missed { session, after, page: read.await } });
    }

    fn on_signal(&mut self, session: SessionId, author: Author, kind: SignalKind) {
        if matches!(&kind, SignalKind::Read { seq } if *seq > self.listeners.head()) {
            return;
        }
        let signal = Signal { conversation: self.key.conversation, author, kind: kind.clone() };
        self.listeners.push_signal(session, &signal);
        self.board.signal(self.node, &PeerFrame::Signal { key: self.key, epoch: self.epoch, author, kind });
    }

    fn adopt(&mut self, mut subscribers: Subscribers, execution: &mut Execution<'_, Self>) {
        // Other nodes' relays are to follow the owner themselves.
        subscribers.dismiss_relays(self.key, &Failure::restarting());
        for session in self.listeners.adopt(subscribers) {
            self.advance(session, execution);
        }
    }

    /// Somebody may have waited too long for an answer.
    fn on_tick(&mut self, execution: &mut Execution<'_, Self>) {
        self.ticking = false;
        let now = Instant::now();
        if matches!(&self.stage, Stage::Joining { until, .. } if *until <= now) {
            return self.end(Over::Again, execution);
        }
        // Whether the owner's node lives the link tells.
        self.questions.refuse_late(&self.board, now);
        for HeldJoin { listener, from, reply, .. } in self.held.late(now) {
            // Surely refused: its position is beyond all that has come.
            reply.send(self.listeners.admit(listener.session, from, self.listeners.head()));
        }
    }

    /// Looks again when the first of those who wait has waited too long.
    fn arm(&mut self, execution: &mut Execution<'_, Self>) {
        if self.ticking {
            return;
        }
        let joining = if let Stage::Joining { until, .. } = &self.stage { Some(*until) } else { None };
        let Some(until) = [joining, self.held.earliest(), self.questions.earliest()].into_iter().flatten().min() else {
            return;
        };
        self.ticking = true;
        execution.later(async move {
            sleep_until(until).await;
            Mail::Told(Told::Tick, 0)
        });
    }

    fn on_rest(&mut self, execution: &mut Execution<'_, Self>) {
        if self.is_needless() {
            drop(self.route.take());
            self.keeper.rested(self.key, &self.pulse);
            execution.stop();
        }
    }

    /// The conversation is erased here, whoever has it.
    fn on_end(&mut self, reply: oneshot::Sender<Subscribers>, execution: &mut Execution<'_, Self>) {
        self.let_go();
        drop(self.listeners.take_ring());
        self.heard = Heard::default();
        execution.stop();
        if let Err(listening) = reply.send(self.listeners.hand_over()) {
            listening.tell(self.key, &Failure::restarting());
        }
    }

    /// Its owner is gone, or it does not keep up. Until the directory knows it, those who listened before are on their
    /// way to it.
    fn end(&mut self, over: Over, execution: &mut Execution<'_, Self>) {
        self.let_go();
        if let Stage::Joining { .. } = std::mem::replace(&mut self.stage, Stage::Fresh) {
            // Dropping its answer says so; nobody has a handle to it yet.
            return execution.stop();
        }
        if !self.is_begun {
            self.over = Some(over);
            return;
        }
        execution.stop();
        let listening = self.listeners.hand_over();
        match over {
            Over::For(failure) => {
                listening.tell(self.key, &failure);
                self.keeper.rested(self.key, &self.pulse);
            }
            Over::Again => {
                let pause = pause(self.began.elapsed()).mul_f64((self.host.jitter)());
                Rc::clone(&self.keeper).owner_changed(self.key, &self.pulse, listening, pause);
            }
        }
    }

    /// Follows no longer; whoever waits for an answer is told to send again.
    fn let_go(&mut self) {
        drop(self.route.take());
        if let Stage::Joining { ask, .. } = &self.stage {
            self.board.forget(*ask);
        }
        self.questions.give_up(&self.board);
        // Dropped, their replies say so.
        self.held.clear();
    }

    fn is_needless(&mut self) -> bool {
        self.listeners.count() == 0 && self.is_idle() && self.sender.vitals().waiting() <= 1
    }

    fn is_idle(&self) -> bool {
        self.listeners.is_empty() && self.questions.is_empty() && self.held.is_empty()
    }

    fn note(&self) {
        self.pulse.beat(&Beat {
            idle: self.is_idle(),
            stored: self.questions.is_empty(),
            running: false,
            at: self.host.phase.uptime_seconds(),
        });
    }
}

impl Actor for RelayActor {
    type Message = Mail;
    const KIND: &'static str = "relay";

    fn handle(&mut self, mail: Mail, execution: &mut Execution<'_, Self>) {
        if mail.is_asked() {
            self.pulse.ask();
        }
        match mail {
            Mail::Told(Told::Begin(join, answer), _) => self.join_owner(join, answer, execution),
            Mail::Told(Told::Arrived(arrival), _) => self.on_arrival(arrival, execution),
            Mail::Told(Told::Tick, _) => self.on_tick(execution),
            Mail::Command { command, reply, .. } => self.on_command(command, reply, execution),
            Mail::Join { listener, from, reply } => self.on_join(listener, from, reply, execution),
            Mail::Leave { session } => {
                self.held.leave(session);
                self.listeners.leave(session);
            }
            Mail::Signal { session, author, kind } => self.on_signal(session, author, kind),
            Mail::View(reply) => self.ask(PeerAsk::View {}, Question::View(reply), execution),
            Mail::Adopt(subscribers) => self.adopt(subscribers, execution),
            Mail::Drained { session } => {
                if self.listeners.waits(session) {
                    self.advance(session, execution);
                }
            }
            Mail::Missed { session, after, page } => {
                let next = self.listeners.advance_by(session, after, page, self.heard.speech());
                self.read_on(session, next, execution);
            }
            Mail::End(reply) => return self.on_end(reply, execution),
            Mail::Rest => return self.on_rest(execution),
            Mail::Move(reply) => {
                let free = self.is_needless();
                self.on_rest(execution);
                // The one who asked may have gone; the next to need it starts it.
                let _ = reply.send(free);
                return;
            }
            // Only an owner can be followed, let go of a conversation, or lose it.
            Mail::Follow { .. } | Mail::Release(_) => mail.refuse(&Failure::restarting()),
            Mail::Lost | Mail::Looked { .. } | Mail::Stored { .. } | Mail::SnapshotKept(_) => {}
            Mail::Progress { .. } | Mail::Elapsed(_) => {}
        }
        self.arm(execution);
        self.note();
    }

    fn crashed(mut self) {
        self.let_go();
        let listening = self.listeners.hand_over();
        self.keeper.crashed(self.key, &self.pulse, listening);
    }
}
