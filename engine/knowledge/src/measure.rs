//! Measures how much of a question a text has: in all, of the telling words, as they are spelt, beside one another.
//! Invariant: shares are 0 to 1, and count a question's terms by their weights; nothing here knows of kinds of
//! quotations.

use super::kinds::Kinds;
use super::language::{Language, List};
use super::matching::{Matcher, Strengths, raise};
use super::question::{Asked, Term, TermOrigin};
use super::stems::{Word, words};
use super::units::{Form, Read};
use super::values::{Values, contains};
use super::words::{fold, folded};

/// A term that weighs as much says what a question is about.
const TELLING: f32 = 0.45;
/// A telling term that is met by less than this is missing in part.
const PRESENT: f32 = 0.7;
/// Words this close to one another belong together.
const NEAR: usize = 3;
/// Fewer words make no sentence.
const SENTENCE_WORDS_MIN: usize = 3;
/// A label or heading of more words is no name.
const NAME_WORDS_MAX: usize = 6;

/// One question as a measure of texts.
pub(super) struct Measure<'a> {
    pub(super) asked: &'a Asked,
    /// That of the passages.
    pub(super) language: Language,
    pub(super) matcher: Matcher<'a>,
    /// The stems of the question's words, for finding names in it.
    stems: String,
    /// How rare each term is among the units: what all of them have tells none from another.
    rarity: Vec<f32>,
}

impl<'a> Measure<'a> {
    pub(super) fn new(asked: &'a Asked, passages: &[Read<'_>], language: Language, matcher: Matcher<'a>) -> Self {
        let rarity = rarity(&matcher, passages, asked.terms.len());
        let stems = stems_of(&words(&asked.said, language));
        Self { asked, language, matcher, stems, rarity }
    }

    /// How well the question has a title word for word: 1, a half when that is one word, or nothing.
    pub(super) fn named(&self, title: &str) -> f32 {
        let all = words(title, self.language);
        let telling = all.iter().filter(|word| !self.language.is_small(&word.exact)).count();
        let line = stems_of(&all);
        let is_named = telling > 0 && all.len() <= NAME_WORDS_MAX && self.stems.contains(&line);
        if is_named { (all.len() as f32 / 2.0).min(1.0) } else { 0.0 }
    }

    /// Whether a number stands right before a word of the question: `84 pitches`.
    pub(super) fn counts(&self, said: &str) -> bool {
        let all: Vec<&str> = said.split_whitespace().collect();
        let is_counted = |word: &&str| self.hits(&self.matcher.spelt(word)) > 0.0;
        let number = |word: &str| word.contains(|c: char| c.is_ascii_digit());
        (0..all.len()).any(|at| number(all[at]) && all[at + 1..all.len().min(at + 3)].iter().any(is_counted))
    }

    /// Whether nothing but a telephone number or a mail address is asked for: `whats your email`.
    pub(super) fn asks_contact_alone(&self) -> bool {
        let kinds = self.asked.kinds;
        let is_cue = |term: &&Term| {
            let phrase = term.words.iter().map(|word| word.exact.as_str()).collect::<Vec<_>>().join(" ");
            let names = [List::Phone, List::Mail, List::Common].iter().any(|list| self.language.has(*list, &phrase));
            names || self.asked.language.is_small(&phrase)
        };
        let mut own = self.asked.terms.iter().filter(|term| term.origin == TermOrigin::Question);
        kinds.has(Kinds::PHONE.and(Kinds::MAIL)) && !self.asked.leans && own.all(|term| is_cue(&term))
    }

    /// How well each term is met by what is known to be this: opening hours, a telephone number.
    pub(super) fn told(&self, name: &str) -> Strengths {
        let is_met = |term: &Term| term.concepts.iter().any(|concept| concept.name() == name);
        self.asked.terms.iter().map(|term| f32::from(u8::from(is_met(term)))).collect()
    }

    /// Whether a text begins with all that the question names, and then says what it is.
    pub(super) fn defines(&self, said: &str) -> bool {
        let telling = self.asked.terms.iter().filter(|term| term.weight >= TELLING);
        let named: Vec<&Word> = telling.flat_map(|term| &term.words).collect();
        let all = words(said, self.language);
        let begins = all.iter().position(|word| !self.language.is_small(&word.exact)).unwrap_or(all.len());
        let (name, rest) = all[begins..].split_at(named.len().min(all.len() - begins));
        let is_there = |word: &&Word| name.iter().any(|there| there.stem == word.stem);
        let says = rest.first().is_some_and(|word| self.language.has(List::Copula, &word.exact));
        !named.is_empty() && begins <= 1 && says && named.iter().all(is_there)
    }

    /// The share of a text's words that the question has: `Wine` fits better than `Mulled wine`.
    pub(super) fn precision(&self, text: &str, met: &Strengths) -> f32 {
        let all = folded(text).iter().filter(|word| !self.language.is_small(word)).count();
        let hit = met.iter().filter(|strength| **strength > 0.5).count();
        if all == 0 { 0.0 } else { (hit as f32 / all as f32).min(1.0) }
    }

    /// `E12` is not answered by what is said of `E04`; nor is what was asked of the `Aroma 500` before, where
    /// something is said of it.
    pub(super) fn lacks_a_code(&self, met: &Strengths) -> bool {
        let names = |(at, term): (usize, &Term)| match term.origin {
            TermOrigin::Question => true,
            TermOrigin::Before => self.matcher.is_spelt_somewhere(at),
            TermOrigin::Story => false,
        };
        let terms = self.asked.terms.iter().enumerate().zip(met);
        terms.filter(|((_, term), _)| term.is_code).any(|(term, met)| names(term) && *met < 0.2)
    }

    /// Whether a text says more than the question did. To who asks whether it is so, a sentence in the question's own
    /// words does: `Breakfast is included.`
    pub(super) fn brings_something(&self, said: &str, met: &Strengths, kinds: Kinds, is_sentence: bool) -> bool {
        if Values::has(said, self.language, kinds.values()) {
            return true;
        }
        let all = folded(said);
        if is_sentence && !kinds.is_valued() && all.len() >= SENTENCE_WORDS_MIN {
            return true;
        }
        let telling = all.iter().filter(|word| !self.language.is_small(word)).count();
        let met = self.asked.terms.iter().zip(met).filter(|(_, strength)| **strength > 0.5);
        telling > met.map(|(term, _)| term.words.len()).sum()
    }

    /// Whether a text allows, forbids or demands something.
    pub(super) fn rules(&self, text: &str) -> bool {
        let line = format!(" {} ", fold(text));
        let lists = [List::Negation, List::Modal];
        lists.into_iter().any(|list| self.language.entries(list).any(|word| contains(&line, word)))
    }

    /// The share of the telling words that are missing. A question of none is about nothing.
    pub(super) fn missing(&self, met: &Strengths) -> f32 {
        let telling = |term: &Term| if term.weight >= TELLING { term.weight } else { 0.0 };
        let all: f32 = self.asked.terms.iter().map(telling).sum();
        let terms = self.asked.terms.iter().zip(met);
        let missing: f32 = terms.map(|(term, met)| telling(term) * (1.0 - met / PRESENT).max(0.0)).sum();
        match all > 0.0 {
            true => missing / all,
            false if self.asked.kinds.is_valued() => 0.0,
            false => 1.0,
        }
    }

    /// How many telling words are met as they are spelt.
    pub(super) fn hits(&self, spelt: &Strengths) -> f32 {
        let telling =
            self.asked.terms.iter().zip(spelt).filter(|(term, spelt)| term.weight >= TELLING && **spelt > 0.7);
        telling.count() as f32
    }

    /// The share that is met of the question's own words, without what leads up to it.
    pub(super) fn core(&self, spelt: &Strengths) -> f32 {
        let own = |term: &&Term| term.origin == TermOrigin::Question && term.weight >= TELLING;
        let all = self.asked.terms.iter().filter(own).count() as f32;
        let terms = self.asked.terms.iter().zip(spelt).filter(|(term, _)| own(term));
        if all > 0.0 { terms.map(|(_, spelt)| spelt).sum::<f32>() / all } else { 0.0 }
    }

    /// The share of the question's neighbouring terms that are neighbours here, too.
    pub(super) fn adjacent(&self, text: &str) -> f32 {
        let there = words(text, self.language);
        let place = |term: &Term| {
            let stem = term.words.last().map(|word| word.stem.as_str());
            there.iter().position(|word| Some(word.stem.as_str()) == stem)
        };
        let places: Vec<Option<usize>> = self.asked.terms.iter().map(place).collect();
        let pairs = places.windows(2).filter(|pair| matches!(pair, [Some(a), Some(b)] if a.abs_diff(*b) <= NEAR));
        let all = self.asked.terms.len().saturating_sub(1);
        if all == 0 { 0.0 } else { pairs.count() as f32 / all as f32 }
    }

    /// The share of the question's weight that is met.
    pub(super) fn share(&self, met: &Strengths) -> f32 {
        let all: f32 = self.asked.terms.iter().map(|term| term.weight).sum();
        let hit: f32 = self.asked.terms.iter().zip(met).map(|(term, met)| term.weight * met).sum();
        if all > 0.0 { hit / all } else { 0.0 }
    }

    /// The same, each term weighed by how rare it is.
    pub(super) fn rare_share(&self, met: &Strengths) -> f32 {
        let weights = self.asked.terms.iter().zip(&self.rarity).map(|(term, rarity)| term.weight * rarity);
        let all: f32 = weights.clone().sum();
        let hit: f32 = weights.zip(met).map(|(weight, met)| weight * met).sum();
        if all > 0.0 { hit / all } else { 0.0 }
    }
}

/// The rarer a term is among what could be quoted, the more it tells: its inverse document frequency.
fn rarity(matcher: &Matcher<'_>, passages: &[Read<'_>], terms: usize) -> Vec<f32> {
    let mut having = vec![0.0f32; terms];
    let mut count = 0.0f32;
    for read in passages {
        for unit in read
            .units
            .iter()
            .filter(|unit| matches!(unit.form, Form::Sentences | Form::Item | Form::Row) && unit.size == 1)
        {
            count += 1.0;
            let mut met = matcher.of(&unit.own);
            raise(&mut met, &matcher.of(&unit.label), 1.0);
            for (having, met) in having.iter_mut().zip(met) {
                *having += f32::from(u8::from(met > 0.5));
            }
        }
    }
    having.iter().map(|having| (1.0 + (count + 1.0) / (having + 1.0)).ln()).collect()
}

/// Stems between spaces, so that whole words are found.
fn stems_of(words: &[Word]) -> String {
    let stems = words.iter().map(|word| word.stem.as_str()).collect::<Vec<_>>().join(" ");
    format!(" {stems} ")
}
