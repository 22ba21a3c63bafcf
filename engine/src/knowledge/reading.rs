//! Passages and questions taken apart into words that can be compared.
//! Invariant: bounded by the passages' length; a long question costs no more than a usual one.

use std::collections::HashSet;
use std::sync::LazyLock;

use schema::Passage;

use super::blocks::{self, Block, Kind};
use super::index::name_of;
use super::language::Language;
use super::ranking::{MISSPELT_MAX, TERMS_MAX, nearly};
use super::sentences::sentences;
use super::words::{Word, words};

/// What a word counts that could stand in any question.
const COMMON_WEIGHT: f32 = 0.4;
/// What a word with a digit counts: `E04`, `2024`.
const EXACT_WEIGHT: f32 = 1.3;

/// A passage taken apart.
pub(super) struct Read<'a> {
    pub(super) passage: &'a Passage,
    /// Words of the headings and the document's name.
    pub(super) above: HashSet<String>,
    /// Words of the nearest heading alone.
    pub(super) heading: HashSet<String>,
    /// Whether that heading is itself a question.
    heading_asks: bool,
    pub(super) all: HashSet<String>,
    pub(super) blocks: Vec<ReadBlock>,
}

/// A block, and of prose its sentences.
pub(super) struct ReadBlock {
    pub(super) block: Block,
    pub(super) sentences: Vec<Sentence>,
}

#[derive(Default)]
pub(super) struct Sentence {
    pub(super) text: String,
    pub(super) stems: HashSet<String>,
}

impl<'a> Read<'a> {
    pub(super) fn new(passage: &'a Passage) -> Self {
        let above: HashSet<String> = stems(&passage.heading).chain(stems(&name_of(&passage.source))).collect();
        let nearest = passage.heading.rsplit(" › ").next().unwrap_or_default();
        let blocks: Vec<ReadBlock> = blocks::markdown(passage.text.as_str()).into_iter().map(ReadBlock::new).collect();
        let all = above.iter().cloned().chain(stems(passage.text.as_str())).collect();
        let heading = stems(nearest).collect();
        Self { passage, above, heading, heading_asks: nearest.ends_with('?'), all, blocks }
    }

    /// Whether the nearest heading is this very question, so that what stands below it answers.
    pub(super) fn is_asked(&self, asked: &HashSet<String>) -> bool {
        let mut subject = self.heading.iter().filter(|stem| !Language::English.is_small(stem)).peekable();
        self.heading_asks || (subject.peek().is_some() && subject.all(|stem| asked.contains(stem)))
    }
}

impl ReadBlock {
    fn new(block: Block) -> Self {
        let of_prose = if block.kind == Kind::Prose { sentences(&block.text) } else { Vec::new() };
        let read = |text: &str| Sentence { text: text.into(), stems: stems(text).collect() };
        let sentences = of_prose.into_iter().map(read).collect();
        Self { block, sentences }
    }
}

/// A word of a question that says about what.
pub(super) struct Term {
    pub(super) stem: String,
    pub(super) weight: f32,
    /// Letters and digits mixed: it names one thing and no other.
    pub(super) is_code: bool,
}

/// The question's words that say about what, weighed: the rarer a word is among the passages and
/// in general, the more it tells whether they answer.
pub(super) fn terms(question: &[Word], passages: &[Read<'_>]) -> Vec<Term> {
    let language = Language::of(question);
    let mut seen = HashSet::new();
    let mut terms: Vec<Term> = Vec::new();
    let mut missing = 0;
    for word in question {
        if terms.len() == TERMS_MAX {
            break;
        }
        if language.is_small(&word.exact) || !seen.insert(word.stem.as_str()) {
            continue;
        }
        let has_digit = word.exact.contains(|c: char| c.is_ascii_digit());
        let is_code = has_digit && word.exact.contains(char::is_alphabetic);
        let weight = if has_digit {
            EXACT_WEIGHT
        } else if COMMON.contains(word.stem.as_str()) {
            COMMON_WEIGHT
        } else {
            1.0
        };
        let mut stem = word.stem.clone();
        let mut having = passages.iter().filter(|read| read.all.contains(&stem)).count();
        missing += usize::from(having == 0);
        if having == 0 && missing <= MISSPELT_MAX && stem.chars().count() >= 5 {
            // The passages were found by the word it was meant to be.
            let meant = passages.iter().flat_map(|read| &read.all).filter(|other| nearly(other, &stem)).min();
            if let Some(meant) = meant {
                stem = meant.clone();
                having = passages.iter().filter(|read| read.all.contains(&stem)).count();
            }
        }
        let everywhere = if passages.is_empty() { 0.0 } else { having as f32 / passages.len() as f32 };
        terms.push(Term { stem, weight: weight * (1.0 - 0.35 * everywhere), is_code });
    }
    terms
}

/// The stems of a text's words.
pub(super) fn stems(text: &str) -> impl Iterator<Item = String> + use<> {
    words(text).into_iter().map(|word| word.stem)
}

/// Stems of words that could stand in any question.
static COMMON: LazyLock<HashSet<String>> = LazyLock::new(|| {
    stems(
        "use work make find time day way thing mean happen long new good help give take go come see show say ask look \
         put keep try start different type number name answer information people person year week month today offer \
         provide allow available able product item customer company service business website order buy sell have \
         bring call write speak talk contact currently still normal standard best right correct first last next problem issue fix change set \
         hacer usar producto pedido tienda servicio machen benutzen produkt bestellung laden",
    )
    .collect()
});
