//! How often is the built-in answerer right, wrong or silent? Learns each site of a set, asks every
//! question as a customer would, and judges replies by what must stand in them and what must not.
//! `tests/retrieval/run` calls it with the project's sets and prints what the README says.
//!
//! `answers [--misses] [--only KIND] [--show] FOLDER…`, where a folder holds `site.json`, `questions.jsonl` and
//! `pages/`. The columns: a passage that suffices is among the five found; the reply is right; wrong
//! (it states something, and not what is right); unsure (it says so, and shows what comes closest: with the
//! right one among it, or not); silent (it says that it does not know). Where the
//! pages say nothing, right is to say so.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine_documents::Kind;
use engine_knowledge::{Builtin, Document, Knowledge, Query, Weights};
use engine_model::{Chunk, Model, Prompt, PromptLine, Role};
use engine_store::memory::MemoryStore;
use futures_util::StreamExt;
use schema::{Passage, TenantId, Timestamp};
use serde::Deserialize;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PASSAGES: usize = 5;
/// How every refusal begins, in the languages that the answerer speaks.
const REFUSALS: &[&str] = &[
    "I don't know",
    "No lo sé",
    "Je ne sais pas",
    "Ich weiß es nicht",
    "Non lo so",
    "Não sei",
    "Dat weet ik niet",
    "Nie wiem",
    "Я не знаю",
    "لا أعرف",
    "我不知道",
    "わかりません",
    "確かなことはわかりません",
    "모르겠습니다",
    "확실한 답은 모르겠습니다",
    "Jag vet inte",
    "Det ved jeg ikke",
    "Jeg vet ikke",
    "Bilmiyorum",
    "Kesin olarak bilmiyorum",
];

/// How what comes closest is introduced: these are refusals, too.
const UNSURE: &[&str] = &[
    "I don't know for certain",
    "No lo sé con seguridad",
    "Je ne sais pas avec certitude",
    "Ich weiß es nicht sicher",
    "Non lo so con certezza",
    "Não sei ao certo",
    "Dat weet ik niet zeker",
    "Nie wiem tego na pewno",
    "Я не знаю точно",
    "لا أعرف ذلك على وجه اليقين",
    "我不知道确切的答案",
    "確かなことはわかりません",
    "확실한 답은 모르겠습니다",
    "Jag vet inte säkert",
    "Det ved jeg ikke med sikkerhed",
    "Jeg vet ikke sikkert",
    "Kesin olarak bilmiyorum",
];

#[derive(Deserialize)]
struct Question {
    id: String,
    kind: String,
    #[serde(default)]
    before: Vec<String>,
    ask: String,
    /// Groups of spellings; of each group one must stand in the reply.
    #[serde(default)]
    right: Vec<Vec<String>>,
    /// What only a wrong reply says.
    #[serde(default)]
    wrong: Vec<String>,
    /// Texts which a passage that suffices has, all of them.
    #[serde(default)]
    passage: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Judgement {
    Right,
    Wrong,
    /// It says that it is not sure, and shows what is right among what comes closest.
    Shown,
    /// It says that it is not sure, and what it shows is not what was asked.
    Unsure,
    Silent,
}

#[derive(Default)]
struct Marks {
    asked: usize,
    answerable: usize,
    found: usize,
    right: usize,
    wrong: usize,
    shown: usize,
    unsure: usize,
    silent: usize,
}

impl Marks {
    fn add(&mut self, found: bool, answerable: bool, outcome: Judgement) {
        self.asked += 1;
        self.answerable += usize::from(answerable);
        self.found += usize::from(found && answerable);
        match outcome {
            Judgement::Right => self.right += 1,
            Judgement::Wrong => self.wrong += 1,
            Judgement::Shown => self.shown += 1,
            Judgement::Unsure => self.unsure += 1,
            Judgement::Silent => self.silent += 1,
        }
    }

    fn row(&self, name: &str) -> String {
        let Self { asked, answerable, found, right, wrong, shown, unsure, silent } = self;
        format!("| {name} | {asked} | {found} of {answerable} | {right} | {wrong} | {shown} | {unsure} | {silent} |")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let (mut misses, mut show, mut only) = (false, false, None);
    let mut dump: Option<String> = None;
    let mut weighed_of = PASSAGES;
    let mut dumped = Vec::new();
    let mut names: Vec<&'static str> = Vec::new();
    let mut folders = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--misses" => misses = true,
            "--show" => show = true,
            "--only" => only = arguments.next(),
            "--dump" => dump = arguments.next(),
            "--of" => weighed_of = arguments.next().ok_or("--of needs a number")?.parse()?,
            folder => folders.push(PathBuf::from(folder)),
        }
    }
    let mut by_site: Vec<(String, Marks)> = Vec::new();
    let mut by_kind: BTreeMap<String, Marks> = BTreeMap::new();
    let (mut answerable, mut rest) = (Marks::default(), Marks::default());
    for folder in &folders {
        let name = folder.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>();
        let name = name.into_iter().rev().collect::<Vec<_>>().join("/");
        let mut marks = Marks::default();
        let site = Site::learn(&folder.join("pages")).await?;
        for line in std::fs::read_to_string(folder.join("questions.jsonl"))?.lines().filter(|line| !line.is_empty()) {
            let question: Question = serde_json::from_str(line)?;
            if dump.is_some() {
                let query = Query { question: question.ask.clone(), before: question.before.clone() };
                let found = site.knowledge.find(site.tenant, query, 30, Weights::USED).await?;
                let ranked: Vec<_> = found
                    .iter()
                    .map(|f| (&f.passage.source, &f.passage.heading, &f.passage.text, f.score, f.coverage))
                    .collect();
                let raw: serde_json::Value = serde_json::from_str(line)?;
                let prompt = site.prompt(&question, weighed_of).await?;
                let weighed: Vec<_> = engine_knowledge::weigh(&prompt)
                    .into_iter()
                    .map(|one| {
                        let judged = question.judge(&format!("{}: {}", one.place, one.text)) == Judgement::Right;
                        (
                            one.part,
                            judged,
                            one.features.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
                            one.text,
                            one.n,
                            one.absent,
                        )
                    })
                    .collect();
                if names.is_empty() {
                    names = engine_knowledge::weigh(&prompt)
                        .first()
                        .map(|one| one.features.iter().map(|(name, _)| *name).collect())
                        .unwrap_or_default();
                }
                dumped.push(serde_json::json!({"site": name, "question": raw, "ranked": ranked, "weighed": weighed}));
            }
            if only.as_ref().is_some_and(|only| *only != question.kind && *only != question.id) {
                continue;
            }
            let (passages, reply) = site.ask(&question).await?;
            let found = question.is_found(&passages);
            let outcome = question.judge(&reply);
            let is_answerable = !question.right.is_empty();
            for marks in [
                &mut marks,
                by_kind.entry(question.kind.clone()).or_default(),
                if is_answerable { &mut answerable } else { &mut rest },
            ] {
                marks.add(found, is_answerable, outcome);
            }
            if show || (misses && (outcome != Judgement::Right || (is_answerable && !found))) {
                question.tell(&name, found, outcome, &reply, &passages);
            }
        }
        by_site.push((name, marks));
    }
    if let Some(file) = dump {
        let mut sites = BTreeMap::new();
        for folder in &folders {
            let name =
                folder.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>();
            let name = name.into_iter().rev().collect::<Vec<_>>().join("/");
            let passages: Vec<Passage> =
                read_folder(&folder.join("pages"))?.iter().flat_map(Document::passages).collect();
            sites.insert(name, passages);
        }
        std::fs::write(
            file,
            serde_json::to_vec(&serde_json::json!({"sites": sites, "features": names, "questions": dumped}))?,
        )?;
    }
    println!(
        "| | questions | passage found | right | wrong | unsure, right one shown | unsure, others shown | silent |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    by_site.iter().for_each(|(name, marks)| println!("{}", marks.row(name)));
    by_kind.iter().for_each(|(name, marks)| println!("{}", marks.row(name)));
    println!("{}", answerable.row("answerable"));
    println!("{}", rest.row("not answerable"));
    Ok(())
}

impl Question {
    fn is_found(&self, passages: &[Passage]) -> bool {
        let has = |text: &str, words: &String| plain(text).contains(&plain(words));
        // Two questions are answered from two places.
        let anywhere = passages.iter().map(|passage| format!("{} {}", passage.heading, passage.text.as_str()));
        let anywhere = anywhere.collect::<Vec<_>>().join("\n");
        if self.kind == "two" && self.passage.iter().all(|words| has(&anywhere, words)) {
            return true;
        }
        passages.iter().any(|passage| {
            let text = format!("{} {}", passage.heading, passage.text.as_str());
            self.passage.iter().all(|words| has(&text, words))
        })
    }

    fn judge(&self, reply: &str) -> Judgement {
        let reply = plain(reply);
        let begins = |phrases: &[&str]| phrases.iter().any(|phrase| reply.starts_with(&plain(phrase)));
        let is_unsure = begins(UNSURE);
        let is_silent = is_unsure || begins(REFUSALS);
        if self.right.is_empty() {
            // A quotation answers a question that was not asked, or that the pages do not answer.
            let quotes = reply.contains("[1]") || (2..=PASSAGES).any(|n| reply.contains(&format!("[{n}]")));
            return match self.kind.as_str() {
                "unknown" if is_unsure => Judgement::Unsure,
                "unknown" if is_silent => Judgement::Right,
                "unknown" => Judgement::Wrong,
                "person" | "complaint" if !is_silent => Judgement::Right,
                _ if is_unsure => Judgement::Unsure,
                _ if is_silent => Judgement::Silent,
                _ if quotes => Judgement::Wrong,
                _ => Judgement::Right,
            };
        }
        let has = |words: &String| reply.contains(&plain(words));
        let is_right = self.right.iter().all(|group| group.iter().any(has)) && !self.wrong.iter().any(has);
        let is_shown = self.right.iter().all(|group| group.iter().any(has));
        match (is_silent, is_right) {
            (true, _) if is_unsure && is_shown => Judgement::Shown,
            (true, _) if is_unsure => Judgement::Unsure,
            (true, _) => Judgement::Silent,
            (false, true) => Judgement::Right,
            (false, false) => Judgement::Wrong,
        }
    }

    fn tell(&self, site: &str, found: bool, outcome: Judgement, reply: &str, passages: &[Passage]) {
        let outcome = match outcome {
            Judgement::Right => "right",
            Judgement::Wrong => "WRONG",
            Judgement::Shown => "shown",
            Judgement::Unsure => "unsure",
            Judgement::Silent => "silent",
        };
        let found = if found || self.right.is_empty() { "" } else { " NOT FOUND" };
        let before = if self.before.is_empty() { String::new() } else { format!("{} … ", self.before.join(" … ")) };
        println!("{outcome}{found} {site} {} {}: {before}{}", self.id, self.kind, self.ask);
        println!("    said: {}", reply.split_whitespace().collect::<Vec<_>>().join(" "));
        if !self.right.is_empty() {
            let right = self.right.iter().map(|group| group.join(" / ")).collect::<Vec<_>>().join(" + ");
            println!("    right: {right}; passage: {}", self.passage.join(" + "));
        }
        for passage in passages {
            println!("    [{}] {}: {}", passage.n, passage.source, passage.heading);
        }
    }
}

/// Without what markup and typography add.
fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace(['’', '‘'], "'").replace('\u{a0}', " ").replace(['*', '|', '\\', '`'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Site {
    knowledge: Knowledge,
    tenant: TenantId,
    _data: tempfile::TempDir,
}

impl Site {
    async fn learn(pages: &Path) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let knowledge = Knowledge::open(data.path(), Arc::new(MemoryStore::default()));
        let tenant = TenantId::generate();
        knowledge.learn(tenant, read_folder(pages)?, Timestamp::from_millis(0)).await?;
        Ok(Self { knowledge, tenant, _data: data })
    }

    /// The prompt that a node would make of the question, after what was said before it.
    async fn prompt(&self, question: &Question, limit: usize) -> Result<Prompt> {
        let query = Query { question: question.ask.clone(), before: question.before.clone() };
        let found = self.knowledge.find(self.tenant, query, limit, Weights::USED).await?;
        Ok(Prompt {
            system: "".into(),
            lines: vec![PromptLine { role: Role::User, text: question.ask.as_str().into() }],
            question: question.ask.as_str().into(),
            before: question.before.iter().map(|said| said.as_str().into()).collect(),
            locale: None,
            passages: found.into_iter().map(|found| found.passage).collect(),
            max_output_tokens: 1024,
        })
    }

    /// The passages found for the question, and the reply.
    async fn ask(&self, question: &Question) -> Result<(Vec<Passage>, String)> {
        let prompt = self.prompt(question, PASSAGES).await?;
        let passages = prompt.passages.clone();
        Ok((passages, reply(prompt).await))
    }
}

async fn reply(prompt: Prompt) -> String {
    let pieces = Builtin.ask(Arc::new(prompt)).filter_map(|chunk| async {
        match chunk {
            Ok(Chunk::Text(piece)) => Some(piece),
            _ => None,
        }
    });
    pieces.collect().await
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
