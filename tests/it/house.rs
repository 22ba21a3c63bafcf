//! Keeps the house of the design: who may import whom, where actix may be named, how long a file is.
//! Each rule is a function from files to complaints, so that a test can plant what it must catch.

use tests::source::{self, File};

/// Crate by crate, which others of the workspace it may depend on. `tests` sees everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("engine", &["schema"]),
    ("actors", &["schema", "engine"]),
    ("gateway", &["schema", "engine", "actors"]),
    ("loadtest", &["schema"]),
    ("tests", &["schema", "engine", "actors", "gateway", "loadtest"]),
    ("tests/fuzz", &["tests"]),
];

/// The pure machine, and what it may name besides itself.
const MACHINE: &str = "engine/src/conversation/";
const MACHINE_MAY_IMPORT: &[&str] = &["schema", "std", "core", "alloc"];

const FILE_LINES_MAX: usize = 500;
const CONTENTS_LINES_MAX: usize = 60;

#[test]
fn the_house_is_in_order() {
    let files = source::files().unwrap();
    let complaints: Vec<String> =
        [imports, machine, actix, shape, words, machine_paths, lints].iter().flat_map(|rule| rule(&files)).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Crates depend on each other in one direction only, by any kind of dependency and any name.
fn imports(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (krate, manifest) in manifests(files) {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == krate) else {
            complaints.push(format!("{krate}: a crate without a row in the table of who may import whom"));
            continue;
        };
        for name in dependencies(&manifest) {
            if MAY_IMPORT.iter().any(|(member, _)| *member == name) && !allowed.contains(&name.as_str()) {
                complaints.push(format!("{krate}/Cargo.toml: {krate} must not depend on {name}"));
            }
        }
    }
    complaints
}

/// The machine names `schema`, the standard library and itself. Its tests may use what tests use.
fn machine(files: &[File]) -> Vec<String> {
    let engine = manifests(files).into_iter().find(|(krate, _)| krate == "engine");
    let known = engine.map(|(_, manifest)| dependencies(&manifest)).unwrap_or_default();
    let mut complaints = Vec::new();
    for file in rust(files).filter(|file| file.path.starts_with(MACHINE)) {
        let code = source::code(&file.text);
        let code = without_tests(&file.path, &code);
        // How many `super::` lead to the machine's own root.
        let inside = file.path[MACHINE.len()..].trim_end_matches("mod.rs").trim_end_matches(".rs");
        let depth = inside.split('/').filter(|part| !part.is_empty()).count();
        for (line, path) in paths(code) {
            let parts: Vec<&str> = path.split("::").collect();
            let supers = parts.iter().take_while(|part| **part == "super").count();
            let outside = match parts[0] {
                "crate" => parts.get(1) != Some(&"conversation"),
                "super" => supers > depth,
                root if MACHINE_MAY_IMPORT.contains(&root) => false,
                root => known.iter().any(|name| name.replace('-', "_") == root),
            };
            if outside {
                complaints.push(format!("{}:{line}: the machine must not name {path}", file.path));
            }
        }
    }
    complaints
}

/// `actix` is named in the actors' runtime and beside `actix_web_actors`, which has one file in the gateway.
fn actix(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    let named: Vec<(&File, usize, String)> = rust(files)
        .flat_map(|file| paths(&source::code(&file.text)).into_iter().map(move |(line, path)| (file, line, path)))
        .collect();
    let root = |path: &str| path.split("::").next().unwrap_or_default().to_owned();
    let mut rooms: Vec<&str> =
        named.iter().filter(|row| root(&row.2) == "actix_web_actors").map(|row| row.0.path.as_str()).collect();
    rooms.dedup();
    for room in &rooms {
        if !room.starts_with("gateway/src/") {
            complaints.push(format!("{room}: actix_web_actors belongs in one file of gateway"));
        }
    }
    if rooms.len() > 1 {
        complaints.push(format!("{}: actix_web_actors is named in more than one file", rooms.join(", ")));
    }
    for (file, line, path) in &named {
        let runtime = file.path.starts_with("actors/src/runtime/") || file.path == "actors/src/runtime.rs";
        if root(path) == "actix" && !runtime && !rooms.contains(&file.path.as_str()) {
            complaints.push(format!("{}:{line}: {path} outside actors/src/runtime", file.path));
        }
    }
    complaints
}

/// A file says what it is first, and stays short; a contents page stays a page.
fn shape(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in rust(files) {
        let lines = file.text.lines().count();
        let contents = file.path.ends_with("/src/lib.rs");
        let most = if contents { CONTENTS_LINES_MAX - 1 } else { FILE_LINES_MAX };
        if lines > most {
            complaints.push(format!("{}: {lines} lines, at most {most}", file.path));
        }
        if !file.text.starts_with("//! ") {
            complaints.push(format!("{}: does not open with a //! sentence", file.path));
        }
    }
    complaints
}

/// Words that have no place in the code. `unsafe` is also forbidden by a lint, which a crate could drop.
fn words(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in rust(files) {
        for (at, line) in source::code(&file.text).lines().enumerate() {
            let mut parts = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '!'));
            if let Some(word) = parts.find(|part| matches!(*part, "do_send" | "unsafe" | "todo!" | "unimplemented!")) {
                complaints.push(format!("{}:{}: {word}", file.path, at + 1));
            }
        }
    }
    complaints
}

/// Paths of the machine a file was written on help nobody else.
fn machine_paths(files: &[File]) -> Vec<String> {
    // In two pieces, so that this file does not complain about itself.
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut complaints = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            // Not within a longer path or address, such as https://host/work/.
            let named = folders.iter().find(|folder| {
                line.match_indices(**folder).any(|(start, _)| {
                    let before = line[..start].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '}' | ')'))
                })
            });
            if let Some(folder) = named {
                complaints.push(format!("{}:{}: names {folder}", file.path, at + 1));
            }
        }
    }
    complaints
}

/// Every crate takes the workspace's lints, or they mean nothing.
fn lints(files: &[File]) -> Vec<String> {
    manifests(files)
        .into_iter()
        // What is a workspace of its own has nobody to inherit from; it says itself what is forbidden.
        .filter(|(_, manifest)| !manifest.contains_key("workspace"))
        .filter(|(_, manifest)| manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) != Some(true))
        .map(|(krate, _)| format!("{krate}/Cargo.toml: does not inherit the workspace's lints"))
        .collect()
}

fn rust(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.path.ends_with(".rs"))
}

/// The crates' own manifests, by folder: the workspace's has no package.
fn manifests(files: &[File]) -> Vec<(String, toml::Table)> {
    let crates = files.iter().filter_map(|file| Some((file.path.strip_suffix("/Cargo.toml")?, file)));
    crates.map(|(krate, file)| (krate.to_owned(), file.text.parse().expect(krate))).collect()
}

/// Names of all packages that a manifest depends on, for whatever purpose and platform.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            let package = |value: &toml::Value| value.get("package")?.as_str().map(str::to_owned);
            names.extend(table.iter().map(|(name, value)| package(value).unwrap_or_else(|| name.clone())));
        } else if key == "target" {
            names.extend(table.values().filter_map(toml::Value::as_table).flat_map(dependencies));
        }
    }
    names
}

/// The code before a file's tests, which by habit come last. A file of tests has none.
fn without_tests<'a>(path: &str, code: &'a str) -> &'a str {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return "";
    }
    // The attribute alone may stand before any item; before a module with a body it begins the tests.
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or(code)
}

/// Every path in the code that has a root, with its line: `use a::{b, c::d}` counts as `a`, and
/// `use a;` and `extern crate a;` count too.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let bytes = code.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut at = 0;
    let mut line = 1;
    let mut previous = "";
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            line += usize::from(bytes[at] == b'\n');
            at += 1;
            continue;
        }
        let start = at;
        let rooted = !code[..start].trim_end().ends_with("::") || code[..start].trim_end().ends_with(" ::");
        // Take the words that follow directly, each after `::`.
        while at < bytes.len() && (is_word(bytes[at]) || code[at..].starts_with("::")) {
            at += if is_word(bytes[at]) { 1 } else { 2 };
        }
        let path = code[start..at].trim_end_matches("::");
        let bare_import = matches!(previous, "use" | "crate") && !path.contains("::");
        if rooted && (code[start..at].contains("::") || bare_import) && !bytes[start].is_ascii_digit() {
            found.push((line, path.to_owned()));
        }
        previous = &code[start..at];
    }
    found
}

#[cfg(test)]
mod tests_of_the_rules {
    use super::*;

    /// Each row: a rule, a file, and whether the rule must complain about it.
    #[test]
    fn a_planted_violation_is_caught() {
        type Rule = fn(&[File]) -> Vec<String>;
        let long = "//! It is long.\n".repeat(FILE_LINES_MAX);
        let longer = format!("{long}\n");
        let contents = "//! A page.\n".repeat(CONTENTS_LINES_MAX);
        let path = format!("{}x", concat!("/wo", "rk/"));
        let within = format!("https://example.org{path}");
        let rows: &[(Rule, &str, &str, bool)] = &[
            (imports, "engine/Cargo.toml", "[dependencies]\nschema.workspace = true", false),
            (imports, "engine/Cargo.toml", "[dependencies]\nactors.workspace = true", true),
            (imports, "schema/Cargo.toml", "[dev-dependencies]\nengine.workspace = true", true),
            (imports, "loadtest/Cargo.toml", "[dependencies]\nother = { path = \"..\", package = \"engine\" }", true),
            (imports, "actors/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ngateway.workspace = true", true),
            (imports, "attic/Cargo.toml", "[package]\nname = \"attic\"", true),
            (machine, "engine/src/conversation/a.rs", "use schema::Seq;\nuse std::fmt;\nuse super::Floor;", false),
            (machine, "engine/src/conversation/a.rs", "use crate::conversation::Floor;", false),
            (machine, "engine/src/conversation/a.rs", "// tokio::spawn\nfn f() { own::g() }", false),
            (machine, "engine/src/conversation/a.rs", "fn f() { tokio::spawn(g()); }", true),
            (machine, "engine/src/conversation/a.rs", "use ::tokio::spawn;", true),
            (machine, "engine/src/conversation/a.rs", "use tokio;", true),
            (machine, "engine/src/conversation/a.rs", "use sse_core as sse;", true),
            (machine, "engine/src/conversation/a.rs", "use crate::store::Store;", true),
            (machine, "engine/src/conversation/a.rs", "use crate::{store::Store};", true),
            (machine, "engine/src/conversation/a.rs", "use super::super::store::Store;", true),
            (machine, "engine/src/conversation/mod.rs", "use super::store::Store;", true),
            (machine, "engine/src/conversation/b/mod.rs", "use super::Floor;", false),
            (machine, "engine/src/conversation/a.rs", "#[cfg(test)]\nmod tests {\n use tokio::test; }", false),
            (machine, "engine/src/conversation/tests.rs", "use tokio::test;", false),
            (machine, "engine/src/store/mod.rs", "use tokio::spawn;", false),
            (actix, "actors/src/runtime/mod.rs", "use actix::Addr;", false),
            (actix, "actors/src/turn.rs", "use actix::Addr;", true),
            (actix, "gateway/src/main.rs", "#[actix::main]", true),
            (actix, "gateway/src/main.rs", "#[actix_web::main]", false),
            (actix, "gateway/src/socket.rs", "use actix::Actor;\nuse actix_web_actors::ws;", false),
            (actix, "actors/src/runtime/a.rs", "use actix_web_actors::ws;", true),
            (shape, "engine/src/a.rs", long.as_str(), false),
            (shape, "engine/src/a.rs", longer.as_str(), true),
            (shape, "engine/src/a.rs", "use std::fmt;", true),
            (shape, "engine/src/lib.rs", contents.as_str(), true),
            (shape, "engine/src/lib.rs", &contents[12..], false),
            (words, "engine/src/a.rs", "// unsafe\nlet unsafety = \"todo!\";", false),
            (words, "engine/src/a.rs", "address.do_send(Tick);", true),
            (words, "engine/src/a.rs", "unsafe { f() }", true),
            (words, "engine/src/a.rs", "todo!()", true),
            (words, "engine/src/a.rs", "unimplemented!(\"later\")", true),
            (machine_paths, "README.md", path.as_str(), true),
            (machine_paths, "README.md", within.as_str(), false),
            (lints, "engine/Cargo.toml", "[lints]\nworkspace = true", false),
            (lints, "engine/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"", true),
        ];
        let engine = "[dependencies]\ntokio.workspace = true\nsse-core = \"1\"\n[lints]\nworkspace = true";
        for (rule, path, text, caught) in rows {
            let mut files = vec![File { path: (*path).to_owned(), text: (*text).to_owned() }];
            if *path != "engine/Cargo.toml" {
                files.push(File { path: "engine/Cargo.toml".to_owned(), text: engine.to_owned() });
            }
            let complaints = rule(&files);
            assert_eq!(!complaints.is_empty(), *caught, "{path}: {text:.80}: {complaints:?}");
        }
    }

    #[test]
    fn a_second_room_for_the_socket_actor_is_caught() {
        let room = |path: &str| File { path: path.to_owned(), text: "use actix_web_actors::ws;".to_owned() };
        assert!(actix(&[room("gateway/src/socket.rs")]).is_empty());
        assert!(!actix(&[room("gateway/src/socket.rs"), room("gateway/src/voice.rs")]).is_empty());
    }
}
