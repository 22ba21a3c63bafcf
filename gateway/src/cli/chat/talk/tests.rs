//! The talk as a pure machine: frames in, lines out.

use serde_json::json;

use super::*;

fn frame(value: serde_json::Value) -> ServerFrame {
    serde_json::from_value(value).unwrap()
}

/// A talk that has joined and said one thing, whose event is 2.
fn asked() -> (Talk, Ref) {
    let mut talk = Talk::new(ConversationId::from_bytes([1; 16]));
    let Some(ClientFrame::Join { r#ref, .. }) = talk.join() else { panic!() };
    assert!(!talk.ready());
    talk.on_frame(frame(json!({"type":"reply","ref":r#ref,"ok":{}}))).unwrap();
    assert!(talk.ready());
    talk.on_frame(event(1, json!({"type":"opened","contact":"ct_018f00000000700080000000000000aa"}))).unwrap();
    let Some(ClientFrame::Say { r#ref, .. }) = talk.say("hours?") else { panic!() };
    assert!(!talk.ready() && talk.replying());
    (talk, r#ref)
}

fn event(seq: u64, mut fact: serde_json::Value) -> ServerFrame {
    fact["seq"] = json!(seq);
    fact["at"] = json!("2024-05-01T10:00:00.000Z");
    if fact.get("author").is_none() {
        fact["author"] = json!("system");
    }
    frame(json!({"type":"event","conversation":ConversationId::from_bytes([1; 16]),"event":fact}))
}

fn said(seq: u64, r#ref: &Ref) -> ServerFrame {
    event(seq, json!({"type":"message","author":"contact","text":"hours?","ref":r#ref}))
}

fn delta(offset: usize, text: &str) -> ServerFrame {
    frame(
        json!({"type":"delta","conversation":ConversationId::from_bytes([1; 16]),"turn":1,"offset":offset,"text":text}),
    )
}

fn reply(seq: u64, text: &str, end: &str, answers: u64) -> ServerFrame {
    let made = json!({"model":"builtin","profile_version":1,"total_ms":3,"usage":{"input_tokens":1,"output_tokens":1}});
    let fact =
        json!({"type":"message","author":"assistant","text":text,"turn":1,"end":end,"answers":answers,"made":made});
    event(seq, fact)
}

fn over(end: End) -> Show {
    Show::Over { end, error: None, passages: Vec::new() }
}

/// What the person has seen of replies.
fn seen(talk: &mut Talk, frames: Vec<ServerFrame>) -> (String, Vec<Show>) {
    let mut text = String::new();
    let mut others = Vec::new();
    for show in frames.into_iter().flat_map(|frame| talk.on_frame(frame).unwrap()) {
        match show {
            Show::Piece(piece) => text.push_str(&piece),
            other => others.push(other),
        }
    }
    (text, others)
}

#[test]
fn every_character_is_shown_once_however_often_it_comes() {
    for pieces in [
        vec![delta(0, "Grü"), delta(3, "ße, "), delta(7, "Ana")],
        vec![delta(0, "Grü"), delta(0, "Grüße, "), delta(2, "üße, Ana")],
        vec![delta(0, "Grü"), delta(5, "later")],
        vec![delta(4, "lost its beginning")],
        vec![],
    ] {
        let (mut talk, r#ref) = asked();
        let mut frames = vec![said(2, &r#ref), event(3, json!({"type":"turn_started","turn":1}))];
        frames.extend(pieces.clone());
        frames.push(reply(4, "Grüße, Ana", "completed", 2));
        frames.push(reply(4, "Grüße, Ana", "completed", 2));
        let (text, others) = seen(&mut talk, frames);
        assert_eq!((text.as_str(), others), ("Grüße, Ana", vec![over(End::Completed)]), "{pieces:?}");
        assert!(talk.ready() && talk.failures() == 0);
    }
}

#[test]
fn a_new_socket_goes_on_from_the_same_character_and_says_nothing_twice() {
    let (mut talk, r#ref) = asked();
    assert_eq!(seen(&mut talk, vec![said(2, &r#ref), delta(0, "Grüße")]).0, "Grüße");
    let Some(ClientFrame::Join { after, .. }) = talk.join() else { panic!() };
    assert_eq!(after.to_string(), "2:1:5");
    let Some(ClientFrame::Say { r#ref: again, .. }) = talk.unanswered() else { panic!() };
    assert_eq!(again, r#ref);
    let (text, _) = seen(&mut talk, vec![delta(5, ", Ana"), reply(4, "Grüße, Ana!", "completed", 2)]);
    assert_eq!(text, ", Ana!");
    assert!(talk.unanswered().is_none());
}

#[test]
fn a_reply_to_something_older_is_not_an_answer() {
    let (mut talk, r#ref) = asked();
    seen(&mut talk, vec![reply(2, "old", "completed", 1), said(3, &r#ref)]);
    assert!(talk.replying());
    seen(&mut talk, vec![reply(4, "new", "completed", 3)]);
    assert!(talk.ready());
}

#[test]
fn endings_are_told_and_only_broken_ones_count_as_failures() {
    for (end, shown, failures) in [
        ("cancelled", End::Cancelled, 0),
        ("length", End::Length, 0),
        ("failed", End::Failed, 1),
        ("incomplete", End::Incomplete, 1),
    ] {
        let (mut talk, r#ref) = asked();
        let (_, others) = seen(&mut talk, vec![said(2, &r#ref), reply(3, "", end, 2)]);
        assert_eq!((others, talk.failures()), (vec![over(shown)], failures), "{end}");
    }
}

#[test]
fn a_human_is_not_waited_for() {
    let (mut talk, r#ref) = asked();
    let taken = event(3, json!({"type":"taken_over","agent":"Bo","ownership":1}));
    let (_, others) = seen(&mut talk, vec![said(2, &r#ref), taken]);
    assert_eq!(others, [Show::Note("Bo took over".into())]);
    assert!(talk.ready());
    let Some(ClientFrame::Say { r#ref, .. }) = talk.say("hello?") else { panic!() };
    seen(&mut talk, vec![frame(json!({"type":"reply","ref":r#ref,"ok":{"seq":4}}))]);
    assert!(talk.ready());
    let human = event(5, json!({"type":"message","author":"human","text":"Hi","agent":"Bo"}));
    let (_, others) = seen(&mut talk, vec![said(4, &r#ref), human]);
    let about: Vec<&Show> = others.iter().filter(|show| matches!(show, Show::Message { .. })).collect();
    assert_eq!(about.last(), Some(&&Show::Message { from: "Bo".into(), text: "Hi".into() }));
}

#[test]
fn refusals_are_told() {
    let (mut talk, r#ref) = asked();
    let error = json!({"code":"rate_limited","message":"wait 2 s"});
    let (_, others) = seen(&mut talk, vec![frame(json!({"type":"reply","ref":r#ref,"error":error}))]);
    assert_eq!(others, [Show::Note("not said: wait 2 s (rate_limited)".into())]);
    assert!(talk.ready() && talk.failures() == 1);
    let Some(ClientFrame::Join { r#ref, .. }) = talk.join() else { panic!() };
    let refused = frame(json!({"type":"reply","ref":r#ref,"error":{"code":"unknown_conversation","message":"no"}}));
    assert!(talk.on_frame(refused).is_err());
}
