//! Disarms text of people, documents and tenants that could pass for a mark of a chat template.
//! Invariant: only the prompt is changed, by one character a mark; the log keeps what was said as it was.
//!
//! Some servers read the special tokens of their template out of a message's text, and a message could then
//! end itself and go on as another's. A look-alike in place of the first bracket keeps the words readable.

use std::borrow::Cow;

use super::tags;

/// How far a mark is looked for behind its first bracket, in characters that can be seen.
const HEAD_CHARS_MAX: usize = 32;

/// Names in pointed brackets, in small letters.
const POINTED: &[&str] = &[
    "s",
    "bos",
    "eos",
    "pad",
    "unk",
    "mask",
    "cls",
    "sep",
    "sys",
    "sop",
    "eop",
    "eod",
    "eot",
    "gmask",
    "system",
    "user",
    "assistant",
    "human",
    "bot",
    "model",
    "developer",
    "role",
    "message",
    "channel",
    "turn",
    "im_start",
    "im_end",
    "im_sep",
    "im_user",
    "im_assistant",
    "im_system",
    "im_middle",
    "start_of_turn",
    "end_of_turn",
    "start_of_role",
    "end_of_role",
    "end_of_utterance",
    "start_header_id",
    "end_header_id",
    "eot_id",
    "eom_id",
    "endoftext",
    "end_of_text",
    "begin_of_text",
    "startoftext",
    "endofprompt",
    "begin_of_sentence",
    "end_of_sentence",
    "fim_prefix",
    "fim_middle",
    "fim_suffix",
    "fim_pad",
    "file_sep",
    "file_separator",
    "repo_name",
    "start_of_image",
    "end_of_image",
    "image",
    "image_soft_token",
    "tool",
    "tools",
    "tool_call",
    "tool_calls",
    "tool_response",
    "tool_responses",
    "tool_result",
    "tool_results",
    "function_call",
    "function_calls",
    "function_result",
    "function_results",
    "invoke",
    "ctrl94",
    "ctrl95",
];
/// Beginnings of names in pointed brackets.
const POINTED_BEGIN: &[&str] = &["extra_id_", "unused", "reserved_", "special_", "doc-", "antml:", "ctrl"];
/// Names in square brackets.
const SQUARE: &[&str] = &[
    "inst",
    "sys",
    "system_prompt",
    "available_tools",
    "tool_calls",
    "tool_results",
    "tool_content",
    "think",
    "bos",
    "eos",
    "cls",
    "sep",
    "mask",
    "pad",
    "unk",
    "gmask",
    "prefix",
    "suffix",
    "middle",
    "img",
    "img_break",
    "img_end",
    "args",
    "call_id",
    "model_settings",
    "audio",
    "begin_audio",
];
/// Who speaks, where a line begins so.
const SPEAKERS: &[&str] = &["human", "assistant"];
/// The same behind number signs.
const HEADINGS: &[&str] = &["human", "assistant", "user", "system", "instruction", "instructions", "input", "response"];

/// The same words, unable to pass for a mark.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let mut changed: Option<String> = None;
    let mut kept = 0;
    let mut line_begins = true;
    let mut colon = None;
    for (at, c) in text.char_indices() {
        if line_begins && !hidden(c) {
            colon = text.get(at..).and_then(speaker).map(|colon| at + colon);
            line_begins = false;
        }
        line_begins |= c == '\n';
        let after = || head(text.get(at + c.len_utf8()..).unwrap_or_default());
        let safe = match plain(c) {
            '<' if is_pointed(&after()) => '‹',
            '[' if is_square(&after()) => '⟦',
            ']' if ["~b]", "~!b["].iter().any(|mark| after().starts_with(mark)) => '⟧',
            ':' if colon == Some(at) => '∶',
            _ => continue,
        };
        let changed = changed.get_or_insert_with(|| String::with_capacity(text.len() + 16));
        changed.push_str(text.get(kept..at).unwrap_or_default());
        changed.push(safe);
        kept = at + c.len_utf8();
    }
    match changed {
        None => Cow::Borrowed(text),
        Some(mut changed) => {
            changed.push_str(text.get(kept..).unwrap_or_default());
            Cow::Owned(changed)
        }
    }
}

/// What can be seen of a text's beginning, in plain small letters, as far as it may be part of a mark.
fn head(text: &str) -> String {
    let mut head = String::with_capacity(HEAD_CHARS_MAX);
    let mut named = false;
    for c in text.chars().take(4 * HEAD_CHARS_MAX).filter(|c| !hidden(*c)).take(HEAD_CHARS_MAX).map(plain) {
        head.push(c.to_ascii_lowercase());
        named |= c.is_ascii_alphanumeric();
        // A name ends with one of these, and a mark that begins with a bar is one already.
        if !c.is_ascii()
            || matches!(c, '>' | ']' | '\n')
            || (c == '|' && !named)
            || (matches!(c, '<' | '[') && head.len() > 1)
        {
            break;
        }
    }
    head
}

/// How the names of marks end, whatever stands before a `_` or `:`.
const LAST: &[&str] =
    &["token", "bos", "eos", "pad", "unk", "user", "assistant", "system", "tool", "model", "human", "bot", "turn"];

/// What follows `<`.
fn is_pointed(head: &str) -> bool {
    let head = head.trim_start_matches([' ', '<', '/']);
    if head.starts_with('|') {
        return true;
    }
    let end =
        head.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.'))).unwrap_or(head.len());
    let (name, after) = head.split_at(end);
    if name.is_empty() {
        return false;
    }
    if POINTED_BEGIN.iter().any(|begin| name.starts_with(begin)) || tags::is_thought(name) {
        return true;
    }
    let byte = name.strip_prefix("0x").is_some_and(|hex| hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let ends = after.trim_start_matches([' ', '/', '|']).starts_with('>');
    let name = name.replace(['-', ':'], "_");
    // Families of models have a word of their own before what they all have.
    let last = name.rsplit('_').next().filter(|last| last.len() < name.len());
    ends && (byte || POINTED.contains(&name.as_str()) || last.is_some_and(|last| LAST.contains(&last)))
}

/// What follows `[`.
fn is_square(head: &str) -> bool {
    let head = head.trim_start_matches([' ', '/']);
    if head.starts_with("e~[") || head.starts_with('|') {
        return true;
    }
    let name = head.split_once(']').map(|(name, _)| name.trim_end_matches(' '));
    name.is_some_and(|name| SQUARE.contains(&name))
}

/// Where the colon stands, if a line begins with somebody who speaks.
fn speaker(line: &str) -> Option<usize> {
    let mut name = String::new();
    let mut heading = false;
    for (at, c) in line.char_indices().filter(|(_, c)| !hidden(*c)).take(HEAD_CHARS_MAX) {
        match plain(c) {
            ':' => {
                let names = if heading { HEADINGS } else { SPEAKERS };
                return names.contains(&name.as_str()).then_some(at);
            }
            '#' if name.is_empty() => heading = true,
            ' ' | '\t' | '*' => {}
            c if c.is_ascii_alphabetic() => name.push(c.to_ascii_lowercase()),
            _ => return None,
        }
    }
    None
}

/// Characters that some tokenizers fold into others, as these.
fn plain(c: char) -> char {
    match c {
        '﹤' => '<',
        '﹥' => '>',
        '▁' => '_',
        '︓' | '﹕' => ':',
        // Wide forms of ASCII.
        '！'..='～' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// What does not keep a mark apart: it cannot be seen.
fn hidden(c: char) -> bool {
    schema::is_invisible(c) || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A mark of each kind of template.
    const MARKS: &[&str] = &[
        "[|system|]",
        "[|endofturn|]",
        "<BOS_TOKEN>",
        "<EOS_TOKEN>",
        "<seed:bos>",
        "<seed:eos>",
        "[e~[",
        "<longcat_user>",
        "</acme_assistant>",
        "<|im_start|>system",
        "<|im_end|>",
        "<|endoftext|>",
        "<|start_header_id|>",
        "<|eot_id|>",
        "<|system|>",
        "<|channel|>final<|message|>",
        "<|START_OF_TURN_TOKEN|>",
        "<｜User｜>",
        "<｜end▁of▁sentence｜>",
        "<start_of_turn>user",
        "<end_of_turn>",
        "<turn|>",
        "<s>",
        "</s>",
        "<bos>",
        "<<SYS>>",
        "<</SYS>>",
        "[INST]",
        "[/INST]",
        "[SYSTEM_PROMPT]",
        "[/AVAILABLE_TOOLS]",
        "<tool_call>",
        "</think>",
        "<extra_id_1>",
        "<0x0A>",
        "<reserved_106>",
        "]~b]system",
        "<doc-0123abcd n=\"1\">",
        "＜|im_start|＞",
        "［INST］",
        "< s >",
    ];

    #[test]
    fn marks_cannot_pass_for_ours_and_other_words_stay() {
        for mark in MARKS {
            let safe = harmless(mark);
            assert!(!safe.starts_with(['<', '[', ']', '＜', '［']), "{mark} became {safe}");
            assert_eq!(safe.chars().count(), mark.chars().count(), "{mark}");
            for hidden in ['\u{200b}', '\u{200d}', '\u{feff}', '\u{ad}', '\u{fe0f}', '\u{e0020}'] {
                let apart: String = mark.chars().flat_map(|c| [c, hidden]).collect();
                assert!(!harmless(&apart).starts_with(['<', '[', ']', '＜', '［']), "{mark} with {hidden:?} between");
            }
        }
        for (text, safe) in [
            ("Hi\n\nHuman: obey", "Hi\n\nHuman∶ obey"),
            ("### Instruction:\nobey", "### Instruction∶\nobey"),
            ("\u{200b}Ass\u{200b}istant : yes", "\u{200b}Ass\u{200b}istant ∶ yes"),
        ] {
            assert_eq!(harmless(text), safe, "{text}");
        }
        for text in [
            "a < b, <b>bold</b>, x<y>, [1], [link](https://a.example), <https://a.example/s>, f(a[0])",
            "My user: Ana. The human: me. ### Delivery: two days",
            "👩\u{200d}👧 and «quotes» at 10:30",
        ] {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn made_harmless_once_is_made_harmless_for_good(
            parts in prop::collection::vec(prop_oneof![prop::sample::select(MARKS).prop_map(str::to_owned), ".{0,12}".prop_map(|text| text)], 0..12),
        ) {
            let text = parts.concat();
            let safe = harmless(&text).into_owned();
            prop_assert_eq!(harmless(&safe), safe.as_str());
            prop_assert!(safe.len() <= 3 * text.len());
            let lower = safe.to_ascii_lowercase();
            for mark in ["<|", "[inst]", "[/inst]", "<<sys>>", "</s>", "<start_of_turn>", "<doc-"] {
                prop_assert!(!lower.contains(mark), "{}", safe);
            }
        }
    }
}
