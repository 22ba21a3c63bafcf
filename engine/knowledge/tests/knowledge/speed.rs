//! How long a search takes over some two thousand passages. `speed --nocapture` prints the
//! numbers, of a build with little optimisation. On a busy machine the wall clock says little: the
//! processor's time is printed beside it (right only when no other test runs).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_knowledge::Knowledge;
use schema::{TenantId, Timestamp};

use crate::records::Memory;
use crate::{document, quality};

const SECTIONS: usize = 2_000;
const QUESTIONS: usize = 400;

#[tokio::test]
async fn a_search_over_two_thousand_passages() {
    let data = tempfile::tempdir().unwrap();
    let knowledge = Knowledge::open(data.path(), Arc::new(Memory::default()));
    let tenant = TenantId::generate();
    let mut seed = 0x5eed_u64;
    let documents = (0..20).map(|n| document(&format!("guide-{n}.md"), &page(n, &mut seed))).collect();
    let begun = Instant::now();
    let learned = knowledge.learn(tenant, documents, Timestamp::from_millis(0)).await.unwrap();
    let passages: usize = learned.iter().map(|learned| learned.passages).sum();
    println!("learned {passages} passages in {:?}", begun.elapsed());
    assert!(passages >= SECTIONS);

    let questions: Vec<String> = (0..QUESTIONS)
        .map(|n| format!("How do I {} the {} {}?", word(n * 7), word(n * 13 + 5), word(n * 31 + 11)))
        .collect();
    let (mut searches, mut answers, mut passages) = (Vec::new(), Vec::new(), Vec::new());
    let before = processor_ms();
    for question in &questions {
        let begun = Instant::now();
        passages.push(knowledge.search(tenant, question, 5).await.unwrap());
        searches.push(begun.elapsed());
    }
    let between = processor_ms();
    for (question, found) in questions.iter().zip(passages) {
        let begun = Instant::now();
        quality::answer(question, found).await;
        answers.push(begun.elapsed());
    }
    let after = processor_ms();
    let begun = Instant::now();
    assert!(!knowledge.search(tenant, &format!("{} mispeltword", word(3)), 5).await.unwrap().is_empty());
    println!("misspelt word: {:?}", begun.elapsed());
    let each = |from: f64, to: f64| (to - from) / QUESTIONS as f64;
    println!("processor: {:.2} ms a search, {:.2} ms an answer", each(before, between), each(between, after));
    let usual = show("search", &mut searches);
    show("answer", &mut answers);
    // Far above what is usual: a busy machine must not fail this, a scan of everything must.
    assert!(usual < Duration::from_millis(500));
}

/// User and system time of this process so far; 0 where the system does not say.
fn processor_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    // Counted in hundredths of a second.
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

/// Prints the times; gives the median.
fn show(what: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: p50 {:?}, p99 {:?}, max {:?}", at(50), at(99), at(100));
    at(50)
}

/// A hundred sections of a few sentences over a vocabulary in which some words are rare.
fn page(n: usize, seed: &mut u64) -> String {
    let mut text = format!("# Guide {n}\n");
    for section in 0..SECTIONS / 20 {
        let _ = write!(text, "\n## {} {}\n\n", word(section * 3 + n), word(section * 17 + n));
        for _ in 0..6 {
            for _ in 0..12 {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (a, b) = ((*seed >> 33) as usize % 3_000, (*seed >> 45) as usize % 3_000);
                let _ = write!(text, "{} ", word(a.min(b)));
            }
            text.push_str("end. ");
        }
    }
    text
}

fn word(n: usize) -> String {
    const SYLLABLES: [&str; 15] =
        ["ba", "ke", "lo", "mi", "nu", "ra", "se", "to", "vi", "zu", "dor", "fen", "gal", "hin", "pur"];
    let n = n % 3_000;
    [n / 225, n / 15 % 15, n % 15].map(|at| SYLLABLES[at % 15]).concat()
}
