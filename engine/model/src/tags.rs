//! The marks with which models fence their thoughts off from their answer, as they are spelled in the wild.
//! Invariant: a mark is told from what only looks like one by its text alone, never by where it was cut.

/// Longest mark, with the attributes some write into it; what is longer is none.
const TAG_BYTES_MAX: usize = 128;
/// Longest name within a mark.
const NAME_BYTES_MAX: usize = 40;

/// What thoughts are called, in small letters, words joined with `_`.
const NAMES: &[&str] = &[
    "think",
    "thinking",
    "thought",
    "thoughts",
    "thought_process",
    "reasoning",
    "reasoning_content",
    "reflection",
    "scratchpad",
    "chain_of_thought",
    "inner_thought",
    "inner_thoughts",
    "inner_monologue",
    "internal_monologue",
    "internal_thoughts",
];
/// What answers are called, where they have marks of their own.
const ANSWERS: &[&str] = &["solution", "response", "answer"];
/// Marks that are spelled in one way only.
const EXACT: &[(&str, Tag)] = &[
    ("[THINK]", Tag::Open),
    ("[/THINK]", Tag::Close),
    ("◁think▷", Tag::Open),
    ("◁/think▷", Tag::Close),
    ("<unused94>", Tag::Open),
    ("<unused95>", Tag::Close),
];

/// The meaning of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// A thought begins.
    Open,
    /// A thought ends.
    Close,
    /// The answer begins or ends, or a thought without a word in it stood here.
    Answer,
    /// The answer begins or ends, in the spelling of a page's element: within a thought it says nothing.
    Wrap,
    /// The head of a message begins: whose it is, and on which channel.
    Head,
    /// That head is over.
    Body,
    /// The message is over.
    Over,
}

/// Whether a text is a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is none, whatever follows.
    No,
    /// It may become a mark when more text comes.
    Maybe,
    /// It is this mark.
    Is(Tag),
}

/// Whether a mark may begin with this character.
pub(super) fn begins(c: char) -> bool {
    matches!(c, '<' | '[' | '◁')
}

/// Looks at a text that begins where a mark may begin.
pub(super) fn look(text: &str) -> Look {
    if let Some((_, tag)) = EXACT.iter().find(|(known, _)| *known == text) {
        return Look::Is(*tag);
    }
    if text.len() > TAG_BYTES_MAX {
        return Look::No;
    }
    let exact = EXACT.iter().any(|(known, _)| known.starts_with(text));
    match text.strip_prefix('<').map(angled) {
        Some(Look::No) | None if exact => Look::Maybe,
        Some(look) => look,
        None => Look::No,
    }
}

/// What follows a `<`.
fn angled(text: &str) -> Look {
    let text = text.trim_start_matches(' ');
    if let Some(barred) = text.strip_prefix(['|', '｜']) {
        return bars(barred);
    }
    let (closes, text) = match text.strip_prefix('/') {
        Some(text) => (true, text.trim_start_matches(' ')),
        None => (false, text),
    };
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':')));
    let (name, after) = text.split_at(end.unwrap_or(text.len()));
    if name.len() > NAME_BYTES_MAX || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Look::No;
    }
    match after {
        "" => Look::Maybe,
        "|" if name == "channel" => Look::Maybe,
        "|>" if name == "channel" => Look::Is(Tag::Close),
        after if ANSWERS.contains(&name.to_ascii_lowercase().as_str()) => attributes(after, Tag::Wrap),
        _ if !is_thought(name) => Look::No,
        after => attributes(after, if closes { Tag::Close } else { Tag::Open }),
    }
}

/// What follows a name: nothing much, or attributes.
fn attributes(text: &str, tag: Tag) -> Look {
    let Some((inside, _)) = text.split_once('>') else {
        let plausible = text.starts_with([' ', '/']) && !text.contains(['\n', '<']);
        return if plausible { Look::Maybe } else { Look::No };
    };
    let (inside, empty) = match inside.strip_suffix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let plain = inside.trim_matches(' ').is_empty() || (inside.starts_with(' ') && inside.contains('='));
    match plain {
        false => Look::No,
        true if empty => Look::Is(Tag::Answer),
        true => Look::Is(tag),
    }
}

/// What follows `<|`: a token of a chat template that a server did not take out.
fn bars(text: &str) -> Look {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | '▁');
    let Some(end) = text.find(|c| !inside(c)) else {
        return if text.len() <= NAME_BYTES_MAX { Look::Maybe } else { Look::No };
    };
    let (name, after) = text.split_at(end);
    let name = name.trim().replace(['▁', ' ', '-'], "_").to_ascii_lowercase();
    match after {
        "|" | "｜" => Look::Maybe,
        "|>" | "｜>" => token(&name),
        ">" if name == "channel" || is_thought(&name) => Look::Is(Tag::Open),
        _ => Look::No,
    }
}

fn token(name: &str) -> Look {
    let without = |prefixes: &[&str]| prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
    let opens = without(&["begin_of_", "start_of_", "begin_", "start_"]);
    let closes = without(&["end_of_", "end_", "/"]);
    let tag = match name {
        "channel" | "start" => Tag::Head,
        "message" => Tag::Body,
        "end" | "return" | "call" => Tag::Over,
        name if is_thought(name) || opens.is_some_and(is_thought) => Tag::Open,
        _ if closes.is_some_and(is_thought) => Tag::Close,
        _ if opens.or(closes).is_some_and(|name| ANSWERS.contains(&name)) => Tag::Answer,
        _ => return Look::No,
    };
    Look::Is(tag)
}

/// Whether thoughts are called so, with whatever stands before a colon.
pub(super) fn is_thought(name: &str) -> bool {
    let local = name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase().replace('-', "_");
    NAMES.contains(&local.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_what_only_looks_like_one() {
        use Tag::{Answer, Body, Close, Head, Open, Over, Wrap};
        for (text, tag) in [
            ("<think>", Some(Open)),
            ("</think>", Some(Close)),
            ("<THINK>", Some(Open)),
            ("< think >", Some(Open)),
            ("</ Thinking >", Some(Close)),
            ("<think type=\"deep\">", Some(Open)),
            ("<think/>", Some(Answer)),
            ("<reasoning>", Some(Open)),
            ("<chain-of-thought>", Some(Open)),
            ("<seed:think>", Some(Open)),
            ("</thinking>", Some(Close)),
            ("[THINK]", Some(Open)),
            ("[/THINK]", Some(Close)),
            ("◁think▷", Some(Open)),
            ("◁/think▷", Some(Close)),
            ("<|begin_of_thought|>", Some(Open)),
            ("<|END_THINKING|>", Some(Close)),
            ("<|START_RESPONSE|>", Some(Answer)),
            ("<｜begin▁of▁thinking｜>", Some(Open)),
            ("<answer>", Some(Wrap)),
            ("</Solution>", Some(Wrap)),
            ("<|channel|>", Some(Head)),
            ("<|message|>", Some(Body)),
            ("<|end|>", Some(Over)),
            ("<|channel>", Some(Open)),
            ("<channel|>", Some(Close)),
            ("<unused95>", Some(Close)),
            ("<b>", None),
            ("<thinker>", None),
            ("<think about it>", None),
            ("<think\n>", None),
            ("<channel>", None),
            ("<|im_start|>", None),
            ("[think]", None),
            ("[1]", None),
            ("<5", None),
            ("<<", None),
        ] {
            let (last, _) = text.char_indices().last().unwrap();
            let expected = tag.map_or(Look::No, Look::Is);
            assert_eq!(look(text), expected, "{text}");
            // Nothing is decided before its last character, and a mark never too early.
            for (at, c) in text.char_indices().take_while(|(at, _)| *at < last && tag.is_some()) {
                assert_eq!(look(&text[..at + c.len_utf8()]), Look::Maybe, "{text} up to {at}");
            }
        }
        assert_eq!(look(&format!("<think a=\"{}", "x".repeat(TAG_BYTES_MAX))), Look::No);
        assert_eq!(look(&format!("<{}", "x".repeat(NAME_BYTES_MAX + 1))), Look::No);
    }
}
