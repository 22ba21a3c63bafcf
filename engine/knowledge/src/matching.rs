//! Measures how well the words of a text meet the terms of a question.
//! Invariant: a term meets a text by what stands there: the word, another form of it, a part of a
//! joined word, a word that means the same, or the word it was a slip for.

use std::cell::RefCell;
use std::collections::HashMap;

use super::language::Language;
use super::lexicon;
use super::question::{Asked, Term};
use super::stems::{Word, stem_of, words};

/// What it counts when words are the same but for their endings, …
const STEM: f32 = 0.97;
/// … when one is the beginning or the end of the other, as German joins words, …
const JOINED: f32 = 0.8;
/// … and when one is a slip for the other.
const SLIP: f32 = 0.85;
/// A word that bears so much of a phrase's meaning must not be missing.
const TELLING_SHARE: f32 = 0.3;
/// What a word of the same meaning counts when the word itself stands in another text.
const KIN: f32 = 0.6;
/// A part of a joined word has at least so many characters.
const JOINED_CHARS_MIN: usize = 4;
/// A word may be a slip when it has so many characters.
const SLIP_CHARS_MIN: usize = 4;

/// For each term of a question how well a text meets it: 0 to 1.
pub(super) type Strengths = Vec<f32>;

/// A question's terms, ready to be met by texts of one language.
pub(super) struct Matcher<'a> {
    terms: &'a [Term],
    language: Language,
    /// The stems of each term's words in the texts' language.
    stems: Vec<Vec<String>>,
    /// Terms that no text has as they are spelt.
    slips: Vec<bool>,
    /// Terms that some text has as they are spelt.
    spelt: Vec<bool>,
    /// By each word of a text, how well it meets each word of each term.
    known: RefCell<HashMap<String, Vec<Met>>>,
}

/// Which term, which of its words, and how well.
type Met = (usize, usize, f32);

impl<'a> Matcher<'a> {
    /// `texts` are all that may answer: a term that none of them has may be misspelt.
    pub(super) fn new<'t>(asked: &'a Asked, language: Language, texts: impl Iterator<Item = &'t str>) -> Self {
        let stems = |term: &Term| term.words.iter().map(|word| stem_of(&word.exact, language)).collect();
        let stems = asked.terms.iter().map(stems).collect();
        let slips = vec![false; asked.terms.len()];
        let spelt = slips.clone();
        let mut matcher = Self { terms: &asked.terms, language, stems, slips, spelt, known: RefCell::default() };
        let (mut best, mut spelt) = (matcher.nothing(), matcher.nothing());
        for text in texts {
            let (by_words, all) = matcher.both(text);
            raise(&mut spelt, &by_words, 1.0);
            raise(&mut best, &all, 1.0);
        }
        matcher.spelt = spelt.iter().map(|spelt| *spelt >= STEM).collect();
        let long = |term: &Term| term.words.iter().any(|word| word.exact.chars().count() >= SLIP_CHARS_MIN);
        matcher.slips = best.iter().zip(&asked.terms).map(|(best, term)| *best < 0.4 && long(term)).collect();
        matcher.known = RefCell::default();
        matcher
    }

    /// Whether some text has a term as it is spelt.
    pub(super) fn is_spelt_somewhere(&self, term: usize) -> bool {
        self.spelt.get(term).copied().unwrap_or(false)
    }

    pub(super) fn nothing(&self) -> Strengths {
        vec![0.0; self.terms.len()]
    }

    /// How well a text meets each term.
    pub(super) fn of(&self, text: &str) -> Strengths {
        self.both(text).1
    }

    /// How well a text meets each term as it is spelt.
    pub(super) fn spelt(&self, text: &str) -> Strengths {
        self.both(text).0
    }

    /// By words alone, and by what they mean, too.
    fn both(&self, text: &str) -> (Strengths, Strengths) {
        let there = words(text, self.language);
        let mut strengths = self.nothing();
        let mut by_word: Vec<Vec<f32>> = self.terms.iter().map(|term| vec![0.0; term.words.len()]).collect();
        for word in &there {
            self.meets(word, |term, at, strength| {
                by_word[term][at] = f32::max(by_word[term][at], strength);
            });
        }
        for ((strength, found), term) in strengths.iter_mut().zip(&by_word).zip(self.terms) {
            let met: f32 = found.iter().zip(&term.shares).map(|(found, share)| found * share).sum();
            let lacks = found.iter().zip(&term.shares).any(|(found, share)| *found == 0.0 && *share >= TELLING_SHARE);
            // Half of a phrase is less than half of its meaning.
            *strength = if lacks { 0.5 * met } else { met };
        }
        let by_words = strengths.clone();
        if self.terms.iter().any(|term| !term.concepts.is_empty()) {
            for span in lexicon::concepts(&there, self.language) {
                for ((strength, term), spelt) in strengths.iter_mut().zip(self.terms).zip(&self.spelt) {
                    let fits = term.concepts.iter().map(|asked| span.concept.stands_for(*asked)).fold(0.0, f32::max);
                    // Where the very word stands somewhere, its kin is less likely to be meant.
                    *strength = strength.max(if *spelt { fits * KIN } else { fits });
                }
            }
        }
        (by_words, strengths)
    }

    fn meets(&self, word: &Word, mut met: impl FnMut(usize, usize, f32)) {
        let mut known = self.known.borrow_mut();
        if !known.contains_key(&word.exact) {
            let mut found = Vec::new();
            for (n, term) in self.terms.iter().enumerate() {
                for (at, asked) in term.words.iter().enumerate() {
                    let strength = self.compare(asked, &self.stems[n][at], word, self.slips[n]);
                    if strength > 0.0 {
                        found.push((n, at, strength));
                    }
                }
            }
            known.insert(word.exact.clone(), found);
        }
        for (term, at, strength) in known.get(&word.exact).into_iter().flatten() {
            met(*term, *at, *strength);
        }
    }

    fn compare(&self, asked: &Word, stem: &str, there: &Word, may_slip: bool) -> f32 {
        if asked.exact == there.exact {
            return 1.0;
        }
        if *stem == there.stem || asked.stem == there.stem {
            return STEM;
        }
        if stem.bytes().any(|byte| byte.is_ascii_digit()) {
            return 0.0;
        }
        if self.language.joins_words() && is_part(stem, &there.exact, &there.stem) {
            return JOINED;
        }
        if self.language.joins_words() && is_part(&there.stem, &asked.exact, stem) {
            return JOINED;
        }
        if may_slip && is_slip(&asked.exact, &there.exact) { SLIP } else { 0.0 }
    }
}

/// Raises strengths to those of another text, counted by a share.
pub(super) fn raise(strengths: &mut Strengths, by: &Strengths, share: f32) {
    for (strength, by) in strengths.iter_mut().zip(by) {
        *strength = strength.max(by * share);
    }
}

fn is_part(part: &str, whole: &str, stem: &str) -> bool {
    let chars = part.chars().count();
    chars >= JOINED_CHARS_MIN && whole.chars().count() >= chars + 3 && (whole.starts_with(part) || stem.ends_with(part))
}

/// One letter wrong, missing, too many, or two swapped; two in long words. People seldom miss a
/// word's first letter.
pub(super) fn is_slip(asked: &str, there: &str) -> bool {
    let chars = asked.chars().count().min(there.chars().count());
    if chars < SLIP_CHARS_MIN || asked.len().abs_diff(there.len()) > 4 || asked.chars().next() != there.chars().next() {
        return false;
    }
    let same_start = asked.chars().take(3).eq(there.chars().take(3));
    let most = if chars >= 8 || (chars >= 6 && same_start) { 2 } else { 1 };
    let distance = strsim::osa_distance(asked, there);
    // Of short words one letter is much: `boat` is no slip for `boar`, but `tiem` is one for `time`.
    distance <= most
        && (chars > SLIP_CHARS_MIN || is_swap(asked, there) || asked.starts_with(there) || there.starts_with(asked))
}

fn is_swap(a: &str, b: &str) -> bool {
    let (mut x, mut y) = (a.chars().collect::<Vec<_>>(), b.chars().collect::<Vec<_>>());
    x.sort_unstable();
    y.sort_unstable();
    x == y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::read;

    #[test]
    fn terms_are_met_by_forms_parts_meanings_and_slips() {
        for (question, language, text, least, most) in [
            ("sirlion steak", Language::English, "Sirloin steak", 0.9, 1.0),
            ("returning parcels", Language::English, "Return a parcel", 0.9, 1.0),
            ("Versand", Language::German, "Versandkosten", 0.7, 0.95),
            ("Gutschein", Language::German, "Gutscheine", 0.9, 1.0),
            ("car", Language::English, "carpet", 0.0, 0.0),
            ("halal", Language::English, "hall", 0.0, 0.0),
            ("E04", Language::English, "E05", 0.0, 0.0),
        ] {
            let asked = read(question, &[], language).remove(0);
            let matcher = Matcher::new(&asked, language, std::iter::once(text));
            let strengths = matcher.of(text);
            let mean = strengths.iter().sum::<f32>() / strengths.len().max(1) as f32;
            assert!((least..=most).contains(&mean), "{question} / {text}: {strengths:?}");
        }
    }
}
