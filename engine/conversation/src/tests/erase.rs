//! A conversation that is erased while something runs, and what is told it afterwards.

use expect_test::expect;
use schema::{Channel, ContactId, ConversationId, ConversationKey, FloorPolicy, TenantId, Timestamp};

use super::super::*;
use super::script::check;

#[test]
fn an_erasure_stops_the_reply_and_nothing_comes_after_it() {
    check(
        &FloorPolicy::default(),
        "say do you have quetzals? | text Yes, we | erase | when | text have some. | end completed | say hello? \
         | take Bo | cancel | due | interrupt | erase",
        &expect![[r#"
            > say do you have quetzals?
              2 message Contact "do you have quetzals?"
              reply 2
              3 turn_started
              ask t1 #1
            > text Yes, we
              delta t1@0 Yes, we
            > erase
              stop
              reply 0
            > when: never
            > text have some.
            > end completed
            > say hello?
              refuse unknown_conversation
            > take Bo
              refuse unknown_conversation
            > cancel
              refuse unknown_conversation
            > due
            > interrupt
            > erase
              reply 0
        "#]],
    );
}

#[test]
fn nothing_that_was_said_is_left() {
    let mut conversation = Conversation::default();
    let (policy, mut effects) = (Policy::default(), Vec::new());
    let say = |text: &str| Command::Say {
        speaker: Speaker::Contact,
        r#ref: "quetzal-ref".parse().unwrap(),
        text: text.into(),
    };
    let open = Command::Open { contact: ContactId::from_bytes([0xab; 16]), channel: Channel::Web, locale: None };
    let now = Timestamp::from_millis(1);
    for command in [open, say("the quetzal"), Command::Take { agent: "Quetzal".into() }, Command::Erase] {
        conversation.apply(command, &policy, now, &mut effects);
    }
    assert!(conversation.is_erased() && conversation.floor() == &Floor::Idle);
    let left = serde_json::to_string(conversation.state()).unwrap();
    assert!(!left.to_lowercase().contains("quetzal") && !left.contains("abab"), "{left}");
    assert_eq!(*conversation.state(), State { head: conversation.state().head, ..State::default() });
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    assert_eq!(conversation.snapshot(key), None);
    assert_eq!(conversation.due(&policy.floor, now), None);
}
