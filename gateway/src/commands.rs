//! What somebody wishes of a conversation, as a command: filled in, permitted and named alike on every way in.

use actors::Failure;
use engine_conversation::{Command, Speaker};
use schema::{AgentName, ErrorCode, Ref, Text, Turn};

use crate::auth::{Action, Holder};
use crate::fields::{check_agent, check_text};

/// Say something: as the agent that is named; without a name as the contact, or as the agent whose token it is.
///
/// # Errors
/// `bad_field` or `too_large` for the text or the name, `forbidden` for who may not speak so.
pub(crate) fn say(who: &Holder, agent: Option<AgentName>, r#ref: Ref, text: Text) -> Result<Command, Failure> {
    check_text(&text)?;
    let as_contact = agent.is_none() && who.may(Action::SpeakAsContact);
    let speaker = if as_contact { Speaker::Contact } else { Speaker::Agent(acting(who, Action::SpeakAsAgent, agent)?) };
    Ok(Command::Say { speaker, r#ref, text })
}

/// Take the conversation over.
///
/// # Errors
/// `forbidden`, or `bad_field` for the name.
pub(crate) fn take(who: &Holder, agent: Option<AgentName>) -> Result<Command, Failure> {
    Ok(Command::Take { agent: acting(who, Action::Take, agent)? })
}

/// Hand the conversation back.
///
/// # Errors
/// `forbidden`, or `bad_field` for the name.
pub(crate) fn hand_back(who: &Holder, agent: Option<AgentName>) -> Result<Command, Failure> {
    Ok(Command::HandBack { agent: acting(who, Action::Take, agent)? })
}

/// End the conversation for now.
///
/// # Errors
/// `forbidden`.
pub(crate) fn close(who: &Holder) -> Result<Command, Failure> {
    who.allow(Action::Close)?;
    Ok(Command::Close)
}

/// Stop the running reply; with a turn, only that one's.
///
/// # Errors
/// `forbidden`.
pub(crate) fn cancel(who: &Holder, turn: Option<Turn>) -> Result<Command, Failure> {
    who.allow(Action::Cancel)?;
    Ok(Command::Cancel { turn })
}

/// As which agent somebody does this: an agent as themselves, an API key as whom it names.
fn acting(who: &Holder, action: Action, named: Option<AgentName>) -> Result<AgentName, Failure> {
    who.allow(action)?;
    match (who.agent(), named) {
        (Some(own), None) => Ok(own.name.clone()),
        (Some(own), Some(named)) if named == own.name || named.checked().as_ref() == Ok(&own.name) => {
            Ok(own.name.clone())
        }
        (Some(_), Some(_)) => Err(Failure::new(ErrorCode::Forbidden, "an agent's token acts as that agent only")),
        (None, Some(named)) => check_agent(&named),
        (None, None) => Err(Failure::new(ErrorCode::BadField, "`agent` is missing: with an API key it says who acts")),
    }
}

#[cfg(test)]
mod tests {
    use actors::{Generation, KeyId};
    use schema::{ContactId, TenantId, Timestamp};

    use super::*;
    use crate::auth::{Agent, Issued, Kind, MadeBy, Visitor};

    #[test]
    fn who_acts_as_whom() {
        let (tenant, generation, at) = (TenantId::generate(), Generation::default(), Timestamp::from_millis(0));
        let holder = |kind| Holder { tenant, kind };
        let key = holder(Kind::ApiKey { key: KeyId::of(&[7; 32]), generation });
        let zoe = holder(Kind::Agent(Agent {
            name: "Zoe".into(),
            origin: None,
            expires_at: at,
            generation,
            made: Issued::At(at),
        }));
        let ana = holder(Kind::Visitor(Visitor {
            contact: ContactId::generate(),
            sealed_for: ContactId::generate(),
            conversation: None,
            origin: None,
            expires_at: at,
            since: at,
            made: Issued::At(at),
            by: MadeBy::Page,
        }));
        let agent = |name: &str| Some(AgentName::from(name));
        let (bad, forbidden) = (ErrorCode::BadField, ErrorCode::Forbidden);
        // As which agent each speaks (none: as the contact), and as which it takes over and hands back.
        for (who, named, speaks, takes) in [
            (&key, None, Ok(None), Err(bad)),
            (&key, agent("Yan"), Ok(agent("Yan")), Ok("Yan")),
            (&key, agent(""), Err(bad), Err(bad)),
            (&zoe, None, Ok(agent("Zoe")), Ok("Zoe")),
            (&zoe, agent("Zoe"), Ok(agent("Zoe")), Ok("Zoe")),
            (&zoe, agent("Yan"), Err(forbidden), Err(forbidden)),
            (&ana, None, Ok(None), Err(forbidden)),
            (&ana, agent("Zoe"), Err(forbidden), Err(forbidden)),
        ] {
            let said = say(who, named.clone(), "r".parse().unwrap(), "hello".into());
            let speaker = said.map(|command| match command {
                Command::Say { speaker: Speaker::Contact, .. } => None,
                Command::Say { speaker: Speaker::Agent(name), .. } => Some(name),
                other => panic!("{other:?}"),
            });
            assert_eq!(speaker.map_err(|failure| failure.code), speaks, "{who:?} {named:?}");
            let takes = takes.map(AgentName::from);
            let taken = take(who, named.clone()).map_err(|failure| failure.code);
            assert_eq!(taken, takes.clone().map(|agent| Command::Take { agent }), "{who:?} {named:?}");
            let back = hand_back(who, named.clone()).map_err(|failure| failure.code);
            assert_eq!(back, takes.map(|agent| Command::HandBack { agent }), "{who:?} {named:?}");
        }
        for (who, closes) in [(&key, true), (&zoe, true), (&ana, false)] {
            assert_eq!((close(who).is_ok(), cancel(who, None).is_ok()), (closes, true), "{who:?}");
        }
    }
}
