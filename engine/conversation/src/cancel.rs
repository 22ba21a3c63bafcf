//! Somebody stops the running reply, or ends the conversation, or the node goes away.

use schema::wire::Status;
use schema::{Author, CloseReason, End, ErrorCode, Fact, Turn};

use super::machine::Call;
use super::turn::Ending;
use super::{Conversation, Effect, Floor, Outcome};

impl Conversation {
    /// Stopping what does not run is no error: the button was pressed a moment late.
    pub(super) fn on_cancel(&mut self, turn: Option<Turn>, call: &mut Call<'_>) {
        let running = self.floor.running().map(|running| running.turn);
        let stops = running.filter(|running| turn.is_none_or(|turn| turn == *running));
        match stops {
            Some(turn) => {
                self.cancel_turn(call);
                call.reply(Outcome { seq: Some(self.state.head), turn: Some(turn) });
                self.go_on(call);
            }
            None => call.reply(Outcome::default()),
        }
    }

    pub(super) fn on_close(&mut self, call: &mut Call<'_>) {
        if self.state.status == Status::Closed {
            return call.reply(Outcome::default());
        }
        if self.floor.running().is_some() {
            self.cancel_turn(call);
        }
        self.floor = Floor::Idle;
        self.record(Author::System, Fact::Closed { reason: CloseReason::Asked }, call);
        call.reply(Outcome { seq: Some(self.state.head), turn: None });
    }

    /// The node goes away. Whoever was still listening to a question leaves it open, as a crash would.
    pub(super) fn on_interrupt(&mut self, call: &mut Call<'_>) {
        if matches!(self.floor, Floor::Listening { .. }) {
            self.floor = Floor::Idle;
        }
        if self.floor.running().is_some() {
            call.out.push(Effect::Stop);
            // As after a crash: what is to be asked again stays unanswered in the log, and the next wake asks.
            let answers = self.may_rerun(call.policy).then_some(self.state.answered);
            let error = Some(ErrorCode::Interrupted);
            self.end_turn(Ending { end: End::Incomplete, answers, error, ..Ending::default() }, call);
        }
    }
}
