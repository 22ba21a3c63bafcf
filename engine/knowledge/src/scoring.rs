//! Scores passages against the terms of a search: BM25, added up posting by posting, the rarest words first. For many
//! words this is several times quicker than skipping from passage to passage, and its cost is known before.
//! Invariant: a search reads so many postings at most, and as much memory as the largest segment has passages.

use std::cell::Cell;
use std::sync::Arc;

use tantivy::index::InvertedIndexReader;
use tantivy::postings::{Postings, TermInfo};
use tantivy::query::{Bm25Weight, DfaWrapper, FuzzyTermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocAddress, DocSet, Searcher, SegmentReader, TantivyError, Term};

use super::KnowledgeError;

/// How many postings a search reads at most.
#[derive(Clone, Copy)]
struct Budget {
    /// Of words that are found, …
    words: u64,
    /// … and of those that one misspelt word may have meant, in all segments together.
    slip: usize,
}

const BUDGET: Budget = Budget { words: 1_500_000, slip: 100_000 };
/// Where words are too frequent for that, so many times as many passages as are wanted are looked at for them.
const LATER_TIMES: usize = 8;

/// An index as one search sees it.
pub(super) struct View<'a> {
    searcher: &'a Searcher,
    /// By segment and field.
    indexes: Vec<Vec<(Field, Arc<InvertedIndexReader>)>>,
    looks: Cell<usize>,
}

/// Where a word stands: what the index knows of it, segment by segment.
pub(super) struct Posted {
    field: Field,
    segments: Vec<(u32, TermInfo)>,
    /// In how many passages; those deleted are counted until their segment is merged.
    pub(super) count: u64,
}

/// A word that adds to a passage's score.
pub(super) struct Clause<'a> {
    pub(super) posted: &'a Posted,
    pub(super) boost: f32,
}

/// A misspelt word: whatever it may have meant adds the same.
pub(super) struct Slip<'a> {
    pub(super) word: &'a str,
    /// So many of its letters may be wrong.
    pub(super) letters: u8,
    pub(super) boost: f32,
}

impl Slip<'_> {
    fn automaton(&self, field: Field) -> Result<DfaWrapper, TantivyError> {
        FuzzyTermQuery::new(Term::from_field_text(field, self.word), self.letters, true).automaton()
    }
}

impl<'a> View<'a> {
    /// Opens the fields that are searched.
    pub(super) fn new(searcher: &'a Searcher, fields: &[Field]) -> Result<Self, KnowledgeError> {
        let open = |segment: &SegmentReader| {
            let indexes = fields.iter().map(|field| Ok((*field, segment.inverted_index(*field)?)));
            indexes.collect::<Result<Vec<_>, TantivyError>>()
        };
        let indexes = searcher.segment_readers().iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { searcher, indexes, looks: Cell::new(0) })
    }

    /// How many passages there are.
    pub(super) fn passages(&self) -> f32 {
        self.searcher.num_docs() as f32
    }

    /// How often a word was looked for so far.
    pub(super) fn looks(&self) -> usize {
        self.looks.get()
    }

    /// Where a word stands in a field.
    pub(super) fn look(&self, field: Field, word: &str) -> Result<Posted, KnowledgeError> {
        self.looks.set(self.looks.get() + 1);
        let term = Term::from_field_text(field, word);
        let mut posted = Posted { field, segments: Vec::new(), count: 0 };
        for (segment, _) in (0..).zip(&self.indexes) {
            let info = self.index(segment, field)?.get_term_info(&term).map_err(TantivyError::from)?;
            if let Some(info) = info {
                posted.count += u64::from(info.doc_freq);
                posted.segments.push((segment, info));
            }
        }
        Ok(posted)
    }

    /// The passages with most of what is sought, the best first. `field` is the one in which misspelt words are
    /// looked for.
    pub(super) fn best(
        &self,
        clauses: Vec<Clause<'_>>,
        slips: &[Slip<'_>],
        field: Field,
        wanted: usize,
    ) -> Result<Vec<(f32, DocAddress)>, KnowledgeError> {
        self.best_within(BUDGET, clauses, slips, field, wanted)
    }

    fn best_within(
        &self,
        budget: Budget,
        mut clauses: Vec<Clause<'_>>,
        slips: &[Slip<'_>],
        field: Field,
        wanted: usize,
    ) -> Result<Vec<(f32, DocAddress)>, KnowledgeError> {
        clauses.sort_by_key(|clause| clause.posted.count);
        let later = clauses.split_off(affordable(&clauses, budget.words));
        let mut top = Top::new(if later.is_empty() { wanted } else { wanted * LATER_TIMES });
        let clauses = self.weighed(clauses)?;
        let slips = slips.iter().map(|slip| Ok((slip, slip.automaton(field)?, budget.slip)));
        let mut slips = slips.collect::<Result<Vec<_>, TantivyError>>()?;
        for (segment, reader) in (0..).zip(self.searcher.segment_readers()) {
            let mut scores = vec![0.0f32; reader.max_doc() as usize];
            for (clause, weight) in &clauses {
                self.add(clause.posted, weight, segment, &mut scores)?;
            }
            for (slip, automaton, left) in &mut slips {
                self.add_slip(slip, automaton, field, segment, left, &mut scores)?;
            }
            for (doc, score) in (0..).zip(scores).filter(|(doc, score)| *score > 0.0 && !reader.is_deleted(*doc)) {
                top.push(score, DocAddress::new(segment, doc));
            }
        }
        let mut found = top.take();
        self.add_later(&self.weighed(later)?, &mut found)?;
        found.truncate(wanted);
        Ok(found)
    }

    /// For each of some passages in order of their address, whether a word stands there.
    pub(super) fn stands_in(&self, posted: &Posted, passages: &[DocAddress]) -> Result<Vec<bool>, KnowledgeError> {
        let mut stands = vec![false; passages.len()];
        self.meet(posted, passages, |at, _| stands[at] = true)?;
        Ok(stands)
    }

    fn weighed<'c>(&self, clauses: Vec<Clause<'c>>) -> Result<Vec<(Clause<'c>, Bm25Weight)>, KnowledgeError> {
        let passages: u64 = self.searcher.segment_readers().iter().map(|reader| u64::from(reader.max_doc())).sum();
        let mut weighed = Vec::with_capacity(clauses.len());
        for clause in clauses {
            let field = clause.posted.field;
            let mut words = 0;
            for (segment, _) in (0..).zip(&self.indexes) {
                words += self.index(segment, field)?.total_num_tokens();
            }
            let length = words as f32 / passages as f32;
            let weight = Bm25Weight::for_one_term_without_explain(clause.posted.count, passages, length);
            let weight = weight.boost_by(clause.boost);
            weighed.push((clause, weight));
        }
        Ok(weighed)
    }

    fn add(
        &self,
        posted: &Posted,
        weight: &Bm25Weight,
        segment: u32,
        scores: &mut [f32],
    ) -> Result<(), KnowledgeError> {
        let Some((_, info)) = posted.segments.iter().find(|(of, _)| *of == segment) else { return Ok(()) };
        let norms = self.searcher.segment_reader(segment).get_fieldnorms_reader(posted.field)?;
        let index = self.index(segment, posted.field)?;
        let mut block =
            index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs).map_err(TantivyError::from)?;
        while !block.docs().is_empty() {
            for (doc, frequency) in block.docs().iter().zip(block.freqs()) {
                if let Some(score) = scores.get_mut(*doc as usize) {
                    *score += weight.score(norms.fieldnorm_id(*doc), *frequency);
                }
            }
            block.advance();
        }
        Ok(())
    }

    /// People seldom miss a word's first letter: only words with the same one are looked at. Reads what is `left` to
    /// be read of postings, and takes that off.
    fn add_slip(
        &self,
        slip: &Slip<'_>,
        automaton: &DfaWrapper,
        field: Field,
        segment: u32,
        left: &mut usize,
        scores: &mut [f32],
    ) -> Result<(), KnowledgeError> {
        let Some(first) = slip.word.chars().next() else { return Ok(()) };
        let after = char::from_u32(u32::from(first) + 1).unwrap_or(char::MAX);
        let index = self.index(segment, field)?;
        let range = index.terms().search(automaton).ge(first.to_string()).lt(after.to_string());
        let mut meant = range.into_stream().map_err(TantivyError::from)?;
        let mut seen = BitSet::with_max_value(scores.len() as u32);
        while *left > 0 && meant.advance() {
            let mut block = index
                .read_block_postings_from_terminfo(meant.value(), IndexRecordOption::Basic)
                .map_err(TantivyError::from)?;
            while *left > 0 && !block.docs().is_empty() {
                let docs = block.docs().iter().take(*left);
                *left -= docs.len();
                for doc in docs {
                    if let Some(score) = scores.get_mut(*doc as usize).filter(|_| seen.insert(*doc)) {
                        *score += slip.boost;
                    }
                }
                block.advance();
            }
        }
        Ok(())
    }

    /// Adds what the most frequent words count to passages that others have found, and sorts them anew.
    fn add_later(
        &self,
        later: &[(Clause<'_>, Bm25Weight)],
        found: &mut [(f32, DocAddress)],
    ) -> Result<(), KnowledgeError> {
        if later.is_empty() {
            return Ok(());
        }
        found.sort_by_key(|(_, address)| *address);
        let addresses: Vec<DocAddress> = found.iter().map(|(_, address)| *address).collect();
        for (clause, weight) in later {
            self.meet(clause.posted, &addresses, |at, (norm, frequency)| found[at].0 += weight.score(norm, frequency))?;
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        Ok(())
    }

    /// Tells of each passage, in order of their address, in which a word stands: how long it is and how often.
    fn meet(
        &self,
        posted: &Posted,
        passages: &[DocAddress],
        mut met: impl FnMut(usize, (u8, u32)),
    ) -> Result<(), KnowledgeError> {
        for (segment, info) in &posted.segments {
            let from = passages.partition_point(|passage| passage.segment_ord < *segment);
            let to = passages.partition_point(|passage| passage.segment_ord <= *segment);
            if from == to {
                continue;
            }
            let norms = self.searcher.segment_reader(*segment).get_fieldnorms_reader(posted.field)?;
            let index = self.index(*segment, posted.field)?;
            let mut postings =
                index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs).map_err(TantivyError::from)?;
            for (at, passage) in passages.iter().enumerate().take(to).skip(from) {
                let wanted = passage.doc_id;
                let reached = if postings.doc() < wanted { postings.seek(wanted) } else { postings.doc() };
                if reached == wanted {
                    met(at, (norms.fieldnorm_id(wanted), postings.term_freq()));
                }
            }
        }
        Ok(())
    }

    fn index(&self, segment: u32, field: Field) -> Result<&InvertedIndexReader, KnowledgeError> {
        let indexes = self.indexes.get(segment as usize).into_iter().flatten();
        let found = indexes.into_iter().find(|(of, _)| *of == field).map(|(_, index)| &**index);
        found.ok_or_else(|| KnowledgeError::Index("a field was not opened".into()))
    }
}

/// How many of some words, the rarest first, can be read whole: one at least.
fn affordable(clauses: &[Clause<'_>], postings_max: u64) -> usize {
    let mut read = 0;
    let fits = |(at, clause): &(usize, &Clause<'_>)| {
        read += clause.posted.count;
        *at == 0 || read <= postings_max
    };
    clauses.iter().enumerate().take_while(fits).count()
}

/// The best of many, in no more memory than twice as many.
struct Top {
    wanted: usize,
    found: Vec<(f32, DocAddress)>,
    /// Less than this is not among them.
    least: f32,
}

impl Top {
    fn new(wanted: usize) -> Self {
        Self { wanted: wanted.max(1), found: Vec::new(), least: 0.0 }
    }

    /// To be called in order of the addresses: of several with one score, those with the lower ones stay.
    fn push(&mut self, score: f32, address: DocAddress) {
        if score <= self.least {
            return;
        }
        self.found.push((score, address));
        if self.found.len() >= 2 * self.wanted {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.found.truncate(self.wanted);
        if self.found.len() == self.wanted {
            self.least = self.found.last().map_or(0.0, |(score, _)| *score);
        }
    }

    fn take(mut self) -> Vec<(f32, DocAddress)> {
        self.shrink();
        self.found
    }
}

#[cfg(test)]
#[path = "scoring_tests.rs"]
mod tests;
