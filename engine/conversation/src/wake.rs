//! The conversation was just built from its log: finish what a crash or a long rest left open.

use std::time::Duration;

use schema::wire::Status;
use schema::{Author, CloseReason, End, ErrorCode, Fact, Made, Reply, Text, UnfinishedTurns};

use super::machine::Call;
use super::{Conversation, Owner, Policy};

/// Replies in a row that may be cut off before asking once more is given up: a question that
/// brings the node down must not do so for ever.
const RERUNS_MAX: u32 = 2;

impl Conversation {
    pub(super) fn on_wake(&mut self, call: &mut Call<'_>) {
        if self.state.unfinished.is_some() {
            self.end_unfinished(call);
        }
        let close_after = Duration::from_secs(u64::from(call.policy.floor.close_after_hours) * 3600);
        let quiet = call.now.since(self.state.last_at);
        if self.state.status == Status::Open && !close_after.is_zero() && quiet >= close_after {
            self.record(Author::System, Fact::Closed { reason: CloseReason::Idle }, call);
        } else if self.state.owner == Owner::Assistant && self.state.status == Status::Open {
            self.go_on(call);
        }
    }

    /// Whether a reply that was cut off is asked for once more.
    pub(super) fn may_rerun(&self, policy: &Policy) -> bool {
        policy.floor.unfinished_turns == UnfinishedTurns::Rerun && self.state.interrupted < RERUNS_MAX
    }

    /// Gives the turn that a crash cut off its terminal record, with what its checkpoints hold.
    fn end_unfinished(&mut self, call: &mut Call<'_>) {
        let Some(unfinished) = self.state.unfinished.take() else { return };
        let rerun = self.may_rerun(call.policy);
        let reply = Reply {
            turn: unfinished.turn,
            end: End::Incomplete,
            answers: if rerun { self.state.answered } else { unfinished.answers },
            made: Made {
                profile_version: call.policy.profile_version,
                error: Some(ErrorCode::Interrupted.name().to_owned()),
                total_ms: super::turn::millis(call.now.since(unfinished.started_at)),
                ..Made::default()
            },
        };
        let text = Text::from(unfinished.said.finished());
        let fact = Fact::Message { text, r#ref: None, agent: None, reply: Some(Box::new(reply)) };
        self.record(Author::Assistant, fact, call);
    }
}
