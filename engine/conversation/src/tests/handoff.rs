//! A model's signals beside its text, as they reach the log.

use expect_test::expect;
use schema::FloorPolicy;

use super::script::check;

#[test]
fn a_reply_that_does_not_know_says_so_and_the_next_one_begins_anew() {
    check(
        &FloorPolicy::default(),
        "say do you sell boats? | unknown | say or ships, perhaps, sir? | text No idea. | unknown | unknown | end completed \
         | say do you sell pens? | text Yes. | end completed | say do you sell ink? | unknown | crash",
        &expect![[r#"
            > say do you sell boats?
              2 message Contact "do you sell boats?"
              reply 2
              3 turn_started
              ask t1 #1
            > unknown
            > say or ships, perhaps, sir?
              4 message Contact "or ships, perhaps, sir?"
              reply 4
              stop
              ask t1 #2
            > text No idea.
              delta t1@0 No idea.
            > unknown
            > unknown
            > end completed
              5 message Assistant "No idea." t1 completed answers 4 unanswered
            > say do you sell pens?
              6 message Contact "do you sell pens?"
              reply 6
              7 turn_started
              ask t2 #1
            > text Yes.
              delta t2@0 Yes.
            > end completed
              8 message Assistant "Yes." t2 completed answers 6
            > say do you sell ink?
              9 message Contact "do you sell ink?"
              reply 9
              10 turn_started
              ask t3 #1
            > unknown
            > crash
              11 message Assistant "" t3 incomplete answers 9
        "#]],
    );
}

#[test]
fn a_person_is_asked_for_once_until_one_has_answered() {
    check(
        &FloorPolicy::default(),
        "say a person, please! | text Yes. | wants asked | wants complaint | end completed \
         | say this is a shame! | text Sorry. | wants complaint | crash | take Bo | back | say a person, please! | text Yes. | wants asked \
         | take Bo | agent Hello, it is me. | close | say I have another one! | back | text Hm. | wants complaint | end completed",
        &expect![[r#"
            > say a person, please!
              2 message Contact "a person, please!"
              reply 2
              3 turn_started
              ask t1 #1
            > text Yes.
              delta t1@0 Yes.
            > wants asked
              4 handoff_requested
            > wants complaint
            > end completed
              5 message Assistant "Yes." t1 completed answers 2
            > say this is a shame!
              6 message Contact "this is a shame!"
              reply 6
              7 turn_started
              ask t2 #1
            > text Sorry.
              delta t2@0 Sorry.
            > wants complaint
            > crash
              8 message Assistant "" t2 incomplete answers 6
            > take Bo
              9 taken_over
              reply 9
            > back
              10 handed_back
              reply 10
            > say a person, please!
              11 message Contact "a person, please!"
              reply 11
              12 turn_started
              ask t3 #1
            > text Yes.
              delta t3@0 Yes.
            > wants asked
              13 handoff_requested
            > take Bo
              stop
              14 message Assistant "Yes." t3 cancelled answers 11
              15 taken_over
              reply 15
            > agent Hello, it is me.
              16 message Human "Hello, it is me."
              reply 16
            > close
              17 closed
              reply 17
            > say I have another one!
              18 reopened
              19 handed_back
              20 message Contact "I have another one!"
              reply 20
              21 turn_started
              ask t4 #1
            > back
              reply 0
            > text Hm.
              delta t4@0 Hm.
            > wants complaint
              22 handoff_requested
            > end completed
              23 message Assistant "Hm." t4 completed answers 20
        "#]],
    );
}
