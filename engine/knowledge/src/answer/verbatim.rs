//! Words of a document within a reply, which is read as Markdown: what only looks like markup stays what it is.
//! Invariant: every character of the words stands in the reply, in its order and beside its neighbours; only backticks
//! and a mark that nobody sees are put around or before them.

use std::borrow::Cow;

/// Takes no room and allows no break.
const WORD_JOINER: char = '\u{2060}';
/// What a backslash before it would be taken away from.
const ESCAPABLE: &[char] =
    &['\\', '`', '*', '_', '~', '[', ']', '(', ')', '{', '}', '#', '+', '.', '!', '|', '<', '>', '-'];

/// A quotation. Code in it stays as it is.
pub(super) fn quoted(text: &str) -> String {
    uncited(&unmarked(text))
}

/// A text none of whose lines begins a quotation, a heading or a list by chance, and whose names, paths and entities
/// keep their signs.
fn unmarked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut in_listing, mut in_code) = (false, false);
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            shown.push('\n');
        }
        if line.trim_start().starts_with("```") {
            in_listing = !in_listing;
        } else if !in_listing {
            if !in_code && begins_block(line) {
                shown.push(WORD_JOINER);
            }
            for word in line.split_inclusive(char::is_whitespace) {
                shown.push_str(&if in_code { Cow::from(word) } else { as_code(word) });
                in_code ^= word.matches('`').count() % 2 == 1;
            }
            continue;
        }
        shown.push_str(line);
    }
    shown
}

/// Whether a line of words would be shown as a quotation or a heading, or a telephone number as an item.
fn begins_block(line: &str) -> bool {
    let is_number = |rest: &str| rest.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let title = line.trim_start_matches('#');
    line.starts_with('>')
        || line.strip_prefix("+ ").is_some_and(is_number)
        || (title.len() < line.len() && title.starts_with(' '))
}

/// A name, a path or an entity as code, its punctuation outside.
fn as_code(word: &str) -> Cow<'_, str> {
    if word.contains("://") || word.contains(['`', '|']) || !word.contains(['\\', '_', '&']) {
        return word.into();
    }
    let outside =
        |c: char| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '"' | '“' | '”' | '„' | '«' | '»');
    let ends = |c: char| c.is_whitespace() || (outside(c) && c != ';');
    let core = word.trim_start_matches(outside).trim_end_matches(ends);
    // The sign that ends an entity is its own, the one behind a name is not.
    let core = if is_entity(core) { core } else { core.trim_end_matches(|c| outside(c) || c.is_whitespace()) };
    if !(is_entity(core) || is_name(core) || is_escaped(core)) {
        return word.into();
    }
    let from = word.len() - word.trim_start_matches(outside).len();
    let (before, rest) = word.split_at(from);
    let (inner, after) = rest.split_at(core.len());
    format!("{before}`{inner}`{after}").into()
}

/// `__init__`; what begins with a capital may be emphasis.
fn is_name(word: &str) -> bool {
    let inner = word.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    inner.is_some_and(|inner| {
        inner.starts_with(|c: char| c.is_ascii_lowercase())
            && inner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// `&nbsp;`
fn is_entity(word: &str) -> bool {
    word.match_indices('&').any(|(at, _)| {
        let name = word[at + 1..].trim_start_matches('#');
        let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
        (2..=10).contains(&length) && name[length..].starts_with(';')
    })
}

/// `C:\data\_new`: a backslash would be taken away.
fn is_escaped(word: &str) -> bool {
    word.split('\\').skip(1).any(|rest| rest.is_empty() || rest.starts_with(ESCAPABLE))
}

/// A text whose own `[2]` is read as no citation: a mark that nobody sees stands in it. Code stays as it is.
fn uncited(text: &str) -> String {
    let mut rest = text;
    let mut shown = String::with_capacity(text.len());
    let mut in_code = false;
    while let Some(at) = rest.find(['[', '`']) {
        let (before, after) = rest.split_at(at);
        shown.push_str(before);
        in_code ^= after.starts_with('`');
        shown.push_str(&after[..1]);
        rest = &after[1..];
        if after.starts_with('[') && !in_code && rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            shown.push(WORD_JOINER);
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_like_markup_is_shown_as_it_is() {
        for (text, expected) in [
            ("Two words.", "Two words."),
            ("Call __init__, then go.", "Call `__init__`, then go."),
            ("In C:\\data\\_new\\.config.", "In `C:\\data\\_new\\.config`."),
            ("It is 2*3*4 and snake_case_word.", "It is 2*3*4 and snake_case_word."),
            (
                "**Yes**, __Sunday__ too, see [map](https://a.example/_a_?b&c;).",
                "**Yes**, __Sunday__ too, see [map](https://a.example/_a_?b&c;).",
            ),
            ("Write &nbsp; or (&euro;).", "Write `&nbsp;` or (`&euro;`)."),
            ("Fish & chips; AT&T", "Fish & chips; AT&T"),
            ("> 18 years\n< 18 years", "\u{2060}> 18 years\n< 18 years"),
            ("+ 34 600 123 456", "\u{2060}+ 34 600 123 456"),
            ("# 5\n#1", "\u{2060}# 5\n#1"),
            ("`a __init__ b` __init__", "`a __init__ b` `__init__`"),
            ("```\n> __init__\n```\n> x", "```\n> __init__\n```\n\u{2060}> x"),
            ("See [2].", "See [\u{2060}2]."),
        ] {
            assert_eq!(quoted(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_character_is_lost(text in "([a-c_*>#+&;\\\\` \n0-9\\[\\].]|__|```|&amp;){0,60}") {
            let is_ours = |c: &char| !matches!(c, '`' | '\u{2060}');
            let kept: String = quoted(&text).chars().filter(is_ours).collect();
            proptest::prop_assert_eq!(kept, text.chars().filter(is_ours).collect::<String>());
        }
    }
}
