//! What a row of the agenda turns out to be, by what its log says.

use schema::{ConversationId, TenantId};

use super::*;

const MARK: i64 = 7;
const WRITTEN: i64 = 1_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A row at 500 that was written a moment ago under epoch 2 and head 9.
fn row() -> Row {
    let key = ConversationKey { tenant: TenantId::generate(), conversation: ConversationId::generate() };
    Row { at: at(500), key, mark: MARK, log: Uuid::nil(), epoch: 2, head: 9, written: at(WRITTEN) }
}

fn segment(epoch: i64, head: Seq, due: (Option<i64>, Option<i64>)) -> Segment {
    let due = Due { at: due.0.map(at), mark: due.1 };
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
    const OLD: i64 = WRITTEN + COMING_MILLIS;
    for (epoch, head, due, now, wanted) in [
        (2, 10, (Some(500), Some(MARK)), WRITTEN, "holds at 500"),
        (2, 9, (Some(500), Some(MARK)), OLD, "holds at 500"),
        // An append that moves it on writes nothing here.
        (2, 12, (Some(9_000), Some(MARK)), WRITTEN, "later, at 9000"),
        (5, 12, (Some(9_000), Some(MARK)), WRITTEN, "later, at 9000"),
        // What it was written for has not come yet, and still may.
        (2, 9, (None, None), WRITTEN, "open"),
        (2, 9, (None, Some(3)), OLD - 1, "open"),
        (2, 9, (Some(700), Some(3)), WRITTEN, "open"),
        // Nor did it come in all this time.
        (2, 9, (None, None), OLD, "over"),
        (2, 9, (None, Some(3)), OLD, "over"),
        (2, 9, (Some(700), Some(3)), OLD, "over"),
        // It came, and the moment was taken back, in one activation.
        (2, 9, (None, Some(MARK)), WRITTEN, "over"),
        // It cannot come any more: the head has moved, or another owner has come.
        (2, 10, (None, None), WRITTEN, "over"),
        (2, 10, (Some(700), Some(3)), WRITTEN, "over"),
        (3, 9, (None, None), WRITTEN, "over"),
        (3, 9, (Some(700), Some(3)), WRITTEN, "over"),
    ] {
        let found = row().due(&segment(epoch, head, due), at(now));
        assert_eq!(told(&found), wanted, "epoch {epoch}, head {head}, due {due:?}, at {now}");
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
        let segment = Segment { last_at: at(last_at), ..segment(1, head, (None, None)) };
        assert_eq!(told(&row().unspoken(&segment, is_anonymous)), wanted, "head {head}, anonymous: {is_anonymous}");
    }
}
