//! A sound history passes; each planted fault is found by its rule.

use schema::{
    Author, CloseReason, End, Event, Fact, HandoffReason, Made, Position, Ref, Reply, Seq, Text, Timestamp, Turn,
};

use super::{Held, History, Observer, Rule, Sender};

fn event(seq: Seq, author: Author, fact: Fact) -> Event {
    Event { seq, at: Timestamp::from_millis(0), author, fact }
}

fn reference(name: &str) -> Ref {
    name.parse().unwrap()
}

fn said(seq: Seq, name: &str, text: &str) -> Event {
    let fact = Fact::Message { text: Text::from(text), r#ref: Some(reference(name)), agent: None, reply: None };
    event(seq, Author::Contact, fact)
}

fn started(seq: Seq, turn: Turn) -> Event {
    event(seq, Author::Assistant, Fact::TurnStarted { turn })
}

fn replied(seq: Seq, turn: Turn, text: &str, end: End, error: Option<&str>) -> Event {
    let made = Made { error: error.map(str::to_owned), ..Made::default() };
    let reply = Reply { turn, end, answers: 1, made };
    let fact = Fact::Message { text: Text::from(text), r#ref: None, agent: None, reply: Some(Box::new(reply)) };
    event(seq, Author::Assistant, fact)
}

fn closed(seq: Seq) -> Event {
    event(seq, Author::System, Fact::Closed { reason: CloseReason::Asked })
}

/// Two messages, two replies, a listener that was cut in the middle of the first.
fn sound() -> (History, Vec<Event>) {
    let log = vec![
        said(1, "a", "one"),
        started(2, 1),
        replied(3, 1, "first reply", End::Completed, None),
        said(4, "b", "two"),
        started(5, 2),
        replied(6, 2, "", End::Failed, Some("model_down")),
        closed(7),
    ];
    let mut sender = Sender::new(Author::Contact);
    for (name, text, seq) in [("a", "one", 1), ("b", "two", 4)] {
        sender.sends(&reference(name), text);
        sender.sends(&reference(name), text);
        sender.acknowledged(&reference(name), seq);
    }
    let mut observer = Observer::that_keeps_words();
    observer.event(&log[0]);
    observer.event(&log[1]);
    observer.delta(1, 0, "fir");
    assert_eq!(observer.position().to_string(), "2:1:3");
    observer.delta(1, 3, "st rep");
    for event in &log[2..] {
        observer.event(event);
    }
    observer.stayed_until(7);
    (
        History {
            senders: vec![sender],
            observers: vec![observer],
            foreign: vec!["canary".into()],
            held: vec![Held { what: "transcript", bytes: 100, most: 100 }],
            nobody_else: true,
        },
        log,
    )
}

type Plant = fn(&mut History, &mut Vec<Event>);

#[test]
fn what_is_sound_passes() {
    let (history, log) = sound();
    assert_eq!(history.check(&log), []);
}

#[test]
fn a_crash_may_have_said_more_than_it_stored() {
    let (mut history, mut log) = sound();
    log[2] = replied(3, 1, "fir", End::Incomplete, Some("interrupted"));
    let mut observer = Observer::default();
    observer.event(&log[0]);
    observer.event(&log[1]);
    observer.delta(1, 0, "first re");
    observer.event(&log[2]);
    history.observers = vec![observer];
    assert_eq!(history.check(&log), []);
}

/// A checkpoint of what turn 1 said in its first six characters; without its text for who has that.
fn checkpoint(seq: Seq, has_text: bool) -> Event {
    let (chars, text) = if has_text { (Some(6), "") } else { (None, "first ") };
    event(seq, Author::Assistant, Fact::Checkpoint { turn: 1, offset: 0, chars, text: Text::from(text), unsaid: None })
}

fn wanted(seq: Seq) -> Event {
    event(seq, Author::Assistant, Fact::HandoffRequested { reason: HandoffReason::Asked })
}

#[test]
fn a_person_may_be_asked_for_again_once_one_was_there() {
    let written = Fact::Message { text: "me".into(), r#ref: None, agent: Some("Bo".into()), reply: None };
    let back = Fact::HandedBack { agent: "Bo".into(), ownership: 2 };
    for seen_to in [written, back] {
        let log = [
            started(1, 1),
            wanted(2),
            replied(3, 1, "x", End::Completed, None),
            event(4, Author::Human, seen_to),
            started(5, 2),
            wanted(6),
            replied(7, 2, "y", End::Completed, None),
        ];
        assert_eq!(History::default().check(&log), []);
    }
}

fn with_checkpoint() -> Vec<Event> {
    vec![said(1, "a", "one"), started(2, 1), checkpoint(3, false), replied(4, 1, "first reply", End::Completed, None)]
}

#[test]
fn a_checkpoint_is_shown_without_the_text_that_was_heard_or_with_it() {
    let log = with_checkpoint();
    for (heard, has_text) in [("first ", true), ("first rep", true), ("first", false), ("", false)] {
        let mut observer = Observer::default();
        observer.event(&log[0]);
        observer.event(&log[1]);
        if !heard.is_empty() {
            observer.delta(1, 0, heard);
        }
        observer.event(&checkpoint(3, has_text));
        observer.event(&log[3]);
        observer.stayed_until(4);
        assert_eq!(History { observers: vec![observer], ..History::default() }.check(&log), [], "{heard}");
    }
}

#[test]
fn a_listener_may_go_back_and_hear_all_of_it_again() {
    let (_, log) = sound();
    let mut observer = Observer::default();
    log[..5].iter().for_each(|event| observer.event(event));
    observer.goes_back(Position { seq: 2, reached: None });
    log[2..].iter().for_each(|event| observer.event(event));
    observer.stayed_until(7);
    assert_eq!(History { observers: vec![observer], ..History::default() }.check(&log), []);
}

#[test]
fn pipelined_messages_may_change_places_only_when_nothing_was_settled() {
    let log = vec![said(1, "b", "two"), said(2, "a", "one"), said(3, "c", "three")];
    let mut sender = Sender::new(Author::Contact);
    sender.sends(&reference("a"), "one");
    sender.sends(&reference("b"), "two");
    sender.acknowledged(&reference("b"), 1);
    let refused_once = {
        let mut sender = sender.clone();
        sender.sends(&reference("a"), "one");
        sender.acknowledged(&reference("a"), 2);
        sender.sends(&reference("c"), "three");
        sender
    };
    let history = History { senders: vec![refused_once], ..History::default() };
    assert_eq!(history.check(&log), []);
    // Each was taken at its first coming: on one line they could not change places.
    sender.acknowledged(&reference("a"), 2);
    let found = History { senders: vec![sender], ..History::default() }.check(&log);
    assert!(found.iter().all(|violation| violation.rule == Rule::Order) && !found.is_empty(), "{found:?}");
}

#[test]
fn every_rule_finds_what_was_planted_for_it() {
    let plants: &[(Rule, &str, Plant)] = &[
        (Rule::Numbers, "a number twice", |_, log| log[6].seq = 6),
        (Rule::Numbers, "a hole", |_, log| log[6].seq = 8),
        (Rule::Kept, "an acknowledged message is lost", |_, log| log[3] = closed(4)),
        (Rule::Kept, "it stands elsewhere", |history, _| history.senders[0] = acknowledged_as(5)),
        (Rule::Kept, "it has other words", |_, log| log[3] = said(4, "b", "tow")),
        (Rule::Kept, "two acknowledgements differ", |history, _| {
            history.senders[0].acknowledged(&reference("a"), 2);
        }),
        (Rule::Kept, "an acknowledgement of nothing", |history, _| {
            history.senders[0].acknowledged(&reference("zzz"), 2);
        }),
        (Rule::Once, "a message twice", |_, log| log[6] = said(7, "a", "one")),
        (Rule::Order, "later words stand before earlier ones", |history, log| {
            log[0] = said(1, "b", "two");
            log[3] = said(4, "a", "one");
            let mut sender = Sender::new(Author::Contact);
            sender.sends(&reference("a"), "one");
            sender.acknowledged(&reference("a"), 4);
            sender.sends(&reference("b"), "two");
            sender.acknowledged(&reference("b"), 1);
            history.senders[0] = sender;
        }),
        (Rule::Sent, "a message of nobody", |_, log| log[6] = said(7, "x", "who said this?")),
        (Rule::Shown, "an event that was shown is another one", |_, log| {
            log[6] = event(7, Author::System, Fact::Reopened {});
        }),
        (Rule::Shown, "an event that was shown is gone", |_, log| drop(log.pop())),
        (Rule::Complete, "an event was passed over", |history, log| {
            let mut observer = Observer::default();
            observer.event(&log[0]);
            observer.event(&log[2]);
            history.observers.push(observer);
        }),
        (Rule::Complete, "an event came twice", |history, log| {
            let mut observer = Observer::default();
            observer.event(&log[0]);
            observer.event(&log[0]);
            history.observers.push(observer);
        }),
        (Rule::Complete, "the end was never shown", |history, _| {
            let mut observer = Observer::default();
            observer.stayed_until(7);
            history.observers.push(observer);
        }),
        (Rule::Complete, "sent back", |history, _| history.observers[0].skipped_to(3)),
        (Rule::Character, "a character twice", |history, _| delta_after_cut(history, 2)),
        (Rule::Character, "a character missing", |history, _| delta_after_cut(history, 4)),
        (Rule::Character, "two replies at once", |history, _| {
            let mut observer = Observer::default();
            observer.delta(1, 0, "first");
            observer.delta(2, 0, "second");
            history.observers.push(observer);
        }),
        (Rule::Reply, "other words than were heard", |_, log| {
            log[2] = replied(3, 1, "quite another", End::Completed, None);
        }),
        (Rule::Reply, "a reply was heard whose end never came", |history, _| {
            history.observers[0].delta(3, 0, "a third");
        }),
        (Rule::Turn, "a turn without end", |_, log| log[5] = closed(6)),
        (Rule::Turn, "an end without a beginning", |_, log| log[4] = closed(5)),
        (Rule::Turn, "two ends", |_, log| log[6] = replied(7, 2, "", End::Failed, None)),
        (Rule::Turn, "two turns at once", |_, log| log[5] = started(6, 3)),
        (Rule::Handoff, "a person is asked for twice", |_, log| {
            log.splice(5.., [started(6, 3), wanted(7), wanted(8), replied(9, 3, "", End::Failed, None)]);
        }),
        (Rule::Handoff, "a person is asked for when nothing runs", |_, log| log[6] = wanted(7)),
        (Rule::Complete, "a gap after going back", |history, log| {
            let mut observer = Observer::default();
            log[..5].iter().for_each(|event| observer.event(event));
            observer.goes_back(Position { seq: 2, reached: None });
            observer.event(&log[3]);
            history.observers.push(observer);
        }),
        (Rule::Covered, "a checkpoint without text that was not heard", |history, log| {
            *log = with_checkpoint();
            let mut observer = Observer::default();
            observer.event(&log[0]);
            observer.event(&log[1]);
            observer.delta(1, 0, "first");
            observer.event(&checkpoint(3, true));
            history.observers.push(observer);
        }),
        (Rule::Shown, "a checkpoint without text that covers something else", |history, log| {
            *log = with_checkpoint();
            let mut observer = Observer::default();
            observer.event(&log[0]);
            observer.event(&log[1]);
            observer.delta(1, 0, "first rep");
            let fact = Fact::Checkpoint { turn: 1, offset: 0, chars: Some(7), text: Text::default(), unsaid: None };
            observer.event(&event(3, Author::Assistant, fact));
            history.observers.push(observer);
        }),
        (Rule::Progress, "ended as slow where it began", |history, log| {
            let mut observer = Observer::default();
            observer.event(&log[0]);
            observer.comes_back();
            observer.was_too_slow();
            history.observers.push(observer);
        }),
        (Rule::Memory, "more than there may be", |history, _| history.held[0].bytes += 1),
        (Rule::Foreign, "another tenant's word is stored", |_, log| log[6] = said(7, "c", "a canary sings")),
        (Rule::Foreign, "another tenant's word is shown", |history, _| history.observers[0].frame("canary")),
    ];
    for (rule, name, plant) in plants {
        let (mut history, mut log) = sound();
        plant(&mut history, &mut log);
        let found = history.check(&log);
        assert!(found.iter().any(|violation| violation.rule == *rule), "{name}: {found:?}");
    }
}

/// The second message, acknowledged under a wrong number.
fn acknowledged_as(seq: Seq) -> Sender {
    let mut sender = Sender::new(Author::Contact);
    sender.sends(&reference("b"), "two");
    sender.acknowledged(&reference("b"), seq);
    sender
}

/// A listener that has three characters, and is sent on from `offset`.
fn delta_after_cut(history: &mut History, offset: usize) {
    let mut observer = Observer::default();
    observer.delta(1, 0, "fir");
    observer.delta(1, offset, "st reply");
    history.observers.push(observer);
}
