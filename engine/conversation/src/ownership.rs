//! A human agent is asked for, takes the conversation over, and hands it back.
//! Invariant: each change raises the ownership number, and no reply outlives a taking.

use schema::wire::Status;
use schema::{AgentName, Author, Fact, HandoffReason};

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
        if self.has(&agent) && self.state.status == Status::Open {
            // Asked for twice: the first answer was lost on its way.
            return call.reply(Outcome::default());
        }
        // From another agent, too: the log says who has it from now on.
        if self.floor.running().is_some() {
            self.cancel_turn(call);
        }
        self.floor = Floor::Idle;
        // Who takes a closed one goes on with it: it is not one that an agent was done with.
        if self.state.status == Status::Closed {
            self.record(Author::System, Fact::Reopened {}, call);
        }
        let ownership = self.state.ownership + 1;
        self.record(Author::Human, Fact::TakenOver { agent, ownership }, call);
        call.reply(Outcome { seq: Some(self.state.head), turn: None });
    }

    /// Whether it is this agent's. Only who has it writes in it, so that the contact hears one voice.
    pub(super) fn has(&self, agent: &AgentName) -> bool {
        matches!(&self.state.owner, Owner::Human { agent: owner } if owner == agent)
    }

    /// Nobody sees to a conversation that was closed: when the contact comes back, the assistant answers.
    pub(super) fn give_back(&mut self, call: &mut Call<'_>) {
        if let Owner::Human { agent } = &self.state.owner {
            let (agent, ownership) = (agent.clone(), self.state.ownership + 1);
            self.record(Author::System, Fact::HandedBack { agent, ownership }, call);
        }
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
