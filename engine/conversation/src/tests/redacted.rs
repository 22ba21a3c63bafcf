//! A canary in whatever people say, and no trace of it in what prints commands, effects and state.

use schema::wire::{ClientFrame, ServerFrame};
use schema::{Channel, Passage, Text, Timestamp};
use serde_json::json;

use super::super::*;

#[test]
fn nothing_that_is_said_is_printed() {
    let canary = || "canary".to_owned();
    let text = || Text::from("canary");
    let passage = || Passage { n: 1, source: canary(), heading: canary(), text: text() };
    let progress = |progress| Command::Progress { turn: 1, attempt: 1, progress };
    let say = |speaker| Command::Say { speaker, r#ref: "canary".parse().unwrap(), text: text() };
    let commands = [
        Command::Open { contact: schema::ContactId::from_bytes([7; 16]), channel: Channel::Web, locale: None },
        say(Speaker::Contact),
        progress(Progress::Found(vec![passage()])),
        progress(Progress::Text { text: Text::from("canary ".repeat(400)), tokens: 1 }),
        Command::Take { agent: "canary".into() },
        say(Speaker::Agent("canary".into())),
        Command::HandBack { agent: "canary".into() },
        progress(Progress::Text { text: text(), tokens: 1 }),
        Command::Interrupt,
    ];
    let policy = Policy::default();
    let mut conversation = Conversation::default();
    let mut log = Vec::new();
    for command in commands {
        let mut printed = format!("{command:?}");
        let mut out = Vec::new();
        conversation.apply(command, &policy, Timestamp::from_millis(1), &mut out);
        printed.push_str(&format!("{out:?} {conversation:?}"));
        for effect in out {
            if let Effect::Append(event) = effect {
                let conversation = schema::ConversationId::generate();
                printed.push_str(&format!("{:?}", ServerFrame::Event { conversation, event: event.clone() }));
                log.push(event);
            }
        }
        // A conversation as a crash leaves it.
        printed.push_str(&format!("{:?}", Conversation::from_events(&log)));
        assert!(!printed.contains("canary"), "{printed}");
    }
    let conversation = schema::ConversationId::generate();
    for frame in [
        json!({"type": "auth", "ref": "canary", "token": "canary"}),
        json!({"type": "say", "ref": "canary", "conversation": conversation, "text": "canary", "agent": "canary"}),
        json!({"type": "ping", "ref": "canary"}),
    ] {
        let frame: ClientFrame = serde_json::from_value(frame).unwrap();
        assert!(!format!("{frame:?}").contains("canary"), "{frame:?}");
    }
    for frame in [
        json!({"type": "reply", "ref": "canary", "ok": {"contact": "canary"}}),
        json!({"type": "delta", "conversation": conversation, "turn": 1, "offset": 0, "text": "canary"}),
    ] {
        let frame: ServerFrame = serde_json::from_value(frame).unwrap();
        assert!(!format!("{frame:?}").contains("canary"), "{frame:?}");
    }
}
