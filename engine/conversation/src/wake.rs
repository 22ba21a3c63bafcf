//! The conversation was just built from its log: finish what a crash or a long rest left open.

use schema::{Author, End, ErrorCode, Fact, Made, Reply, Text, UnfinishedTurns};

use super::machine::Call;
use super::{Conversation, Policy};

/// Replies in a row that may be cut off before asking once more is given up: a question that
/// brings the node down must not do so for ever.
const RERUNS_MAX: u32 = 2;

impl Conversation {
    pub(super) fn on_wake(&mut self, call: &mut Call<'_>) {
        self.do_what_is_due(call);
    }

    /// Whether a reply that was cut off is asked for once more.
    pub(super) fn may_rerun(&self, policy: &Policy) -> bool {
        policy.floor.unfinished_turns == UnfinishedTurns::Rerun && self.state.interrupted < RERUNS_MAX
    }

    /// Gives the turn that a crash cut off its terminal record, with what its checkpoints hold.
    pub(super) fn end_unfinished(&mut self, call: &mut Call<'_>) {
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
