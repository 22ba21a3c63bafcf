//! Who answers: agents who take a conversation, from the assistant and from each other, and give it back.

use expect_test::expect;
use schema::FloorPolicy;

use super::script::check;

#[test]
fn a_human_silences_the_assistant_until_hand_back() {
    check(
        &FloorPolicy::default(),
        "agent hello | say a refund, please! | text Sure | take Bo | take Cy | text late | agent I am Bo | say thanks! | back | text You are welcome. | end completed | back",
        &expect![[r#"
            > agent hello
              refuse wrong_state
            > say a refund, please!
              2 message Contact "a refund, please!"
              reply 2
              3 turn_started
              ask t1 #1
            > text Sure
              delta t1@0 Sure
            > take Bo
              stop
              4 message Assistant "Sure" t1 cancelled answers 2
              5 taken_over
              reply 5
            > take Cy
              6 taken_over
              reply 6
            > text late
            > agent I am Bo
              refuse wrong_state
            > say thanks!
              7 message Contact "thanks!"
              reply 7
            > back
              8 handed_back
              reply 8
              9 turn_started
              ask t2 #1
            > text You are welcome.
              delta t2@0 You are welcome.
            > end completed
              10 message Assistant "You are welcome." t2 completed answers 7
            > back
              reply 0
        "#]],
    );
}

#[test]
fn one_agent_writes_at_a_time_and_another_takes_it_first() {
    check(
        &FloorPolicy::default(),
        "take Bo | other I am Cy | agent I am Bo | take Cy | take Cy | agent still Bo | other I am Cy | back",
        &expect![[r#"
            > take Bo
              2 taken_over
              reply 2
            > other I am Cy
              refuse wrong_state
            > agent I am Bo
              3 message Human "I am Bo"
              reply 3
            > take Cy
              4 taken_over
              reply 4
            > take Cy
              reply 0
            > agent still Bo
              refuse wrong_state
            > other I am Cy
              5 message Human "I am Cy"
              reply 5
            > back
              6 handed_back
              reply 6
        "#]],
    );
}

#[test]
fn each_agents_refs_are_their_own_and_what_was_stored_is_answered_again_whoever_has_it_now() {
    check(
        &FloorPolicy::default(),
        "take Bo | agent ok | agent-again ok | other-again ok | other-again no | again ok | crash | agent-again ok \
         | take Cy | agent-again ok | other-again ok | other-again ok | other-again no | agent-again no | again ok",
        &expect![[r#"
            > take Bo
              2 taken_over
              reply 2
            > agent ok
              3 message Human "ok"
              reply 3
            > agent-again ok
              reply 3
            > other-again ok
              refuse wrong_state
            > other-again no
              refuse wrong_state
            > again ok
              4 message Contact "ok"
              reply 4
            > crash
            > agent-again ok
              reply 3
            > take Cy
              5 taken_over
              reply 5
            > agent-again ok
              reply 3
            > other-again ok
              6 message Human "ok"
              reply 6
            > other-again ok
              reply 6
            > other-again no
              refuse ref_conflict
            > agent-again no
              refuse wrong_state
            > again ok
              reply 4
        "#]],
    );
}

#[test]
fn what_an_agent_closed_goes_back_to_the_assistant_when_the_contact_writes() {
    check(
        &FloorPolicy::default(),
        "take Bo | agent Done. | close | agent One more thing. | close | say are you there? | text Yes. | end completed \
         | other me, too",
        &expect![[r#"
            > take Bo
              2 taken_over
              reply 2
            > agent Done.
              3 message Human "Done."
              reply 3
            > close
              4 closed
              reply 4
            > agent One more thing.
              5 reopened
              6 message Human "One more thing."
              reply 6
            > close
              7 closed
              reply 7
            > say are you there?
              8 reopened
              9 handed_back
              10 message Contact "are you there?"
              reply 10
              11 turn_started
              ask t1 #1
            > text Yes.
              delta t1@0 Yes.
            > end completed
              12 message Assistant "Yes." t1 completed answers 10
            > other me, too
              refuse wrong_state
        "#]],
    );
}

#[test]
fn who_takes_a_closed_conversation_goes_on_with_it() {
    check(
        &FloorPolicy::default(),
        "close | take Bo | say are you there? | agent I am Bo | take Bo",
        &expect![[r#"
            > close
              2 closed
              reply 2
            > take Bo
              3 reopened
              4 taken_over
              reply 4
            > say are you there?
              5 message Contact "are you there?"
              reply 5
            > agent I am Bo
              6 message Human "I am Bo"
              reply 6
            > take Bo
              reply 0
        "#]],
    );
}

#[test]
fn an_agent_goes_on_with_what_was_closed_while_they_had_it() {
    check(
        &FloorPolicy::default(),
        "take Bo | close | take Bo | say are you there? | agent I am Bo",
        &expect![[r#"
        > take Bo
          2 taken_over
          reply 2
        > close
          3 closed
          reply 3
        > take Bo
          4 reopened
          5 taken_over
          reply 5
        > say are you there?
          6 message Contact "are you there?"
          reply 6
        > agent I am Bo
          7 message Human "I am Bo"
          reply 7
    "#]],
    );
}

#[test]
fn what_is_handed_back_after_it_was_closed_waits_for_the_contact() {
    check(
        &FloorPolicy::default(),
        "take Bo | say are you there? | close | back Ann | say hello? | text Yes. | end completed",
        &expect![[r#"
            > take Bo
              2 taken_over
              reply 2
            > say are you there?
              3 message Contact "are you there?"
              reply 3
            > close
              4 closed
              reply 4
            > back Ann
              5 handed_back
              reply 5
            > say hello?
              6 reopened
              7 message Contact "hello?"
              reply 7
              8 turn_started
              ask t1 #1
            > text Yes.
              delta t1@0 Yes.
            > end completed
              9 message Assistant "Yes." t1 completed answers 7
        "#]],
    );
}
