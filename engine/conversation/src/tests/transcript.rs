//! What a transcript keeps, whatever the sizes.

use schema::Author;

use super::*;

fn line(seq: Seq, author: Author, text: String) -> Line {
    Line { seq, at: Timestamp::default(), author, text: text.into(), cut: false, begins_late: false }
}

fn newest(transcript: &Transcript) -> Seq {
    let lines = transcript.exchanges().flat_map(|exchange| exchange.asked.iter().chain(&exchange.answered));
    lines.map(|line| line.seq).max().unwrap_or_default()
}

#[test]
fn it_is_bounded_whoever_speaks_and_ends_with_the_newest() {
    type Speak = fn(&mut Transcript, Seq, String);
    let ways: [(&str, Speak); 4] = [
        ("one asks and nobody answers", |talk, seq, text| talk.ask(line(seq, Author::Contact, text))),
        ("a human writes and nobody asks", |talk, seq, text| talk.answer(line(seq, Author::Human, text), 0, vec![])),
        ("both in turns", |talk, seq, text| match seq % 2 {
            0 => talk.answer(line(seq, Author::Assistant, text), seq - 1, vec![]),
            _ => talk.ask(line(seq, Author::Contact, text)),
        }),
        ("replies that are to be given once more", |talk, seq, text| match seq % 2 {
            0 => talk.answer(line(seq, Author::Assistant, text), 0, vec![]),
            _ => talk.ask(line(seq, Author::Contact, text)),
        }),
    ];
    for (way, speak) in ways {
        for bytes in [1, 700, limits::TEXT_BYTES_MAX, limits::REPLY_BYTES_MAX] {
            let mut transcript = Transcript::default();
            let said = 4 * limits::TRANSCRIPT_BYTES_MAX / bytes.clamp(LINE_BYTES, limits::TRANSCRIPT_BYTES_MAX);
            for seq in 1..=said as Seq {
                speak(&mut transcript, seq, "ü".repeat(bytes.div_ceil(2)));
                assert!(transcript.bytes() <= limits::TRANSCRIPT_BYTES_MAX, "{way}: {} bytes", transcript.bytes());
                let counted: usize = transcript.exchanges().map(Exchange::bytes).sum();
                assert_eq!(counted, transcript.bytes(), "{way}");
                // A question that is to be answered once more is newer than what was said of its answer.
                assert!(newest(&transcript) + 1 >= seq, "{way}");
            }
            assert!(transcript.begins_late(), "{way}, {bytes} bytes");
        }
    }
}

#[test]
fn of_a_long_reply_its_end_is_kept() {
    let mut transcript = Transcript::default();
    transcript.ask(line(1, Author::Contact, "Tell me all.".into()));
    let text = format!("{}the end", "ü".repeat(limits::REPLY_BYTES_MAX / 2 - 4));
    transcript.answer(line(2, Author::Assistant, text), 1, Vec::new());
    let reply = &transcript.exchanges().next().unwrap().answered[0];
    assert!(reply.begins_late && reply.text.as_str().ends_with("the end"));
    assert!(reply.text.bytes() <= limits::TRANSCRIPT_LINE_BYTES_MAX);
}

#[test]
fn a_reply_to_a_question_that_was_too_long_to_keep_does_not_answer_another() {
    let mut transcript = Transcript::default();
    transcript.ask(line(10, Author::Contact, "The first".into()));
    let long = "x".repeat(limits::TEXT_BYTES_MAX);
    let last = 10 + 2 * (limits::TRANSCRIPT_BYTES_MAX / limits::TEXT_BYTES_MAX) as Seq;
    for seq in 11..=last {
        transcript.ask(line(seq, Author::Contact, long.clone()));
    }
    assert!(transcript.begins_late());
    let open: Vec<Seq> = transcript.exchanges().flat_map(|open| &open.asked).map(|line| line.seq).collect();
    transcript.answer(line(last + 1, Author::Assistant, "To the first".into()), 10, Vec::new());
    let [answered, asked] = &transcript.exchanges().collect::<Vec<_>>()[..] else { panic!("{transcript:?}") };
    assert_eq!((answered.asked.len(), answered.answered[0].seq), (0, last + 1));
    assert_eq!(asked.asked.iter().map(|line| line.seq).collect::<Vec<_>>(), open, "none is put twice");
}

#[test]
fn a_reply_that_answers_nothing_leaves_the_question_open() {
    for (said, exchanges) in [("", 1), ("So far", 2)] {
        let mut transcript = Transcript::default();
        transcript.ask(line(1, Author::Contact, "When do you open?".into()));
        transcript.answer(line(3, Author::Assistant, said.into()), 0, Vec::new());
        assert_eq!(transcript.exchanges().count(), exchanges, "{said:?}");
        for exchange in transcript.exchanges() {
            assert_eq!(exchange.asked.iter().map(|line| line.seq).collect::<Vec<_>>(), [1], "{said:?}");
        }
        assert!(transcript.exchanges().next_back().unwrap().answered.is_empty(), "{said:?}");
    }
}
