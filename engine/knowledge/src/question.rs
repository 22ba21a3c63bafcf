//! A question taken apart: in which language it is, what kind of answer it asks for, about what.
//! Invariant: bounded whatever its length; the same for search and answer.

use std::collections::HashSet;

use super::calendar::Calendar;
use super::clauses::{Clause, clauses};
use super::kinds::{CUES, Kinds, begins_question};
use super::language::{Language, List};
use super::lexicon::{self, Concept};
use super::ranges::{self, Number};
use super::stems::{Word, words};
use super::words;

/// Of a longer question only the beginning is read, in bytes.
pub(super) const QUESTION_BYTES_MAX: usize = 4 * 1024;
/// Of its words, so many are looked for.
const TERMS_MAX: usize = 32;
/// Of an earlier message so much is read, in bytes: its end, where it asks.
const EARLIER_BYTES_MAX: usize = 1_024;
/// Questions in one message that are answered one by one.
const PARTS_MAX: usize = 3;
/// What a word counts that leads up to the question, beside one of the question itself …
const STORY_WEIGHT: f32 = 0.35;
/// … or that holds what the question points to: `My drill broke. How do I send it back?`,
const POINTED_WEIGHT: f32 = 0.8;
/// … one of the other question in the same message, or of the question before …
const BEFORE_WEIGHT: f32 = 0.5;
/// … one of another question in the same message, where this one has words of its own …
const BESIDE_WEIGHT: f32 = 0.15;
/// … one that could stand in any question …
const COMMON_WEIGHT: f32 = 0.35;
/// … the same where the lexicon knows a meaning of it …
const HALF_COMMON_WEIGHT: f32 = 0.6;
/// … one whose meaning is the kind of answer asked for …
const CUE_WEIGHT: f32 = 0.25;
/// … a number, which may be one of many …
const NUMBER_WEIGHT: f32 = 0.4;
/// … and one of letters and digits, or a long number: `E04`, `10x10`.
const EXACT_WEIGHT: f32 = 1.3;

/// Where a word of the question comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TermOrigin {
    /// The question itself.
    Question,
    /// What leads up to it, in the same message.
    Story,
    /// The question before, or the other one in the same message.
    Before,
}

/// A word or phrase that says about what the question is.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) words: Vec<Word>,
    /// Which share of its meaning each word bears: of `cancel my order` the second none.
    pub(super) shares: Vec<f32>,
    /// What it means, if the lexicon knows.
    pub(super) concepts: Vec<Concept>,
    pub(super) weight: f32,
    pub(super) origin: TermOrigin,
    /// Letters and digits mixed: it names one thing and no other.
    pub(super) is_code: bool,
}

impl Term {
    fn key(&self) -> String {
        self.words.iter().map(|word| word.stem.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// One question of a message.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Its own words, as they were said.
    pub(super) said: String,
    pub(super) language: Language,
    pub(super) kinds: Kinds,
    pub(super) terms: Vec<Term>,
    pub(super) calendar: Calendar,
    pub(super) numbers: Vec<Number>,
    /// It is short or points back, and was completed from what was asked before.
    pub(super) leans: bool,
}

impl Asked {
    /// A question about nothing: whatever stands in documents does not answer it.
    fn nothing(language: Language) -> Self {
        Self {
            said: String::new(),
            language,
            kinds: Kinds::default(),
            terms: Vec::new(),
            calendar: Calendar::default(),
            numbers: Vec::new(),
            leans: false,
        }
    }
}

/// A message taken apart into its questions: at least one. More than are looked for stand together in the last, which
/// has no terms.
pub(super) fn read(said: &str, before: &[&str], otherwise: Language) -> Vec<Asked> {
    let said = &said[..said.floor_char_boundary(QUESTION_BYTES_MAX)];
    let language = Language::of(said, otherwise);
    let clauses = clauses(said, language);
    let mut parts = parts(&clauses, language);
    let end = |said: &str| said.ceil_char_boundary(said.len().saturating_sub(EARLIER_BYTES_MAX));
    let earlier: Vec<Vec<Asked>> =
        before.iter().rev().take(2).map(|said| read(&said[end(said)..], &[], otherwise)).collect();
    for part in parts.iter_mut().take(PARTS_MAX) {
        complete(part, &earlier);
        // What asks is all that there is to look for: `Parking?`
        let is_own = |term: &Term| term.origin == TermOrigin::Question;
        if part.terms.iter().filter(|term| is_own(term)).all(|term| term.weight <= COMMON_WEIGHT) && !part.leans {
            part.terms.iter_mut().filter(|term| is_own(term)).for_each(|term| term.weight = 1.0);
        }
    }
    parts
}

/// What is looked for when somebody asks for a person: telephone numbers and mail addresses.
pub(super) fn for_contact(language: Language) -> Asked {
    let kinds = Kinds::PHONE.and(Kinds::MAIL);
    Asked { kinds, terms: terms("contact", Language::English), ..Asked::nothing(language) }
}

/// The questions of a message, each with what leads up to it.
fn parts(clauses: &[Clause<'_>], language: Language) -> Vec<Asked> {
    let asking: Vec<usize> = (0..clauses.len()).filter(|at| clauses[*at].asks).collect();
    let told = |at: usize| terms(clauses[at].text, language);
    let is_asked = |at: &usize| {
        let clause = &clauses[*at];
        clause.text.ends_with(['?', '？', '؟']) || !begins_question(clause.text, language).is_empty()
    };
    // What is told in the words of a question is none where one is asked: `I rang about the price. When are you open?`
    let asked: Vec<usize> = asking.iter().copied().filter(is_asked).collect();
    let mut groups: Vec<Vec<usize>> = if asked.len() > 1 {
        asked.iter().map(|at| vec![*at]).collect()
    } else if asking.is_empty() {
        vec![(0..clauses.len()).collect()]
    } else if asked.is_empty() {
        vec![asking]
    } else {
        vec![asked]
    };
    let beyond: Vec<usize> = groups.split_off(groups.len().min(PARTS_MAX)).concat();
    let mut parts = Vec::with_capacity(groups.len());
    for own in &groups {
        let text = own.iter().map(|at| clauses[*at].text).collect::<Vec<_>>().join(" ");
        let kinds = own.iter().fold(Kinds::default(), |kinds, at| kinds.and(clauses[*at].kinds));
        let mut part = Asked {
            said: text.clone(),
            language,
            kinds,
            terms: Vec::new(),
            calendar: Calendar::of(&text, language),
            numbers: ranges::numbers(&text),
            leans: false,
        };
        for at in own {
            add(&mut part.terms, told(*at), 1.0, TermOrigin::Question);
        }
        let strong = part.terms.iter().filter(|term| term.weight > COMMON_WEIGHT).count();
        let points = words::folded(&text).iter().any(|word| language.has(List::Pronouns, word));
        let story = if strong == 0 || (points && strong < 2) { POINTED_WEIGHT } else { STORY_WEIGHT };
        // Another question in the same message says about what this one is only where it does not say so itself.
        let beside =
            if part.terms.iter().any(|term| term.weight >= COMMON_WEIGHT) { BESIDE_WEIGHT } else { BEFORE_WEIGHT };
        for at in (0..clauses.len()).filter(|at| !own.contains(at)) {
            let (weight, origin) =
                if clauses[at].asks { (beside, TermOrigin::Before) } else { (story, TermOrigin::Story) };
            add(&mut part.terms, told(at), weight, origin);
            if !clauses[at].asks {
                part.numbers.extend(ranges::numbers(clauses[at].text));
                let story = Calendar::of(clauses[at].text, language);
                part.calendar.days |= if part.calendar.days == 0 { story.days } else { 0 };
                part.calendar.months |= if part.calendar.months == 0 { story.months } else { 0 };
            }
        }
        parts.push(part);
    }
    // More than are looked for are named, so that nobody takes them for answered.
    if !beyond.is_empty() || parts.is_empty() {
        let said = beyond.iter().map(|at| clauses[*at].text).collect::<Vec<_>>().join(" ");
        parts.push(Asked { said, ..Asked::nothing(language) });
    }
    parts
}

/// Takes over from the question before what this one leaves out.
fn complete(part: &mut Asked, earlier: &[Vec<Asked>]) {
    let own = |part: &Asked| {
        part.terms.iter().filter(|term| term.origin == TermOrigin::Question && term.weight >= COMMON_WEIGHT).count()
    };
    let first = words::folded(&part.said).into_iter().take(3).collect::<Vec<_>>();
    let begins = (1..=first.len()).any(|length| part.language.has(List::Leans, &first[..length].join(" ")));
    let all = words::folded(&part.said);
    let points = all.iter().any(|word| part.language.has(List::Pronouns, word));
    // A whole question about a thing of its own leans on none: `how much is a taster`.
    let names = part.terms.iter().any(|term| term.origin == TermOrigin::Question && term.weight > HALF_COMMON_WEIGHT);
    let is_whole = names && !begins_question(&part.said, part.language).is_empty();
    let short = own(part) <= 1 && all.len() <= 6 && !is_whole;
    if earlier.is_empty() || !(begins || short || (points && own(part) <= 2)) {
        return;
    }
    part.leans = true;
    // What is new is what is asked.
    for term in part.terms.iter_mut().filter(|term| term.weight > CUE_WEIGHT) {
        term.weight = term.weight.max(1.0);
    }
    let mut weight = if own(part) > 0 { BEFORE_WEIGHT * 0.8 } else { 0.9 };
    for before in earlier {
        for asked in before {
            add(&mut part.terms, asked.terms.clone(), weight, TermOrigin::Before);
            if part.kinds.without(Kinds::CAN).is_empty() {
                part.kinds = part.kinds.and(asked.kinds);
            }
            if part.numbers.is_empty() {
                part.numbers.clone_from(&asked.numbers);
            }
            part.calendar.days |= if part.calendar.days == 0 { asked.calendar.days } else { 0 };
            part.calendar.months |= if part.calendar.months == 0 { asked.calendar.months } else { 0 };
        }
        // One step further only where the question before leaned on another itself.
        if before.iter().any(|asked| asked.terms.len() > 1) {
            break;
        }
        weight *= 0.7;
    }
}

fn add(terms: &mut Vec<Term>, more: Vec<Term>, weight: f32, origin: TermOrigin) {
    for mut term in more {
        if terms.len() == TERMS_MAX {
            return;
        }
        let key = term.key();
        let known = terms.iter().any(|other| other.key() == key || shares_a_concept(other, &term));
        if !known {
            term.weight *= weight;
            term.origin = origin;
            terms.push(term);
        }
    }
}

fn shares_a_concept(a: &Term, b: &Term) -> bool {
    a.concepts.iter().any(|concept| b.concepts.contains(concept))
}

/// The words of a clause that say about what it is.
fn terms(text: &str, language: Language) -> Vec<Term> {
    let bare = without_small(text, language);
    let all = words(&bare, language);
    let spans = lexicon::concepts(&all, language);
    let line: Vec<&str> = all.iter().map(|word| word.exact.as_str()).collect();
    let cued = cued(&line, language);
    let mut terms = Vec::new();
    let mut seen = HashSet::new();
    let mut at = 0;
    while at < all.len() {
        let length = spans.iter().filter(|span| span.from == at).map(|span| span.to - span.from).max().unwrap_or(1);
        let here = telling(&all[at..at + length], language);
        let concepts: Vec<Concept> =
            spans.iter().filter(|span| span.from == at && span.to == at + length).map(|span| span.concept).collect();
        let is_small = here.iter().all(|word| language.is_small(&word.exact));
        let is_cue = (at..at + length).all(|at| cued[at]);
        let is_date = here.iter().all(|word| is_calendar(&word.exact, language));
        at += length;
        let has_digit = here.iter().any(|word| word.exact.contains(|c: char| c.is_ascii_digit()));
        let single = here.len() == 1 && here[0].exact.chars().count() == 1 && !has_digit && here[0].exact.is_ascii();
        let key = here.iter().map(|word| word.stem.as_str()).collect::<Vec<_>>().join(" ");
        // A small word that means something may name what a page is about: `Family`, `Friend`.
        if (is_small && concepts.is_empty()) || is_date || single || !seen.insert(key) {
            continue;
        }
        let mixed = has_digit && here.iter().any(|word| word.exact.contains(char::is_alphabetic));
        let is_code = mixed || (here.len() == 1 && is_number_of_a_name(&all, at - 1, &cued, language));
        let is_common =
            here.iter().all(|word| language.has(List::Common, &word.exact) || language.is_small(&word.exact));
        let weight = match () {
            // What a cue said is known already; its word may still stand in a heading.
            () if is_cue => CUE_WEIGHT,
            () if is_code || (has_digit && here.iter().any(|word| word.exact.len() > 4)) => EXACT_WEIGHT,
            () if has_digit => NUMBER_WEIGHT,
            () if is_small || (is_common && concepts.is_empty()) => COMMON_WEIGHT,
            () if is_common => HALF_COMMON_WEIGHT,
            () => 1.0,
        };
        let shares = shares(here, language);
        terms.push(Term { words: here.to_vec(), shares, concepts, weight, origin: TermOrigin::Question, is_code });
    }
    terms
}

/// A phrase without the small words at its ends, unless it has no others: of `you close` the second word.
fn telling(words: &[Word], language: Language) -> &[Word] {
    let tells = |word: &Word| !language.is_small(&word.exact);
    match (words.iter().position(tells), words.iter().rposition(tells)) {
        (Some(first), Some(last)) => &words[first..=last],
        _ => words,
    }
}

/// What each word of a phrase bears of its meaning: 1 together.
fn shares(words: &[Word], language: Language) -> Vec<f32> {
    let bears = |word: &Word| match () {
        () if words.len() == 1 => 1.0,
        () if language.is_small(&word.exact) => 0.0,
        () if language.has(List::Common, &word.exact) => COMMON_WEIGHT,
        () => 1.0,
    };
    let all: f32 = words.iter().map(bears).sum();
    let even = 1.0 / words.len() as f32;
    words.iter().map(|word| if all > 0.0 { bears(word) / all } else { even }).collect()
}

/// `Aroma 500` is another machine than `Aroma 300`: a number right after a name, and before no unit,
/// belongs to the name.
fn is_number_of_a_name(all: &[Word], at: usize, cued: &[bool], language: Language) -> bool {
    let is_number = |word: &Word| word.exact.bytes().all(|byte| byte.is_ascii_digit());
    let Some(before) = at.checked_sub(1).map(|before| &all[before]).filter(|_| is_number(&all[at])) else {
        return false;
    };
    let is_name = before.exact.chars().all(char::is_alphabetic)
        && before.exact.chars().count() > 2
        && !cued[at - 1]
        && !language.is_small(&before.exact)
        && !language.has(List::Common, &before.exact)
        && !is_calendar(&before.exact, language)
        && language.number(&before.exact).is_none();
    let counts =
        all.get(at + 1).is_some_and(|next| ranges::is_unit(&next.exact) || language.has(List::TimeUnits, &next.exact));
    is_name && !counts && all[at].exact.len() >= 2
}

/// Chinese and Japanese have small words within their runs of letters: they part what is left.
fn without_small(text: &str, language: Language) -> String {
    if !matches!(language, Language::Chinese | Language::Japanese | Language::Korean) {
        return text.to_string();
    }
    // Of what asks, only what is no subject itself: `运费` asks for an amount and says of what.
    const ASKING: &[&str] = &[
        "多少",
        "几",
        "幾",
        "什么",
        "什麼",
        "哪",
        "吗",
        "嗎",
        "怎",
        "何",
        "いくら",
        "いつ",
        "どこ",
        "どの",
        "どう",
        "ですか",
        "ますか",
        "얼마",
        "몇",
        "언제",
        "어디",
        "어떻게",
        "무엇",
    ];
    let asks = |entry: &&str| ASKING.iter().any(|asking| entry.contains(asking));
    let mut small: Vec<&str> = language.entries(List::Small).collect();
    small.extend(CUES.iter().flat_map(|(list, _)| language.entries(*list)).filter(asks));
    small.sort_by_key(|entry| std::cmp::Reverse(entry.len()));
    let mut bare = text.to_string();
    for entry in small {
        if bare.contains(entry) {
            bare = bare.replace(entry, " ");
        }
    }
    // A question of small words alone is searched as it stands.
    if bare.chars().any(char::is_alphanumeric) { bare } else { text.to_string() }
}

/// Which words of a line belong to a phrase that asks.
fn cued(line: &[&str], language: Language) -> Vec<bool> {
    const WORDS_MAX: usize = 5;
    let mut cued = vec![false; line.len()];
    for from in 0..line.len() {
        for to in from + 1..=(from + WORDS_MAX).min(line.len()) {
            let phrase = line[from..to].join(" ");
            if CUES.iter().any(|(list, _)| language.has(*list, &phrase)) {
                cued[from..to].iter_mut().for_each(|cued| *cued = true);
            }
        }
    }
    cued
}

fn is_calendar(word: &str, language: Language) -> bool {
    let lists =
        (0..7).map(List::Day).chain((0..12).map(List::Month)).chain([List::Weekend, List::Weekdays, List::Daily]);
    lists.into_iter().any(|list| language.has(list, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(asked: &Asked) -> String {
        let mut terms: Vec<String> =
            asked.terms.iter().filter(|term| term.weight >= COMMON_WEIGHT).map(|term| term.key()).collect();
        terms.sort();
        terms.join(",")
    }

    #[test]
    fn a_question_is_taken_apart() {
        for (said, kinds, terms) in [
            ("how much is a roast", Kinds::AMOUNT, "roast"),
            ("what time do you close", Kinds::CLOCK, "close"),
            ("is my labrador welcome", Kinds::CAN, "labrador,welcom"),
            ("whats the phone number", Kinds::PHONE, "phone number"),
        ] {
            let asked = read(said, &[], Language::English);
            assert_eq!(asked.len(), 1, "{said}");
            assert!(asked[0].kinds.has(kinds), "{said}: {:?}", asked[0].kinds);
            assert_eq!(told(&asked[0]), terms, "{said}");
        }
    }

    #[test]
    fn two_questions_are_two() {
        let asked = read("where do we park and how much is it", &[], Language::English);
        assert_eq!(asked.len(), 2);
        assert!(asked[0].kinds.has(Kinds::WHERE) && asked[1].kinds.has(Kinds::AMOUNT));
        assert_eq!(read("do you have coffee, tea and cake", &[], Language::English).len(), 1);
    }

    #[test]
    fn a_follow_up_takes_over_what_it_leaves_out() {
        let asked = read("and on sunday?", &["when is the library open"], Language::English);
        assert!(asked[0].leans && asked[0].kinds.has(Kinds::CLOCK));
        assert_eq!(asked[0].calendar.days, 0b100_0000);
        assert!(told(&asked[0]).contains("librari"));
    }
}
