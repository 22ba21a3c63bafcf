//! A message cut into clauses, each with the kind of answer that its form asks for.
//! Invariant: so many clauses at most; what is left is one more.

use super::kinds::{Kinds, begins_question, kinds_of};
use super::language::Language;

/// Clauses that a message is cut into.
const CLAUSES_MAX: usize = 24;

/// A piece of a message between marks, and what its form asks for.
pub(super) struct Clause<'a> {
    pub(super) text: &'a str,
    pub(super) kinds: Kinds,
    pub(super) asks: bool,
}

/// Cuts a message where sentences, or questions within one, begin. Past a bound it is no longer cut: each clause is
/// looked through for every cue.
pub(super) fn clauses(said: &str, language: Language) -> Vec<Clause<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    let bytes = said.as_bytes();
    for (at, c) in said.char_indices() {
        let end = at + c.len_utf8();
        let cuts = match c {
            '?' | '!' | ';' | '\n' | '？' | '！' | '。' | '，' | '؟' | '،' => true,
            // Not within 1,000 or 3.50 or an address.
            '.' | ',' => bytes.get(end).is_none_or(|next| next.is_ascii_whitespace()),
            _ => false,
        };
        if cuts && found.len() < CLAUSES_MAX {
            push_clauses(&said[from..end], language, &mut found);
            from = end;
        }
    }
    push_clauses(&said[from..], language, &mut found);
    found
}

/// A clause may ask twice: `where do we park and how much is it`.
fn push_clauses<'a>(text: &'a str, language: Language, found: &mut Vec<Clause<'a>>) {
    let joint = match language {
        Language::English | Language::Chinese | Language::Japanese | Language::Korean => " and ",
        Language::German => " und ",
        Language::Spanish => " y ",
        Language::French => " et ",
        Language::Italian | Language::Portuguese => " e ",
        Language::Dutch => " en ",
        Language::Polish => " i ",
        Language::Russian => " и ",
        Language::Arabic => " و",
        Language::Swedish => " och ",
        Language::Danish | Language::Norwegian => " og ",
        Language::Turkish => " ve ",
    };
    let mut from = 0;
    for (at, joint) in text.match_indices(joint).chain(text.match_indices(" & ")) {
        let (left, right) = (text[from.min(at)..at].trim(), text[at + joint.len()..].trim());
        if from <= at
            && found.len() < CLAUSES_MAX
            && !begins_question(right, language).is_empty()
            && left.split_whitespace().nth(1).is_some()
        {
            push_clause(&text[from..at], language, found);
            from = at + joint.len();
        }
    }
    push_clause(&text[from..], language, found);
}

fn push_clause<'a>(text: &'a str, language: Language, found: &mut Vec<Clause<'a>>) {
    let text = text.trim();
    if text.chars().any(char::is_alphanumeric) {
        let kinds = kinds_of(text, language);
        let asks = text.ends_with(['?', '？', '؟']) || !kinds.is_empty();
        found.push(Clause { text, kinds, asks });
    }
}
