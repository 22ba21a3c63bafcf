//! What the pages of deploy/ name is there: files, headings, commands of the program and their arguments, settings,
//! figures.

use std::collections::BTreeSet;

use super::{files, text};
use tests::node::{command, fresh, run};
use tests::source::{self, File};

/// Folders of the repository that a page may name a file of.
const ROOTS: [&str; 8] = ["actors/", "deploy/", "engine/", "gateway/", "loadtest/", "schema/", "tests/", "target/"];
/// Tables of settings.
const TABLES: [&str; 9] =
    ["server.", "log.", "models.", "conversations.", "limits.", "store.", "knowledge.", "learning.", "providers."];

fn pages() -> Vec<File> {
    let mut pages = files();
    pages.retain(|file| file.path.ends_with(".md"));
    assert!(pages.len() >= 5, "there are {} pages", pages.len());
    pages
}

/// What stands between backquotes, and each line of what stands between fences.
fn code(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, part) in page.split("```").enumerate() {
        match at % 2 {
            0 => found.extend(part.split('`').skip(1).step_by(2)),
            _ => found.extend(part.lines().skip(1)),
        }
    }
    found
}

fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// What a page points to that is not there.
fn dead_links(page: &File) -> Vec<String> {
    let mut dead = Vec::new();
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let (path, heading) = link.split_once('#').unwrap_or((link, ""));
        if path.starts_with("https://") {
            continue;
        }
        let target = if path.is_empty() { page.path.clone() } else { format!("{folder}/{path}") };
        let Ok(found) = std::fs::metadata(source::root().join(&target)) else {
            dead.push(format!("{}: {link}", page.path));
            continue;
        };
        let has = |heading: &str| {
            text(&target)
                .lines()
                .any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == heading)
        };
        if !heading.is_empty() && (found.is_dir() || !has(heading)) {
            dead.push(format!("{}: {link}", page.path));
        }
    }
    dead
}

#[test]
fn every_link_and_every_file_is_there() {
    for page in pages() {
        assert_eq!(dead_links(&page), Vec::<String>::new());
        for word in code(&page.text).into_iter().flat_map(str::split_whitespace) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '/' | '_' | '-'));
            let word = word.trim_start_matches("./");
            // What a build makes is not here yet, and a name with a variable in it is none.
            if ROOTS.iter().any(|root| word.starts_with(root)) && !word.starts_with("target/") && !word.contains('$') {
                assert!(source::root().join(word).exists(), "{}: there is no {word}", page.path);
            }
        }
    }
    let planted = |text: &str| dead_links(&File { path: "deploy/x.md".to_owned(), text: text.to_owned() });
    for (text, dead) in [
        ("[a](README.md)", false),
        ("[a](../README.md#licence)", false),
        ("[a](../README.md#license)", true),
        ("[a](nowhere.md)", true),
        ("[a](systemd#x)", true),
    ] {
        assert_eq!(!planted(text).is_empty(), dead, "{text}");
    }
}

/// The program knows each command, and each of its arguments.
#[test]
fn every_command_is_one() {
    let mut asked = BTreeSet::new();
    for page in pages() {
        for line in code(&page.text) {
            let Some((_, call)) = line.rsplit_once("tertulia ").filter(|(before, _)| {
                before.is_empty() || before.ends_with([' ', '/', '(']) && !before.ends_with("systemctl ")
            }) else {
                continue;
            };
            let words: Vec<&str> = call.split([' ', ')', '|', '>', ';']).take_while(|word| !word.is_empty()).collect();
            let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let path: Vec<&str> = words.iter().take_while(is_name).take(2).copied().collect();
            if path.first().is_some_and(|first| COMMANDS.contains(first)) {
                let flags = words.iter().filter(|word| word.starts_with("--")).map(|flag| (*flag).to_owned());
                asked.insert((path.join(" "), flags.collect::<Vec<_>>()));
            }
        }
    }
    assert!(asked.len() >= 4, "{asked:?}");
    let root = fresh();
    for (path, flags) in asked {
        let help = |words: &[&str]| {
            let mut command = command(root.path(), &[]);
            command.args(words).arg("--help");
            run(command, "")
        };
        let words: Vec<&str> = path.split(' ').collect();
        // The second word may be an argument.
        let ran = Some(help(&words)).filter(|ran| ran.code == Some(0)).unwrap_or_else(|| help(&words[..1]));
        assert_eq!(ran.code, Some(0), "{path}: {ran:?}");
        for flag in flags {
            assert!(ran.out.contains(&flag), "{path} {flag}: {}", ran.out);
        }
    }
}

const COMMANDS: [&str; 10] =
    ["serve", "config", "chat", "learn", "tenant", "plan", "export", "health", "rebuild", "read-document"];

#[test]
fn every_setting_and_every_figure_is_one() {
    let defaults: toml::Table = engine_config::DEFAULT.parse().unwrap();
    let mut metrics = String::new();
    for file in source::files().unwrap() {
        if file.path.ends_with(".rs") && !file.path.starts_with("tests/") {
            metrics.push_str(&file.text);
        }
    }
    let mut found = 0;
    for page in pages() {
        for span in code(&page.text) {
            if TABLES.iter().any(|table| span.starts_with(table)) && span.split('.').all(|part| !part.is_empty()) {
                let known = |path: &str| {
                    let mut parts = path.split('.');
                    let first = parts.next().and_then(|name| defaults.get(name));
                    parts.fold(first, |table, name| table.and_then(|table| table.get(name))).is_some()
                };
                assert!(known(span), "{}: there is no setting {span}", page.path);
                found += 1;
            }
            for word in span.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')) {
                if word.starts_with("tertulia_") && word != "tertulia_keys" {
                    let name = word.trim_end_matches("_bucket");
                    assert!(metrics.contains(&format!("\"{name}\"")), "{}: there is no figure {name}", page.path);
                    found += 1;
                }
            }
        }
    }
    assert!(found > 10, "{found}");
}
