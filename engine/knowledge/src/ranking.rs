//! Ranks the passages that bear on a question.
//! Invariant: a question is words, never a query language; its cost is bounded whatever its length.

use schema::{Passage, TYPED_SOURCE, Text};
use tantivy::schema::{Field, Value};
use tantivy::{DocAddress, Searcher, TantivyDocument, Term};

use super::KnowledgeError;
use super::choose::Choice;
use super::index::{Fields, TenantIndex};
use super::language::Language;
use super::query::Query;
use super::question::{self, Asked};
use super::scoring::View;
use super::sought::Search;
use super::talk::{self, Said};
use super::units::Read;
use super::weights::Weights;

/// What it adds to a passage's score that the owner typed it as an answer.
const TYPED: f32 = 0.5;

/// Passages that are looked at more closely, for each that is wanted, and at least.
const CANDIDATES_TIMES: usize = 6;
const CANDIDATES_MIN: usize = 30;
/// About so many bytes of passages are read to see how well they answer, but one passage at least …
const QUOTED_BYTES_MAX: usize = 100_000;
/// … each of whose words is read so often, …
const TIMES_READ: usize = 4;
/// … and costs twice as much when it is compared with so many terms.
const TERMS_COUNTED_MAX: usize = 8;
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
    let asks = match talk::hear(&query.question, otherwise) {
        // Who asks for a person is shown the ways to reach one.
        Some((Said::Person | Said::Complaint, _)) => vec![question::for_contact(otherwise)],
        _ => question::read(&query.question, &before, otherwise),
    };
    let mut lists = Vec::with_capacity(asks.len());
    for asked in &asks {
        lists.push(find_one(&searcher, &index.fields, asked, asks.len(), &languages, limit, weights)?);
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
    parts: usize,
    languages: &[Language],
    limit: usize,
    weights: &Weights,
) -> Result<Vec<Found>, KnowledgeError> {
    let view = View::new(searcher, &fields.searched())?;
    let search = Search::new(view, fields, asked, languages, weights)?;
    if search.is_wordless() && asked.kinds.is_empty() {
        return Ok(Vec::new());
    }
    let hits = search.best((limit * CANDIDATES_TIMES).max(CANDIDATES_MIN))?;
    let addresses: Vec<DocAddress> = hits.iter().map(|(_, address)| *address).collect();
    let covered = search.covered(&addresses)?;
    let all = search.weight().max(f32::MIN_POSITIVE);
    let mut found = Vec::with_capacity(hits.len());
    for ((bm25, address), covered) in hits.into_iter().zip(covered) {
        let row: TantivyDocument = searcher.doc(address)?;
        let passage = passage(&row, fields);
        let covered = covered + weights.misspelt * search.covered_misspelt(&passage);
        // A question of nothing but its kind is answered by passages of that kind.
        let coverage = if search.is_wordless() { 1.0 } else { covered / all };
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
        by_quotations(&mut found, asked, parts, languages, weights);
    }
    Ok(found)
}

/// The first of some passages taken apart, to see how well a piece of each answers: as many as may be read for one
/// of the questions of a message, which has so many.
fn affordable<'a>(passages: &'a [Passage], asked: &Asked, questions: usize) -> Vec<Read<'a>> {
    let terms = asked.terms.len().min(TERMS_COUNTED_MAX);
    let mut left = QUOTED_BYTES_MAX / questions.max(1);
    let mut reads = Vec::new();
    for passage in passages {
        let read = Read::new(passage);
        let bytes = read_bytes(&read) * (TERMS_COUNTED_MAX + terms) / TERMS_COUNTED_MAX;
        if bytes > left && !reads.is_empty() {
            break;
        }
        left = left.saturating_sub(bytes);
        reads.push(read);
    }
    reads
}

/// About how many bytes are read to judge all that a passage can be quoted by: each sentence alone and with its
/// neighbours, each piece with the headings above it, each row with the table's head.
fn read_bytes(read: &Read<'_>) -> usize {
    let headings = read.heading.len() + read.above.len();
    let heads = read.tables.iter().map(|table| {
        let columns = table.rows.first().map_or(0, Vec::len);
        table.rows.len() * (0..columns).map(|column| table.head(column).len()).sum::<usize>()
    });
    TIMES_READ * read.passage.text.bytes() + read.units.len() * headings + heads.sum::<usize>()
}

/// Ranks passages by how well a piece of each answers, beside how well they match as a whole.
fn by_quotations(found: &mut [Found], asked: &Asked, parts: usize, languages: &[Language], weights: &Weights) {
    let best = found.iter().map(|found| found.score).fold(f32::MIN_POSITIVE, f32::max);
    let language = languages.first().copied().unwrap_or(Language::English);
    let numbered: Vec<Passage> =
        (0..).zip(found.iter()).map(|(n, found)| Passage { n, ..found.passage.clone() }).collect();
    let reads = affordable(&numbered, asked, parts);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// However a passage is made, what is read of all that were found is bounded.
    #[test]
    fn hostile_passages_are_read_in_part() {
        let letters = |joint: &str| vec!["a"; 1_200 / (1 + joint.len())].join(joint);
        let row = format!("|{}", " a |".repeat(40));
        let table = format!("{row}\n|{}\n{}", "---|".repeat(40), [row.as_str(); 6].join("\n"));
        let long = "heading ".repeat(90);
        for (heading, text) in [
            ("One", letters(" ")),
            ("One", letters(". ")),
            ("One", letters("\n- ")),
            ("One", "I am 7. ".repeat(150)),
            ("One", "字".repeat(1_200)),
            ("One", table),
            (&long, letters(". ")),
            (&long, letters("\n- ")),
        ] {
            let source = "name".repeat(250);
            let passage = Passage { n: 0, source, heading: heading.into(), text: text.as_str().into() };
            let passages = vec![passage; 300];
            let asked = question::read("how much is a heading of seven names", &[], Language::English).remove(0);
            let largest = 2 * read_bytes(&Read::new(&passages[0]));
            for questions in [1, 3] {
                let reads = affordable(&passages, &asked, questions);
                let read: usize = reads.iter().map(read_bytes).sum();
                assert!(!reads.is_empty() && reads.len() < passages.len());
                assert!(read <= QUOTED_BYTES_MAX / questions || read <= largest, "{heading:.20}, {text:.20}: {read}");
            }
            assert!(largest < 10 * QUOTED_BYTES_MAX, "{heading:.20}, {text:.20}: {largest}");
        }
    }
}
