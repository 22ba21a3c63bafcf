//! Scripts, and the effects to which each must lead.

use std::time::Duration;

use expect_test::expect;
use schema::{FloorPolicy, UnfinishedTurns, WhileSpeaking};

use super::script::check;

#[test]
fn one_question_one_answer() {
    check(
        &FloorPolicy::default(),
        "say when do you open? | text We | text  open at 9. | end completed",
        &expect![[r#"
        > say when do you open?
          2 message Contact "when do you open?"
          reply 2
          3 turn_started
          ask t1 #1
        > text We
          delta t1@0 We
        > text  open at 9.
          delta t1@2  open at 9.
        > end completed
          4 message Assistant "We open at 9." t1 completed answers 2
    "#]],
    );
}

#[test]
fn the_same_ref_is_one_message_and_another_text_under_it_a_conflict() {
    check(
        &FloorPolicy::default(),
        "say hello there. | again hello there. | again other",
        &expect![[r#"
        > say hello there.
          2 message Contact "hello there."
          reply 2
          3 turn_started
          ask t1 #1
        > again hello there.
          reply 2
        > again other
          refuse ref_conflict
    "#]],
    );
}

#[test]
fn short_messages_wait_for_each_other() {
    check(
        &FloorPolicy::default(),
        "say hi | +100ms | say I have | +150ms | elapse | text Yes? | end completed",
        &expect![[r#"
            > say hi
              2 message Contact "hi"
              reply 2
              arm 150ms
            > say I have
              3 message Contact "I have"
              reply 3
              arm 150ms
            > elapse
              4 turn_started
              ask t1 #1
            > text Yes?
              delta t1@0 Yes?
            > end completed
              5 message Assistant "Yes?" t1 completed answers 3
        "#]],
    );
}

#[test]
fn a_burst_ends_with_its_first_long_message() {
    check(
        &FloorPolicy::default(),
        "say hi | say where is my order 1234567 please",
        &expect![[r#"
        > say hi
          2 message Contact "hi"
          reply 2
          arm 150ms
        > say where is my order 1234567 please
          3 message Contact "where is my order 1234567 please"
          reply 3
          4 turn_started
          ask t1 #1
    "#]],
    );
}

#[test]
fn before_the_first_word_a_message_restarts_the_turn() {
    check(
        &FloorPolicy::default(),
        "say do you ship to Spain? | say and to Italy? | late Old. | text Both. | end completed",
        &expect![[r#"
            > say do you ship to Spain?
              2 message Contact "do you ship to Spain?"
              reply 2
              3 turn_started
              ask t1 #1
            > say and to Italy?
              4 message Contact "and to Italy?"
              reply 4
              stop
              ask t1 #2
            > late Old.
            > text Both.
              delta t1@0 Both.
            > end completed
              5 message Assistant "Both." t1 completed answers 4
        "#]],
    );
}

#[test]
fn after_the_first_word_a_message_queues() {
    check(
        &FloorPolicy::default(),
        "say do you ship to Spain? | text Yes | say and to Italy? | text , we do. | end completed | text Too. | end completed",
        &expect![[r#"
            > say do you ship to Spain?
              2 message Contact "do you ship to Spain?"
              reply 2
              3 turn_started
              ask t1 #1
            > text Yes
              delta t1@0 Yes
            > say and to Italy?
              4 message Contact "and to Italy?"
              reply 4
            > text , we do.
              delta t1@3 , we do.
            > end completed
              5 message Assistant "Yes, we do." t1 completed answers 2
              6 turn_started
              ask t2 #1
            > text Too.
              delta t2@0 Too.
            > end completed
              7 message Assistant "Too." t2 completed answers 4
        "#]],
    );
}

#[test]
fn or_it_interrupts() {
    check(
        &FloorPolicy { while_speaking: WhileSpeaking::Interrupt, ..FloorPolicy::default() },
        "say do you ship to Spain? | text Yes | say and to Italy? | late , we do. | text Too.",
        &expect![[r#"
            > say do you ship to Spain?
              2 message Contact "do you ship to Spain?"
              reply 2
              3 turn_started
              ask t1 #1
            > text Yes
              delta t1@0 Yes
            > say and to Italy?
              4 message Contact "and to Italy?"
              reply 4
              stop
              5 message Assistant "Yes" t1 cancelled answers 2
              6 turn_started
              ask t2 #1
            > late , we do.
            > text Too.
              delta t2@0 Too.
        "#]],
    );
}

#[test]
fn cancel_keeps_what_was_said_and_is_idempotent() {
    check(
        &FloorPolicy::default(),
        "cancel | say tell me all. | text Once upon | cancel | text late | cancel",
        &expect![[r#"
            > cancel
              reply 0
            > say tell me all.
              2 message Contact "tell me all."
              reply 2
              3 turn_started
              ask t1 #1
            > text Once upon
              delta t1@0 Once upon
            > cancel
              stop
              4 message Assistant "Once upon" t1 cancelled answers 2
              reply 4
            > text late
            > cancel
              reply 0
        "#]],
    );
}

#[test]
fn a_closed_conversation_reopens_when_somebody_speaks() {
    check(
        &FloorPolicy::default(),
        "say bye. | text Bye | close | close | say one more thing.",
        &expect![[r#"
        > say bye.
          2 message Contact "bye."
          reply 2
          3 turn_started
          ask t1 #1
        > text Bye
          delta t1@0 Bye
        > close
          stop
          4 message Assistant "Bye" t1 cancelled answers 2
          5 closed
          reply 5
        > close
          reply 0
        > say one more thing.
          6 reopened
          7 message Contact "one more thing."
          reply 7
          8 turn_started
          ask t2 #1
    "#]],
    );
}

#[test]
fn a_crash_in_mid_reply_is_marked() {
    let long = "x".repeat(1100);
    check(
        &FloorPolicy::default(),
        &format!("say tell me all. | text {long} | text and | say more. | crash"),
        &expect![[r#"
            > say tell me all.
              2 message Contact "tell me all."
              reply 2
              3 turn_started
              ask t1 #1
            > text
              delta t1@0 …
              4 checkpoint
            > text and
              delta t1@1100 and
            > say more.
              5 message Contact "more."
              reply 5
            > crash
              6 message Assistant "1100 bytes" t1 incomplete answers 2
              7 turn_started
              ask t2 #1
        "#]],
    );
}

#[test]
fn or_the_question_is_asked_again_but_not_for_ever() {
    check(
        &FloorPolicy { unfinished_turns: UnfinishedTurns::Rerun, ..FloorPolicy::default() },
        "say tell me all. | text Once | crash | crash | crash | interrupt",
        &expect![[r#"
            > say tell me all.
              2 message Contact "tell me all."
              reply 2
              3 turn_started
              ask t1 #1
            > text Once
              delta t1@0 Once
            > crash
              4 message Assistant "" t1 incomplete answers 0
              5 turn_started
              ask t2 #1
            > crash
              6 message Assistant "" t2 incomplete answers 0
              7 turn_started
              ask t3 #1
            > crash
              8 message Assistant "" t3 incomplete answers 2
            > interrupt
        "#]],
    );
}

#[test]
fn a_planned_stop_leaves_a_question_that_may_go_on_to_the_next_wake() {
    check(
        &FloorPolicy::default(),
        "say hi | interrupt | elapse | crash",
        &expect![[r#"
        > say hi
          2 message Contact "hi"
          reply 2
          arm 150ms
        > interrupt
        > elapse
        > crash
          3 turn_started
          ask t1 #1
    "#]],
    );
}

#[test]
fn a_question_whose_turn_never_began_is_answered_on_waking() {
    check(
        &FloorPolicy::default(),
        "say hi | crash | interrupt",
        &expect![[r#"
        > say hi
          2 message Contact "hi"
          reply 2
          arm 150ms
        > crash
          3 turn_started
          ask t1 #1
        > interrupt
          stop
          4 message Assistant "" t1 incomplete answers 2
    "#]],
    );
}

#[test]
fn a_long_silence_closes() {
    check(
        &FloorPolicy { close_after_hours: 1, ..FloorPolicy::default() },
        "say hello there. | text Hi. | end completed | +3600000ms | crash | say hello again.",
        &expect![[r#"
            > say hello there.
              2 message Contact "hello there."
              reply 2
              3 turn_started
              ask t1 #1
            > text Hi.
              delta t1@0 Hi.
            > end completed
              4 message Assistant "Hi." t1 completed answers 2
            > crash
              5 closed
            > say hello again.
              6 reopened
              7 message Contact "hello again."
              reply 7
              8 turn_started
              ask t2 #1
        "#]],
    );
}

#[test]
fn a_reply_leaves_checkpoints_by_age() {
    check(
        &FloorPolicy::default(),
        "say tell me all. | text One | +2000ms | text  two | text  three | end completed",
        &expect![[r#"
            > say tell me all.
              2 message Contact "tell me all."
              reply 2
              3 turn_started
              ask t1 #1
            > text One
              delta t1@0 One
            > text  two
              delta t1@3  two
              4 checkpoint
            > text  three
              delta t1@7  three
            > end completed
              5 message Assistant "One two three" t1 completed answers 2
        "#]],
    );
}

#[test]
fn the_burst_window_never_lasts_longer_than_its_bound() {
    let policy = FloorPolicy { burst_window_ms: 1500, ..FloorPolicy::default() };
    check(
        &policy,
        "say a | +1400ms | say b | +1400ms | say c",
        &expect![[r#"
        > say a
          2 message Contact "a"
          reply 2
          arm 1.5s
        > say b
          3 message Contact "b"
          reply 3
          arm 1.5s
        > say c
          4 message Contact "c"
          reply 4
          5 turn_started
          ask t1 #1
    "#]],
    );
    assert!(Duration::from_millis(u64::from(policy.burst_window_ms)) < schema::limits::BURST_WINDOW_MAX);
}

#[test]
fn a_planned_stop_asks_again_as_a_crash_does() {
    let rerun = FloorPolicy { unfinished_turns: UnfinishedTurns::Rerun, ..FloorPolicy::default() };
    let stopped = "say tell me all. | text Once | interrupt | crash | text Once upon | end completed";
    check(
        &rerun,
        stopped,
        &expect![[r#"
            > say tell me all.
              2 message Contact "tell me all."
              reply 2
              3 turn_started
              ask t1 #1
            > text Once
              delta t1@0 Once
            > interrupt
              stop
              4 message Assistant "Once" t1 incomplete answers 0
            > crash
              5 turn_started
              ask t2 #1
            > text Once upon
              delta t2@0 Once upon
            > end completed
              6 message Assistant "Once upon" t2 completed answers 2
        "#]],
    );
    check(
        &FloorPolicy::default(),
        "say tell me all. | text Once | interrupt | crash",
        &expect![[r#"
            > say tell me all.
              2 message Contact "tell me all."
              reply 2
              3 turn_started
              ask t1 #1
            > text Once
              delta t1@0 Once
            > interrupt
              stop
              4 message Assistant "Once" t1 incomplete answers 2
            > crash
        "#]],
    );
}
