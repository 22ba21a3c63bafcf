//! Numbers of touched conversations: none is handed out while an append that it covers is under way.

use super::*;

fn handed_out(touched: &Touched, after: u64, count: u64) -> (u64, bool) {
    touched.hand_out(after, count)
}

#[test]
fn a_number_is_handed_out_when_its_appends_are_settled() {
    let touched = Touched::new(1);
    let (first, is_new) = touched.cover(0);
    assert_eq!((first.number, is_new), (1, true));
    let (second, is_new) = touched.cover(0);
    assert_eq!((second.number, is_new), (2, true));
    assert_eq!(handed_out(&touched, 0, 10), (0, true), "both are under way");
    drop(second);
    assert_eq!(handed_out(&touched, 0, 10), (0, true), "the first one still is");
    drop(first);
    assert_eq!(handed_out(&touched, 0, 1), (1, false));
    assert_eq!(handed_out(&touched, 1, 10), (2, true));
    assert_eq!(handed_out(&touched, 2, 10), (2, true), "nothing came later");
}

#[test]
fn a_number_covers_all_appends_until_it_is_handed_out() {
    let touched = Touched::new(1);
    drop(touched.cover(0));
    let (again, is_new) = touched.cover(1);
    assert_eq!((again.number, is_new), (1, false), "it was not looked at yet");
    let (beside, is_new) = touched.cover(1);
    assert_eq!((beside.number, is_new), (1, false));
    drop(again);
    assert_eq!(handed_out(&touched, 0, 10), (0, true), "the other one is under way");
    drop(beside);
    assert_eq!(handed_out(&touched, 0, 10), (1, true));
    let (later, is_new) = touched.cover(1);
    assert_eq!((later.number, is_new), (2, true), "what comes now would not be looked at under the old number");
}

#[test]
fn a_walk_goes_through_all_tokens_and_comes_before_all_numbers() {
    let tokens = [i64::MIN, i64::MIN + 2, -5, -1, 0, 1, 77, i64::MAX - 2];
    let cursors = tokens.map(walked);
    assert!(cursors.is_sorted() && cursors.iter().all(|cursor| cursor.0 < NUMBERS), "{cursors:?}");
    for at in tokens {
        assert!(token(walked(at)) >= at, "{at} comes again");
        assert!(token(walked(at)) - at <= 1, "{at} goes too far");
    }
    assert_eq!(token(LogCursor::default()), i64::MIN);
}

#[test]
fn a_number_that_was_given_up_covers_nothing_that_comes_after() {
    let touched = Touched::new(1);
    drop(touched.cover(0));
    let (again, is_new) = touched.cover(1);
    assert_eq!((again.number, is_new), (1, false));
    // Nobody heard of this writer for long: the number may be somebody else's by now.
    touched.give_up();
    let (later, is_new) = touched.cover(1);
    assert_eq!((later.number, is_new), (2, true));
    let (beside, is_new) = touched.cover(2);
    assert_eq!((beside.number, is_new), (2, false), "the new one is its own");
    drop((again, later, beside));
    assert_eq!(handed_out(&touched, 0, 10), (2, true), "and both are looked at");
}
