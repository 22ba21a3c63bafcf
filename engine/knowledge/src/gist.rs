//! The subject of a question and the kind of its answer, apart from its wording: for grouping questions.
//! Invariant: bounded whatever the question's length.

use super::language::{Language, List};
use super::question::QUESTION_BYTES_MAX;
use super::words::folded;

/// What small words may ask for: `how much is the gym` and `where is the gym` are about one thing.
const ASKING: [(List, &str); 11] = [
    (List::Amount, "?amount"),
    (List::Clock, "?clock"),
    (List::When, "?when"),
    (List::Duration, "?duration"),
    (List::Count, "?count"),
    (List::Phone, "?phone"),
    (List::Mail, "?mail"),
    (List::Where, "?where"),
    (List::Who, "?who"),
    (List::Why, "?why"),
    (List::Negation, "?not"),
];

/// The words of a question that say what it is about, without the small words of its language, and marks for what
/// it asks for: each once, in order. Of a question of small words only, all of them.
#[must_use]
pub fn gist(question: &str) -> Vec<String> {
    let question = &question[..question.floor_char_boundary(QUESTION_BYTES_MAX)];
    let language = Language::of(question, Language::English);
    let mut gist = folded(question);
    let asks = language.lists_in(&gist.join(" "));
    if gist.iter().any(|word| !language.is_small(word)) {
        gist.retain(|word| !language.is_small(word));
    }
    gist.extend(ASKING.iter().filter(|(list, _)| asks.has(*list)).map(|(_, mark)| (*mark).to_owned()));
    gist.sort_unstable();
    gist.dedup();
    gist
}
