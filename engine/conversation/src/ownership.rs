//! A human agent is asked for, takes the conversation over, and hands it back.
//! Invariant: each change raises the ownership number, and no reply outlives a taking.

use schema::{AgentName, Author, ErrorCode, Fact, HandoffReason};

use super::machine::Call;
use super::{Conversation, Floor, Outcome, Owner};

impl Conversation {
    /// Said once, until somebody has seen to it. It does not wait for the reply to end: the team is to know at
    /// once, and however the reply ends.
    pub(super) fn request_handoff(&mut self, reason: HandoffReason, call: &mut Call<'_>) {
        if self.state.handoff.is_none() {
            self.record(Author::Assistant, Fact::HandoffRequested { reason }, call);
        }
    }

    pub(super) fn on_take(&mut self, agent: AgentName, call: &mut Call<'_>) {
        match &self.state.owner {
            Owner::Human { agent: owner } if *owner == agent => return call.reply(Outcome::default()),
            Owner::Human { .. } => {
                return call.refuse(ErrorCode::WrongState, "another human agent has taken this conversation");
            }
            Owner::Assistant => {}
        }
        if self.floor.running().is_some() {
            self.cancel_turn(call);
        }
        self.floor = Floor::Idle;
        let ownership = self.state.ownership + 1;
        self.record(Author::Human, Fact::TakenOver { agent, ownership }, call);
        call.reply(Outcome { seq: Some(self.state.head), turn: None });
    }

    pub(super) fn on_hand_back(&mut self, agent: AgentName, call: &mut Call<'_>) {
        if self.state.owner == Owner::Assistant {
            // Asked for twice: the first answer was lost on its way.
            return call.reply(Outcome::default());
        }
        let ownership = self.state.ownership + 1;
        self.record(Author::Human, Fact::HandedBack { agent, ownership }, call);
        call.reply(Outcome { seq: Some(self.state.head), turn: None });
        self.go_on(call);
    }
}
