//! How good are answers? Asks every question of a set of documents and counts: is a passage that
//! answers among the first five, does the built-in answerer cite it, does it say so when no document
//! knows. `tests/retrieval/run` calls it with the project's sets and prints what the README says.
//!
//! `retrieval [--misses] [--dump FILE] NAME=QUESTIONS.tsv[,…]=FOLDER|own …`
//!
//! A row of questions has a question, the sources that may answer (`,` between them) and words of the
//! passage or its headings (`||` between alternatives), or twice `-` where no document answers. The
//! folder's files are named relative to it, or to the folder above where the rows do so.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine_documents::Kind;
use engine_knowledge::{Builtin, Document, Knowledge, Weights, demo};
use engine_model::{Chunk, Model, Prompt};
use engine_store::memory::MemoryStore;
use futures_util::StreamExt;
use schema::{Passage, TenantId, Timestamp};
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PASSAGES: usize = 5;
/// Passages whose headings are asked for too where a question is expanded.
const EXPANDED_BY: usize = 3;
/// Of a document, what another ranking may choose from.
const DUMPED_MAX: usize = 50;
/// How every refusal begins, in the languages of the sets.
const REFUSALS: &[&str] = &["I don't know", "No lo sé", "Das weiß ich"];

/// What is measured against what: each leaves something out of what is used.
const VARIANTS: &[(&str, Weights)] = &[
    ("plain BM25", Weights::BM25),
    (
        "+ headings, names, whole words",
        Weights { misspelt: 0.0, coverage: 0.0, meaning: 0.0, value: 0.0, quotable: 0.0, ..Weights::USED },
    ),
    ("+ misspelt words and coverage", Weights { meaning: 0.0, value: 0.0, quotable: 0.0, ..Weights::USED }),
    ("+ meanings, dates, values", Weights { quotable: 0.0, ..Weights::USED }),
    ("+ what answers (used)", Weights::USED),
];

struct Row {
    question: String,
    /// Sources, and words of which one must be there; none when no document answers.
    expected: Option<(Vec<String>, Vec<String>)>,
}

struct Set {
    name: String,
    rows: Vec<Row>,
    documents: Vec<Document>,
}

#[derive(Default)]
struct Marks {
    answerable: usize,
    first: usize,
    among_five: usize,
    right: usize,
    unanswerable: usize,
    false_answers: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut misses = false;
    let mut dump = None;
    let mut sets = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--misses" => misses = true,
            "--dump" => dump = Some(PathBuf::from(arguments.next().ok_or("--dump needs a file")?)),
            set => sets.push(read_set(set)?),
        }
    }
    println!(
        "| documents | passages | ranking | questions | first is right | right among 5 | answered from the right source | no answer there | false answers |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut dumped = Vec::new();
    for set in &sets {
        dumped.push(measure(set, misses).await?);
    }
    if let Some(file) = dump {
        std::fs::write(file, serde_json::to_vec(&dumped)?)?;
    }
    Ok(())
}

/// Prints a row for each variant; gives passages, questions and ranks for other rankings to be
/// tried on.
async fn measure(set: &Set, misses: bool) -> Result<serde_json::Value> {
    let data = tempfile::tempdir()?;
    let knowledge = Knowledge::open(data.path(), Arc::new(MemoryStore::default()));
    let tenant = TenantId::generate();
    let learned = knowledge.learn(tenant, set.documents.clone(), Timestamp::from_millis(0)).await?;
    let passages: usize = learned.iter().map(|learned| learned.passages).sum();
    let expanded = [("+ the words of what is found first", Weights::USED)];
    for (variant, weights) in VARIANTS.iter().chain(&expanded) {
        let expands = *variant == expanded[0].0;
        let used = *weights == Weights::USED && !expands;
        let mut marks = Marks::default();
        for row in &set.rows {
            let find = |asked: String| {
                let (knowledge, weights) = (knowledge.clone(), *weights);
                async move { knowledge.find(tenant, asked.as_str(), PASSAGES, weights).await }
            };
            let mut found = find(row.question.clone()).await?;
            if expands {
                let headings = found.iter().take(EXPANDED_BY).map(|found| found.passage.heading.as_str());
                let asked = std::iter::once(row.question.as_str()).chain(headings).collect::<Vec<_>>().join(" ");
                found = find(asked).await?;
            }
            let found: Vec<Passage> = found.into_iter().map(|found| found.passage).collect();
            let text = answer(&row.question, found.clone()).await;
            let told = marks.add(row, &found, &text);
            if let Some(told) = told.filter(|_| misses && used) {
                eprintln!("{} {told}: {}\n  {}", set.name, row.question, text.replace('\n', " "));
                found.iter().for_each(|passage| eprintln!("    {}: {}", passage.source, passage.heading));
            }
        }
        let Marks { answerable, first, among_five, right, unanswerable, false_answers } = marks;
        println!(
            "| {} | {passages} | {variant} | {answerable} | {first} | {among_five} | {right} | {unanswerable} | {false_answers} |",
            set.name
        );
    }
    let mut questions = Vec::new();
    for row in &set.rows {
        let found = knowledge.find(tenant, row.question.as_str(), DUMPED_MAX, Weights::USED).await?;
        let ranked: Vec<_> = found.iter().map(|found| (&found.passage.source, &found.passage.text)).collect();
        questions.push(json!({"question": row.question, "expected": row.expected, "ranked": ranked}));
    }
    let all: Vec<Passage> = set.documents.iter().flat_map(Document::passages).collect();
    Ok(json!({"name": set.name, "passages": all, "questions": questions}))
}

impl Marks {
    /// Gives what went wrong, if anything did.
    fn add(&mut self, row: &Row, found: &[Passage], text: &str) -> Option<&'static str> {
        let refused = REFUSALS.iter().any(|refusal| text.starts_with(refusal));
        let Some(expected) = &row.expected else {
            self.unanswerable += 1;
            self.false_answers += usize::from(!refused);
            return (!refused).then_some("FALSE");
        };
        let answers: Vec<usize> = (1..).zip(found).filter(|(_, one)| fits(one, expected)).map(|(n, _)| n).collect();
        let cites = !refused && answers.iter().any(|n| text.contains(&format!("[{n}]")));
        self.answerable += 1;
        self.first += usize::from(answers.first() == Some(&1));
        self.among_five += usize::from(!answers.is_empty());
        self.right += usize::from(cites);
        match (answers.is_empty(), refused, cites) {
            (true, ..) => Some("NOT FOUND"),
            (_, true, _) => Some("REFUSED"),
            (.., false) => Some("OTHER SOURCE"),
            _ => None,
        }
    }
}

fn fits(passage: &Passage, (sources, words): &(Vec<String>, Vec<String>)) -> bool {
    let has = |words: &String| passage.text.as_str().contains(words) || passage.heading.contains(words);
    sources.contains(&passage.source) && words.iter().any(has)
}

async fn answer(question: &str, passages: Vec<Passage>) -> String {
    let prompt = Prompt {
        system: "".into(),
        lines: Vec::new(),
        question: question.into(),
        before: Vec::new(),
        locale: None,
        passages,
        max_output_tokens: 1024,
    };
    let pieces = Builtin.ask(Arc::new(prompt)).filter_map(|chunk| async {
        match chunk {
            Ok(Chunk::Text(piece)) => Some(piece),
            _ => None,
        }
    });
    pieces.collect().await
}

fn read_set(argument: &str) -> Result<Set> {
    let [name, questions, folder] = argument.split('=').collect::<Vec<_>>()[..] else {
        return Err(format!("`{argument}` is not NAME=QUESTIONS=FOLDER").into());
    };
    let mut documents = if folder == "own" { demo::documents() } else { read_folder(Path::new(folder))? };
    let mut rows = Vec::new();
    for file in questions.split(',') {
        for line in std::fs::read_to_string(file)?.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let [question, sources, words] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(format!("{file}: not three columns: {line}").into());
            };
            let list = |text: &str, mark| text.split(mark).map(str::to_string).collect::<Vec<_>>();
            let expected = (sources != "-").then(|| (list(sources, ","), list(words, "||")));
            rows.push(Row { question: question.into(), expected });
        }
    }
    let above = Path::new(folder).file_name().map(|name| format!("{}/", name.to_string_lossy())).unwrap_or_default();
    if rows.iter().filter_map(|row| row.expected.as_ref()).any(|(sources, _)| sources[0].starts_with(&above)) {
        documents.iter_mut().for_each(|document| document.source.insert_str(0, &above));
    }
    // A question about another set's documents is not one about these.
    let ours = |source: &String| documents.iter().any(|document| document.source == *source);
    rows.retain(|row| row.expected.as_ref().is_none_or(|(sources, _)| sources.iter().any(ours)));
    Ok(Set { name: name.into(), rows, documents })
}

fn read_folder(folder: &Path) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = path.strip_prefix(folder)?.to_string_lossy().into_owned();
            let bytes = std::fs::read(&path)?;
            let Some(kind) = Kind::of(None, &source, &bytes) else { continue };
            match engine_documents::read(kind, None, &bytes) {
                Ok(page) => documents.push(Document::new(source, page.markdown)),
                Err(error) => eprintln!("{source}: {error}"),
            }
        }
    }
    documents.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(documents)
}
