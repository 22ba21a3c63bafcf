//! Holds `schema/GLOSSARY.md` against the code: every name that it gives is there, and no name has a refused word.
//! Each rule is a function from the page and the files to complaints, so that a test can plant what it must catch.

use std::collections::BTreeSet;

use tests::source::{self, File};

const PAGE: &str = "schema/GLOSSARY.md";
const PROTOCOL: &str = "schema/PROTOCOL.md";
/// Folders whose code takes its names from the glossary.
const FOLDERS: &[&str] = &["schema", "engine", "actors", "gateway"];
/// The heading of the table of refused words.
const REFUSED: &str = "Words that are not used";
/// Names that others prescribe (HTTP, providers, log levels), with a refused word in them.
const PRESCRIBED: &[&str] = &["USER_AGENT", "Role::User", "LogLevel::Info"];
/// Files whose types are named after what others have named: tables of the configuration file, a provider's stream,
/// formats of documents, the command line.
const OTHERS: &[&str] = &[
    "engine/config/src/settings.rs",
    "engine/documents/src/",
    "engine/model/src/openai.rs",
    "engine/model/src/port.rs",
    "gateway/src/cli/",
];

#[test]
fn the_glossary_and_the_code_agree() {
    let files = source::files().unwrap();
    let page = text(&files, PAGE).expect(PAGE);
    let complaints: Vec<String> = [once, places, single, refused].iter().flat_map(|rule| rule(page, &files)).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// A word has one row.
fn once(page: &str, _: &[File]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let words = rows(page).filter(|row| row.cells.len() == 4).flat_map(|row| parts(row.cells[0], " / "));
    words.filter(|word| !seen.insert(*word)).map(|word| format!("{PAGE}: `{word}` has two rows")).collect()
}

/// The last cell of a row says where its word stands: each name is there.
fn places(page: &str, files: &[File]) -> Vec<String> {
    let protocol = text(files, PROTOCOL).unwrap_or_default();
    let code = Code::of(files);
    let mut complaints = Vec::new();
    for row in rows(page).filter(|row| row.cells.len() == 4 && row.cells[3] != "–") {
        for group in parts(row.cells[3], ";") {
            let place = group.split(' ').next().unwrap_or_default();
            for name in ticked(group) {
                let found = match place {
                    "wire" => on_the_wire(protocol, name),
                    "metric" => code.literals.contains(name),
                    folder => FOLDERS.contains(&folder) && code.declares(folder, name),
                };
                if !found {
                    complaints.push(format!("{PAGE}: {}: {place} has no `{name}`", row.cells[0]));
                }
            }
        }
    }
    complaints
}

/// A type that has its row is declared in one file: nothing else has its name.
fn single(page: &str, files: &[File]) -> Vec<String> {
    let code = Code::of(files);
    let cells = rows(page).filter(|row| row.cells.len() == 4).map(|row| row.cells[3]);
    let names: BTreeSet<&str> = cells.flat_map(ticked).filter_map(|name| name.split("::").next()).collect();
    let mut complaints = Vec::new();
    for name in names {
        let ours = code.types.iter().filter(|(path, _)| !OTHERS.iter().any(|others| path.starts_with(others)));
        let places: Vec<&str> = ours.filter(|(_, found)| found == name).map(|(path, _)| path.as_str()).collect();
        if places.len() > 1 {
            complaints.push(format!("`{name}` is a word of {PAGE} and names several types: {}", places.join(", ")));
        }
    }
    complaints
}

/// No declared name has a refused word as one of its parts.
fn refused(page: &str, files: &[File]) -> Vec<String> {
    let table = rows(page).filter(|row| row.section == REFUSED && !row.cells[0].starts_with('"'));
    let refused: BTreeSet<&str> = table.flat_map(|row| parts(row.cells[0], ",")).collect();
    let code = Code::of(files);
    let names = code.declared.iter().filter(|(_, _, name)| !PRESCRIBED.contains(&name.as_str()));
    let mut complaints = Vec::new();
    for (_, path, name) in names {
        if let Some(word) = words_of(name).into_iter().find(|word| refused.contains(word.as_str())) {
            complaints.push(format!("{path}: `{name}` has the word `{word}`, see {PAGE}"));
        }
    }
    complaints
}

/// A row of a table, without the row of headings and the line under it.
struct Row<'a> {
    section: &'a str,
    cells: Vec<&'a str>,
}

fn rows(page: &str) -> impl Iterator<Item = Row<'_>> {
    let mut section = "";
    let mut inside = false;
    page.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        match cells {
            Some(cells) if inside => Some(Row { section, cells: cells.split(" | ").collect() }),
            _ => {
                inside = line.starts_with("|---");
                None
            }
        }
    })
}

fn parts<'a>(text: &'a str, between: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(between).map(str::trim)
}

/// What stands between back-ticks.
fn ticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn text<'a>(files: &'a [File], path: &str) -> Option<&'a str> {
    files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
}

/// Whether the protocol's page names this field, type or value, in a sentence or an example.
fn on_the_wire(protocol: &str, name: &str) -> bool {
    let spellings = [format!("`{name}`"), format!("\"{name}\""), format!(".{name}`")];
    spellings.iter().any(|spelling| protocol.contains(spelling.as_str()))
}

/// What the code declares, with its folder and file, and its metrics' names.
struct Code {
    declared: Vec<(String, String, String)>,
    /// Types outside of functions: file and name.
    types: Vec<(String, String)>,
    literals: BTreeSet<String>,
}

impl Code {
    fn of(files: &[File]) -> Self {
        let mut code = Self { declared: Vec::new(), types: Vec::new(), literals: BTreeSet::new() };
        for file in files.iter().filter(|file| file.path.ends_with(".rs") && file.path.contains("/src/")) {
            let folder = file.path.split('/').next().unwrap_or_default();
            if !FOLDERS.contains(&folder) || file.path.contains("test") {
                continue;
            }
            let plain = source::code(&file.text);
            let plain = plain.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for name in declarations(plain) {
                code.declared.push((folder.to_owned(), file.path.clone(), name));
            }
            code.types.extend(types(plain).map(|name| (file.path.clone(), name.to_owned())));
            let quoted = file.text.split('"').filter(|text| text.starts_with("tertulia_"));
            code.literals.extend(quoted.map(str::to_owned));
        }
        code
    }

    fn declares(&self, folder: &str, name: &str) -> bool {
        self.declared.iter().any(|(within, _, declared)| within == folder && declared == name)
    }
}

/// Names of types, functions, constants and modules, and `Enum::Variant`. What a macro is told to declare counts
/// by its form: `Name, "…"` and `NAME = …` at the beginning of a line.
fn declarations(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut holder: Option<String> = None;
    for line in code.lines() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let mut pairs = words.iter().zip(words.iter().skip(1)).filter(|(_, name)| !name.is_empty());
        if let Some((kind, name)) = pairs.find(|(kind, _)| KINDS.contains(kind)) {
            names.push((*name).to_owned());
            if indent == 0 {
                holder = (*kind == "enum").then(|| (*name).to_owned());
            }
            continue;
        }
        let first = words.iter().find(|word| !word.is_empty()).copied().unwrap_or_default();
        let starts_upper = first.chars().next().is_some_and(char::is_uppercase) && line.trim_start().starts_with(first);
        if indent == 4 && starts_upper {
            names.push(holder.as_ref().map_or_else(|| first.to_owned(), |holder| format!("{holder}::{first}")));
        }
        if line == "}" {
            holder = None;
        }
    }
    names
}

/// Names of structs, enums and traits outside of functions.
fn types(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
        words.find(|word| ["struct", "enum", "trait"].contains(word))?;
        words.next()
    })
}

const KINDS: &[&str] = &["struct", "enum", "trait", "type", "fn", "const", "static", "mod"];

/// `CamelCase`, `snake_case` and `CAPITALS` as small words; of `Enum::Variant` the variant's.
fn words_of(name: &str) -> Vec<String> {
    let name = name.rsplit("::").next().unwrap_or_default();
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut().filter(|_| c != '_') {
            last.extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

mod tests_of_the_rules {
    use super::*;

    /// Each row: a rule, the page's rows, a file of code, and whether the rule must complain.
    #[test]
    fn a_planted_disagreement_is_caught() {
        type Rule = fn(&str, &[File]) -> Vec<String>;
        let head = "## Words\n\n| word | meaning | not | where |\n|---|---|---|---|\n";
        let gone = format!("## {REFUSED}\n\n| not | say |\n|---|---|\n| bot, util | assistant |\n");
        let rows: &[(Rule, &str, &str, bool)] = &[
            (once, "| a | b | c | – |\n| d | b | c | – |", "", false),
            (once, "| a | b | c | – |\n| d / a | b | c | – |", "", true),
            (places, "| a | b | c | schema `Seq` |", "pub type Seq = u64;", false),
            (places, "| a | b | c | schema `Seq` |", "// pub type Seq = u64;", true),
            (places, "| a | b | c | engine `Seq` |", "pub type Seq = u64;", true),
            (places, "| a | b | c | attic `Seq` |", "pub type Seq = u64;", true),
            (places, "| a | b | c | schema `Fact::Said` |", "pub enum Fact {\n    Said {\n    },\n}", false),
            (places, "| a | b | c | schema `Fact::Told` |", "pub enum Fact {\n    Said,\n}\nstruct Told;", true),
            (places, "| a | b | c | schema `TenantId` |", "id!(\n    TenantId, \"ten_\"\n);", false),
            (places, "| a | b | c | wire `seq`, `quotas` |", "", false),
            (places, "| a | b | c | schema `Seq`; wire `sequel` |", "type Seq = u64;", true),
            (places, "| a | b | c | metric `tertulia_turns` |", "const TURNS: &str = \"tertulia_turns\";", false),
            (places, "| a | b | c | metric `tertulia_turns` |", "const TURNS: &str = \"tertulia_turn\";", true),
            (single, "| a | b | c | schema `Seq`, `Fact::Said` |", "struct Seq;\nenum Fact {\n    Said,\n}", false),
            (single, "| a | b | c | schema `Seq` |", "struct Seq;\nmod b {\n    struct Seq;\n}", false),
            (single, "| a | b | c | schema `Seq` |", "struct Seq;\npub(crate) enum Seq {}", true),
            (refused, gone.as_str(), "struct Robot;\nfn bottom() {}", false),
            (refused, gone.as_str(), "struct ChatBot;", true),
            (refused, gone.as_str(), "mod util;", true),
            (refused, gone.as_str(), "enum Author {\n    Bot,\n}", true),
        ];
        for (rule, page, code, caught) in rows {
            let page = if page.starts_with("## ") { (*page).to_owned() } else { format!("{head}{page}\n") };
            let files = [
                File { path: "schema/src/a.rs".to_owned(), text: (*code).to_owned() },
                File { path: PROTOCOL.to_owned(), text: "`seq` {\"quotas\":1}".to_owned() },
            ];
            let complaints = rule(&page, &files);
            assert_eq!(!complaints.is_empty(), *caught, "{page}\n{code}\n{complaints:?}");
        }
    }
}
