//! The log must tell the whole truth: whoever folds it knows what the living conversation knows.

use engine_conversation::{Conversation, Floor, Owner};
use schema::Event;
use schema::wire::ConversationView;

use super::held;

/// What a folded log and the living conversation disagree about.
pub(super) fn disagreements(log: &[Event], alive: &ConversationView) -> Vec<String> {
    let folded = Conversation::from_events(log);
    let state = folded.state();
    held::state(state);
    let (owner, agent) = match &state.owner {
        Owner::Assistant => ("assistant", None),
        Owner::Human { agent } => ("human", Some(agent.clone())),
    };
    let rows = [
        ("head", state.head.to_string(), alive.head.to_string()),
        ("status", format!("{:?}", state.status), format!("{:?}", alive.status)),
        ("owner", owner.to_owned(), alive.owner.clone()),
        ("agent", format!("{agent:?}"), format!("{:?}", alive.agent)),
        ("handoff", format!("{:?}", state.handoff), format!("{:?}", alive.handoff)),
        ("ownership", state.ownership.to_string(), alive.ownership.to_string()),
        ("last_at", format!("{:?}", state.last_at), format!("{:?}", alive.last_at)),
        ("unfinished", "None".to_owned(), format!("{:?}", state.unfinished)),
        ("floor", format!("{:?}", Floor::Idle), format!("{:?}", folded.floor())),
    ];
    let differ = rows.into_iter().filter(|(_, folded, alive)| folded != alive);
    differ.map(|(what, folded, alive)| format!("replay: {what} is {folded}, alive it is {alive}")).collect()
}
