//! The terms of a search: each word or phrase of a question, in every form and place in which it may stand.
//! Invariant: so many words at most, whatever the question's length, and so many looks: each is one in every
//! segment of the index, whether the word stands there or not.

use std::collections::HashSet;

use schema::Passage;
use tantivy::DocAddress;
use tantivy::schema::Field;

use super::KnowledgeError;
use super::index::Fields;
use super::kinds::Kinds;
use super::language::Language;
use super::matching::is_slip;
use super::meanings;
use super::question::{Asked, Term};
use super::scoring::{Clause, Posted, Slip, View};
use super::stems::stem_of;
use super::weights::Weights;
use super::words::folded;

/// Of a question's words, the weightiest so many are looked for.
const TERMS_MAX: usize = 24;
/// Beginnings and ends of words that may be joined of several are looked for up to so many looks in all: a word of 63
/// letters has over a hundred of them. (Whole words have few forms each, and are looked for always.)
const LOOKS_MAX: usize = 800;
/// Among fewer passages than this, how often a word occurs says little about how rare it is.
const RARITY_PASSAGES_MIN: f32 = 20.0;
/// Unknown words that may be misspelt, and how long they must be, in characters.
const MISSPELT_MAX: usize = 4;
const MISSPELT_CHARS_MIN: usize = 4;
/// A word that may be misspelt in two letters has so many.
const TWO_SLIPS_CHARS_MIN: usize = 8;
/// What a part of a joined word counts, compared to the whole.
const PART: f32 = 0.7;
/// What a day or month counts that the question names, compared to a word.
const DATE_WEIGHT: f32 = 0.6;
/// What it counts of a concept's meaning that a passage speaks of something broader, …
const BROADER: f32 = 0.6;
/// … and of something narrower.
const NARROWER: f32 = 0.4;
/// What a word of the same meaning covers of the question, compared to the word itself.
const MEANT: f32 = 0.9;

/// All that a question looks for.
pub(super) struct Search<'a> {
    view: View<'a>,
    fields: &'a Fields,
    weights: &'a Weights,
    terms: Vec<Sought>,
    /// Kinds of values.
    values: Vec<Posted>,
}

/// A word or phrase of the question.
struct Sought {
    /// Where it stands, and what it counts there: boost and share of coverage.
    places: Vec<Place>,
    /// Its words as they were spelt.
    exact: Vec<String>,
    /// How rare it is, and how much it matters to the question.
    idf: f32,
    /// What it matters to the question alone.
    weight: f32,
    /// In no passage, and long enough to be another word misspelt.
    misspelt: bool,
}

struct Place {
    posted: Posted,
    boost: f32,
    covers: f32,
    /// Which word of the phrase this is; none where it stands for the whole.
    word: Option<usize>,
}

impl<'a> Search<'a> {
    /// Looks for what is asked, in every language of the documents.
    pub(super) fn new(
        view: View<'a>,
        fields: &'a Fields,
        asked: &Asked,
        languages: &[Language],
        weights: &'a Weights,
    ) -> Result<Self, KnowledgeError> {
        let mut search = Self { view, fields, weights, terms: Vec::new(), values: Vec::new() };
        for term in &asked.terms {
            let sought = search.sought(term, languages)?;
            search.terms.push(sought);
        }
        if weights.meaning > 0.0 {
            for token in meanings::calendar(asked.calendar) {
                let sought = search.date(&token)?;
                search.terms.push(sought);
            }
        }
        search.terms.sort_by(|a, b| b.idf.total_cmp(&a.idf));
        search.terms.truncate(TERMS_MAX);
        let mut misspelt = 0;
        for term in &mut search.terms {
            misspelt += usize::from(term.misspelt);
            term.misspelt &= misspelt <= MISSPELT_MAX;
        }
        search.values = search.kinds(asked.kinds)?;
        Ok(search)
    }

    /// Whether no word is looked for.
    pub(super) fn is_wordless(&self) -> bool {
        self.terms.is_empty()
    }

    /// The passages with most of it, the best first.
    pub(super) fn best(&self, wanted: usize) -> Result<Vec<(f32, DocAddress)>, KnowledgeError> {
        let mut clauses = Vec::new();
        let mut slips = Vec::new();
        for Sought { places, exact, idf, weight, misspelt } in &self.terms {
            clauses.extend(places.iter().map(|place| Clause { posted: &place.posted, boost: place.boost * weight }));
            if *misspelt {
                for word in exact.iter().filter(|word| word.chars().count() >= MISSPELT_CHARS_MIN) {
                    let letters = if word.chars().count() >= TWO_SLIPS_CHARS_MIN { 2 } else { 1 };
                    // A slip scores the same whatever was meant: give it the weight of a rare word.
                    slips.push(Slip { word, letters, boost: self.weights.misspelt * idf });
                }
            }
        }
        clauses.extend(self.values.iter().map(|posted| Clause { posted, boost: self.weights.value }));
        clauses.retain(|clause| clause.boost > 0.0);
        self.view.best(clauses, &slips, self.fields.exact, wanted)
    }

    /// For each passage, the weight of the sought words that it has. Asks the index and not the passages' texts:
    /// cutting twenty of those into words takes longer than the search itself.
    pub(super) fn covered(&self, passages: &[DocAddress]) -> Result<Vec<f32>, KnowledgeError> {
        let mut order: Vec<usize> = (0..passages.len()).collect();
        order.sort_by_key(|at| passages[*at]);
        let sorted: Vec<DocAddress> = order.iter().map(|at| passages[*at]).collect();
        let mut covered = vec![0.0; passages.len()];
        for Sought { places, idf, .. } in &self.terms {
            // Of a phrase each word counts its part, and of a word's spellings the best; or what means the whole.
            let words = places.iter().filter_map(|place| place.word).max().map_or(0, |last| last + 1);
            let mut best = vec![vec![0.0f32; words + 1]; passages.len()];
            for Place { posted, covers, word, .. } in places {
                for (best, stands) in best.iter_mut().zip(self.view.stands_in(posted, &sorted)?) {
                    let best = &mut best[word.unwrap_or(words)];
                    *best = if stands { best.max(*covers) } else { *best };
                }
            }
            for (at, best) in order.iter().zip(best) {
                let by_words: f32 = best[..words].iter().sum();
                covered[*at] += idf * by_words.max(best[words]);
            }
        }
        Ok(covered)
    }

    /// What all the sought words weigh together.
    pub(super) fn weight(&self) -> f32 {
        self.terms.iter().map(|term| term.idf).sum()
    }

    /// The weight of the misspelt words for which a passage has the word that was meant.
    pub(super) fn covered_misspelt(&self, passage: &Passage) -> f32 {
        let mut misspelt = self.terms.iter().filter(|term| term.misspelt).peekable();
        if misspelt.peek().is_none() {
            return 0.0;
        }
        let parts = [passage.text.as_str(), &passage.heading];
        let here: HashSet<String> = parts.into_iter().flat_map(folded).collect();
        let meant = misspelt.filter(|term| term.exact.iter().any(|word| here.iter().any(|other| is_slip(word, other))));
        meant.map(|term| term.idf).sum()
    }

    fn sought(&self, term: &Term, languages: &[Language]) -> Result<Sought, KnowledgeError> {
        let mut places = Places { search: self, found: Vec::new(), known: 0, meant: 0 };
        let words = term.words.iter().zip(&term.shares).enumerate();
        for (at, (word, share)) in words.filter(|(_, (_, share))| **share > 0.0) {
            let mut stems = vec![word.stem.clone()];
            stems.extend(languages.iter().map(|language| stem_of(&word.exact, *language)));
            stems.sort_unstable();
            stems.dedup();
            for stem in &stems {
                places.of_stem(at, stem, *share, languages)?;
            }
            places.add(self.fields.exact, &word.exact, self.weights.exact * share, *share, Some(at))?;
        }
        if self.weights.meaning > 0.0 {
            for concept in &term.concepts {
                let broader = concept.broader().iter().map(|broader| (meanings::itself(*broader), BROADER));
                let own = [(meanings::itself(*concept), 1.0), (meanings::narrower(*concept), NARROWER)];
                for (token, share) in own.into_iter().chain(broader) {
                    let boost = self.weights.meaning * share;
                    let count = places.add(self.fields.meanings, &token, boost, MEANT * share, None)?;
                    places.meant = places.meant.max(count);
                }
            }
        }
        let Places { found, known, meant, .. } = places;
        let idf = self.idf(if known > 0 { known } else { meant });
        let chars = term.words.iter().map(|word| word.exact.chars().count()).max().unwrap_or(0);
        let misspelt = self.weights.misspelt > 0.0 && known == 0 && chars >= MISSPELT_CHARS_MIN;
        let exact = term.words.iter().map(|word| word.exact.clone()).collect();
        Ok(Sought { places: found, exact, idf: idf * term.weight, weight: term.weight, misspelt })
    }

    /// A day or month.
    fn date(&self, token: &str) -> Result<Sought, KnowledgeError> {
        let posted = self.view.look(self.fields.meanings, token)?;
        let idf = self.idf(posted.count) * DATE_WEIGHT;
        let places = vec![Place { posted, boost: self.weights.value, covers: 1.0, word: None }];
        Ok(Sought { places, exact: Vec::new(), idf, weight: DATE_WEIGHT, misspelt: false })
    }

    fn kinds(&self, kinds: Kinds) -> Result<Vec<Posted>, KnowledgeError> {
        meanings::values(kinds).map(|token| self.view.look(self.fields.meanings, token)).collect()
    }

    /// Inverse document frequency.
    fn idf(&self, count: u64) -> f32 {
        let passages = self.view.passages().max(RARITY_PASSAGES_MIN);
        // Deleted passages are counted until their segment is merged.
        let often = (count as f32).min(passages);
        (1.0 + (passages - often + 0.5) / (often + 0.5)).ln()
    }
}

/// The places of one word or phrase, while they are looked up.
struct Places<'a> {
    search: &'a Search<'a>,
    found: Vec<Place>,
    /// In how many passages a word of it stands, and something that means the same.
    known: u64,
    meant: u64,
}

impl Places<'_> {
    /// Where a stem stands: in texts, headings and names, and as a part of joined words.
    fn of_stem(&mut self, at: usize, stem: &str, share: f32, languages: &[Language]) -> Result<(), KnowledgeError> {
        let (fields, weights) = (self.search.fields, self.search.weights);
        for (field, boost) in [
            (fields.body_stems, weights.body),
            (fields.heading_stems, weights.heading),
            (fields.name_stems, weights.name),
        ] {
            self.add_known(field, stem, boost * share, share, at)?;
        }
        if languages.iter().any(|language| language.joins_words()) && weights.meaning > 0.0 {
            self.add_known(fields.parts, stem, PART * share, PART * share, at)?;
            for part in meanings::parts(stem) {
                if self.search.view.looks() >= LOOKS_MAX {
                    break;
                }
                self.add_known(fields.body_stems, &part, PART * PART * share, PART * share, at)?;
            }
        }
        Ok(())
    }

    fn add_known(
        &mut self,
        field: Field,
        word: &str,
        boost: f32,
        covers: f32,
        at: usize,
    ) -> Result<(), KnowledgeError> {
        let count = self.add(field, word, boost, covers, Some(at))?;
        self.known = self.known.max(count);
        Ok(())
    }

    /// Keeps a place where something stands; gives in how many passages.
    fn add(
        &mut self,
        field: Field,
        word: &str,
        boost: f32,
        covers: f32,
        at: Option<usize>,
    ) -> Result<u64, KnowledgeError> {
        let posted = self.search.view.look(field, word)?;
        let count = posted.count;
        if count > 0 {
            self.found.push(Place { posted, boost, covers, word: at });
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::TenantIndex;
    use super::super::question;
    use super::*;

    #[test]
    fn looks_are_bounded_whatever_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let index = TenantIndex::create(&dir.path().join("index")).unwrap();
        let searcher = index.searcher();
        let looks = |said: &str| {
            let asked = question::read(said, &[], Language::German);
            let looks = asked.iter().map(|asked| {
                let view = View::new(&searcher, &index.fields.searched()).unwrap();
                let languages = [Language::German, Language::Dutch, Language::Swedish];
                let search = Search::new(view, &index.fields, asked, &languages, &Weights::USED).unwrap();
                search.view.looks()
            });
            looks.max().unwrap()
        };
        let word = |n: usize| -> String {
            (0..63).map(|at| char::from(b'a' + ((at * 7 + n * (at + 3)) % 26) as u8)).collect()
        };
        let hostile: Vec<String> = (0..64).map(word).collect();
        let hostile = looks(&hostile.join(" "));
        assert!(hostile > LOOKS_MAX, "all words are looked for whole: {hostile}");
        assert!(hostile <= 2 * LOOKS_MAX, "{hostile}");
        let usual = "Wo beantrage ich die Aufenthaltsgenehmigung, und was kostet die Haushaltsbescheinigung?";
        assert!(looks(usual) < LOOKS_MAX, "a usual question is below: {}", looks(usual));
    }
}
