//! What the cutting must hold for any document, and how it looks on real ones.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::language::Language;
use super::super::stems::words;
use super::*;

fn shown(text: &str) -> Vec<(String, String)> {
    pieces("page.md", text).into_iter().map(|piece| (piece.heading, piece.text)).collect()
}

fn check(text: &str, expected: &[(&str, &str)]) {
    let shown = shown(text);
    let shown: Vec<(&str, &str)> = shown.iter().map(|(heading, text)| (heading.as_str(), text.as_str())).collect();
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn raised_signs_and_breaks_are_read_and_addresses_are_not() {
    check("Here is [our map](https://map.example/x).", &[("", "Here is our map.")]);
    check(
        "From €75<sup>1</sup>, 250 m<sup>2</sup>, H<SUB>2</SUB>O, 1<sup>st</sup>, a<br>b</sup>",
        &[("", "From €75¹, 250 m², H₂O, 1st, a\nb")],
    );
}

#[test]
fn a_typed_answer_is_as_it_was_typed() {
    for answer in [
        "We are closed on:\n\n24. December\n26. December\n1. January",
        "12. Ada\n14. Ben\n17. Cem",
        "08) first\n09) second",
        "9. Food cannot be returned",
        "1. same\n1. same",
        "+ 34 600 123 456",
        "> 18 years: 10 euros\n< 18 years: free",
        "2*3*4 and __init__ and *this* and **that** and ~~those~~",
        "C:\\data\\_new\\.config",
        "Here is [our map](https://map.example/_a_(b)), or <https://map.example/x>.",
        "Fish &amp; chips <b>5</b> &euro;",
        "- one\n  - two\n\n* three\n• four\n+ five",
        "Title\n-----\nText with two  blanks.\nAnd a line.",
        "#1 of all\n# 2 of all",
        "```py\nx = __init__\n\n# no heading\n```",
        "~~~\nx\n~~~\n\n````md\n```\n````",
        "```\nnever closed",
        "| a | b |\n|---|---|\n| 24. | __x__ |",
        "    four blanks",
    ] {
        let texts: Vec<String> = typed(answer).into_iter().map(|piece| piece.text).collect();
        assert_eq!(texts, [answer], "{answer}");
    }
    let parted = typed("First.\n\n## Dogs\n\nMay come.");
    assert_eq!((parted[1].heading.as_str(), parted[1].text.as_str()), ("When? › Dogs", "May come."));
}

/// The pieces of an answer, as it is learned.
fn typed(answer: &str) -> Vec<Piece> {
    let pieces = pieces("answer:x", &format!("# When?\n\n{answer}\n\n# Where is __init__?\n\n{answer}\n"));
    let (first, second): (Vec<Piece>, Vec<Piece>) = pieces
        .into_iter()
        .filter(|piece| !piece.text.starts_with(OUTLINE_MARK))
        .partition(|piece| piece.heading.starts_with("When?"));
    assert!(second.iter().all(|piece| piece.heading == "Where is __init__?"
        || piece.heading == "Dogs"
        || piece.heading.ends_with("› Dogs")));
    assert_eq!(first.len(), second.len());
    first
}

#[test]
fn a_list_keeps_the_numbers_that_were_written() {
    for (source, text, expected) in [
        ("a.md", "24. Dezember\n26. Dezember\n1. Januar", "24. Dezember\n26. Dezember\n1. Januar"),
        ("a.md", "12) Ada\n14) Ben", "12) Ada\n14) Ben"),
        ("a.md", "1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        ("a.md", "7. a\n\n9. b\n   1. x\n   3. y", "7. a\n9. b\n  1. x\n  3. y"),
        ("a.md", "08. Mai\n25. Mai", "08. Mai\n25. Mai"),
        (
            "a.txt",
            "Food:\n7. Shoes can be returned\n9. Food cannot be returned",
            "Food:\n\n7. Shoes can be returned\n9. Food cannot be returned",
        ),
        ("a.txt", "Zu:\n24. Dezember\n26. Dezember\n1. Januar", "Zu:\n\n24. Dezember\n26. Dezember\n1. Januar"),
        ("a.txt", "Rooms:\n1. Ada\n1. Ben", "Rooms:\n\n1. Ada\n1. Ben"),
        ("a.txt", "Call us.\n\n+ 34 600 123 456", "Call us.\n\n+ 34 600 123 456"),
        ("a.txt", "✓ Breakfast is in it\n✗ Dinner is not", "- ✓ Breakfast is in it\n- ✗ Dinner is not"),
        ("a.txt", "> 18 years: 10 euros\n< 18 years: free", "> 18 years: 10 euros\n< 18 years: free"),
        (
            "a.txt",
            "2*3*4, __init__ in C:\\data\\_new\\.config or C:\\_new.\n",
            "2*3*4, __init__ in C:\\data\\_new\\.config or C:\\_new.",
        ),
        ("a.txt", "# A\n\n__init__ and 2*3*4\n\n# B\n\n1. x\n1. y", "__init__ and 2*3*4"),
    ] {
        let texts: Vec<String> = pieces(source, text).into_iter().map(|piece| piece.text).collect();
        assert_eq!(texts[0], expected, "{source}: {text}");
        let made = engine_text::plain::to_markdown(text);
        if source == "a.txt" && made != text {
            let again: Vec<String> = pieces(source, &made).into_iter().map(|piece| piece.text).collect();
            let lines = |texts: &[String]| {
                texts
                    .iter()
                    .flat_map(|text| text.lines())
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(lines(&again), lines(&texts), "read from a file: {text}");
        }
    }
}

#[test]
fn passages_stand_under_their_headings() {
    check("# A\nOne.\n## B\nTwo.\n# C\nThree.", &[("A", "One."), ("A › B", "Two."), ("C", "Three.")]);
    check("No heading.\n\nTwo *soft*\nlines.", &[("", "No heading.\n\nTwo soft lines.")]);
    check("### Deep first\nx\n# Top\ny", &[("Deep first", "x"), ("Top", "y")]);
}

#[test]
fn a_heading_with_nothing_under_it_is_not_lost() {
    check("# A\n## B\n## C\nText.", &[("A", "B"), ("A › C", "Text.")]);
    check("# Alone", &[("", "Alone")]);
}

#[test]
fn links_keep_their_words_only() {
    check("See [the terms](https://x.example/t \"hint\") and ![a lamp](l.png).", &[("", "See the terms and a lamp.")]);
    check("Use `a|b` and ~~old~~ **new** text[^1].\n\n[^1]: A note.", &[("", "Use `a|b` and new text.\n\nA note.")]);
}

#[test]
fn settings_at_the_top_are_left_out_and_rules_are_not_settings() {
    check("---\ntitle: X\ntags:\n  - a\n---\nText.", &[("", "Text.")]);
    check("+++\ntitle = \"X\"\n+++\nText.", &[("", "Text.")]);
    check(
        "---\nJust a rule above this line of words.\n\n---\nMore.",
        &[("", "Just a rule above this line of words.\n\nMore.")],
    );
}

#[test]
fn lists_tables_and_code_keep_their_form() {
    check("Do this:\n\n1. One\n2. Two\n   - a\n   - b", &[("", "Do this:\n\n1. One\n2. Two\n  - a\n  - b")]);
    check("| a | b |\n|---|---|\n| 1 | 2 \\| 3 |", &[("", "| a | b |\n|---|---|\n| 1 | 2 \\| 3 |")]);
    check("Run:\n\n```sh\nls  -l\n```", &[("", "Run:\n\n```sh\nls  -l\n```")]);
    check("- [x] done\n- [ ] open", &[("", "- [x] done\n- [ ] open")]);
    check("<details><summary>More</summary>\n\nInside.\n\n</details>", &[("", "More\n\nInside.")]);
}

#[test]
fn plain_text_is_its_paragraphs() {
    let pieces = pieces("notes.txt", "# not a heading\nline\n\n    indented *stars*\n");
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].text, "# not a heading\nline\n\nindented *stars*");
    assert_eq!(pieces[0].heading, "");
}

#[test]
fn a_list_too_long_for_one_passage_is_led_in_each_time() {
    let items: String = (0..80).map(|n| format!("- item number {n} with some words to it\n")).collect();
    let pieces = pieces("page.md", &format!("# L\nBefore. These are the parts:\n\n{items}"));
    assert!(pieces.len() > 2);
    assert!(pieces[1..].iter().all(|piece| piece.text.starts_with("These are the parts:\n\n- item")), "{pieces:#?}");
}

#[test]
fn a_long_table_repeats_its_head_and_long_code_its_fence() {
    let rows: String = (0..80).map(|n| format!("| name {n} | a value that takes room |\n")).collect();
    let table = pieces("page.md", &format!("| name | value |\n|---|---|\n{rows}"));
    assert!(table.len() > 2);
    assert!(table.iter().all(|piece| piece.text.starts_with("| name | value |\n|---|---|\n| name ")));
    let code = pieces("page.md", &format!("~~~rust\n{}~~~", "let text = \"```\";\n".repeat(150)));
    assert!(code.len() > 2);
    assert!(code.iter().all(|piece| piece.text.starts_with("````rust\nlet") && piece.text.ends_with("\n````")));
}

#[test]
fn hostile_documents_are_cut_in_time() {
    let deep_list: String = (0..2_000).map(|depth| format!("{}- x\n", "  ".repeat(depth % 500))).collect();
    for (name, text) in [
        ("quotes", ">".repeat(200_000)),
        ("bullets", "- ".repeat(50_000)),
        ("nested list", deep_list),
        ("brackets", "[".repeat(100_000)),
        ("links", "[a](".repeat(50_000)),
        ("stars", "*a_ ".repeat(50_000)),
        ("ticks", (1..800).map(|n| "`".repeat(n) + " ").collect()),
        ("tags", "<a ".repeat(100_000)),
        ("comments", "<!--".repeat(100_000)),
        ("scripts", "<script>\n".repeat(50_000)),
        ("cells", format!("|{}\n|{}\n", "a|".repeat(5_000), "-|".repeat(5_000))),
        ("one word", "x".repeat(500_000)),
        ("dots", ".".repeat(300_000)),
        ("short sentences", "A. ".repeat(200_000)),
        ("headings", "###### h\n".repeat(30_000)),
        ("numbers", "1.".repeat(150_000)),
    ] {
        let begun = Instant::now();
        let pieces = pieces("page.md", &text);
        let took = begun.elapsed();
        assert!(pieces.iter().all(|piece| piece.text.chars().count() <= PASSAGE_CHARS_MAX), "{name}");
        assert!(took < Duration::from_secs(20), "{name} took {took:?}");
    }
}

/// A document made of blocks whose words are known.
fn documents() -> impl Strategy<Value = (String, Vec<String>)> {
    let word = "[a-z]{1,9}";
    let line = proptest::collection::vec(word, 1..30).prop_map(|words| words.join(" "));
    let lines = || proptest::collection::vec("[a-z]{2,9}( [a-z]{2,9}){0,8}", 1..60);
    let block = prop_oneof![
        line.clone().prop_map(|line| (format!("{line}.\n"), vec![line])),
        (1..7usize, line.clone()).prop_map(|(level, line)| (format!("{} {line}\n", "#".repeat(level)), vec![line])),
        lines().prop_map(|lines| (lines.iter().map(|line| format!("- {line}\n")).collect(), lines)),
        lines().prop_map(|lines| (lines.iter().map(|line| format!("1. {line}\n\n   {line}\n")).collect(), lines)),
        lines().prop_map(|lines| (format!("```x\n{}\n```\n", lines.join("\n")), lines)),
        lines().prop_map(|lines| {
            let rows: String = lines.iter().map(|line| format!("| {line} | {line} |\n")).collect();
            (format!("| head | head |\n|---|---|\n{rows}"), lines)
        }),
        lines().prop_map(|lines| (lines.iter().map(|line| format!("> {line}.\n")).collect(), lines)),
        lines().prop_map(|lines| (format!("<div>\n{}\n</div>\n", lines.join("<br>")), lines)),
        line.prop_map(|line| (format!("See [{line}](https://hidden.example/{{}}) **{line}**.\n"), vec![line])),
    ];
    proptest::collection::vec(block, 0..12).prop_map(|blocks| {
        let text = blocks.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join("\n");
        let words = blocks.into_iter().flat_map(|(_, words)| words).collect();
        (text, words)
    })
}

fn known_words(pieces: &[Piece]) -> HashSet<String> {
    let texts = pieces.iter().flat_map(|piece| [piece.heading.as_str(), piece.text.as_str()]);
    texts.flat_map(|text| words(text, Language::English)).map(|word| word.exact).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_visible_word_is_lost((text, visible) in documents()) {
        let pieces = pieces("page.md", &text);
        let known = known_words(&pieces);
        for word in visible.iter().flat_map(|line| words(line, Language::English)) {
            prop_assert!(known.contains(&word.exact), "{} of\n{}", word.exact, text);
        }
        prop_assert!(!known.contains("hidden"));
    }

    #[test]
    fn any_text_gives_bounded_passages_and_the_same_again(text in "(?s).{0,3000}", plain in any::<bool>()) {
        let source = if plain { "a.txt" } else { "a.md" };
        let pieces = pieces(source, &text);
        prop_assert!(pieces.iter().all(|piece| piece.text.chars().count() <= PASSAGE_CHARS_MAX));
        prop_assert_eq!(super::pieces(source, &text), pieces);
    }

    #[test]
    fn any_markup_is_survived(text in "([#>*_`~|\\[\\]()<>!&\\\\\n\t +\\-0-9a-z.:é日-]|\n\n|```|---\n|<!--|-->|    ){0,400}") {
        for piece in pieces("a.md", &text) {
            prop_assert!(piece.text.chars().count() <= PASSAGE_CHARS_MAX);
            prop_assert!(!piece.text.trim().is_empty());
        }
    }

    #[test]
    fn plain_text_loses_no_word(text in "(?s)[a-z0-9 .,\n]{0,4000}") {
        let known = known_words(&pieces("a.txt", &text));
        // Longer than a passage, a word is cut.
        for word in words(&text, Language::English) {
            prop_assert!(known.contains(&word.exact), "{}", word.exact);
        }
    }
}

#[test]
fn what_was_struck_through_is_no_part_of_it() {
    for (text, expected) in [
        ("~~Parking is free.~~ Parking costs 15 EUR.", "Parking costs 15 EUR."),
        ("<s>Dogs are free.</s> <del>Cats too.</del> Dogs cost 5 EUR.", "Dogs cost 5 EUR."),
        ("It is <DEL class=\"x\">~~4~~ **9** `EUR`</DEL>12 EUR.", "It is 12 EUR."),
        ("<strike>Old.\nOlder.</strike> New.", "New."),
        ("~~é [old](x) <s>é~~ ü</s> New.", "New."),
        ("- ~~Old.~~\n- New.", "- New."),
        ("| a | b |\n|---|---|\n| ~~1~~ 2 | 3 |", "| a | b |\n|---|---|\n| 2 | 3 |"),
        ("<p><del>Old.</del> New.</p>", "New."),
        ("First.\n\n<del>\n\nOld.\n\n- Older.\n\n</del>\n\nNew.", "First.\n\nNew."),
        // Nothing is lost to a mark that is none.
        ("<s>Parking is free.", "Parking is free."),
        ("<del>\n\nNever closed.", "Never closed."),
        ("Open 9:00~17:00 and 10~12 on Sundays.", "Open 9:00~17:00 and 10~12 on Sundays."),
        ("About ~5 EUR to ~10 EUR.", "About ~5 EUR to ~10 EUR."),
    ] {
        let texts: Vec<String> = pieces("a.md", text).into_iter().map(|piece| piece.text).collect();
        assert_eq!(texts, [expected], "{text}");
    }
}
