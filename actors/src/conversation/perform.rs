//! Performs effects in order: events to the store, answers and pushes after they are durable,
//! turns and timers at once.

use std::sync::Arc;
use std::time::Instant;

use engine::conversation::{Effect, Outcome, Refusal};
use engine::store::StoreError;
use schema::wire::ConversationView;
use schema::{Author, Event, Fact, Text, Turn};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::active_turn::ActiveTurn;
use super::actor::Conversation;
use super::join::{Audience, speech};
use super::listeners::Outgoing;
use super::mail::Mail;
use super::ring::Encoded;
use crate::admission::Work;
use crate::failure::Failure;
use crate::frames::event_json;
use crate::handle::ReplyTo;
use crate::metrics::{APPEND_WAIT, HANDOFFS_REQUESTED, TURN_PUSH, TURN_TOKENS, TURNS, UNANSWERED};
use crate::runtime::Scope;
use crate::turn::{self, Job};

/// Something that waits for its events to be durable.
pub(crate) enum Held {
    /// The event itself, encoded.
    Event(Outgoing),
    /// An answer, and the work that it was.
    Reply { to: ReplyTo<Outcome>, result: Result<Outcome, Refusal>, work: Work },
    /// How it stands: what a view tells is in the log, the end of the reply that it says is over too.
    View(oneshot::Sender<Result<ConversationView, Failure>>, Box<ConversationView>),
    /// A piece of a reply.
    Delta { turn: Turn, offset: usize, text: Text, at: Instant },
}

impl Conversation {
    pub(super) fn perform(
        &mut self,
        effects: Vec<Effect>,
        reply: ReplyTo<Outcome>,
        at: Instant,
        scope: &mut Scope<'_, Self>,
    ) {
        let mut reply = Some(reply);
        for effect in effects {
            match effect {
                Effect::Append(event) => {
                    self.account(&event.fact, scope);
                    let outgoing = outgoing(&event);
                    if outgoing.unanswered {
                        // Before the event itself: it must not be forgotten once that is durable.
                        self.worker.system().unanswered().decided(self.key, event.seq);
                    }
                    // What a visitor sends was counted when it came.
                    if event.author != Author::Contact {
                        self.tenant
                            .stored(self.machine.state().contact.as_ref(), outgoing.event.json(Audience::Team).len());
                    } else if let Some(reply) = &mut reply {
                        reply.decide();
                    }
                    self.writer.append(event, Held::Event(outgoing));
                }
                Effect::Reply(result) => {
                    if let Some(reply) = reply.take() {
                        let work = self.worker.system().admission().begin(self.tenant.share());
                        self.hold(Held::Reply { to: reply, result, work });
                    }
                }
                Effect::Delta { turn, offset, text } => self.hold(Held::Delta { turn, offset, text, at }),
                Effect::Ask { turn, attempt } => self.start_turn(turn, attempt, scope),
                Effect::Stop => self.stop_turn(scope),
                Effect::Arm { timer, after } => {
                    let elapsed = async move {
                        tokio::time::sleep(after).await;
                        Mail::Elapsed(timer)
                    };
                    if let Some(older) = self.timer.replace(scope.later(elapsed)) {
                        scope.detach(older);
                    }
                }
            }
        }
        self.flush(scope);
    }

    pub(super) fn hold(&mut self, held: Held) {
        if let Some(held) = self.writer.after_all(held) {
            self.let_out(held);
        }
    }

    fn let_out(&mut self, held: Held) {
        match held {
            Held::Event(event) => {
                if event.unanswered {
                    self.worker.system().unanswered().durable(self.key, event.event.seq);
                }
                self.listeners.push_event(event);
            }
            Held::Reply { to, result, work } => {
                drop(work);
                to.send(result.map_err(Into::into));
            }
            Held::View(reply, view) => drop(reply.send(Ok(*view))),
            Held::Delta { turn, offset, text, at } => {
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
    fn flush(&mut self, scope: &mut Scope<'_, Self>) {
        let Some(stored) = self.writer.next(self.worker.system().options().jitter) else { return };
        let since = Instant::now();
        scope.later(async move { Mail::Stored { result: stored.await, since } });
    }

    pub(super) fn on_stored(&mut self, result: Result<(), StoreError>, since: Instant, scope: &mut Scope<'_, Self>) {
        metrics::histogram!(APPEND_WAIT).record(since.elapsed());
        match result {
            Ok(()) => {
                self.worker.system().listing().nudge(self.key);
                self.writer.stored();
                while let Some(held) = self.writer.release() {
                    self.let_out(held);
                }
                self.flush(scope);
            }
            Err(error) => {
                tracing::warn!(conversation = %self.key.conversation, %error, "append lost, reading the log again");
                self.give_up(&Failure::store(&error));
                self.abandon(scope);
            }
        }
    }

    /// Answers all who wait for what will never be durable.
    pub(super) fn give_up(&mut self, failure: &Failure) {
        for held in self.writer.lost() {
            match held {
                Held::Reply { to, .. } => to.send(Err(failure.clone())),
                Held::View(reply, _) => drop(reply.send(Err(failure.clone()))),
                Held::Event(_) | Held::Delta { .. } => {}
            }
        }
    }

    fn start_turn(&mut self, turn: Turn, attempt: u32, scope: &mut Scope<'_, Self>) {
        self.stop_turn(scope);
        let token = CancellationToken::new();
        let permit = self.tenant.begin_turn(self.machine.state().contact.as_ref());
        let job = Job {
            tenant: self.tenant.id(),
            settings: self.tenant.settings(),
            channel: self.machine.state().channel,
            locale: self.machine.state().locale.clone(),
            transcript: self.machine.state().transcript.clone(),
            refused: permit.as_ref().err().cloned(),
            token: token.clone(),
        };
        let pieces = turn::pieces(&self.worker, job);
        let attached = scope.attach(futures_util::StreamExt::map(pieces, move |piece| Mail::Progress {
            turn,
            attempt,
            progress: piece.progress,
            at: piece.at,
        }));
        let work = self.worker.system().admission().begin(self.tenant.share());
        let shared = Arc::clone(&self.shared);
        self.turn = Some(ActiveTurn::begin(turn, attached, token, shared, permit.ok(), work));
    }

    /// Drops the running attempt, and with it the connection to the model.
    pub(super) fn stop_turn(&mut self, scope: &mut Scope<'_, Self>) {
        if let Some(turn) = self.turn.take() {
            scope.detach(turn.attached());
        }
    }

    /// Books a turn's end.
    fn account(&mut self, fact: &Fact, scope: &mut Scope<'_, Self>) {
        if let Fact::HandoffRequested { reason } = fact {
            metrics::counter!(HANDOFFS_REQUESTED, "reason" => reason.name()).increment(1);
        }
        let Fact::Message { reply: Some(reply), .. } = fact else { return };
        self.stop_turn(scope);
        metrics::counter!(UNANSWERED).increment(u64::from(reply.made.unanswered));
        let usage = &reply.made.usage;
        metrics::counter!(TURNS, "end" => reply.end.name()).increment(1);
        metrics::counter!(TURN_TOKENS, "kind" => "input").increment(usage.input_tokens);
        metrics::counter!(TURN_TOKENS, "kind" => "output").increment(usage.output_tokens);
        metrics::counter!(TURN_TOKENS, "kind" => "cached").increment(usage.cached_tokens);
        tracing::debug!(
            conversation = %self.key.conversation,
            turn = reply.turn,
            end = reply.end.name(),
            model = reply.made.model,
            first_token_ms = reply.made.first_token_ms,
            input_tokens = usage.input_tokens,
            output_tokens = usage.output_tokens,
            "turn ended"
        );
        self.tenant.spent(usage, reply.made.cost_microusd);
    }
}

/// An event as it leaves the gate. A checkpoint is written down a second time without its text.
fn outgoing(event: &Event) -> Outgoing {
    let covered = event.without_text().map(|(covered, reached)| (reached, event_json(&covered)));
    let unanswered = matches!(&event.fact, Fact::Message { reply: Some(reply), .. } if reply.made.unanswered);
    Outgoing { event: Encoded::new(event), covered, unanswered }
}
