//! Which passages bear on a question, and how well.
//! Invariant: a question is words, never a query language; its cost is bounded whatever its length.

use std::collections::HashSet;

use schema::{Passage, TYPED_SOURCE, Text};
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Value};
use tantivy::{DocAddress, DocSet, Searcher, TantivyDocument, TantivyError, Term};

use super::KnowledgeError;
use super::choose::Choice;
use super::index::{Fields, TenantIndex};
use super::kinds::Kinds;
use super::language::Language;
use super::matching::is_slip;
use super::meanings;
use super::question::{self, Asked};
use super::retriever::Query;
use super::talk::{self, Said};
use super::units::Read;
use super::words::{folded, stem_of};

/// Of a question's words, the weightiest so many are looked for.
const TERMS_MAX: usize = 24;
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
/// What it adds to a passage's score that the owner typed it as an answer.
const TYPED: f32 = 0.5;
/// How a search weighs what it finds. Other weights than [`Weights::USED`] are for measuring what
/// each is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// A hit in a passage's text.
    pub body: f32,
    /// In its headings.
    pub heading: f32,
    /// In its document's name.
    pub name: f32,
    /// Of the whole word, endings included.
    pub exact: f32,
    /// What a misspelt word counts, compared to one that is spelt right.
    pub misspelt: f32,
    /// What another word with the same meaning counts.
    pub meaning: f32,
    /// What it counts that a passage has a value of the asked kind.
    pub value: f32,
    /// What it counts how well a piece of the passage answers, compared to the passage's own score.
    pub quotable: f32,
    /// How much of a passage's score depends on the share of the question that it has, 0 to 1.
    pub coverage: f32,
}

impl Weights {
    /// What answers are made with; `tests/retrieval/run` measures them against others.
    pub const USED: Self = Self {
        body: 1.0,
        heading: 0.5,
        name: 0.3,
        exact: 0.4,
        misspelt: 0.8,
        meaning: 0.8,
        value: 0.6,
        quotable: 0.4,
        coverage: 0.8,
    };
    /// Only how often words occur in a passage's text, and how rare they are.
    pub const BM25: Self = Self {
        body: 1.0,
        heading: 0.0,
        name: 0.0,
        exact: 0.0,
        misspelt: 0.0,
        meaning: 0.0,
        value: 0.0,
        quotable: 0.0,
        coverage: 0.0,
    };
}

/// A passage with less of the question than this, weighed by rarity, does not bear on it …
const COVERAGE_MIN: f32 = 0.04;
/// … nor does one that scores less than this share of the best.
const SCORE_SHARE_MIN: f32 = 0.05;
/// Passages of one section in one answer.
const SECTION_PASSAGES_MAX: usize = 2;

/// A passage, and how well it fits its question.
#[derive(Clone, Debug)]
pub struct Found {
    /// The passage.
    pub passage: Passage,
    /// BM25 over its columns, and coverage; comparable within one search only.
    pub score: f32,
    /// The share of the question's words that it has, each weighed by how rare it is: 0 to 1.
    pub coverage: f32,
}

/// Whether there is anything in a question to look for: thanks and greetings need no sources.
pub(super) fn asks_something(query: &Query) -> bool {
    match talk::hear(&query.question, Language::English) {
        Some((Said::Talk(_), _)) => false,
        Some((Said::Person | Said::Complaint, _)) => true,
        None => query.question.chars().any(char::is_alphanumeric),
    }
}

/// The passages that bear on a question, best first.
pub(super) fn find(
    index: &TenantIndex,
    query: &Query,
    limit: usize,
    weights: &Weights,
) -> Result<Vec<Found>, KnowledgeError> {
    let searcher = index.searcher();
    if searcher.num_docs() == 0 {
        return Ok(Vec::new());
    }
    let languages = languages(&searcher, &index.fields)?;
    let before: Vec<&str> = query.before.iter().map(String::as_str).collect();
    let otherwise = languages.first().copied().unwrap_or(Language::English);
    let asked = match talk::hear(&query.question, otherwise) {
        // Who asks for a person is shown the ways to reach one.
        Some((Said::Person | Said::Complaint, _)) => vec![question::for_contact(otherwise)],
        _ => question::read(&query.question, &before, otherwise),
    };
    let mut lists = Vec::with_capacity(asked.len());
    for asked in &asked {
        lists.push(find_one(&searcher, &index.fields, asked, &languages, limit, weights)?);
    }
    // Each question of a message has its share of the passages.
    Ok(select(interleaved(lists), limit))
}

/// The languages of the tenant's documents, the one of most passages first.
fn languages(searcher: &Searcher, fields: &Fields) -> Result<Vec<Language>, KnowledgeError> {
    let mut counted = Vec::new();
    for language in Language::ALL {
        let count = searcher.doc_freq(&Term::from_field_text(fields.language, language.code()))?;
        if count > 0 {
            counted.push((count, language));
        }
    }
    counted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    Ok(counted.into_iter().map(|(_, language)| language).collect())
}

/// The first of each list, then the second of each, and so on.
fn interleaved(mut lists: Vec<Vec<Found>>) -> Vec<Found> {
    if lists.len() == 1 {
        return lists.remove(0);
    }
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    (0..longest).flat_map(|_| lists.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

fn find_one(
    searcher: &Searcher,
    fields: &Fields,
    asked: &Asked,
    languages: &[Language],
    limit: usize,
    weights: &Weights,
) -> Result<Vec<Found>, KnowledgeError> {
    let terms = terms(searcher, fields, asked, languages, weights)?;
    if terms.is_empty() && asked.kinds.is_empty() {
        return Ok(Vec::new());
    }
    let candidates = (limit * 6).max(30);
    let query = query(&terms, asked.kinds, fields, weights);
    let hits = searcher.search(&query, &TopDocs::with_limit(candidates).order_by_score())?;
    let addresses: Vec<DocAddress> = hits.iter().map(|(_, address)| *address).collect();
    let covered = covered(searcher, &terms, &addresses)?;
    let all: f32 = terms.iter().map(|term| term.idf).sum();
    let mut found = Vec::with_capacity(hits.len());
    for ((bm25, address), covered) in hits.into_iter().zip(covered) {
        let row: TantivyDocument = searcher.doc(address)?;
        let passage = passage(&row, fields);
        let covered = covered + weights.misspelt * covered_misspelt(&terms, &passage);
        // A question of nothing but its kind is answered by passages of that kind.
        let coverage = if terms.is_empty() { 1.0 } else { covered / all.max(f32::MIN_POSITIVE) };
        let ordinal = row.get_first(fields.ordinal).and_then(|value| value.as_u64()).unwrap_or(0);
        let score = bm25 * (1.0 - weights.coverage + weights.coverage * coverage);
        found.push((ordinal, Found { passage, score, coverage }));
    }
    // Ties by name and place, so that the same question gets the same answer on every node.
    found.sort_by(|(a_place, a), (b_place, b)| {
        b.score.total_cmp(&a.score).then_with(|| (&a.passage.source, a_place).cmp(&(&b.passage.source, b_place)))
    });
    let mut found: Vec<Found> = found.into_iter().map(|(_, found)| found).collect();
    if weights.quotable > 0.0 {
        by_quotations(&mut found, asked, languages, weights);
    }
    Ok(found)
}

/// Ranks passages by how well a piece of each answers, beside how well they match as a whole.
fn by_quotations(found: &mut [Found], asked: &Asked, languages: &[Language], weights: &Weights) {
    let best = found.iter().map(|found| found.score).fold(f32::MIN_POSITIVE, f32::max);
    let language = languages.first().copied().unwrap_or(Language::English);
    let numbered: Vec<Passage> =
        (0..).zip(found.iter()).map(|(n, found)| Passage { n, ..found.passage.clone() }).collect();
    let reads: Vec<Read<'_>> = numbered.iter().map(Read::new).collect();
    let mut quotable = vec![0.0f32; found.len()];
    for candidate in Choice::new(asked, &reads, language).ranked() {
        if let Some(score) = quotable.get_mut(candidate.quote.n as usize) {
            *score = score.max(candidate.score);
        }
    }
    for (found, quotable) in found.iter_mut().zip(quotable) {
        let typed = if found.passage.source.starts_with(TYPED_SOURCE) { TYPED } else { 0.0 };
        found.score = found.score / best + weights.quotable * quotable + typed;
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// A word or phrase of the question.
struct Sought {
    /// Where it may stand, and what it counts there: boost and share of coverage.
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
    term: Term,
    boost: f32,
    covers: f32,
    /// Which word of the phrase this is; none where it stands for the whole.
    word: Option<usize>,
}

fn terms(
    searcher: &Searcher,
    fields: &Fields,
    asked: &Asked,
    languages: &[Language],
    weights: &Weights,
) -> Result<Vec<Sought>, KnowledgeError> {
    let passages = (searcher.num_docs() as f32).max(RARITY_PASSAGES_MIN);
    let mut sought = Vec::new();
    for term in &asked.terms {
        let mut places = Vec::new();
        let mut known = 0;
        let mut meant = 0;
        for (at, (word, share)) in
            term.words.iter().zip(&term.shares).enumerate().filter(|(_, (_, share))| **share > 0.0)
        {
            let mut stems = vec![word.stem.clone()];
            stems.extend(languages.iter().map(|language| stem_of(&word.exact, *language)));
            stems.sort_unstable();
            stems.dedup();
            for stem in &stems {
                for (field, boost) in [
                    (fields.body_stems, weights.body),
                    (fields.heading_stems, weights.heading),
                    (fields.name_stems, weights.name),
                ] {
                    let term = Term::from_field_text(field, stem);
                    known = known.max(searcher.doc_freq(&term)?);
                    places.push(Place { term, boost: boost * share, covers: *share, word: Some(at) });
                }
                if languages.iter().any(|language| language.joins_words()) && weights.meaning > 0.0 {
                    let part = Term::from_field_text(fields.parts, stem);
                    known = known.max(searcher.doc_freq(&part)?);
                    places.push(Place { term: part, boost: PART * share, covers: PART * share, word: Some(at) });
                    for part in meanings::parts(stem) {
                        let part = Term::from_field_text(fields.body_stems, &part);
                        let count = searcher.doc_freq(&part)?;
                        if count > 0 {
                            known = known.max(count);
                            places.push(Place {
                                term: part,
                                boost: PART * PART * share,
                                covers: PART * share,
                                word: Some(at),
                            });
                        }
                    }
                }
            }
            let exact = Term::from_field_text(fields.exact, &word.exact);
            places.push(Place { term: exact, boost: weights.exact * share, covers: *share, word: Some(at) });
        }
        if weights.meaning > 0.0 {
            for concept in &term.concepts {
                let broader = concept.broader().iter().map(|broader| (meanings::itself(*broader), 0.6));
                let own = [(meanings::itself(*concept), 1.0), (meanings::narrower(*concept), 0.4)];
                for (token, share) in own.into_iter().chain(broader) {
                    let term = Term::from_field_text(fields.meanings, &token);
                    meant = meant.max(searcher.doc_freq(&term)?);
                    places.push(Place { term, boost: weights.meaning * share, covers: 0.9 * share, word: None });
                }
            }
        }
        // Deleted passages are counted until their segment is merged.
        let often = (if known > 0 { known } else { meant } as f32).min(passages);
        let idf = (1.0 + (passages - often + 0.5) / (often + 0.5)).ln();
        let chars = term.words.iter().map(|word| word.exact.chars().count()).max().unwrap_or(0);
        let misspelt = weights.misspelt > 0.0 && known == 0 && chars >= MISSPELT_CHARS_MIN;
        let exact = term.words.iter().map(|word| word.exact.clone()).collect();
        sought.push(Sought { places, exact, idf: idf * term.weight, weight: term.weight, misspelt });
    }
    if weights.meaning > 0.0 {
        for token in meanings::calendar(asked.calendar) {
            let term = Term::from_field_text(fields.meanings, &token);
            let often = (searcher.doc_freq(&term)? as f32).min(passages);
            let idf = (1.0 + (passages - often + 0.5) / (often + 0.5)).ln();
            let places = vec![Place { term, boost: weights.value, covers: 1.0, word: None }];
            sought.push(Sought {
                places,
                exact: Vec::new(),
                idf: idf * DATE_WEIGHT,
                weight: DATE_WEIGHT,
                misspelt: false,
            });
        }
    }
    sought.sort_by(|a, b| b.idf.total_cmp(&a.idf));
    sought.truncate(TERMS_MAX);
    let mut misspelt = 0;
    for term in &mut sought {
        misspelt += usize::from(term.misspelt);
        term.misspelt &= misspelt <= MISSPELT_MAX;
    }
    Ok(sought)
}

fn query(terms: &[Sought], kinds: Kinds, fields: &Fields, weights: &Weights) -> BooleanQuery {
    let mut clauses: Vec<(Occur, Box<dyn tantivy::query::Query>)> = Vec::new();
    let mut any = |query: Box<dyn tantivy::query::Query>, boost: f32| {
        if boost > 0.0 {
            clauses.push((Occur::Should, Box::new(BoostQuery::new(query, boost))));
        }
    };
    for Sought { places, exact, idf, weight, misspelt } in terms {
        for Place { term, boost, .. } in places {
            any(Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs)), boost * weight);
        }
        if *misspelt {
            for word in exact.iter().filter(|word| word.chars().count() >= MISSPELT_CHARS_MIN) {
                let slips = if word.chars().count() >= TWO_SLIPS_CHARS_MIN { 2 } else { 1 };
                let term = Term::from_field_text(fields.exact, word);
                // A fuzzy hit scores 1 whatever it hits: give it the weight of a rare word.
                any(Box::new(FuzzyTermQuery::new(term, slips, true)), weights.misspelt * idf);
            }
        }
    }
    for token in meanings::values(kinds) {
        let term = Term::from_field_text(fields.meanings, token);
        any(Box::new(TermQuery::new(term, IndexRecordOption::Basic)), weights.value);
    }
    BooleanQuery::new(clauses)
}

/// For each passage, the weight of the sought words that it has. Asks the index and not the
/// passages' texts: cutting twenty of those into words takes longer than the search itself.
fn covered(searcher: &Searcher, terms: &[Sought], passages: &[DocAddress]) -> Result<Vec<f32>, KnowledgeError> {
    let mut covered = vec![0.0; passages.len()];
    let mut order: Vec<usize> = (0..passages.len()).collect();
    order.sort_by_key(|at| passages[*at]);
    for same_segment in order.chunk_by(|a, b| passages[*a].segment_ord == passages[*b].segment_ord) {
        let segment = searcher.segment_reader(passages[same_segment[0]].segment_ord);
        for Sought { places, idf, .. } in terms {
            // Of a phrase each word counts its part, and of a word's spellings the best; or what means the whole.
            let words = places.iter().filter_map(|place| place.word).max().map_or(0, |last| last + 1);
            let mut best = vec![vec![0.0f32; words + 1]; same_segment.len()];
            for Place { term, covers, word, .. } in places {
                let index = segment.inverted_index(term.field())?;
                let postings = index.read_postings(term, IndexRecordOption::Basic);
                let Some(mut postings) = postings.map_err(TantivyError::from)? else { continue };
                for (at, best) in same_segment.iter().zip(&mut best) {
                    let wanted = passages[*at].doc_id;
                    let reached = if postings.doc() < wanted { postings.seek(wanted) } else { postings.doc() };
                    if reached == wanted {
                        let best = &mut best[word.unwrap_or(words)];
                        *best = best.max(*covers);
                    }
                }
            }
            for (at, best) in same_segment.iter().zip(best) {
                let by_words: f32 = best[..words].iter().sum();
                covered[*at] += idf * by_words.max(best[words]);
            }
        }
    }
    Ok(covered)
}

/// The weight of the misspelt words for which a passage has the word that was meant.
fn covered_misspelt(terms: &[Sought], passage: &Passage) -> f32 {
    let mut misspelt = terms.iter().filter(|term| term.misspelt).peekable();
    if misspelt.peek().is_none() {
        return 0.0;
    }
    let parts = [passage.text.as_str(), &passage.heading];
    let here: HashSet<String> = parts.into_iter().flat_map(folded).collect();
    let meant = misspelt.filter(|term| term.exact.iter().any(|word| here.iter().any(|other| is_slip(word, other))));
    meant.map(|term| term.idf).sum()
}

fn passage(row: &TantivyDocument, fields: &Fields) -> Passage {
    let text = |field: Field| row.get_first(field).and_then(|value| value.as_str()).unwrap_or_default();
    Passage {
        n: 0,
        source: text(fields.source).to_string(),
        heading: text(fields.heading).to_string(),
        text: Text::from(text(fields.text)),
    }
}

/// Drops what does not bear on the question, what stands there already, and the third passage
/// of a section; numbers the rest.
fn select(found: Vec<Found>, limit: usize) -> Vec<Found> {
    let best = found.first().map_or(0.0, |first| first.score);
    let mut chosen: Vec<Found> = Vec::new();
    for candidate in found {
        if chosen.len() == limit {
            break;
        }
        let passage = &candidate.passage;
        let bears = candidate.coverage >= COVERAGE_MIN && candidate.score >= best * SCORE_SHARE_MIN;
        let same_section =
            |other: &&Found| (&other.passage.source, &other.passage.heading) == (&passage.source, &passage.heading);
        let crowded = chosen.iter().filter(same_section).count() >= SECTION_PASSAGES_MAX;
        // A typed answer stands under each of its questions, and which one is asked matters.
        let typed = passage.source.starts_with(TYPED_SOURCE);
        let doubled = !typed && chosen.iter().any(|other| other.passage.text == passage.text);
        if bears && !crowded && !doubled {
            chosen.push(candidate);
        }
    }
    for (n, found) in (1..).zip(&mut chosen) {
        found.passage.n = n;
    }
    chosen
}
