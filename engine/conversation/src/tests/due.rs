//! What is due without anybody's command, when, and that it is done once.

use expect_test::expect;
use schema::{FloorPolicy, UnfinishedTurns};

use super::script::check;

fn one_hour() -> FloorPolicy {
    FloorPolicy { close_after_hours: 1, ..FloorPolicy::default() }
}

#[test]
fn a_conversation_closes_at_its_hour_and_once() {
    check(
        &one_hour(),
        "when | say hello there. | text Hi. | end completed | when | +3599999ms | due | when | +1ms | due | due | when | say hello again. | when",
        &expect![[r#"
            > when: never
            > say hello there.
              2 message Contact "hello there."
              reply 2
              3 turn_started
              ask t1 #1
            > text Hi.
              delta t1@0 Hi.
            > end completed
              4 message Assistant "Hi." t1 completed answers 2
            > when: 3600000 ms
            > due
              reply 0
            > when: 3600000 ms
            > due
              5 closed
              reply 5
            > due
              reply 0
            > when: never
            > say hello again.
              6 reopened
              7 message Contact "hello again."
              reply 7
              8 turn_started
              ask t2 #1
            > when: 3630000 ms
        "#]],
    );
}

#[test]
fn each_word_puts_the_hour_off() {
    check(
        &one_hour(),
        "+1800000ms | say hello there. | text Hi. | end completed | when | +1800000ms | due | +1800000ms | due",
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
            > when: 5400000 ms
            > due
              reply 0
            > due
              5 closed
              reply 5
        "#]],
    );
}

#[test]
fn a_policy_without_hours_never_closes() {
    check(
        &FloorPolicy { close_after_hours: 0, ..FloorPolicy::default() },
        "when | take Bo | agent hello. | when | +900000000ms | due | when",
        &expect![[r#"
            > when: never
            > take Bo
              2 taken_over
              reply 2
            > agent hello.
              3 message Human "hello."
              reply 3
            > when: never
            > due
              reply 0
            > when: never
        "#]],
    );
}

#[test]
fn a_reply_that_runs_is_looked_for_again_and_left_alone() {
    check(
        &one_hour(),
        "say hello there. | when | +30000ms | when | due | text Hi. | +45000ms | due | when | end completed | when",
        &expect![[r#"
            > say hello there.
              2 message Contact "hello there."
              reply 2
              3 turn_started
              ask t1 #1
            > when: 30000 ms
            > when: 60000 ms
            > due
              reply 0
            > text Hi.
              delta t1@0 Hi.
            > due
              reply 0
            > when: 90000 ms
            > end completed
              4 message Assistant "Hi." t1 completed answers 2
            > when: 3675000 ms
        "#]],
    );
}

#[test]
fn a_burst_is_due_in_case_nobody_lives_to_answer_it() {
    check(
        &one_hour(),
        "say hi | when | due | +200ms | elapse | when",
        &expect![[r#"
            > say hi
              2 message Contact "hi"
              reply 2
              arm 150ms
            > when: 30000 ms
            > due
              reply 0
            > elapse
              3 turn_started
              ask t1 #1
            > when: 30200 ms
        "#]],
    );
}

#[test]
fn a_question_that_a_planned_stop_left_is_answered_when_it_is_due() {
    check(
        &FloorPolicy { unfinished_turns: UnfinishedTurns::Rerun, ..one_hour() },
        "say hello there. | interrupt | when | +30000ms | due | due",
        &expect![[r#"
            > say hello there.
              2 message Contact "hello there."
              reply 2
              3 turn_started
              ask t1 #1
            > interrupt
              stop
              4 message Assistant "" t1 incomplete answers 0
            > when: 30000 ms
            > due
              5 turn_started
              ask t2 #1
              reply 5
            > due
              reply 0
        "#]],
    );
}

#[test]
fn a_clock_that_steps_back_puts_nothing_off() {
    check(
        &one_hour(),
        "+600000ms | say hello there. | +-300000ms | when | due",
        &expect![[r#"
            > say hello there.
              2 message Contact "hello there."
              reply 2
              3 turn_started
              ask t1 #1
            > when: 330000 ms
            > due
              reply 0
        "#]],
    );
}
