//! What a conversation has to do without being asked: when the next of it is due, and doing it.
//! Invariant: what is due follows from the folded state and the policy alone, so that whoever reads the log knows
//! it; and it is done at most once, because doing it changes the state that it follows from.

use std::time::Duration;

use schema::wire::Status;
use schema::{Author, CloseReason, Fact, FloorPolicy, Seq, Timestamp, limits};

use super::machine::Call;
use super::{Conversation, Floor, Outcome, Owner, State};

/// The event with which every log begins.
const OPENING: Seq = 1;

impl Conversation {
    /// The earliest moment at which something is to be done without a command; none when nothing ever will be.
    ///
    /// It may be too early: then [`Command::Due`](super::Command::Due) finds nothing to do, and this says when to
    /// look again. A moment that has passed means at once.
    #[must_use]
    pub fn due(&self, policy: &FloorPolicy, now: Timestamp) -> Option<Timestamp> {
        let state = &self.state;
        // Each kind of thing that may be due has its line here.
        if self.erased {
            return None;
        }
        [reply_due(state, now), close_due(state, policy)].into_iter().flatten().min()
    }

    /// The moment has come, or so the index says. Somebody who speaks or is waited for is left alone.
    pub(super) fn on_due(&mut self, call: &mut Call<'_>) {
        let before = self.state.head;
        if self.floor == Floor::Idle {
            self.do_what_is_due(call);
        }
        let seq = (self.state.head > before).then_some(self.state.head);
        call.reply(Outcome { seq, turn: None });
    }

    /// Ends the turn that a crash cut off, answers what stands unanswered, closes what nobody has spoken in.
    pub(super) fn do_what_is_due(&mut self, call: &mut Call<'_>) {
        if self.state.unfinished.is_some() {
            self.end_unfinished(call);
        }
        if close_due(&self.state, &call.policy.floor).is_some_and(|at| call.now >= at) {
            self.record(Author::System, Fact::Closed { reason: CloseReason::Idle }, call);
        } else {
            self.go_on(call);
        }
    }
}

/// When to see whether the reply that was begun, or that is owed, still is on its way.
fn reply_due(state: &State, now: Timestamp) -> Option<Timestamp> {
    let since = match &state.unfinished {
        Some(unfinished) => unfinished.started_at,
        None if is_owed(state) => state.last_at,
        None => return None,
    };
    // A clock that has stepped back would put it off by as much; and while one is on its way it is looked for
    // again and again.
    let since = since.min(now);
    let waited = now.since(since).as_millis() / limits::REPLY_DUE_AFTER.as_millis();
    let looks = u32::try_from(waited).unwrap_or(u32::MAX).saturating_add(1);
    Some(since.plus(limits::REPLY_DUE_AFTER.saturating_mul(looks)))
}

/// Whether the assistant has a question to answer.
fn is_owed(state: &State) -> bool {
    state.asked > state.answered && state.owner == Owner::Assistant && state.status == Status::Open
}

/// When a conversation in which nobody speaks any more is closed. One in which nobody has spoken yet has nothing to
/// close: where its contact is anonymous, the sweeper erases it, which knows it by its opening alone.
fn close_due(state: &State, policy: &FloorPolicy) -> Option<Timestamp> {
    let after = Duration::from_secs(u64::from(policy.close_after_hours) * 3600);
    (state.status == Status::Open && state.head > OPENING && !after.is_zero()).then(|| state.last_at.plus(after))
}
