//! The turns' part of a conversation: at most one attempt runs, and what it costs is booked when its reply ends.
//! Invariant: a newer attempt, the reply's end and the end of the conversation all end the attempt that runs.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use engine_conversation::{Progress, State};
use schema::{ConversationKey, Fact, Turn};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::active_turn::ActiveTurn;
use super::mail::Mail;
use super::pulse::Pulse;
use crate::admission::Admission;
use crate::metrics::{HANDOFFS_REQUESTED, TURN_TOKENS, TURNS, UNANSWERED};
use crate::runtime::{Actor, Execution};
use crate::spans::{self, HeldSpan};
use crate::tenant::Tenant;
use crate::turn::{self, Job, Workshop};

/// What turns are made with, and the attempt that runs.
///
/// The machine asks for an attempt ([`Turns::start`]); it runs as a stream that the actor polls, and its reports are
/// mail like any other. It ends by its own last report, by a newer attempt, by [`Turns::stop`] or with the actor. The
/// reply itself ends when the machine decides its event ([`Turns::decided`]), and is booked then, once. A report of an
/// attempt that has ended does not arrive: its stream was detached.
pub(super) struct Turns {
    key: ConversationKey,
    tenant: Arc<Tenant>,
    workshop: Rc<Workshop>,
    admission: Arc<Admission>,
    pulse: Arc<Pulse>,
    active: Option<ActiveTurn>,
    /// The command that the next turn answers, from when it is handled until that turn begins.
    asked: HeldSpan,
}

impl Turns {
    /// None runs yet.
    pub(super) const fn new(
        key: ConversationKey,
        tenant: Arc<Tenant>,
        workshop: Rc<Workshop>,
        admission: Arc<Admission>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self { key, tenant, workshop, admission, pulse, active: None, asked: HeldSpan::NONE }
    }

    /// Starts an attempt at a reply to what `state` says was asked; its reports come as mail.
    pub(super) fn start<A: Actor<Message = Mail>>(
        &mut self,
        turn: Turn,
        attempt: u32,
        state: &State,
        execution: &mut Execution<'_, A>,
    ) {
        self.stop(execution);
        // Whatever has it begin, a timer or the end of the reply before: it answers who has asked.
        let span = self.asked.take().in_scope(|| spans::turn(self.key, turn, attempt));
        let token = CancellationToken::new();
        let permit = self.tenant.begin_turn(state.contact);
        let job = Job {
            key: self.key,
            settings: self.tenant.settings(),
            channel: state.channel,
            locale: state.locale.clone(),
            transcript: state.transcript.clone(),
            refused: permit.as_ref().err().cloned(),
            token: token.clone(),
            span: span.clone(),
        };
        let pieces = turn::pieces(&self.workshop, job);
        let attached = execution.attach(futures_util::StreamExt::map(pieces, move |piece| Mail::Progress {
            turn,
            attempt,
            progress: piece.progress,
            at: piece.at,
        }));
        let work = self.admission.begin(self.tenant.share());
        let pulse = Arc::clone(&self.pulse);
        self.active = Some(ActiveTurn::begin(turn, attached, token, pulse, permit.ok(), work, HeldSpan::new(span)));
    }

    /// Drops the running attempt, and with it the connection to the model.
    pub(super) fn stop<A: Actor<Message = Mail>>(&mut self, execution: &mut Execution<'_, A>) {
        if let Some(turn) = self.active.take() {
            execution.detach(turn.attached());
        }
    }

    /// A command is handled that may ask for a turn, at once or after a while.
    pub(super) fn ask(&mut self, command: &Span) {
        self.asked = HeldSpan::new(command.clone());
    }

    /// Nobody waits for a turn.
    pub(super) fn nobody_asks(&mut self) {
        self.asked = HeldSpan::NONE;
    }

    /// The span of the command that waits for a turn.
    pub(super) fn asked(&self) -> Span {
        self.asked.get()
    }

    /// The span of the turn that runs.
    pub(super) fn span(&self) -> Span {
        self.active.as_ref().map_or_else(Span::none, ActiveTurn::span)
    }

    /// Whether an attempt runs.
    pub(super) const fn is_running(&self) -> bool {
        self.active.is_some()
    }

    /// The attempt that runs has reported something.
    pub(super) fn on_piece(&mut self, progress: &Progress, at: Instant) {
        if let Some(active) = &mut self.active {
            active.on_piece(progress, at);
        }
    }

    /// Something was decided: a turn's end is booked, and its attempt is over.
    pub(super) fn decided<A: Actor<Message = Mail>>(&mut self, fact: &Fact, execution: &mut Execution<'_, A>) {
        if let Fact::HandoffRequested { reason } = fact {
            metrics::counter!(HANDOFFS_REQUESTED, "reason" => reason.name()).increment(1);
        }
        let Fact::Message { reply: Some(reply), .. } = fact else { return };
        self.stop(execution);
        metrics::counter!(UNANSWERED).increment(u64::from(reply.made.unanswered));
        let usage = &reply.made.usage;
        metrics::counter!(TURNS, "end" => reply.end.name()).increment(1);
        metrics::counter!(TURN_TOKENS, "kind" => "input").increment(usage.input_tokens);
        metrics::counter!(TURN_TOKENS, "kind" => "output").increment(usage.output_tokens);
        metrics::counter!(TURN_TOKENS, "kind" => "cached").increment(usage.cached_tokens);
        tracing::debug!(
            conversation = %self.key.conversation,
            tenant = %self.key.tenant,
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
