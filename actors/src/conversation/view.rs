//! How a conversation stands, in the words of the wire.

use engine_conversation::{Conversation, Owner};
use schema::wire::{ConversationView, RunningTurn};
use schema::{ConversationId, Epoch, Seq};

/// What the folded state does not say.
#[derive(Clone, Copy)]
pub(super) struct Around {
    pub(super) id: ConversationId,
    pub(super) epoch: Epoch,
    pub(super) subscribers: usize,
    /// How far the contact has read.
    pub(super) read: Option<Seq>,
}

/// How it stands when all that is decided is durable.
pub(super) fn view(machine: &Conversation, around: Around) -> ConversationView {
    let Around { id, epoch, subscribers, read } = around;
    let state = machine.state();
    let floor = machine.floor();
    let (owner, agent) = match &state.owner {
        Owner::Assistant => ("assistant", None),
        Owner::Human { agent } => ("human", Some(agent.clone())),
    };
    let running = floor.running().map(|running| RunningTurn {
        turn: running.turn,
        model: (!running.model.is_empty()).then(|| running.model.clone()),
        offset: floor.said().map_or(0, |(_, _, chars)| chars),
    });
    ConversationView {
        id,
        contact: state.contact.map(schema::Contact::from),
        contact_id: state.contact,
        contact_name: None,
        channel: state.channel,
        locale: state.locale.clone(),
        status: state.status,
        owner: owner.into(),
        agent,
        handoff: state.handoff,
        ownership: state.ownership,
        head: state.head,
        epoch,
        floor: if owner == "human" { owner } else { floor.name() }.into(),
        running,
        subscribers,
        last_at: state.last_at,
        read,
        quarantine: None,
    }
}
