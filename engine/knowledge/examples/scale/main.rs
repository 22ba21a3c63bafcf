//! What ten thousand documents cost: learning them, searching them, listing them, adding one more.
//! `tests/retrieval/scale` fetches manuals and calls it; it prints the table of the README.
//!
//! `scale read INTO FOLDER…` turns folders of manuals into Markdown and questions, once;
//! `scale measure FOLDER [--documents N] [--batch N] [--data PATH] [--only PART,…]` measures. Times are those
//! of the clock, and in brackets those of the processor, which say more while others use the machine, too.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

mod corpus;
mod memory;

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use engine_knowledge::{Document, Knowledge, Weights};
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use memory::Peak;
use schema::limits::PAGE_DOCUMENTS_MAX;
use schema::{TenantId, Timestamp};

/// As in a node, so that its memory is counted as a node's is.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str =
    "scale read INTO FOLDER… | scale measure FOLDER [--documents N] [--batch N] [--data PATH] [--only PART,…]
  --documents  how many are learned (10000)
  --batch      how many in one call, as the walk through a site does (16)
  --data       where a former run has learned them, or this one shall and leave them there
  --found      a file for what was found, to be compared with another run's
  --only       of learn, search, list, add, open and hostile; without it all of them";

const PASSAGES: usize = 5;
/// As many as the team may ask for.
const PASSAGES_MOST: usize = 50;
const HOSTILE_DOCUMENTS: usize = 60;
const ADDED: usize = 50;
const TENANT: &str = "ten_01890a5dac96774bbcceb302099a8057";
const HOSTILE_TENANT: &str = "ten_01890a5dac96774bbcceb302099a8058";
const NOW: Timestamp = Timestamp::from_millis(0);

struct Options {
    folder: PathBuf,
    documents: usize,
    batch: usize,
    data: Option<PathBuf>,
    only: Option<String>,
    found: Option<PathBuf>,
}

impl Options {
    fn has(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.split(',').any(|one| one == part))
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["read", into, ref folders @ ..] if !folders.is_empty() => {
            corpus::read(&folders.iter().map(PathBuf::from).collect::<Vec<_>>(), Path::new(into))
        }
        ["measure", folder, ref rest @ ..] => measure(&options(folder, rest)?),
        _ => Err(USAGE.into()),
    }
}

fn options(folder: &str, rest: &[&str]) -> Result<Options> {
    let mut options =
        Options { folder: folder.into(), documents: 10_000, batch: 16, data: None, only: None, found: None };
    let mut rest = rest.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or(USAGE)?;
        match *name {
            "--documents" => options.documents = value.parse()?,
            "--batch" => options.batch = value.parse()?,
            "--data" => options.data = Some(value.into()),
            "--found" => options.found = Some(value.into()),
            "--only" => options.only = Some((*value).into()),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

#[tokio::main]
async fn measure(options: &Options) -> Result<()> {
    // Beside what is built, as everything that is not to stay; the system's own folder may be in memory.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    std::fs::create_dir_all(&target)?;
    let temporary = tempfile::Builder::new().prefix("scale-").tempdir_in(target)?;
    let dir = options.data.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(dir)?;
    let (files, sorts) = corpus::open(&options.folder)?;
    let files = &files[..files.len().min(options.documents)];
    let store = Arc::new(SqliteStore::open(&dir.join("tertulia.db"), SqliteOptions::default())?);
    let desk = Desk { knowledge: Knowledge::open(dir, store.clone()), tenant: TENANT.parse()? };
    println!("| what | measured |\n|---|---|");
    if options.has("learn") {
        learn(&desk, options, files).await?;
    }
    let (index, kept) = (size(&dir.join("knowledge"))?, size(&dir.join("tertulia.db"))?);
    say("on disk", format!("index {} MB, store {} MB", megabytes(index), megabytes(kept)));
    if options.has("search") {
        let mut all = Times::default();
        for sort in &sorts {
            let what = format!("a search, question {}", sort.name);
            all.0.extend(search(&desk, &what, &sort.questions, PASSAGES).await?.0);
        }
        say("a search, all of these", all.shown());
        search(
            &desk,
            &format!("a search for {PASSAGES_MOST} passages, question short"),
            &sorts[0].questions,
            PASSAGES_MOST,
        )
        .await?;
        for (name, question) in corpus::hostile_questions() {
            search(&desk, &format!("a search, hostile: {name}"), &vec![question; 20], PASSAGES).await?;
        }
        say_memory("after the searches");
        if let Some(file) = &options.found {
            std::fs::write(file, found(&desk, &sorts).await?)?;
        }
    }
    if options.has("list") {
        list(&desk).await?;
    }
    if options.has("add") {
        add(&desk, options, &files[0]).await?;
    }
    if options.has("open") {
        open_again(&desk, dir, store.clone(), &sorts[0].questions).await?;
    }
    if options.has("hostile") {
        hostile(&Desk { tenant: HOSTILE_TENANT.parse()?, ..desk }).await?;
    }
    Ok(())
}

async fn hostile(desk: &Desk) -> Result<()> {
    let documents: Vec<Document> = (0..HOSTILE_DOCUMENTS).map(corpus::hostile).collect();
    let bytes: usize = documents.iter().map(|document| document.text.bytes()).sum();
    let (begun, before) = (Instant::now(), processor_ms());
    let passages = desk.learn_all(documents).await?;
    let (clock, processor) = (begun.elapsed().as_millis(), processor_ms() - before);
    say(
        "learning hostile documents",
        format!(
            "{HOSTILE_DOCUMENTS}, {} MB, {passages} passages in {clock} ({processor:.0}) ms",
            megabytes(bytes as u64)
        ),
    );
    for question in ["which 7", "how much is it", "I am 17, what is it"] {
        search(desk, &format!("a search in these, `{question}`"), &vec![question.to_string(); 20], PASSAGES).await?;
    }
    for (name, question) in corpus::hostile_questions() {
        search(desk, &format!("a search in these, hostile: {name}"), &vec![question; 20], PASSAGES).await?;
    }
    Ok(())
}

struct Desk {
    knowledge: Knowledge,
    tenant: TenantId,
}

impl Desk {
    async fn learn_all(&self, documents: Vec<Document>) -> Result<usize> {
        let learned = self.knowledge.learn(self.tenant, documents, NOW).await?;
        Ok(learned.iter().map(|learned| learned.passages).sum())
    }
}

async fn learn(desk: &Desk, options: &Options, files: &[PathBuf]) -> Result<()> {
    let (before, peak, begun) = (memory::now(), Peak::watch(), Instant::now());
    let (mut passages, mut bytes, mut times) = (0, 0, Times::default());
    for files in files.chunks(options.batch) {
        let documents = files.iter().map(|file| corpus::document(&options.folder, file)).collect::<Result<Vec<_>>>()?;
        bytes += documents.iter().map(|document| document.text.bytes()).sum::<usize>();
        let begun = Times::begin();
        passages += desk.learn_all(documents).await?;
        times.end(begun);
    }
    let took = begun.elapsed().as_secs_f64();
    let most = peak.end();
    say("documents", format!("{}, {} MB of text, {passages} passages", files.len(), megabytes(bytes as u64)));
    say("learning them", format!("{took:.0} s, {:.1} ms a document", took * 1_000.0 / files.len() as f64));
    say(&format!("one call with {}", options.batch), times.shown());
    say("memory while learning", format!("{} MB at most, {} MB before", most / 1_024, before.own / 1_024));
    say_memory("after learning");
    Ok(())
}

async fn search(desk: &Desk, what: &str, questions: &[String], limit: usize) -> Result<Times> {
    // The first time a page of the index is read from disk is not what is measured.
    let mut times = Times::default();
    let mut found = 0;
    for round in 0..2 {
        for question in questions {
            let begun = Times::begin();
            let passages = desk.knowledge.find(desk.tenant, question, limit, Weights::USED).await?;
            if round > 0 {
                times.end(begun);
                found += passages.len();
            }
        }
    }
    say(what, format!("{}; {:.1} found", times.shown(), found as f64 / questions.len() as f64));
    Ok(times)
}

/// What every question finds, a line each.
async fn found(desk: &Desk, sorts: &[corpus::Sort]) -> Result<String> {
    let mut lines = String::new();
    for question in sorts.iter().flat_map(|sort| &sort.questions) {
        for found in desk.knowledge.find(desk.tenant, question, PASSAGES, Weights::USED).await? {
            let passage = &found.passage;
            let beginning: String = passage.text.as_str().chars().take(40).collect();
            lines += &format!(
                "{question:.40}\t{:.3}\t{}\t{}\t{beginning:?}\n",
                found.score, passage.source, passage.heading
            );
        }
    }
    Ok(lines)
}

async fn list(desk: &Desk) -> Result<()> {
    let peak = Peak::watch();
    let before = memory::now().own;
    let (mut times, mut after, mut count) = (Times::default(), None, 0);
    loop {
        let begun = Times::begin();
        let (page, next) = desk.knowledge.page(desk.tenant, after, PAGE_DOCUMENTS_MAX).await?;
        times.end(begun);
        count += page.len();
        after = next;
        if after.is_none() {
            break;
        }
    }
    say(&format!("a page of {PAGE_DOCUMENTS_MAX} of the list"), times.shown());
    let begun = Instant::now();
    let all = desk.knowledge.list(desk.tenant).await?.len();
    say("the whole list", format!("{} ms, {all} documents ({count} by pages)", begun.elapsed().as_millis()));
    say("memory while listing", format!("{} MB more", peak.end().saturating_sub(before) / 1_024));
    Ok(())
}

async fn add(desk: &Desk, options: &Options, file: &Path) -> Result<()> {
    let text = corpus::document(&options.folder, file)?.text;
    let peak = Peak::watch();
    for (what, text) in
        [("one more", text.as_str().to_string()), ("one changed", format!("{} And more.", text.as_str()))]
    {
        let mut times = Times::default();
        for n in 0..ADDED {
            let document = Document::new(format!("added/{n}.md"), format!("{text} {n}"));
            let begun = Times::begin();
            desk.learn_all(vec![document]).await?;
            times.end(begun);
        }
        say(what, times.shown());
    }
    let mut times = Times::default();
    for n in 0..ADDED {
        let begun = Times::begin();
        desk.knowledge.forget(desk.tenant, format!("added/{n}.md")).await?;
        times.end(begun);
    }
    say("one forgotten", times.shown());
    say("memory while adding", format!("{} MB at most", peak.end() / 1_024));
    Ok(())
}

/// As after a restart of the node, and as after its index was lost.
async fn open_again(desk: &Desk, dir: &Path, store: Arc<SqliteStore>, questions: &[String]) -> Result<()> {
    for lost in [false, true] {
        if lost {
            std::fs::remove_dir_all(dir.join("knowledge").join(desk.tenant.to_string()))?;
        }
        let (peak, begun) = (Peak::watch(), Instant::now());
        let again = Knowledge::open(dir, store.clone());
        again.search(desk.tenant, &questions[0], PASSAGES).await?;
        let what = if lost { "the first search when the index is lost" } else { "the first search after a restart" };
        say(what, format!("{} ms, {} MB at most", begun.elapsed().as_millis(), peak.end() / 1_024));
    }
    Ok(())
}

fn say(what: &str, measured: impl Display) {
    println!("| {what} | {measured} |");
}

fn say_memory(when: &str) {
    let memory = memory::now();
    say(
        &format!("memory {when}"),
        format!("{} MB, and {} MB of files mapped", memory.own / 1_024, memory.mapped / 1_024),
    );
}

/// How long each of many took: on the clock, and of the processor, in milliseconds.
#[derive(Default)]
struct Times(Vec<(f64, f64)>);

struct Begun(Instant, f64);

impl Times {
    fn begin() -> Begun {
        Begun(Instant::now(), processor_ms())
    }

    fn end(&mut self, Begun(at, before): Begun) {
        self.0.push((at.elapsed().as_secs_f64() * 1_000.0, processor_ms() - before));
    }

    fn shown(&self) -> String {
        let sorted = |pick: fn(&(f64, f64)) -> f64| {
            let mut times: Vec<f64> = self.0.iter().map(pick).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let (clock, processor) = (sorted(|time| time.0), sorted(|time| time.1));
        let at = |share: usize| (clock.len() - 1) * share / 100;
        let told = |name: &str, share| format!("{name} {:.1} ({:.1})", clock[at(share)], processor[at(share)]);
        format!("{}, {}, {} ms", told("p50", 50), told("p99", 99), told("max", 100))
    }
}

/// What this process has used of the processors.
fn processor_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1_000.0 + time.tv_nsec as f64 / 1e6
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// Of a file, or of all files in a folder.
fn size(path: &Path) -> Result<u64> {
    if path.is_file() {
        return Ok(path.metadata()?.len());
    }
    std::fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}
