//! The same passages are found, with the same scores, as the library itself finds.

use tantivy::collector::TopDocs;
use tantivy::merge_policy::NoMergePolicy;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, IndexWriter, TantivyDocument};

use super::*;

struct Shelf {
    searcher: Searcher,
    fields: [Field; 2],
}

/// Three segments of passages whose words are the more frequent the lower their number; some are deleted.
fn shelf() -> Shelf {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default().set_tokenizer("whitespace");
    let options = TextOptions::default().set_indexing_options(indexing.set_index_option(IndexRecordOption::WithFreqs));
    let fields = ["body", "heading"].map(|name| schema.add_text_field(name, options.clone()));
    let index = Index::create_in_ram(schema.build());
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let mut seed = 0x5eed_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for passages in [700, 150, 30] {
        for _ in 0..passages {
            let mut row = TantivyDocument::new();
            for (field, most) in [(fields[0], 60), (fields[1], 4)] {
                let words = (0..=random(most)).map(|_| format!("word{}", random(200).min(random(200))));
                row.add_text(field, words.collect::<Vec<_>>().join(" "));
            }
            writer.add_document(row).unwrap();
        }
        writer.commit().unwrap();
    }
    writer.delete_term(Term::from_field_text(fields[1], "word3"));
    writer.commit().unwrap();
    Shelf { searcher: index.reader().unwrap().searcher(), fields }
}

impl Shelf {
    /// What the library finds by skipping from passage to passage.
    fn expected(&self, words: &[(usize, String, f32)], wanted: usize) -> Vec<(f32, DocAddress)> {
        let clause = |(field, word, boost): &(usize, String, f32)| {
            let term = Term::from_field_text(self.fields[*field], word);
            let query: Box<dyn Query> = Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
            (Occur::Should, Box::new(BoostQuery::new(query, *boost)) as Box<dyn Query>)
        };
        let query = BooleanQuery::new(words.iter().map(clause).collect());
        self.searcher.search(&query, &TopDocs::with_limit(wanted).order_by_score()).unwrap()
    }

    fn found(&self, postings_max: u64, words: &[(usize, String, f32)], wanted: usize) -> Vec<(f32, DocAddress)> {
        let view = View::new(&self.searcher, &self.fields).unwrap();
        let look =
            |(field, word, boost): &(usize, String, f32)| (view.look(self.fields[*field], word).unwrap(), *boost);
        let posted: Vec<(Posted, f32)> = words.iter().map(look).collect();
        let clauses = posted.iter().map(|(posted, boost)| Clause { posted, boost: *boost }).collect();
        let budget = Budget { words: postings_max, ..BUDGET };
        view.best_within(budget, clauses, &[], self.fields[0], wanted).unwrap()
    }
}

fn same(found: &[(f32, DocAddress)], expected: &[(f32, DocAddress)]) -> bool {
    // Sums in another order differ in their last digits, and so may equals change places.
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a.0 - b.0).abs() < 1e-4)
}

fn words(numbers: &[usize]) -> Vec<(usize, String, f32)> {
    let both = numbers.iter().flat_map(|n| [(0, *n, 1.0 + *n as f32 / 50.0), (1, *n, 0.5)]);
    both.map(|(field, n, boost)| (field, format!("word{n}"), boost)).collect()
}

#[test]
fn the_same_is_found_as_by_skipping() {
    let shelf = shelf();
    for numbers in [&[0][..], &[5, 5, 90], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[150, 40, 2], &[199, 500], &[500]] {
        for wanted in [1, 7, 30, 2_000] {
            let words = words(numbers);
            let (found, expected) = (shelf.found(u64::MAX, &words, wanted), shelf.expected(&words, wanted));
            assert!(same(&found, &expected), "{numbers:?}, {wanted}: {found:?}\n{expected:?}");
        }
    }
}

#[test]
fn words_too_frequent_to_be_read_whole_count_where_rarer_ones_stand() {
    let shelf = shelf();
    let words = words(&[0, 1, 60, 130]);
    let rare: u64 = 400;
    let (found, expected) = (shelf.found(rare, &words, 5), shelf.expected(&words, 5));
    assert!(same(&found, &expected), "{found:?}\n{expected:?}");
    // One word is always read, whatever it costs.
    assert!(same(&shelf.found(0, &words[..1], 5), &shelf.expected(&words[..1], 5)));
    assert_eq!(shelf.found(0, &words, 5).len(), 5);
}

#[test]
fn what_one_misspelt_word_may_have_meant_is_bounded_over_all_segments() {
    let shelf = shelf();
    let view = View::new(&shelf.searcher, &shelf.fields).unwrap();
    let slips = [Slip { word: "wrod1", letters: 1, boost: 2.0 }, Slip { word: "wrod2", letters: 1, boost: 3.0 }];
    let found = |slip, slips: &[Slip<'_>]| {
        let budget = Budget { slip, ..BUDGET };
        view.best_within(budget, Vec::new(), slips, shelf.fields[0], 10_000).unwrap()
    };
    let segments = |found: &[(f32, DocAddress)]| {
        found.iter().map(|(_, address)| address.segment_ord).collect::<std::collections::HashSet<_>>().len()
    };
    let all = found(usize::MAX, &slips[..1]);
    assert!(segments(&all) > 1 && all.len() > 40, "{} in {} segments", all.len(), segments(&all));
    for most in [0, 1, 10, 40] {
        let found_of_one = found(most, &slips[..1]);
        assert!(found_of_one.len() <= most, "{} of {most}", found_of_one.len());
        assert!(most == 0 || !found_of_one.is_empty());
        // Each word has its own.
        assert!(found(most, &slips).len() <= 2 * most);
    }
}

#[test]
fn slips_are_found_with_the_same_first_letter() {
    let shelf = shelf();
    let view = View::new(&shelf.searcher, &shelf.fields).unwrap();
    let found = |word, letters| {
        let slips = [Slip { word, letters, boost: 2.0 }];
        view.best(Vec::new(), &slips, shelf.fields[0], 10_000).unwrap()
    };
    let right = view.look(shelf.fields[0], "word150").unwrap().count;
    let swapped = found("wrod150", 1);
    assert!(!swapped.is_empty() && swapped.len() as u64 <= right);
    assert!(swapped.iter().all(|(score, _)| *score == 2.0));
    assert!(found("xord150", 1).is_empty(), "another first letter");
    assert!(found("wrod150x", 1).is_empty() && !found("wrod150x", 2).is_empty());
}
