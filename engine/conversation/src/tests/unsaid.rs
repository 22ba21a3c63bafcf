//! Thoughts that were said aloud, as little scripts.

use expect_test::expect;
use schema::FloorPolicy;

use super::script::check;

#[test]
fn a_thought_that_went_out_is_no_part_of_the_message() {
    check(
        &FloorPolicy::default(),
        "say tell me all. | text The margin | unsay 10 | text Hello | text  é | unsay 3 | text !  | unsay 99 | text Bye. | end completed",
        &expect![[r#"
            > say tell me all.
              2 message Contact "tell me all."
              reply 2
              3 turn_started
              ask t1 #1
            > text The margin
              delta t1@0 The margin
            > unsay 10
              4 checkpoint unsaid from 0
            > text Hello
              delta t1@10 Hello
            > text  é
              delta t1@15  é
            > unsay 3
              5 checkpoint unsaid from 15
            > text !
              delta t1@17 !
            > unsay 99
              6 checkpoint unsaid from 0
            > text Bye.
              delta t1@18 Bye.
            > end completed
              7 message Assistant "Bye." t1 completed answers 2
        "#]],
    );
}

#[test]
fn a_thought_that_was_stored_is_no_part_of_the_message_after_a_crash() {
    let thought = "x".repeat(1100);
    let script = format!("say tell me all. | text {thought} | unsay 1100 | text Hello | +2000ms | text  there | crash");
    check(
        &FloorPolicy::default(),
        &script,
        &expect![[r#"
        > say tell me all.
          2 message Contact "tell me all."
          reply 2
          3 turn_started
          ask t1 #1
        > text
          delta t1@0 …
          4 checkpoint
        > unsay 1100
          5 checkpoint unsaid from 0
        > text Hello
          delta t1@1100 Hello
        > text  there
          delta t1@1105  there
          6 checkpoint
        > crash
          7 message Assistant "Hello there" t1 incomplete answers 2
    "#]],
    );
}
