//! A turn's life in the log: started once, ended once.

use std::time::Duration;

use schema::wire::Status;
use schema::{Author, End, ErrorCode, Fact, Made, Reply, Seq, Text, Usage};

use super::floor::{Floor, Running, Tally};
use super::machine::Call;
use super::{Conversation, Effect, Owner};

impl Conversation {
    /// The assistant takes the floor to answer everything asked so far.
    pub(super) fn start_turn(&mut self, call: &mut Call<'_>) {
        if call.policy.closing {
            self.floor = Floor::Idle;
            return;
        }
        let turn = self.state.turns + 1;
        self.record(Author::Assistant, Fact::TurnStarted { turn }, call);
        self.floor = Floor::Thinking(Box::new(Running {
            turn,
            attempt: 1,
            started_at: call.now,
            answers: self.state.asked,
            model: String::new(),
            profile_version: call.policy.profile_version,
            price: None,
            passages: Vec::new(),
            unanswered: false,
            failovers: Vec::new(),
            tally: Tally::default(),
        }));
        call.out.push(Effect::Ask { turn, attempt: 1 });
    }

    /// Asks again, before the first word, because the question has grown.
    pub(super) fn restart_turn(&mut self, call: &mut Call<'_>) {
        let Some(running) = self.floor.running_mut() else { return };
        running.tally.settle(running.price, None);
        running.attempt += 1;
        running.answers = self.state.asked;
        running.passages.clear();
        running.unanswered = false;
        running.model.clear();
        let (turn, attempt) = (running.turn, running.attempt);
        call.out.push(Effect::Stop);
        call.out.push(Effect::Ask { turn, attempt });
    }

    /// Somebody stopped the turn; it keeps what was said.
    pub(super) fn cancel_turn(&mut self, call: &mut Call<'_>) {
        call.out.push(Effect::Stop);
        self.end_turn(Ending { end: End::Cancelled, ..Ending::default() }, call);
    }

    /// Writes the turn's one terminal record.
    pub(super) fn end_turn(&mut self, ending: Ending, call: &mut Call<'_>) {
        let (mut running, text, first_token_ms) = match std::mem::take(&mut self.floor) {
            Floor::Thinking(running) => (running, String::new(), None),
            Floor::Speaking { running, said, first_token_ms, .. } => (running, said.finished(), Some(first_token_ms)),
            other @ (Floor::Idle | Floor::Listening { .. }) => {
                self.floor = other;
                return;
            }
        };
        running.tally.settle(running.price, ending.spent);
        let (usage, cost_microusd) = running.tally.spent();
        let made = Made {
            model: running.model,
            profile_version: running.profile_version,
            passages: running.passages,
            unanswered: running.unanswered,
            first_token_ms,
            total_ms: millis(call.now.since(running.started_at)),
            usage,
            cost_microusd,
            failovers: running.failovers,
            error: ending.error.map(|code| code.name().to_owned()),
            retry_after: ending.retry_after.map(|after| after.as_secs().max(1)),
        };
        let answers = ending.answers.unwrap_or(running.answers);
        let reply = Reply { turn: running.turn, end: ending.end, answers, made };
        let fact = Fact::Message { text: Text::from(text), r#ref: None, agent: None, reply: Some(Box::new(reply)) };
        self.record(Author::Assistant, fact, call);
    }

    /// Answers what was asked while the last turn ran. Nobody waits for an answer in a closed conversation.
    pub(super) fn go_on(&mut self, call: &mut Call<'_>) {
        let is_open = self.state.status == Status::Open && self.state.asked > self.state.answered;
        if is_open && self.state.owner == Owner::Assistant && self.floor == Floor::Idle {
            self.start_turn(call);
        }
    }
}

/// How a turn ends.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    pub(super) end: End,
    /// The last message it answers, when that is not what was asked of it.
    pub(super) answers: Option<Seq>,
    pub(super) error: Option<ErrorCode>,
    pub(super) retry_after: Option<Duration>,
    pub(super) spent: Option<(Usage, Option<u64>)>,
}

impl Default for Ending {
    fn default() -> Self {
        Self { end: End::Completed, answers: None, error: None, retry_after: None, spent: None }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
