//! The meaning of a passage beside its words, as tokens of an index: concepts, and kinds of values.
//! Invariant: questions ask for the same tokens that documents are indexed under.

use super::calendar::Calendar;
use super::kinds::Kinds;
use super::language::Language;
use super::lexicon::{self, Concept, OPENING_HOURS};
use super::stems::Word;
use super::values::Values;

/// The tokens of one passage, each once.
pub(super) struct Meanings {
    tokens: Vec<String>,
}

impl Meanings {
    pub(super) fn of(name: &[Word], heading: &[Word], body: &[Word], text: &str, language: Language) -> Self {
        let mut tokens = Vec::new();
        for words in [name, heading, body] {
            for span in lexicon::concepts(words, language) {
                tokens.push(itself(span.concept));
                tokens.extend(span.concept.broader().iter().map(|broader| narrower(*broader)));
            }
        }
        tokens.extend(calendar(Calendar::of(text, language)));
        let wanted = VALUES.iter().fold(Values::default(), |all, (value, _)| all.and(*value));
        let values = Values::among(text, language, wanted);
        tokens.extend(VALUES.iter().filter(|(value, _)| values.has_any(*value)).map(|(_, token)| (*token).to_string()));
        let contacts = CONTACTS.iter().filter(|(value, _)| values.has_any(*value));
        tokens.extend(contacts.map(|(_, concept)| format!("={concept}")));
        if values.has_any(Values::CLOCK) && is_timetable(text, language) {
            tokens.push(format!("={OPENING_HOURS}"));
        }
        tokens.sort_unstable();
        tokens.dedup();
        Self { tokens }
    }

    pub(super) fn tokens(&self) -> &[String] {
        &self.tokens
    }
}

/// So many lines that name days and hours tell when a place is open, whatever stands above them.
const TIMETABLE_LINES_MIN: usize = 2;

fn is_timetable(text: &str, language: Language) -> bool {
    let tells = |line: &&str| {
        Calendar::of(line, language).days != 0 && Values::has(line, language, Values::CLOCK.and(Values::CLOSED))
    };
    text.lines().filter(tells).nth(TIMETABLE_LINES_MIN - 1).is_some()
}

/// Passages that speak of just this.
pub(super) fn itself(concept: Concept) -> String {
    format!("={}", concept.name())
}

/// Passages that speak of something that it includes.
pub(super) fn narrower(concept: Concept) -> String {
    format!("<{}", concept.name())
}

/// Days and months that a passage speaks of.
pub(super) fn calendar(calendar: Calendar) -> impl Iterator<Item = String> {
    let days = (0..7).filter(move |day| calendar.days & 1 << day != 0).map(|day| format!("@d{day}"));
    let months = (0..12).filter(move |month| calendar.months & 1 << month != 0).map(|month| format!("@m{month}"));
    days.chain(months)
}

/// The tokens of values any of which a kind of question asks for.
pub(super) fn values(kinds: Kinds) -> impl Iterator<Item = &'static str> {
    let wanted = kinds.values();
    VALUES.iter().filter(move |(value, _)| wanted.has_any(*value)).map(|(_, token)| *token)
}

const VALUES: &[(Values, &str)] = &[
    (Values::MONEY, "#money"),
    (Values::CLOCK, "#clock"),
    (Values::DURATION, "#duration"),
    (Values::DATE, "#date"),
    (Values::PERCENT, "#percent"),
    (Values::PHONE, "#phone"),
    (Values::MAIL, "#mail"),
    (Values::ADDRESS, "#address"),
];

/// What a value means that needs no label: a foot often has the number alone.
pub(super) const CONTACTS: &[(Values, &str)] =
    &[(Values::PHONE, lexicon::PHONE), (Values::MAIL, lexicon::MAIL), (Values::ADDRESS, lexicon::ADDRESS)];

/// A part of a joined word has at least so many characters.
const PART_CHARS_MIN: usize = 4;

/// Beginnings and ends of a word that may be joined of several.
pub(super) fn parts(stem: &str) -> Vec<String> {
    let bounds: Vec<usize> = stem.char_indices().map(|(at, _)| at).collect();
    if bounds.len() < 2 * PART_CHARS_MIN - 1 || stem.bytes().any(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let mut parts = Vec::new();
    for cut in 3..=bounds.len() - 3 {
        if cut >= PART_CHARS_MIN {
            parts.push(stem[..bounds[cut]].to_string());
        }
        if bounds.len() - cut >= PART_CHARS_MIN {
            parts.push(stem[bounds[cut]..].to_string());
        }
    }
    parts
}
