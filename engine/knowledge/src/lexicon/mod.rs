//! Words that stand for one another between customers and pages: `dog` and `pet`, `delivery` and
//! `Versand`. Concepts are data (`concepts.tsv`), their words too, a file for each language.
//! Invariant: the same text gives the same concepts, in questions and in documents.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use rustc_hash::FxHashMap;

use super::language::Language;
use super::stems::{Word, stem_of, words};

/// What several words mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Concept(u16);

/// Words of a text that mean a concept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first word.
    pub(super) from: usize,
    /// The word after the last.
    pub(super) to: usize,
    pub(super) concept: Concept,
}

/// How well one concept stands for another: the same, a broader one in the document, a narrower one.
const SAME: f32 = 0.9;
const BROADER: f32 = 0.6;
const NARROWER: f32 = 0.45;
/// A phrase has at most so many words.
const PHRASE_WORDS_MAX: usize = 4;

/// Every concept with those that include it.
struct Concepts {
    by_id: HashMap<&'static str, Concept>,
    /// All that include a concept, near and far.
    broader: Vec<Vec<Concept>>,
    names: Vec<&'static str>,
}

/// One language's phrases by the stem of their first word, the longest first.
type Phrases = FxHashMap<String, Vec<Entry>>;

/// A phrase that means a concept.
struct Entry {
    /// The stems of the words after the first.
    rest: Vec<String>,
    /// `boxing` is no box, though their stems are the same: such a word means what it does in this form only.
    is_gerund: bool,
    concept: Concept,
}

static CONCEPTS: LazyLock<Concepts> = LazyLock::new(|| Concepts::read(include_str!("concepts.tsv")));
static PHRASES: [OnceLock<Phrases>; Language::ALL.len()] = [const { OnceLock::new() }; Language::ALL.len()];

impl Concepts {
    fn read(file: &'static str) -> Self {
        let rows: Vec<(&str, &str)> = rows(file).collect();
        let names: Vec<&str> = rows.iter().map(|(id, _)| *id).collect();
        let by_id: HashMap<&str, Concept> = names.iter().zip(0..).map(|(id, n)| (*id, Concept(n))).collect();
        let parents: Vec<Vec<Concept>> =
            rows.iter().map(|(_, ids)| entries(ids).filter_map(|id| by_id.get(id).copied()).collect()).collect();
        let mut broader = Vec::with_capacity(parents.len());
        for direct in &parents {
            let mut all: Vec<Concept> = direct.clone();
            let mut next = 0;
            while let Some(concept) = all.get(next).copied() {
                for above in &parents[usize::from(concept.0)] {
                    if !all.contains(above) {
                        all.push(*above);
                    }
                }
                next += 1;
            }
            broader.push(all);
        }
        Self { by_id, broader, names }
    }
}

/// The concept of when a place is open.
pub(super) const OPENING_HOURS: &str = "opening_hours";
/// Those of a telephone number, a mail address and a place's address: the value says it, with or without a label.
pub(super) const PHONE: &str = "phone";
pub(super) const MAIL: &str = "email";
pub(super) const ADDRESS: &str = "address";

impl Concept {
    /// How well what a document says stands for what was asked: 0 to 1.
    pub(super) fn stands_for(self, asked: Self) -> f32 {
        if self == asked {
            return SAME;
        }
        let broader = &CONCEPTS.broader;
        if broader[usize::from(asked.0)].contains(&self) {
            return BROADER;
        }
        if broader[usize::from(self.0)].contains(&asked) { NARROWER } else { 0.0 }
    }

    /// Its name in the file of concepts.
    pub(super) fn name(self) -> &'static str {
        CONCEPTS.names[usize::from(self.0)]
    }

    /// Those that include it.
    pub(super) fn broader(self) -> &'static [Self] {
        &CONCEPTS.broader[usize::from(self.0)]
    }
}

/// The concepts that the words of a text mean, by its language and by English, which stands in
/// texts of all languages.
pub(super) fn concepts(words: &[Word], language: Language) -> Vec<Span> {
    let mut found = Vec::new();
    let others = Some(language).filter(|language| *language != Language::English);
    for of in others.into_iter().chain([Language::English]) {
        let phrases = phrases(of);
        for from in 0..words.len() {
            let Some(candidates) = phrases.get(&words[from].stem) else { continue };
            let gerund = is_gerund(&words[from].exact);
            // The first stem is the one they were found by.
            let rest = &words[from + 1..];
            let fits = |entry: &Entry| {
                entry.is_gerund == (entry.rest.is_empty() && gerund)
                    && rest.len() >= entry.rest.len()
                    && entry.rest.iter().zip(rest).all(|(stem, word)| *stem == word.stem)
            };
            let mut length = 0;
            for entry in candidates.iter().filter(|entry| fits(entry)) {
                // Of several phrases that begin here, the longest is meant.
                if entry.rest.len() + 1 < length {
                    break;
                }
                length = entry.rest.len() + 1;
                let span = Span { from, to: from + length, concept: entry.concept };
                if !found.contains(&span) {
                    found.push(span);
                }
            }
        }
    }
    found
}

/// Whether a phrase of the language begins with a folded word.
pub(super) fn knows(word: &str, language: Language) -> bool {
    phrases(language).contains_key(&stem_of(word, language))
}

fn phrases(language: Language) -> &'static Phrases {
    PHRASES[language as usize].get_or_init(|| read_phrases(language))
}

fn read_phrases(language: Language) -> Phrases {
    let mut phrases = Phrases::default();
    for (id, list) in rows(file_of(language)) {
        let Some(concept) = CONCEPTS.by_id.get(id) else { continue };
        for entry in entries(list) {
            let mut stems = words(entry, language).into_iter().map(|word| word.stem);
            let Some(first) = stems.next() else { continue };
            let rest: Vec<String> = stems.collect();
            if rest.len() >= PHRASE_WORDS_MAX {
                continue;
            }
            let is_gerund = rest.is_empty() && is_gerund(entry);
            phrases.entry(first).or_default().push(Entry { rest, is_gerund, concept: *concept });
        }
    }
    for candidates in phrases.values_mut() {
        candidates.sort_by_key(|entry| std::cmp::Reverse(entry.rest.len()));
    }
    phrases
}

fn is_gerund(word: &str) -> bool {
    word.len() > 5 && (word.ends_with("ing") || word.ends_with("ings"))
}

/// Rows `id TAB list`; `#` begins a remark. A row may have an empty list.
fn rows(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = file.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_once('\t').unwrap_or((line, ""))).map(|(id, list)| (id.trim(), list.trim()))
}

fn entries(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split([',', '，', '、']).map(str::trim).filter(|entry| !entry.is_empty())
}

fn file_of(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("en.tsv"),
        Language::Spanish => include_str!("es.tsv"),
        Language::French => include_str!("fr.tsv"),
        Language::German => include_str!("de.tsv"),
        Language::Italian => include_str!("it.tsv"),
        Language::Portuguese => include_str!("pt.tsv"),
        Language::Dutch => include_str!("nl.tsv"),
        Language::Polish => include_str!("pl.tsv"),
        Language::Russian => include_str!("ru.tsv"),
        Language::Arabic => include_str!("ar.tsv"),
        Language::Chinese => include_str!("zh.tsv"),
        Language::Japanese => include_str!("ja.tsv"),
        Language::Korean => include_str!("ko.tsv"),
        Language::Swedish => include_str!("sv.tsv"),
        Language::Danish => include_str!("da.tsv"),
        Language::Norwegian => include_str!("nb.tsv"),
        Language::Turkish => include_str!("tr.tsv"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_known_and_no_concept_includes_itself() {
        for language in Language::ALL {
            for (id, _) in rows(file_of(language)) {
                assert!(CONCEPTS.by_id.contains_key(id), "{}: {id}", language.code());
            }
        }
        for (n, broader) in CONCEPTS.broader.iter().enumerate() {
            assert!(broader.iter().all(|concept| usize::from(concept.0) != n), "{}", CONCEPTS.names[n]);
        }
    }

    #[test]
    fn words_stand_for_one_another() {
        let of = |text: &str, language| -> Vec<Concept> {
            concepts(&words(text, language), language).into_iter().map(|span| span.concept).collect()
        };
        let best = |asked: &str, a, there: &str, b| {
            let there = of(there, b);
            let pairs =
                of(asked, a).into_iter().flat_map(|asked| there.iter().map(move |there| there.stands_for(asked)));
            pairs.fold(0.0, f32::max)
        };
        use Language::{English, German};
        assert_eq!(best("my dogs", English, "a dog", English), SAME);
        assert_eq!(best("my dogs", English, "no pets", English), BROADER);
        assert_eq!(best("pets", English, "dogs", English), NARROWER);
        assert_eq!(best("adult", English, "child", English), 0.0);
        assert_eq!(best("delivery", English, "Lieferung", German), SAME);
    }
}
