//! Turns folders of manuals into the documents and questions of the measurement.
//! Invariant: the same files give the same documents in the same order, and the same questions.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use engine_documents::Kind;
use engine_knowledge::Document;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Questions of one sort.
const QUESTIONS: usize = 200;
/// Words of a long question.
const LONG_WORDS: usize = 60;
/// A document of less text is a list of links or a page that leads to another.
const DOCUMENT_BYTES_MIN: usize = 300;
const QUESTIONS_FILE: &str = "questions.json";

/// One sort of questions, and some of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sort {
    pub(crate) name: String,
    pub(crate) questions: Vec<String>,
}

/// Turns the folders' files into Markdown under `into`, and makes questions of them. Apart from the measuring,
/// which then holds nothing but what it measures.
pub(crate) fn read(folders: &[PathBuf], into: &Path) -> Result<()> {
    let mut words = Words::default();
    let mut seen = HashSet::new();
    for folder in folders {
        for path in files(folder)? {
            let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
            let bytes = fs::read(&path)?;
            let Some(kind @ (Kind::Html | Kind::Markdown)) = Kind::of(None, &name, &bytes) else { continue };
            let Ok(page) = engine_documents::read(kind, None, &bytes) else { continue };
            // Manuals have some pages twice.
            if page.markdown.len() < DOCUMENT_BYTES_MIN || !seen.insert(Sha256::digest(&page.markdown)) {
                continue;
            }
            let package = folder.file_name().unwrap_or_default();
            let place = into.join(package).join(name).with_extension("md");
            fs::create_dir_all(place.parent().unwrap_or(into))?;
            fs::write(&place, &page.markdown)?;
            words.take(&page.markdown);
        }
    }
    fs::write(into.join(QUESTIONS_FILE), serde_json::to_vec(&words.sorts())?)?;
    println!("{} documents, {} different words", seen.len(), words.documents.len());
    Ok(())
}

/// The documents' files, mixed, and the questions.
pub(crate) fn open(folder: &Path) -> Result<(Vec<PathBuf>, Vec<Sort>)> {
    let mut found = files(folder)?;
    found.retain(|path| path.extension().is_some_and(|end| end == "md"));
    found.sort_by_cached_key(|path| {
        Sha256::digest(path.strip_prefix(folder).unwrap_or(path).as_os_str().as_encoded_bytes())
    });
    Ok((found, serde_json::from_slice(&fs::read(folder.join(QUESTIONS_FILE))?)?))
}

/// One of those files as a document.
pub(crate) fn document(folder: &Path, path: &Path) -> Result<Document> {
    let source = path.strip_prefix(folder)?.to_string_lossy().into_owned();
    Ok(Document::new(source, fs::read_to_string(path)?))
}

/// What a hostile customer teaches: many units in few bytes, whichever way passages are taken apart.
pub(crate) fn hostile(n: usize) -> Document {
    let letters = |count: usize, joint: &str| {
        (0..count).map(|at| char::from(b'a' + ((at * 7 + n) % 26) as u8).to_string()).collect::<Vec<_>>().join(joint)
    };
    let text = match n % 6 {
        0 => letters(20_000, " "),
        1 => letters(12_000, ". "),
        2 => (0..4_000).map(|at| format!("- {}", letters(1 + at % 3, " "))).collect::<Vec<_>>().join("\n"),
        3 => {
            let rows = (0..2_000).map(|at| format!("| {} | {at} |", letters(8, " | ")));
            let head = format!("| {} | n |\n|{}", letters(8, " | "), "---|".repeat(9));
            std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
        }
        4 => (0..4_000).map(|at| format!("I am {at}. It is $ {at}. Is it?")).collect::<Vec<_>>().join(" "),
        // Long names and headings, which stand above each of many pieces.
        _ => (1..=6)
            .map(|level| format!("{} {}\n\n{}", "#".repeat(level), letters(59, " "), letters(2_000, ". ")))
            .collect::<Vec<_>>()
            .join("\n\n"),
    };
    let name = if n % 6 == 5 { letters(400, " ") } else { String::new() };
    Document::new(format!("hostile/{name}{n}.md"), format!("# Which {n}?\n\n{text}"))
}

/// Questions that cost as much as a question can.
pub(crate) fn hostile_questions() -> Vec<(&'static str, String)> {
    let made = |count: usize, word: &dyn Fn(usize) -> String| (0..count).map(word).collect::<Vec<_>>().join(" ");
    let scrambled = |at: usize| {
        let mixed = at.wrapping_mul(2_654_435_761) as u32;
        (0..10).map(|n| char::from(b'a' + ((mixed >> (n * 3)) % 26) as u8)).collect::<String>()
    };
    vec![
        ("words of one letter, 4 KB", made(2_000, &|at| char::from(b'a' + (at % 26) as u8).to_string())),
        ("words that nobody knows, 4 KB", made(400, &scrambled)),
        (
            "words joined of many that nobody knows, 4 KB",
            made(64, &|at| (0..63).map(|n| char::from(b'a' + ((n * 7 + at * (n + 3)) % 26) as u8)).collect()),
        ),
        ("numbers, 4 KB", made(1_000, &|at| at.to_string())),
        (
            "Chinese, 4 KB",
            made(1_300, &|at| char::from_u32(0x4e00 + (at as u32 * 7) % 5_000).unwrap_or('x').to_string()),
        ),
        ("three questions, 4 KB", "how much is the table? when does the server start? where is the file? ".repeat(55)),
        ("one question 100 times", "what is the default value of the parameter and how do I set it? ".repeat(60)),
    ]
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            // Manuals link to one another's files: each is read once.
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// What questions are made of.
#[derive(Default)]
struct Words {
    /// In how many documents each word is.
    documents: HashMap<String, usize>,
    headings: Vec<String>,
    stories: Vec<String>,
}

impl Words {
    fn take(&mut self, text: &str) {
        let mut seen: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        seen.sort_unstable();
        seen.dedup();
        for word in seen {
            *self.documents.entry(word).or_default() += 1;
        }
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        let plain = |heading: &&str| (2..=6).contains(&heading.split(' ').count()) && heading.is_ascii();
        self.headings.extend(headings.filter(plain).take(2).map(str::to_lowercase));
        let prose: Vec<&str> =
            text.lines().filter(|line| line.len() > 120 && !line.starts_with(['|', '-', '#', '`'])).collect();
        let words: Vec<&str> =
            prose.iter().skip(prose.len() / 2).flat_map(|line| line.split_whitespace()).take(LONG_WORDS).collect();
        if words.len() == LONG_WORDS {
            self.stories.push(words.join(" "));
        }
    }

    fn sorts(&self) -> Vec<Sort> {
        let mut words: Vec<(&str, usize)> =
            self.documents.iter().map(|(word, count)| (word.as_str(), *count)).collect();
        words.retain(|(word, _)| word.len() >= 5 && word.bytes().all(|byte| byte.is_ascii_lowercase()));
        words.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
        let frequent: Vec<&str> = words.iter().take(300).map(|(word, _)| *word).collect();
        let rare: Vec<&str> = words.iter().filter(|(_, count)| *count == 1).map(|(word, _)| *word).collect();
        let pick = |from: &[&str], n: usize, step: usize| {
            from.get((n * step) % from.len().max(1)).map_or("", |word| *word).to_string()
        };
        let headings: Vec<&str> = spread(&self.headings);
        let sort = |name: &str, question: &dyn Fn(usize) -> String| Sort {
            name: name.into(),
            questions: (0..QUESTIONS).map(question).collect(),
        };
        let heading = |n: usize| pick(&headings, n, 1);
        let stories: Vec<&str> = spread(&self.stories);
        vec![
            sort("short", &|n| format!("how do i {}?", heading(n))),
            sort("of 60 words", &|n| pick(&stories, n, 1)),
            sort("of a rare word", &|n| format!("what is {}", pick(&rare, n, 101))),
            sort("of four frequent words", &|n| {
                (1..=4).map(|k| pick(&frequent, n, 37 * k)).collect::<Vec<_>>().join(" ")
            }),
            sort("of 24 frequent words", &|n| {
                (1..=24).map(|k| pick(&frequent, n + k, 11)).collect::<Vec<_>>().join(" ")
            }),
            sort("with slips", &|n| {
                format!("how do i {}?", heading(n).split(' ').map(slipped).collect::<Vec<_>>().join(" "))
            }),
            sort("of two questions", &|n| format!("how do i {}? and what does {} mean?", heading(n), heading(n + 7))),
            sort("for a number", &|n| {
                format!("how much is the {} of {}", pick(&frequent, n, 53), pick(&frequent, n, 71))
            }),
        ]
    }
}

/// As many as there are questions, from all over.
fn spread(all: &[String]) -> Vec<&str> {
    all.iter().step_by((all.len() / QUESTIONS).max(1)).map(String::as_str).collect()
}

/// Two letters in the middle of a longer word change places.
fn slipped(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() >= 5 {
        let middle = letters.len() / 2;
        letters.swap(middle, middle - 1);
    }
    letters.into_iter().collect()
}
