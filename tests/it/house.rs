//! Keeps the house of the design: who may import whom, in which circles nobody does, where actix
//! may be named, how long a file is.
//! Each rule is a function from files to complaints, so that a test can plant what it must catch.

mod alone;
mod circles;

use tests::source::{self, File};

use circles::circles;

/// Crate by crate, which others of the workspace it may depend on. A crate of `engine/` is named after its folder:
/// `engine-store` is in `engine/store`. Only the machine's types, ports and what has no adapter are seen by others
/// there; `tests` sees everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("engine-cluster", &["schema", "engine-store"]),
    ("engine-config", &["schema"]),
    ("engine-conversation", &["schema"]),
    ("engine-crawl", &["schema", "engine-documents", "engine-knowledge", "engine-store"]),
    ("engine-documents", &["schema", "engine-text", "engine-turns"]),
    ("engine-knowledge", &["schema", "engine-model", "engine-store", "engine-text", "engine-turns"]),
    ("engine-model", &["schema", "engine-conversation"]),
    ("engine-privacy", &["schema"]),
    ("engine-store", &["schema", "engine-privacy"]),
    ("engine-text", &[]),
    ("engine-turns", &["schema"]),
    ("engine-unanswered", &["schema", "engine-knowledge"]),
    (
        "actors",
        &["schema", "engine-conversation", "engine-knowledge", "engine-model", "engine-store", "engine-unanswered"],
    ),
    ("gateway", &["schema", "engine-*", "actors"]),
    ("loadtest", &["schema"]),
    ("tests", &["schema", "engine-*", "actors", "gateway", "loadtest"]),
    ("tests-fuzz", &["tests"]),
];
/// What tests and examples of a crate may use besides: questions are asked about files, which have to be read first.
const TESTS_MAY_IMPORT: &[(&str, &[&str])] = &[("engine-knowledge", &["engine-documents"])];

/// The pure machine, and all that its manifest may list for the machine itself.
const MACHINE: &str = "engine/conversation";
const MACHINE_MAY_IMPORT: &[&str] = &["schema", "serde", "serde_json", "siphasher"];
/// The standard library's clocks and ways out, of which the machine names none.
const OUTSIDE_WORLD: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

const FILE_LINES_MAX: usize = 500;
const CONTENTS_LINES_MAX: usize = 60;

#[test]
fn the_house_is_in_order() {
    let files = source::files().unwrap();
    let complaints: Vec<String> = [imports, machine, actix, shape, words, listings, machine_paths, lints, circles]
        .iter()
        .flat_map(|rule| rule(&files))
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Crates depend on each other in one direction only, by any kind of dependency and any name; and of a store they
/// see the port: SQLite is for what builds a node, and for tests.
fn imports(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (folder, manifest) in manifests(files) {
        let krate = package(&folder);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == krate) else {
            complaints.push(format!("{folder}: a crate without a row in the table of who may import whom"));
            continue;
        };
        let for_tests = TESTS_MAY_IMPORT.iter().find(|(name, _)| *name == krate).map_or(&[][..], |(_, names)| names);
        for Dependency { kind, name, features } in dependencies(&manifest) {
            let is_member = name == "engine" || MAY_IMPORT.iter().any(|(member, _)| *member == name);
            let is_test = kind == "dev-dependencies";
            let may = |row: &&str| *row == name || row.strip_suffix('*').is_some_and(|begin| name.starts_with(begin));
            if is_member && !allowed.iter().any(may) && !(is_test && for_tests.iter().any(may)) {
                complaints.push(format!("{folder}/Cargo.toml: {krate} must not depend on {name}"));
            }
            let builds_nodes = matches!(krate.as_str(), "gateway" | "tests");
            if name == "engine-store" && !features.is_empty() && !builds_nodes && !is_test {
                complaints
                    .push(format!("{folder}/Cargo.toml: {krate} must not see the adapter {}", features.join(", ")));
            }
        }
    }
    complaints
}

/// The machine depends on `schema` and on how data is written, and has neither clock nor I/O. Its tests may use what
/// tests use.
fn machine(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (folder, manifest) in manifests(files).into_iter().filter(|(folder, _)| folder == MACHINE) {
        for Dependency { kind, name, .. } in dependencies(&manifest) {
            if kind != "dev-dependencies" && !MACHINE_MAY_IMPORT.contains(&name.as_str()) {
                complaints.push(format!("{folder}/Cargo.toml: the machine must not depend on {name}"));
            }
        }
    }
    for file in rust(files).filter(|file| file.path.starts_with(&format!("{MACHINE}/src/"))) {
        let code = source::code(&file.text);
        for (line, path) in paths(without_tests(&file.path, &code)) {
            let within = |outside: &&str| path == **outside || path.starts_with(&format!("{outside}::"));
            // What follows `use std::{` is not looked into.
            if path == "std" || OUTSIDE_WORLD.iter().any(within) {
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

/// A list over HTTP holds a place until its client has it (`Placed`): else one address could have hundreds of pages
/// unread. The operator's may do without.
fn listings(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in rust(files).filter(|file| file.path.starts_with("gateway/src/http/")) {
        for line in file.text.lines().filter(|line| line.contains("web::Json<") && line.contains("List>")) {
            if !line.contains("Operator") {
                complaints.push(format!("{}: answer a list with its place, as `Placed`: {}", file.path, line.trim()));
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

/// A crate's package, by its folder.
fn package(folder: &str) -> String {
    folder.replace('/', "-")
}

/// One package that a manifest depends on.
struct Dependency {
    /// The table that lists it, such as `dev-dependencies`.
    kind: String,
    /// The package, whatever name it is given there.
    name: String,
    /// What is turned on besides the package's own defaults, or instead of them.
    features: Vec<String>,
}

/// All packages that a manifest depends on, for whatever purpose and platform.
fn dependencies(manifest: &toml::Table) -> Vec<Dependency> {
    let mut found = Vec::new();
    for (kind, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if kind.ends_with("dependencies") {
            found.extend(table.iter().map(|(name, value)| {
                let package = value.get("package").and_then(toml::Value::as_str);
                let listed = value.get("features").and_then(toml::Value::as_array).into_iter().flatten();
                let mut features: Vec<String> = listed.filter_map(|name| name.as_str().map(str::to_owned)).collect();
                if value.get("default-features").and_then(toml::Value::as_bool) == Some(true) {
                    features.push("default".to_owned());
                }
                Dependency { kind: kind.clone(), name: package.unwrap_or(name).to_owned(), features }
            }));
        } else if kind == "target" {
            found.extend(table.values().filter_map(toml::Value::as_table).flat_map(dependencies));
        }
    }
    found
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
            (imports, "engine/store/Cargo.toml", "[dependencies]\nschema.workspace = true", false),
            (imports, "engine/store/Cargo.toml", "[dependencies]\nactors.workspace = true", true),
            (imports, "engine/store/Cargo.toml", "[dependencies]\nengine-model.workspace = true", true),
            (imports, "engine/knowledge/Cargo.toml", "[dependencies]\nengine-store.workspace = true", false),
            (
                imports,
                "engine/knowledge/Cargo.toml",
                "[dependencies]\nengine-store = { features = [\"sqlite\"] }",
                true,
            ),
            (imports, "actors/Cargo.toml", "[dependencies]\nengine-store = { default-features = true }", true),
            (
                imports,
                "engine/knowledge/Cargo.toml",
                "[dev-dependencies]\nengine-store = { features = [\"sqlite\"] }\nengine-documents.workspace = true",
                false,
            ),
            (imports, "engine/knowledge/Cargo.toml", "[dependencies]\nengine-documents.workspace = true", true),
            (imports, "gateway/Cargo.toml", "[dependencies]\nengine-store = { features = [\"sqlite\"] }", false),
            (imports, "gateway/Cargo.toml", "[dependencies]\nengine-crawl.workspace = true", false),
            (imports, "schema/Cargo.toml", "[dev-dependencies]\nengine-text.workspace = true", true),
            (imports, "loadtest/Cargo.toml", "[dependencies]\nother = { path = \"..\", package = \"actors\" }", true),
            (imports, "actors/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ngateway.workspace = true", true),
            (imports, "actors/Cargo.toml", "[dependencies]\nengine.workspace = true", true),
            (imports, "attic/Cargo.toml", "[package]\nname = \"attic\"", true),
            (imports, "engine/attic/Cargo.toml", "[package]\nname = \"engine-attic\"", true),
            (machine, "engine/conversation/Cargo.toml", "[dependencies]\nschema.workspace = true", false),
            (machine, "engine/conversation/Cargo.toml", "[dev-dependencies]\nproptest.workspace = true", false),
            (machine, "engine/conversation/Cargo.toml", "[dependencies]\ntokio.workspace = true", true),
            (machine, "engine/conversation/Cargo.toml", "[build-dependencies]\ntokio.workspace = true", true),
            (machine, "engine/conversation/Cargo.toml", "[dependencies]\nserde = { package = \"tokio\" }", true),
            (machine, "engine/conversation/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nrustix = \"1\"", true),
            (machine, "engine/store/Cargo.toml", "[dependencies]\ntokio.workspace = true", false),
            (machine, "engine/conversation/src/a.rs", "use schema::Seq;\nuse std::fmt;\nuse super::Floor;", false),
            (machine, "engine/conversation/src/a.rs", "use std::time::Duration;", false),
            (machine, "engine/conversation/src/a.rs", "// std::fs::read\nfn f() { own::g() }", false),
            (machine, "engine/conversation/src/a.rs", "fn f() { std::fs::read(g()); }", true),
            (machine, "engine/conversation/src/a.rs", "use ::std::net::TcpStream;", true),
            (machine, "engine/conversation/src/a.rs", "use std::fs;", true),
            (machine, "engine/conversation/src/a.rs", "use std::{fmt, fs};", true),
            (machine, "engine/conversation/src/a.rs", "use std::time::Instant;", true),
            (machine, "engine/conversation/src/b/mod.rs", "fn f() { std::time::SystemTime::now(); }", true),
            (machine, "engine/conversation/src/a.rs", "#[cfg(test)]\nmod tests {\n use std::fs; }", false),
            (machine, "engine/conversation/src/tests/a.rs", "use std::fs;", false),
            (machine, "engine/store/src/log.rs", "use std::fs;", false),
            (actix, "actors/src/runtime/mod.rs", "use actix::Addr;", false),
            (actix, "actors/src/turn.rs", "use actix::Addr;", true),
            (actix, "gateway/src/main.rs", "#[actix::main]", true),
            (actix, "gateway/src/main.rs", "#[actix_web::main]", false),
            (actix, "gateway/src/socket.rs", "use actix::Actor;\nuse actix_web_actors::ws;", false),
            (actix, "actors/src/runtime/a.rs", "use actix_web_actors::ws;", true),
            (shape, "engine/store/src/a.rs", long.as_str(), false),
            (shape, "engine/store/src/a.rs", longer.as_str(), true),
            (shape, "engine/store/src/a.rs", "use std::fmt;", true),
            (shape, "engine/store/src/lib.rs", contents.as_str(), true),
            (shape, "engine/store/src/lib.rs", &contents[12..], false),
            (words, "engine/store/src/a.rs", "// unsafe\nlet unsafety = \"todo!\";", false),
            (words, "engine/store/src/a.rs", "address.do_send(Tick);", true),
            (words, "engine/store/src/a.rs", "unsafe { f() }", true),
            (words, "engine/store/src/a.rs", "todo!()", true),
            (words, "engine/store/src/a.rs", "unimplemented!(\"later\")", true),
            (listings, "gateway/src/http/a.rs", ") -> Result<web::Json<TagList>, ApiError> {", true),
            (listings, "gateway/src/http/a.rs", "async fn list(_: Operator) -> web::Json<TagList> {", false),
            (listings, "gateway/src/http/a.rs", ") -> Result<Placed<TagList>, ApiError> {", false),
            (machine_paths, "README.md", path.as_str(), true),
            (machine_paths, "README.md", within.as_str(), false),
            (lints, "engine/store/Cargo.toml", "[lints]\nworkspace = true", false),
            (lints, "engine/store/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"", true),
        ];
        for (rule, path, text, caught) in rows {
            let files = [File { path: (*path).to_owned(), text: (*text).to_owned() }];
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
