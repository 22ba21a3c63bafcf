//! Which passages bear on a question, and how well.
//! Invariant: a question is words, never a query language; its cost is bounded whatever its length.

use std::collections::HashSet;

use schema::{Passage, Text};
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Value};
use tantivy::{DocAddress, DocSet, Searcher, TantivyDocument, TantivyError, Term};

use super::KnowledgeError;
use super::index::{Fields, TenantIndex};
use super::language::Language;
use super::small_talk;
use super::words::{Word, words};

/// Of a longer question only the beginning is read, in bytes.
pub(super) const QUESTION_BYTES_MAX: usize = 4 * 1024;
/// Of its words, the rarest so many are looked for.
pub(super) const TERMS_MAX: usize = 24;
/// Among fewer passages than this, how often a word occurs says little about how rare it is.
const RARITY_PASSAGES_MIN: f32 = 20.0;
/// Unknown words that may be misspelt, and how long they must be, in characters.
pub(super) const MISSPELT_MAX: usize = 3;
const MISSPELT_CHARS_MIN: usize = 5;
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
    /// How much of a passage's score depends on the share of the question that it has, 0 to 1.
    pub coverage: f32,
}

impl Weights {
    /// What answers are made with; `tests/retrieval/run` measures them against others.
    pub const USED: Self = Self { body: 1.0, heading: 0.5, name: 0.3, exact: 0.4, misspelt: 0.8, coverage: 0.8 };
    /// Only how often words occur in a passage's text, and how rare they are.
    pub const BM25: Self = Self { body: 1.0, heading: 0.0, name: 0.0, exact: 0.0, misspelt: 0.0, coverage: 0.0 };
}

/// A passage with less of the question than this, weighed by rarity, does not bear on it …
const COVERAGE_MIN: f32 = 0.2;
/// … nor does one that scores less than this share of the best.
const SCORE_SHARE_MIN: f32 = 0.3;
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
pub(super) fn asks_something(question: &str) -> bool {
    small_talk::reply(question).is_none() && !subject_words(question).is_empty()
}

/// The passages that bear on a question, best first.
pub(super) fn find(
    index: &TenantIndex,
    question: &str,
    limit: usize,
    weights: &Weights,
) -> Result<Vec<Found>, KnowledgeError> {
    let searcher = index.searcher();
    let terms = terms(&searcher, &index.fields, question, weights)?;
    if terms.is_empty() || searcher.num_docs() == 0 {
        return Ok(Vec::new());
    }
    let candidates = (limit * 4).max(20);
    let hits =
        searcher.search(&query(&terms, &index.fields, weights), &TopDocs::with_limit(candidates).order_by_score())?;
    let addresses: Vec<DocAddress> = hits.iter().map(|(_, address)| *address).collect();
    let covered = covered(&searcher, &index.fields, &terms, &addresses)?;
    let all: f32 = terms.iter().map(|term| term.idf).sum();
    let mut found = Vec::with_capacity(hits.len());
    for ((bm25, address), covered) in hits.into_iter().zip(covered) {
        let row: TantivyDocument = searcher.doc(address)?;
        let passage = passage(&row, &index.fields);
        let coverage = (covered + weights.misspelt * covered_misspelt(&terms, &passage)) / all.max(f32::MIN_POSITIVE);
        let ordinal = row.get_first(index.fields.ordinal).and_then(|value| value.as_u64()).unwrap_or(0);
        found.push((
            ordinal,
            Found { passage, score: bm25 * (1.0 - weights.coverage + weights.coverage * coverage), coverage },
        ));
    }
    // Ties by name and place, so that the same question gets the same answer on every node.
    found.sort_by(|(a_place, a), (b_place, b)| {
        b.score.total_cmp(&a.score).then_with(|| (&a.passage.source, a_place).cmp(&(&b.passage.source, b_place)))
    });
    Ok(select(found.into_iter().map(|(_, found)| found).collect(), limit))
}

/// A word of the question.
struct Sought {
    word: Word,
    /// How rare it is: what it counts in coverage.
    idf: f32,
    /// In no passage, and long enough to be another word misspelt.
    misspelt: bool,
}

/// The question's words without the small ones of its language, each once.
fn subject_words(question: &str) -> Vec<Word> {
    let question = &question[..question.floor_char_boundary(QUESTION_BYTES_MAX)];
    let all = words(question);
    let language = Language::of(&all);
    let mut seen = HashSet::new();
    all.into_iter().filter(|word| !language.is_small(&word.exact) && seen.insert(word.stem.clone())).collect()
}

fn terms(
    searcher: &Searcher,
    fields: &Fields,
    question: &str,
    weights: &Weights,
) -> Result<Vec<Sought>, KnowledgeError> {
    let passages = (searcher.num_docs() as f32).max(RARITY_PASSAGES_MIN);
    let mut terms = Vec::new();
    for word in subject_words(question) {
        let mut known = 0;
        for field in [fields.body_stems, fields.heading_stems, fields.name_stems] {
            known = known.max(searcher.doc_freq(&Term::from_field_text(field, &word.stem))?);
        }
        // Deleted passages are counted until their segment is merged.
        let known = (known as f32).min(passages);
        let idf = (1.0 + (passages - known + 0.5) / (known + 0.5)).ln();
        let misspelt = weights.misspelt > 0.0 && known == 0.0 && word.stem.chars().count() >= MISSPELT_CHARS_MIN;
        terms.push(Sought { word, idf, misspelt });
    }
    terms.sort_by(|a, b| b.idf.total_cmp(&a.idf));
    terms.truncate(TERMS_MAX);
    let mut misspelt = 0;
    for term in &mut terms {
        misspelt += usize::from(term.misspelt);
        term.misspelt &= misspelt <= MISSPELT_MAX;
    }
    Ok(terms)
}

fn query(terms: &[Sought], fields: &Fields, weights: &Weights) -> BooleanQuery {
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    for Sought { word, idf, misspelt } in terms {
        let mut any = |query: Box<dyn Query>, boost: f32| {
            if boost > 0.0 {
                clauses.push((Occur::Should, Box::new(BoostQuery::new(query, boost))));
            }
        };
        for (field, text, boost) in [
            (fields.body_stems, &word.stem, weights.body),
            (fields.heading_stems, &word.stem, weights.heading),
            (fields.name_stems, &word.stem, weights.name),
            (fields.exact, &word.exact, weights.exact),
        ] {
            any(Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs)), boost);
        }
        if *misspelt {
            for (field, boost) in [(fields.body_stems, weights.body), (fields.heading_stems, weights.heading)] {
                let term = Term::from_field_text(field, &word.stem);
                // A fuzzy hit scores 1 whatever it hits: give it the weight of a rare word.
                any(Box::new(FuzzyTermQuery::new(term, 1, true)), boost * idf * weights.misspelt);
            }
        }
    }
    BooleanQuery::new(clauses)
}

fn passage(row: &TantivyDocument, fields: &Fields) -> Passage {
    let text = |field: Field| row.get_first(field).and_then(|value| value.as_str()).unwrap_or_default().to_string();
    Passage { n: 0, source: text(fields.source), heading: text(fields.heading), text: Text::from(text(fields.text)) }
}

/// For each passage, the weight of the sought words that it has. Asks the index and not the
/// passages' texts: cutting twenty of those into words takes longer than the search itself.
fn covered(
    searcher: &Searcher,
    fields: &Fields,
    terms: &[Sought],
    passages: &[DocAddress],
) -> Result<Vec<f32>, KnowledgeError> {
    let mut covered = vec![0.0; passages.len()];
    let mut order: Vec<usize> = (0..passages.len()).collect();
    order.sort_by_key(|at| passages[*at]);
    for same_segment in order.chunk_by(|a, b| passages[*a].segment_ord == passages[*b].segment_ord) {
        let segment = searcher.segment_reader(passages[same_segment[0]].segment_ord);
        for Sought { word, idf, .. } in terms {
            let mut has_it = vec![false; same_segment.len()];
            for field in [fields.body_stems, fields.heading_stems, fields.name_stems] {
                let term = Term::from_field_text(field, &word.stem);
                let index = segment.inverted_index(field)?;
                let postings = index.read_postings(&term, IndexRecordOption::Basic);
                let Some(mut postings) = postings.map_err(TantivyError::from)? else { continue };
                for (at, has_it) in same_segment.iter().zip(&mut has_it) {
                    let wanted = passages[*at].doc_id;
                    let reached = if postings.doc() < wanted { postings.seek(wanted) } else { postings.doc() };
                    *has_it |= reached == wanted;
                }
            }
            for (at, _) in same_segment.iter().zip(has_it).filter(|(_, has_it)| *has_it) {
                covered[*at] += idf;
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
    let here: HashSet<String> = parts.into_iter().flat_map(words).map(|word| word.stem).collect();
    let meant = misspelt.filter(|term| here.iter().any(|other| nearly(other, &term.word.stem)));
    meant.map(|term| term.idf).sum()
}

/// One letter wrong, missing, too many, or two swapped.
pub(super) fn nearly(a: &str, b: &str) -> bool {
    a.len().abs_diff(b.len()) <= 4 && strsim::osa_distance(a, b) <= 1
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
        let doubled = chosen.iter().any(|other| other.passage.text == passage.text);
        if bears && !crowded && !doubled {
            chosen.push(candidate);
        }
    }
    for (n, found) in (1..).zip(&mut chosen) {
        found.passage.n = n;
    }
    chosen
}
