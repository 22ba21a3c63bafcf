//! What a row tells after a conversation's events, and that it does not matter how they come.

use proptest::prelude::*;
use schema::wire::{ConversationSummary, Status};
use schema::{
    Author, Channel, CloseReason, ContactId, ConversationId, End, Event, Fact, HandoffReason, Made, Reply, Seq,
    Timestamp, limits,
};

use super::ConversationRow;

/// A fact and whose it is, in a word or two: what a row of the table is written in.
fn fact(word: &str) -> (Author, Fact) {
    let (name, rest) = word.split_once(' ').unwrap_or((word, ""));
    let message = |reply, text: &str| Fact::Message { text: text.into(), r#ref: None, agent: None, reply };
    let reply = |rest: &str, end| {
        let (answers, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let reply = Reply { turn: 1, end, answers: answers.parse().unwrap(), made: Made::default() };
        (Author::Assistant, message(Some(Box::new(reply)), text))
    };
    match name {
        "opened" => {
            let (contact, locale) = (contact(rest), "pt-BR".parse().ok());
            (Author::System, Fact::Opened { contact, channel: Channel::Web, locale })
        }
        "asks" => (Author::Contact, message(None, rest)),
        "replies" => reply(rest, End::Completed),
        "cut" => reply(rest, End::Cancelled),
        "human" => (Author::Human, message(None, rest)),
        "turn" => (Author::Assistant, Fact::TurnStarted { turn: 1 }),
        "taken" => (Author::Human, Fact::TakenOver { agent: rest.into(), ownership: 1 }),
        "back" => (Author::Human, Fact::HandedBack { agent: rest.into(), ownership: 2 }),
        "handoff" => (Author::Assistant, Fact::HandoffRequested { reason: HandoffReason::Complaint }),
        "closed" => (Author::System, Fact::Closed { reason: CloseReason::Idle }),
        "ended" => (Author::System, Fact::Closed { reason: CloseReason::Asked }),
        "reopened" => (Author::System, Fact::Reopened {}),
        other => panic!("{other} is no word of these tests"),
    }
}

/// The contact that a word of these tests names.
fn contact(name: &str) -> ContactId {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    ContactId::from_bytes(bytes)
}

/// Event n happens at n seconds.
fn events(words: &[&str]) -> Vec<Event> {
    let numbered = (1..).zip(words.iter().map(|word| fact(word)));
    numbered.map(|(seq, (author, fact))| Event { seq, at: at(seq), author, fact }).collect()
}

fn at(seq: Seq) -> Timestamp {
    Timestamp::from_millis(seq.cast_signed() * 1_000)
}

fn folded(events: &[Event]) -> ConversationRow {
    let mut row = ConversationRow::default();
    row.fold(events);
    row
}

fn page(row: &ConversationRow) -> ConversationSummary {
    row.clone().page(ConversationId::from_bytes([7; 16]))
}

#[test]
fn a_row_tells_who_waits_since_when_and_for_how_many_answers() {
    // The events; then unread, waiting since (a second), why for a person, by whom it is had.
    for (words, unread, waiting, handoff, agent) in [
        (&["opened ana"][..], 0, None, false, None),
        (&["opened ana", "asks one"], 1, Some(2), false, None),
        (&["opened ana", "asks one", "asks two"], 2, Some(2), false, None),
        (&["opened ana", "asks one", "turn", "replies 2 yes"], 0, None, false, None),
        // What came while the reply ran is still to be answered.
        (&["opened ana", "asks one", "turn", "asks two", "replies 2 yes"], 1, Some(4), false, None),
        (&["opened ana", "asks one", "turn", "asks two", "asks three", "replies 4 yes"], 1, Some(5), false, None),
        // Without a word nothing is answered; with some it is.
        (&["opened ana", "asks one", "turn", "cut 2"], 1, Some(2), false, None),
        (&["opened ana", "asks one", "turn", "cut 2 Well"], 0, None, false, None),
        // An answer that is to be given once more names what was answered before it.
        (&["opened ana", "asks one", "turn", "cut 0 Well"], 1, Some(2), false, None),
        // The wish for a person outlives the assistant's answer, and ends with a person's.
        (&["opened ana", "asks one", "turn", "handoff", "replies 2 yes"], 0, Some(4), true, None),
        (&["opened ana", "asks one", "turn", "handoff", "replies 2 yes", "taken Zoe"], 0, Some(4), true, Some("Zoe")),
        (&["opened ana", "asks one", "handoff", "taken Zoe", "human hello"], 0, None, false, Some("Zoe")),
        (&["opened ana", "asks one", "handoff", "taken Zoe", "back Zoe"], 1, Some(2), false, None),
        (
            &["opened ana", "asks one", "taken Zoe", "asks two", "human hi", "asks three"],
            1,
            Some(6),
            false,
            Some("Zoe"),
        ),
        // Nobody waits in what is over; what was not answered stays unread, and is waited for anew.
        (&["opened ana", "asks one", "closed"], 1, None, false, None),
        (&["opened ana", "asks one", "closed", "reopened", "asks two"], 2, Some(5), false, None),
        (&["opened ana", "asks one", "closed", "reopened", "asks two", "replies 5 yes"], 0, None, false, None),
        (&["opened ana", "asks one", "handoff", "closed"], 1, None, true, None),
        (&["opened ana", "asks one", "handoff", "closed", "reopened", "asks two"], 2, Some(5), true, None),
    ] {
        let shown = page(&folded(&events(words)));
        let found = (shown.unread, shown.waiting_since, shown.handoff, shown.agent.as_deref());
        let handoff = handoff.then_some(HandoffReason::Complaint);
        assert_eq!(found, (Some(unread), waiting.map(at), handoff, agent), "{words:?}");
        assert_eq!(shown.owner, if agent.is_some() { "human" } else { "assistant" }, "{words:?}");
        let news = words.iter().rposition(|word| !["turn", "closed"].contains(word)).unwrap();
        assert_eq!((shown.head, shown.last_at), (words.len() as Seq, at(news as Seq + 1)), "{words:?}");
        assert_eq!(
            (shown.contact_id, shown.contact.and_then(|name| name.id())),
            (Some(contact("ana")), Some(contact("ana"))),
            "{words:?}"
        );
        let of_contact = page(&folded(&events(words))).for_contact();
        assert_eq!((of_contact.unread, of_contact.waiting_since, of_contact.handoff), (None, None, None), "{words:?}");
    }
}

#[test]
fn the_last_words_are_the_beginning_of_the_contacts_newest_message_in_one_line() {
    let long = "ñandú 🕯 ".repeat(40);
    let cut: String = long.chars().take(limits::LAST_WORDS_CHARS_MAX).collect();
    let unbroken = "é".repeat(10_000);
    let unbroken_cut = "é".repeat(limits::LAST_WORDS_CHARS_MAX);
    for (said, shown) in [
        ("Do you ship?", "Do you ship?"),
        ("  Do\tyou \r\n\n ship?\n", "Do you ship?"),
        ("one\u{0}two\u{7}", "one two"),
        ("", ""),
        (&long, cut.trim_end()),
        (&unbroken, &unbroken_cut),
    ] {
        let found = page(&folded(&events(&["opened ana", &format!("asks {said}"), "replies 2 Yes."]))).last_words;
        assert_eq!(found.unwrap().as_str(), shown, "{said:?}");
    }
    assert_eq!(page(&folded(&events(&["opened ana", "human hello"]))).last_words, None);
    assert_eq!(page(&folded(&events(&["asks one", "asks two"]))).last_words.unwrap().as_str(), "two");
}

#[test]
fn it_is_bounded_and_counts_on_however_long_nobody_answers() {
    let count = 10 * limits::OPEN_MESSAGES_MAX as u64;
    let asks = |seq| Event { seq, at: at(seq), ..events(&["asks Is anybody there?"])[0].clone() };
    let mut row = folded(&(1..=count).map(asks).collect::<Vec<_>>());
    let shown = page(&row);
    assert_eq!((shown.unread, shown.waiting_since), (Some(count as u32), Some(at(1))));
    assert!(serde_json::to_vec(&row).unwrap().len() < 4_096);
    let answers = |seq, upto| Event { seq, at: at(seq), ..events(&[&format!("replies {upto} Yes.")])[0].clone() };
    row.fold([&answers(count + 1, count - 3)]);
    let shown = page(&row);
    assert_eq!((shown.unread, shown.waiting_since), (Some(3), Some(at(count - 2))));
    row.fold([&answers(count + 2, count)]);
    assert_eq!((page(&row).unread, page(&row).waiting_since), (Some(0), None));
}

#[test]
fn its_moment_does_not_go_back_and_what_it_tells_is_not_told_twice() {
    let mut row = folded(&events(&["opened ana", "asks one", "asks two"]));
    let before = row.clone();
    row.fold([&events(&["opened ana", "asks one"])[1]]);
    assert_eq!(row, before);
    row.fold([&Event { seq: 4, at: at(1), ..events(&["ended"])[0].clone() }]);
    assert_eq!((row.head, row.last_at, page(&row).status), (4, at(3), Status::Closed));
}

#[test]
fn what_the_node_does_by_itself_leaves_a_row_in_its_place() {
    for (last, moment) in
        [("turn", 2), ("closed", 2), ("ended", 3), ("replies 2 Yes.", 3), ("handoff", 3), ("back Zoe", 3)]
    {
        let row = folded(&events(&["opened ana", "asks one", last]));
        assert_eq!((row.head, row.last_at), (3, at(moment)), "{last}");
    }
}

fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zé 🕯\n]{0,20}".prop_map(|text| format!("asks {text}")),
        2 => (0u64..40, "[a-z]{0,3}").prop_map(|(answers, text)| format!("replies {answers} {text}")),
        1 => (0u64..40).prop_map(|answers| format!("cut {answers}")),
        1 => Just("human Hello.".to_owned()),
        1 => Just("turn".to_owned()),
        1 => Just("taken Zoe".to_owned()),
        1 => Just("back Zoe".to_owned()),
        1 => Just("handoff".to_owned()),
        1 => Just("closed".to_owned()),
        1 => Just("reopened".to_owned()),
    ]
}

proptest! {
    /// Rows are put away and read again anywhere in between, and events may be told twice.
    #[test]
    fn rows_brought_on_piece_by_piece_are_rows_folded_at_once(
        words in prop::collection::vec(any_word(), 0..120),
        cuts in prop::collection::vec(0usize..120, 0..8),
    ) {
        let words: Vec<&str> = std::iter::once("opened ana").chain(words.iter().map(String::as_str)).collect();
        let events = events(&words);
        let whole = folded(&events);
        let mut row = ConversationRow::default();
        for (n, event) in events.iter().enumerate() {
            row.fold([event]);
            if cuts.contains(&n) {
                let (head, contact, last_at) = (row.head, row.contact, row.last_at);
                let kept = serde_json::to_string(&row).unwrap();
                row = serde_json::from_str(&kept).unwrap();
                (row.head, row.contact, row.last_at) = (head, contact, last_at);
                row.fold(&events[..n]);
            }
        }
        prop_assert_eq!(row, whole);
    }
}
