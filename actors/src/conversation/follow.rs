//! What crosses between the relay of one node and the conversation of another: wishes, and what becomes of them.

use engine_conversation::{Command, Outcome, Speaker};
use schema::peer::{PeerCommand, Stand};
use schema::{ContactId, Epoch, Seq};
use serde_json::{Value, json};

use crate::reply::Answer;

/// What a relay that joined is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) epoch: Epoch,
    /// The newest durable event: what follows it will come.
    pub(crate) head: Seq,
    pub(crate) contact: ContactId,
}

impl Answer for Followed {
    fn to_json(&self) -> Value {
        let Self { epoch, head, contact } = *self;
        json!(Stand::Followed { epoch, head, contact })
    }
}

/// A wish as it goes to the owner, of a visitor or not; none for what a conversation's own node alone says to it.
pub(super) fn wish(command: Command, visitor: bool) -> Option<PeerCommand> {
    Some(match command {
        Command::Say { speaker, r#ref, text } => {
            let agent = match speaker {
                Speaker::Contact => None,
                Speaker::Agent(agent) => Some(agent),
            };
            PeerCommand::Say { agent, r#ref, text, visitor }
        }
        Command::Cancel { turn } => PeerCommand::Cancel { turn },
        Command::Take { agent } => PeerCommand::Take { agent },
        Command::HandBack { agent } => PeerCommand::HandBack { agent },
        Command::Close => PeerCommand::Close {},
        Command::Open { .. }
        | Command::Wake
        | Command::Due
        | Command::Progress { .. }
        | Command::Elapsed(_)
        | Command::Interrupt
        | Command::Erase => return None,
    })
}

/// A wish as it came from another node.
pub(crate) fn command(wish: PeerCommand) -> Command {
    match wish {
        PeerCommand::Say { agent, r#ref, text, .. } => {
            Command::Say { speaker: agent.map_or(Speaker::Contact, Speaker::Agent), r#ref, text }
        }
        PeerCommand::Cancel { turn } => Command::Cancel { turn },
        PeerCommand::Take { agent } => Command::Take { agent },
        PeerCommand::HandBack { agent } => Command::HandBack { agent },
        PeerCommand::Close {} => Command::Close,
    }
}

/// What came of a wish, as its owner has told it.
pub(super) fn outcome(answer: &Value) -> Outcome {
    let turn = answer["turn"].as_u64().and_then(|turn| turn.try_into().ok());
    Outcome { seq: answer["seq"].as_u64(), turn }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_arrives_as_it_was_sent_and_so_does_what_came_of_it() {
        let agent = || "Ines".to_owned().into();
        for sent in [
            Command::Say { speaker: Speaker::Contact, r#ref: "r1".parse().unwrap(), text: "Hello".into() },
            Command::Say { speaker: Speaker::Agent(agent()), r#ref: "r1".parse().unwrap(), text: "Hello".into() },
            Command::Cancel { turn: Some(3) },
            Command::Take { agent: agent() },
            Command::HandBack { agent: agent() },
            Command::Close,
        ] {
            for visitor in [true, false] {
                assert_eq!(wish(sent.clone(), visitor).map(command), Some(sent.clone()));
            }
        }
        for own in [Command::Wake, Command::Due, Command::Interrupt, Command::Erase] {
            assert_eq!(wish(own, false), None, "its own node's");
        }
        for sent in [Outcome::default(), Outcome { seq: Some(7), turn: Some(2) }] {
            assert_eq!(outcome(&sent.to_json()), sent);
        }
    }
}
