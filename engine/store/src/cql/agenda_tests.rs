//! What a row of the agenda turns out to be, by what its log says.

use schema::{ConversationId, TenantId};

use super::*;

const MARK: i64 = 7;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A row at 500 that was written under epoch 2 and head 9.
fn row() -> Row {
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    Row { at: at(500), key, mark: MARK, log: Uuid::nil(), epoch: 2, head: 9 }
}

fn segment(epoch: i64, head: Seq, due: Option<(i64, i64)>) -> Segment {
    let due = due.map(|(moment, mark)| (at(moment), mark));
    Segment { epoch, head, first: 1, next: None, bytes: 0, last_at: at(0), due }
}

fn told(truth: &Truth) -> String {
    match truth {
        Truth::Holds(met) => format!("holds at {}", met.at.as_millis()),
        Truth::Later(at) => format!("later, at {}", at.as_millis()),
        Truth::Open => "open".into(),
        Truth::Over => "over".into(),
        Truth::Debris => "debris".into(),
    }
}

#[test]
fn a_row_is_what_its_log_says_of_it() {
    for (epoch, head, due, wanted) in [
        (2, 10, Some((500, MARK)), "holds at 500"),
        // An append that moves it on writes nothing here.
        (2, 12, Some((9_000, MARK)), "later, at 9000"),
        (5, 12, Some((9_000, MARK)), "later, at 9000"),
        // What it was written for has not come yet, and still may.
        (2, 9, None, "open"),
        (2, 9, Some((700, 3)), "open"),
        // It cannot any more: the head has moved, or another owner has come.
        (2, 10, None, "over"),
        (2, 10, Some((700, 3)), "over"),
        (3, 9, None, "over"),
        (3, 9, Some((700, 3)), "over"),
    ] {
        assert_eq!(told(&row().due(&segment(epoch, head, due))), wanted, "epoch {epoch}, head {head}, due {due:?}");
    }
}

#[test]
fn a_conversation_is_unspoken_while_nobody_has_said_a_word() {
    for (head, last_at, is_anonymous, wanted) in [
        (0, 500, false, "holds at 500"),
        (0, 500, true, "holds at 500"),
        (1, 900, true, "later, at 900"),
        (1, 900, false, "over"),
        (2, 900, true, "over"),
    ] {
        let segment = Segment { last_at: at(last_at), ..segment(1, head, None) };
        assert_eq!(told(&row().unspoken(&segment, is_anonymous)), wanted, "head {head}, anonymous: {is_anonymous}");
    }
}
