//! Texts that programs write where they have no name: a template that was not filled in, or nothing made a text.
//! Invariant: whatever is found here would name one contact for all the visitors of a server with such a slip.

use crate::is_invisible;

/// What languages write for nothing, in lower case.
const NOTHING: &[&str] = &[
    "undefined",
    "null",
    "nan",
    "none",
    "nil",
    "(null)",
    "(nil)",
    "(none)",
    "<null>",
    "<nil>",
    "<none>",
    "%!s(<nil>)",
    "%!v(<nil>)",
    "<no value>",
    "[undefined]",
    "[null]",
    "n/a",
    "optional(nil)",
];

/// Some are called so.
const GIVEN_NAMES: &[&str] = &["Nan", "Nil"];

/// How templates begin and end what is to be filled in.
const TEMPLATES: &[(&str, &str)] = &[("{{", "}}"), ("${", "}"), ("#{", "}"), ("<%", "%>"), ("{%", "%}"), ("[[", "]]")];

/// Whether a text looks like a template that was not filled in, or like nothing that was made a text.
#[must_use]
pub fn is_placeholder(text: &str) -> bool {
    let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    // A text may have been made one of JSON on its way, too.
    let bare = seen.trim().trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
    let lower = bare.to_lowercase();
    let is_object = lower.strip_prefix("[object ").is_some_and(|kind| kind.ends_with(']'));
    let has_template =
        |(begins, ends): &(&str, &str)| bare.split_once(begins).is_some_and(|(_, in_it)| in_it.contains(ends));
    let is_braced = |begins, ends| {
        let name = bare.strip_prefix(begins).and_then(|rest| rest.strip_suffix(ends));
        name.is_some_and(|name: &str| name.chars().all(|c| c.is_alphanumeric() || "_-.$ ".contains(c)))
    };
    (NOTHING.contains(&&*lower) && !GIVEN_NAMES.contains(&bare))
        || is_object
        || TEMPLATES.iter().any(has_template)
        || is_braced('{', '}')
        || is_braced('%', '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_filled_in_is_told_from_a_name() {
        for (text, found) in [
            ("undefined", true),
            (" Undefined\u{200b}", true),
            ("null", true),
            ("NULL", true),
            ("\"null\"", true),
            ("NaN", true),
            ("None", true),
            ("nil", true),
            ("<nil>", true),
            ("%!s(<nil>)", true),
            ("[object Object]", true),
            ("[object Promise]", true),
            ("{{user.id}}", true),
            ("{{ user.id }}", true),
            ("user-{{id}}", true),
            ("${user.id}", true),
            ("shop:${id}", true),
            ("#{user.id}", true),
            ("<%= user.id %>", true),
            ("{user_id}", true),
            ("{}", true),
            ("%USER_ID%", true),
            ("Null", true),
            ("ana", false),
            ("Nil", false),
            ("Nan", false),
            ("Anna Null", false),
            ("null@example.com", false),
            ("Nilsson", false),
            ("Nan Goldin", false),
            ("undefined-7", false),
            ("100%", false),
            ("a{b}c", false),
            ("{\"shop\":7}", false),
            ("[7] object", false),
            ("$5", false),
            ("0", false),
        ] {
            assert_eq!(is_placeholder(text), found, "{text:?}");
        }
    }
}
