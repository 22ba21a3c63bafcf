//! Greetings, thanks and the like, and people who ask for a person or are cross: what asks for no
//! document.
//! Invariant: one word that is none of these makes it a question.

use super::phrases::{Phrase, Talk, spoken};
use crate::kinds::{Kinds, begins_question, kinds_of};
use crate::language::Language;
use crate::values::contains;
use crate::words::fold;

/// Longer than this, in words, it is more than small talk.
const WORDS_MAX: usize = 14;
const BYTES_MAX: usize = 256;
/// Words that may stand beside a request for a person; with more, something else is asked, too.
const PERSON_WORDS_MAX: usize = 16;

/// Beside a phrase that asks for a person so many other telling words may stand.
const MORE_WORDS_MAX: usize = 3;

/// What was said instead of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Something that a sentence answers.
    Talk(Phrase),
    /// Somebody wants a person.
    Person,
    /// Somebody is cross and asks for nothing.
    Complaint,
}

/// What was said, when it is no question to the documents, and in which language.
pub(crate) fn hear(said: &str, otherwise: Language) -> Option<(Said, Language)> {
    if !said.chars().any(char::is_alphanumeric) {
        return Some((Said::Talk(Phrase::SayMore), otherwise));
    }
    let beginning = &said[..said.floor_char_boundary(2 * BYTES_MAX)];
    let language = Language::of(beginning, otherwise);
    let line = fold(beginning);
    let words = line.split(' ').count();
    let order = std::iter::once(language).chain(spoken().filter(|other| *other != language));
    for language in order {
        if said.len() <= BYTES_MAX
            && words <= WORDS_MAX
            && let Some(phrase) = talk(&line, language)
        {
            return Some((Said::Talk(phrase), language));
        }
    }
    let padded = format!(" {line} ");
    let says = |talk: Talk| talk.entries(language).iter().any(|entry| contains(&padded, entry));
    if says(Talk::Person)
        && words <= PERSON_WORDS_MAX
        && !asks_for_more(&line, language)
        && is_about_no_more(&line, Talk::Person, language)
    {
        return Some((Said::Person, language));
    }
    let asks = said.contains(['?', '？', '؟']) || !kinds_of(beginning, language).without(Kinds::WHY).is_empty();
    (says(Talk::Complaint) && !asks).then_some((Said::Complaint, language))
}

/// Whole lines, or words that carry the meaning with polite ones beside them.
fn talk(line: &str, language: Language) -> Option<Phrase> {
    const LISTS: &[(Talk, Phrase)] = &[
        (Talk::Robot, Phrase::Who),
        (Talk::HowAreYou, Phrase::HowAreYou),
        (Talk::Thanks, Phrase::Thanks),
        (Talk::Bye, Phrase::Bye),
        (Talk::Hello, Phrase::Hello),
        (Talk::Ok, Phrase::Acknowledged),
    ];
    let whole = LISTS.iter().find(|(talk, _)| talk.entries(language).iter().any(|entry| entry == line));
    if let Some((_, phrase)) = whole {
        return Some(*phrase);
    }
    let mut found = None;
    let mut rest: Vec<&str> = line.split(' ').collect();
    'words: while !rest.is_empty() {
        for (talk, phrase) in LISTS {
            // The longest entry first: `good morning` is one.
            for length in (1..=rest.len().min(5)).rev() {
                let piece = rest[..length].join(" ");
                if talk.entries(language).contains(&piece) {
                    let rank = |phrase: Phrase| LISTS.iter().position(|(_, other)| *other == phrase);
                    if found.is_none_or(|before| rank(*phrase) < rank(before)) {
                        found = Some(*phrase);
                    }
                    rest.drain(..length);
                    continue 'words;
                }
            }
        }
        let polite = Talk::Polite.entries(language).iter().any(|entry| entry == rest[0]);
        if !polite {
            return None;
        }
        rest.remove(0);
    }
    found
}

/// Whether a line has hardly a word that says something else: `do you sell human hair` asks for no person.
fn is_about_no_more(line: &str, talk: Talk, language: Language) -> bool {
    use crate::language::List;
    let words: Vec<&str> = line.split(' ').collect();
    let mut known = vec![false; words.len()];
    let mut longest = 0;
    for entry in talk.entries(language).iter().chain(Talk::Polite.entries(language)) {
        let length = entry.split(' ').count();
        for from in 0..(words.len() + 1).saturating_sub(length) {
            if words[from..from + length].join(" ") == *entry {
                known[from..from + length].iter_mut().for_each(|known| *known = true);
                longest = longest.max(if talk.entries(language).contains(entry) { length } else { 0 });
            }
        }
    }
    let more = words
        .iter()
        .zip(&known)
        .filter(|(word, known)| !**known && !language.is_small(word) && !language.has(List::Common, word));
    // A whole phrase asks for a person whatever stands beside it; a single word may be about something else.
    longest == 0 || more.count() <= if longest > 1 { MORE_WORDS_MAX } else { 0 }
}

/// A request for somebody's number or hours is a question to the documents.
fn asks_for_more(line: &str, language: Language) -> bool {
    use crate::language::List;
    let padded = format!(" {line} ");
    let asks = Kinds::CLOCK.and(Kinds::AMOUNT).and(Kinds::WHEN).and(Kinds::DURATION).and(Kinds::COUNT);
    begins_question(line, language).has(asks)
        || [List::Clock, List::Amount, List::When, List::Duration]
            .into_iter()
            .any(|list| language.entries(list).any(|entry| entry.contains(' ') && contains(&padded, entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_talk_is_told_from_questions() {
        use Said::{Complaint, Person};
        for (said, expected) in [
            ("hi", Some(Said::Talk(Phrase::Hello))),
            ("Hello there!", Some(Said::Talk(Phrase::Hello))),
            ("Good morning", Some(Said::Talk(Phrase::Hello))),
            ("thank you so much!", Some(Said::Talk(Phrase::Thanks))),
            ("thats grand ta very much", Some(Said::Talk(Phrase::Thanks))),
            ("cheers that sorted it, have a nice weekend", Some(Said::Talk(Phrase::Thanks))),
            ("ok great", Some(Said::Talk(Phrase::Acknowledged))),
            ("Bye!", Some(Said::Talk(Phrase::Bye))),
            ("are you a bot?", Some(Said::Talk(Phrase::Who))),
            ("👋", Some(Said::Talk(Phrase::SayMore))),
            ("", Some(Said::Talk(Phrase::SayMore))),
            ("can i talk to a proper human please", Some(Person)),
            ("third time this week the app ate my draft. im really fed up with you lot", Some(Complaint)),
            ("do you sell human hair wigs", None),
            ("human please", Some(Person)),
            ("hi, what are your opening hours?", None),
            ("good detergent", None),
            ("thanks, and how do I return it?", None),
            ("no power", None),
            ("morning delivery", None),
            ("returns", None),
        ] {
            assert_eq!(hear(said, Language::English).map(|(said, _)| said), expected, "{said}");
        }
        assert_eq!(hear(&"é".repeat(300), Language::English), None);
    }
}
