//! Thoughts in every spelling, and that where a reply is cut makes no difference.

use proptest::prelude::*;

use super::*;

/// What is left to show of a reply that came in these pieces.
fn shown<'a>(
    begins: Begins,
    pieces: impl IntoIterator<Item = &'a str>,
    stop: Option<Stop>,
) -> (String, Option<Begins>) {
    let mut thoughts = Thoughts::new(begins);
    let mut chunks = Vec::new();
    for piece in pieces {
        thoughts.feed(piece, &mut chunks);
    }
    thoughts.finish(stop, &mut chunks);
    let mut text = String::new();
    for chunk in chunks {
        match chunk {
            Chunk::Text(more) => text.push_str(&more),
            Chunk::Unsaid { bytes } => text.truncate(text.len() - bytes),
            Chunk::Thinking => {}
            other => panic!("{other:?}"),
        }
    }
    (text, thoughts.lesson())
}

fn pieces(text: &str) -> Vec<&str> {
    text.split("").filter(|piece| !piece.is_empty()).collect()
}

const WELL: Option<Stop> = Some(Stop::Completed);

#[test]
fn thoughts_are_cut_out_and_code_stays() {
    for (given, expected) in [
        ("Hello there.", "Hello there."),
        ("<think>\nThe margin is 40%.\n</think>\n\nHello there.", "Hello there."),
        ("<thinking>a</thinking> Hello", "Hello"),
        ("<reasoning>a</reasoning>Hello", "Hello"),
        ("<Think>a</THINK>Hello", "Hello"),
        ("<think >a</think >Hello", "Hello"),
        ("<thinking>a</thinking>Hello", "Hello"),
        ("[THINK]a[/THINK]Hello", "Hello"),
        ("◁think▷a◁/think▷Hello", "Hello"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>", "Hello"),
        ("<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>Hello<|end_of_solution|>", "Hello"),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Hello", "Hello"),
        ("<|channel>thought\na<channel|>Hello", "Hello"),
        ("<think></think>Hello", "Hello"),
        ("<think/>Hello", "Hello"),
        // Without a beginning, in the middle, more than one, one in another.
        ("The margin is 40%.\n</think>\n\nHello there.", "Hello there."),
        ("a</thinking>Hello", "Hello"),
        ("</think>Hello", "Hello"),
        ("Hello <think>a</think> there.", "Hello there."),
        ("Hello.\n\n<think>a</think>\n\nAnd more.", "Hello.\n\nAnd more."),
        ("Hello.<think>a</think>\n\nAnd more.", "Hello.\n\nAnd more."),
        ("<think>a</think>One<think>b</think> two<reasoning>c</reasoning>.", "One two."),
        ("<think>a <think>b</think> c</think> Hello", "Hello"),
        ("<think>a</think>One. b</think> Two.", "Two."),
        ("<think>a</reasoning>Hello", "Hello"),
        ("<think>I say <|start|> here.</think>Hello", "Hello"),
        ("<think>I say <|start|> and <|end|>.\n</think>\n\nHello", "Hello"),
        // Without an end.
        ("<think>The margin", ""),
        ("Hello.\n<think>The margin", "Hello.\n"),
        // What a thought says about thoughts does not end it.
        ("<think>I write `</think>` now.</think>Hello", "Hello"),
        // Code.
        ("Write `<think>` first.", "Write `<think>` first."),
        ("Write `<think>a</think>` first.", "Write `<think>a</think>` first."),
        ("Write ``a ` <think>`` first.", "Write ``a ` <think>`` first."),
        ("`<think>`", "`<think>`"),
        ("So:\n```xml\n<think>\na\n</think>\n```\nDone.", "So:\n```xml\n<think>\na\n</think>\n```\nDone."),
        ("```\n<think>a</think>\n```\n<think>b</think>Done.", "```\n<think>a</think>\n```\nDone."),
        ("~~~\n<think>\n~~~\nDone.", "~~~\n<think>\n~~~\nDone."),
        ("````\n```\n<think>\n````\nDone.", "````\n```\n<think>\n````\nDone."),
        ("So:\n\n    <think>\n    a\n\nDone.", "So:\n\n    <think>\n    a\n\nDone."),
        ("```<think>``` is it.", "```<think>``` is it."),
        // A back-tick that opens nothing hides nothing.
        ("5` tall <think>a</think>Hello", "5` tall Hello"),
        ("5` tall <think>a\nb</think>\nHello", "5` tall \nHello"),
        ("5`\n<think>a", "5`\n"),
        ("A `span`, then <think>a</think>Hello", "A `span`, then Hello"),
        ("```\ncode\n```\nA</think>Hello", "Hello"),
        // What is none.
        (
            "1 < 2, <b>bold</b>, a<b, [1], [THIN, <thinker>, <think about it> <",
            "1 < 2, <b>bold</b>, a<b, [1], [THIN, <thinker>, <think about it> <",
        ),
        ("<<think>a</think>b", "<b"),
        ("x <", "x <"),
        ("x <thi", "x <thi"),
        ("<think>a</think><answer>Hello</answer>", "Hello"),
        ("<think>a <answer> b</think><answer>\nHello\n</answer>\n", "Hello\n\n"),
        ("<answer>Hello</answer>", "Hello"),
        // Words about marks.
        (
            "Write <thinking> before your notes. We open at nine.",
            "Write <thinking> before your notes. We open at nine.",
        ),
        ("Fill in <answer> and </answer>.", "Fill in <answer> and </answer>."),
        ("Use <|start|> to begin.", "Use <|start|> to begin."),
        ("First <|start|>, then <|channel|> and <|message|>.", "First <|start|>, then <|channel|> and <|message|>."),
        ("It ends with <|end|> or <|return|> there.", "It ends with <|end|> or <|return|> there."),
        ("A <|message|> b <|end|>\n\nc", "A <|message|> b <|end|>\n\nc"),
        ("Hello.<|end|>", "Hello."),
        ("Hello.<|end|><|start|>assistant<|channel|>analysis<|message|>a", "Hello."),
        ("Hello.<|end|><|start|> and more", "Hello.<|end|><|start|> and more"),
        ("Hello.\n<|end_of_solution|>\n", "Hello.\n"),
    ] {
        assert_eq!(shown(Begins::Openly, [given], WELL).0, expected, "{given}");
        assert_eq!(shown(Begins::Openly, pieces(given), WELL).0, expected, "{given}, by characters");
    }
}

#[test]
fn a_model_that_begins_in_thought_is_silent_until_it_answers() {
    for (given, stop, expected, lesson) in [
        ("a\n</think>\n\nHello", WELL, "Hello", Some(Begins::InThought)),
        ("<think>a</think>Hello", WELL, "Hello", Some(Begins::Openly)),
        ("\n<think>a</think>Hello", WELL, "Hello", Some(Begins::Openly)),
        ("Hello, without a thought.", WELL, "Hello, without a thought.", Some(Begins::Openly)),
        ("An unfinished thou", Some(Stop::Length), "", None),
        ("An unfinished thou", None, "", None),
    ] {
        assert_eq!(shown(Begins::InThought, [given], stop), (expected.into(), lesson), "{given}");
    }
    let mut sure = Thoughts::new(Begins::Openly);
    sure.is_sure(true);
    let mut chunks = Vec::new();
    let lone = "We open at nine. The tag </think> ends a thought, </think>.";
    sure.feed(lone, &mut chunks);
    sure.finish(WELL, &mut chunks);
    let said: String = chunks.iter().map(|chunk| if let Chunk::Text(text) = chunk { text } else { "?" }).collect();
    assert_eq!((said.as_str(), sure.lesson()), (lone, Some(Begins::Openly)), "known to begin with the answer");
    let marks = "Here: </think> <think> <|end|> done.";
    assert_eq!(shown(Begins::Apart, [marks], WELL), (marks.into(), None), "a server that keeps thoughts apart");
    let (text, lesson) = shown(Begins::Openly, ["a</think>Hello"], WELL);
    assert_eq!((text.as_str(), lesson), ("Hello", Some(Begins::InThought)), "it is remembered");
    let mut thoughts = Thoughts::new(Begins::InThought);
    let mut chunks = Vec::new();
    thoughts.feed("Hel", &mut chunks);
    thoughts.thinks_apart(&mut chunks);
    assert_eq!(chunks, [Chunk::Thinking, Chunk::Text("Hel".into())], "a field for thoughts says that text is none");
}

#[test]
fn words_are_not_held_back_for_nothing() {
    let mut thoughts = Thoughts::new(Begins::Openly);
    for (piece, expected) in [("Hel", "Hel"), ("lo <", "lo "), ("b>", "<b>"), ("[", ""), ("1]", "[1]")] {
        let mut chunks = Vec::new();
        thoughts.feed(piece, &mut chunks);
        let text: String = chunks.iter().map(|chunk| if let Chunk::Text(text) = chunk { text } else { "?" }).collect();
        assert_eq!(text, expected, "{piece}");
    }
}

fn reply() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z ]{1,8}",
        "[`~\n]{1,4}",
        Just("<think>".to_owned()),
        Just("</think>".to_owned()),
        Just("<reasoning>".to_owned()),
        Just("</thinking >".to_owned()),
        Just("[THINK]".to_owned()),
        Just("◁/think▷".to_owned()),
        Just("<|channel|>".to_owned()),
        Just("<|message|>".to_owned()),
        Just("final".to_owned()),
        Just("<".to_owned()),
        Just("    ".to_owned()),
        Just("é🙂".to_owned()),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_split_shows_the_same(
        reply in reply(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        unsure in any::<bool>(),
        well in any::<bool>(),
    ) {
        let begins = if unsure { Begins::InThought } else { Begins::Openly };
        let stop = well.then_some(Stop::Completed);
        let whole = shown(begins, [reply.as_str()], stop);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(reply.len() + 1)).collect();
        places.retain(|at| reply.is_char_boundary(*at));
        places.extend([0, reply.len()]);
        places.sort_unstable();
        let cut = places.windows(2).map(|pair| &reply[pair[0]..pair[1]]);
        prop_assert_eq!(&shown(begins, cut, stop), &whole);
        prop_assert_eq!(&shown(begins, pieces(&reply), stop), &whole);
    }

    #[test]
    fn what_has_no_mark_is_shown_as_it_is(reply in "[a-z <>`~\\[\\]|/\n1é-]{0,80}") {
        prop_assume!(!reply.contains("think"));
        prop_assert_eq!(shown(Begins::Openly, [reply.as_str()], WELL).0, reply);
    }
}
