//! How replies look, word for word.

use futures_util::FutureExt;
use futures_util::StreamExt;

use super::*;

fn passage(n: u32, heading: &str, text: &str) -> Passage {
    Passage { n, source: "shop/returns.md".into(), heading: heading.into(), text: text.into() }
}

fn prompt(question: &str, passages: Vec<Passage>, max_output_tokens: u32) -> Arc<Prompt> {
    Arc::new(asked(question, &[], None, passages, max_output_tokens))
}

fn asked(
    question: &str,
    before: &[&str],
    locale: Option<&str>,
    passages: Vec<Passage>,
    max_output_tokens: u32,
) -> Prompt {
    Prompt {
        system: "".into(),
        lines: Vec::new(),
        question: question.into(),
        before: before.iter().map(|said| (*said).into()).collect(),
        locale: locale.map(|tag| tag.parse().expect("a tag")),
        passages,
        max_output_tokens,
    }
}

fn reply(question: &str, passages: &[Passage]) -> String {
    super::reply(&prompt(question, passages.to_vec(), 1024)).0
}

#[test]
fn what_it_does_not_know_and_who_wants_a_person_is_signalled() {
    let passages = [passage(1, "Hours", "The shop opens at 9:00 and closes at 18:00.")];
    for (said, signal) in [
        ("When does the shop open?", None),
        ("Thanks!", None),
        ("Do you sell submarines?", Some(Signal::Unanswered)),
        ("When does the shop open? Do you sell submarines?", Some(Signal::Unanswered)),
        ("I want to talk to a person", Some(Signal::HandoffRequested(HandoffReason::Asked))),
        ("This is a disgrace, you are useless!", Some(Signal::HandoffRequested(HandoffReason::Complaint))),
    ] {
        let signals = stream(prompt(said, passages.to_vec(), 1024)).into_iter().filter_map(|chunk| match chunk {
            Chunk::Signal(signal) => Some(signal),
            _ => None,
        });
        assert_eq!(signals.collect::<Vec<_>>(), Vec::from_iter(signal), "{said}");
    }
}

fn stream(prompt: Arc<Prompt>) -> Vec<Chunk> {
    // Nothing in it waits: it must be ready whenever it is asked.
    let all = Builtin.ask(prompt).collect::<Vec<_>>().now_or_never().expect("ready at once");
    all.into_iter().map(|chunk| chunk.expect("a chunk")).collect()
}

#[test]
fn replies_read_as_written_here() {
    let returns = || {
        vec![
            passage(
                1,
                "Returns › Refunds",
                "We refund the price within 5 working days. It goes back to your card.\n\nYour bank may need longer.",
            ),
            passage(
                2,
                "Returns › How to send something back",
                "Sending a parcel back is easy:\n\n1. Print the label.\n2. Hand in the parcel.",
            ),
            passage(3, "Delivery › Prices", "| place | price |\n|---|---|\n| Austria | 5.90 € |\n| Norway | 14.90 € |"),
            passage(4, "Start", "Start the node with this command:\n\n```sh\ntertulia serve\n```"),
        ]
    };
    for (question, expected) in [
        ("When do I get my refund?", "From “Refunds”: “We refund the price within 5 working days.” [1]"),
        (
            "How do I send a parcel back?",
            "From “How to send something back” [2]:\n\nSending a parcel back is easy:\n\n1. Print the label.\n2. Hand in the parcel.",
        ),
        ("What is the price for Norway?", "From “Prices”: “Norway: price 14.90 €” [3]"),
        (
            "Which command starts the node?",
            "From “Start” [4]:\n\nStart the node with this command:\n\n```sh\ntertulia serve\n```",
        ),
        (
            "Do you sell submarines?",
            "I don't know: I could not find an answer to that in the documents I have. A person can help you with this.",
        ),
        ("Thanks!", "You are welcome! Is there anything else you would like to know?"),
        ("what is it?", "Could you say in a few more words what you would like to know?"),
    ] {
        assert_eq!(reply(question, &returns()), expected, "{question}");
    }
    let none = reply("¿Venden submarinos?", &[]);
    assert!(none.starts_with("No lo sé") || none.starts_with("I don't know"), "{none}");
}

#[test]
fn what_does_not_tell_its_language_is_answered_in_that_of_the_talk_or_the_page() {
    let passages =
        || vec![passage(1, "Habitaciones › Wifi", "El wifi es gratis en todas las habitaciones y en el bar.")];
    let (spanish, german, english) = ("De “Wifi”", "Aus “Wifi”", "From “Wifi”");
    for (question, before, locale, expected) in [
        ("wifi?", &[][..], None, spanish),
        ("wifi?", &[], Some("de-AT"), german),
        ("wifi?", &[], Some("EN-us"), english),
        // What they have written tells more than their page, and the question more than both.
        ("wifi?", &["Guten Tag, ist das Zimmer mit Balkon noch frei?"], Some("en"), german),
        ("wifi?", &["ok"], Some("en"), english),
        ("¿Hay wifi en las habitaciones?", &["Is there a bar?"], Some("de"), spanish),
        // A language that it does not speak.
        ("wifi?", &[], Some("fi"), spanish),
    ] {
        let reply = super::reply(&asked(question, before, locale, passages(), 1024)).0;
        assert!(reply.starts_with(expected), "{question} {before:?} {locale:?}: {reply}");
        assert!(reply.contains("El wifi es gratis"), "what is quoted stays as it is: {reply}");
    }
    for (said, locale, expected) in [
        ("?", "de", "Könnten Sie"),
        ("ok", "fr", "Bien. Souhaitez-vous"),
        ("submarine?", "de", "Ich weiß es nicht"),
        ("submarine?", "nn-NO", "Jeg vet ikke"),
        // In the documents' words, whatever the page says.
        ("humano", "en", "Paso su consulta"),
    ] {
        let reply = super::reply(&asked(said, &[], Some(locale), passages(), 1024)).0;
        assert!(reply.starts_with(expected), "{said} {locale}: {reply}");
    }
}

#[test]
fn two_questions_in_one_message_get_two_quotations() {
    let passages = [
        passage(1, "Hours", "The shop opens at 9:00 and closes at 18:00."),
        passage(2, "Parking", "Parking behind the house is free."),
    ];
    assert_eq!(
        reply("When does the shop open? Is parking free?", &passages),
        "From “Hours”: “The shop opens at 9:00 and closes at 18:00.” [1]\n\n\
         Also from “Parking”: “Parking behind the house is free.” [2]"
    );
}

#[test]
fn the_stream_is_words_then_usage_then_the_end() {
    let passages = vec![passage(1, "Hours", "The shop opens at 9:00.")];
    let chunks = stream(prompt("When does the shop open?", passages.clone(), 1024));
    let (text, rest): (Vec<_>, Vec<_>) = chunks.into_iter().partition(|chunk| matches!(chunk, Chunk::Text(_)));
    let words: Vec<String> =
        text.into_iter().filter_map(|c| if let Chunk::Text(t) = c { Some(t) } else { None }).collect();
    assert!(words.iter().all(|word| !word.trim().is_empty()), "{words:?}");
    assert_eq!(words.concat(), "From “Hours”: “The shop opens at 9:00.” [1]");
    let usage = Usage { input_tokens: 10, output_tokens: words.len() as u64, ..Usage::default() };
    assert_eq!(rest, [Chunk::Usage(usage), Chunk::End(Stop::Completed)]);

    let cut = stream(prompt("When does the shop open?", passages, 3));
    assert_eq!(cut.len(), 5);
    assert_eq!(cut.last(), Some(&Chunk::End(Stop::Length)));
    assert_eq!(Builtin.price(), Some(Price::default()));
}

#[test]
fn a_message_full_of_questions_costs_no_more_than_a_few() {
    let passages: Vec<Passage> = (1..=5).map(|n| passage(n, "Hours", &"The shop opens at 9:00. ".repeat(50))).collect();
    let shopps = (0..2_500).map(|n| format!("shopp{n} ")).collect();
    let short = ["여?", "가나?", "ね?", "字?", "a?"].map(|clause| clause.repeat(4_000 / clause.len()));
    for said in ["When does the shop open? ".repeat(650), shopps].into_iter().chain(short) {
        let begun = std::time::Instant::now();
        assert!(!reply(&said, &passages).is_empty());
        let asked =
            Prompt { before: vec![said.as_str().into(); 2], ..(*prompt("여?", passages.clone(), 1_024)).clone() };
        assert!(!super::reply(&asked).0.is_empty());
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "took {:?}", begun.elapsed());
    }
}

proptest::proptest! {
    #[test]
    fn any_question_over_any_passage_is_answered(question in "(?s).{0,400}", text in "(?s).{0,800}", heading in ".{0,60}") {
        let chunks = stream(prompt(&question, vec![passage(1, &heading, &text)], 100_000));
        proptest::prop_assert_eq!(chunks.last(), Some(&Chunk::End(Stop::Completed)));
        proptest::prop_assert!(matches!(chunks.first(), Some(Chunk::Text(_))));
    }
}

#[test]
fn what_the_owner_typed_goes_before_what_was_learned() {
    let mut typed = passage(2, "Is there parking at the shop?", "Yes, six places in the yard.");
    typed.source = "answer:parking".into();
    let passages = [passage(1, "Parking", "Parking at the shop costs 2 euros."), typed];
    assert_eq!(
        reply("is there any parking at your shop", &passages),
        "From “Is there parking at the shop?”: “Yes, six places in the yard.” [2]"
    );
}

#[test]
fn what_is_quoted_is_as_it_was_written() {
    let typed = |question: &str, answer: &str| {
        let text = format!("# {question}\n\n{answer}\n");
        crate::Document::new("answer:x", text).passages()
    };
    for (question, answer, shown) in [
        (
            "When are you closed around Christmas?",
            "We are closed on:\n\n24. December\n26. December\n1. January",
            "We are closed on:\n\n24. December\n26. December\n1. January",
        ),
        ("Which rooms are there?", "12. Ada\n14. Ben\n17. Cem", "12. Ada\n14. Ben\n17. Cem"),
        ("What is your telephone number?", "+ 34 600 123 456", "+ 34 600 123 456"),
        (
            "What is the price?",
            "> 18 years: 10 euros\n< 18 years: free",
            "> 18 years: 10 euros\n\u{2060}< 18 years: free",
        ),
        ("Which formula is it?", "2*3*4", "2*3*4"),
        ("Which method is called?", "__init__", "__init__"),
        ("Where is the configuration?", "C:\\data\\_new\\.config", "C:\\data\\_new\\.config"),
    ] {
        let reply = reply(question, &typed(question, answer));
        assert!(reply.replace('\u{2060}', "").contains(&shown.replace('\u{2060}', "")), "{question}: {reply}");
    }
    for (source, text, question, shown) in [
        (
            "rules.txt",
            "Returns:\n7. Shoes can be returned\n9. Food cannot be returned",
            "Can food be returned?",
            "9. Food cannot be returned",
        ),
        (
            "call.txt",
            "You reach us by telephone:\n\n+ 34 600 123 456",
            "What is your telephone number?",
            "+ 34 600 123 456",
        ),
        (
            "page.html",
            "# Öffnungszeiten\n\n24\\. Dezember: geschlossen  \n26\\. Dezember: geschlossen  \n2\\. Januar: ab 9 Uhr offen\n",
            "Habt ihr am 26. Dezember offen?",
            "26. Dezember: geschlossen",
        ),
    ] {
        let reply = reply(question, &crate::Document::new(source, text).passages());
        assert!(reply.contains(shown), "{question}: {reply}");
    }
}
