//! Folders of a crate do not import each other in circles: whoever reads one of them need not have read the other.
//!
//! A folder, or a file at a crate's top, is a room; below the top only folders are. A room imports another when any
//! of its files names it, by whatever path: `crate::`, `super::`, in full or in a group, or by a name that a third
//! module passes on. Code of tests does not count.

use std::collections::{BTreeMap, BTreeSet};

use tests::source::{self, File};

use super::{rust, without_tests};

/// A module's path from its crate's root.
type Module = Vec<String>;

/// One room imports another: for the first time here.
type Imports = BTreeMap<(Module, Module), String>;

/// What is known of one crate's modules.
struct Crate<'a> {
    files: Vec<(Module, &'a File, String)>,
    modules: BTreeSet<Module>,
    /// Modules that have others in them.
    folders: BTreeSet<Module>,
    /// Names that a module has from elsewhere, and the paths behind them.
    passed_on: BTreeMap<(Module, String), Vec<String>>,
}

/// Complains of every circle.
pub(super) fn circles(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for manifest in files.iter().filter_map(|file| file.path.strip_suffix("Cargo.toml")) {
        if manifest.is_empty() {
            continue;
        }
        let source = format!("{manifest}src/");
        let imports = Crate::read(files, &source).imports();
        for circle in knots(&imports) {
            let names: Vec<String> = circle.iter().map(|room| room.join("/")).collect();
            let within = |(from, to): &(Module, Module)| circle.contains(from) && circle.contains(to);
            let places: Vec<String> = imports
                .iter()
                .filter(|(pair, _)| within(pair))
                .map(|((from, to), place)| format!("\n    {} → {}: {place}", from.join("/"), to.join("/")))
                .collect();
            complaints.push(format!(
                "{source}: {} import each other in a circle:{}",
                names.join(", "),
                places.concat()
            ));
        }
    }
    complaints
}

impl<'a> Crate<'a> {
    fn read(files: &'a [File], source: &str) -> Self {
        let mut own: Vec<(Module, &File, String)> = Vec::new();
        let mut of_tests: BTreeSet<Module> = BTreeSet::new();
        for file in rust(files) {
            let Some(within) = file.path.strip_prefix(source) else { continue };
            // A program beside the library is a crate of its own.
            if within.starts_with("bin/") || within.ends_with("tests.rs") {
                continue;
            }
            let mut module: Module = within.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
                module.pop();
            }
            let code = source::code(&file.text);
            for name in test_modules(&code) {
                of_tests.insert(child(&module, &name));
            }
            own.push((module, file, without_tests(&file.path, &code).to_owned()));
        }
        own.retain(|(module, ..)| !of_tests.iter().any(|test| module.starts_with(test)));
        let mut modules: BTreeSet<Module> = BTreeSet::new();
        let mut folders: BTreeSet<Module> = BTreeSet::new();
        for (module, ..) in &own {
            for depth in 0..=module.len() {
                modules.insert(module[..depth].to_vec());
                if depth < module.len() {
                    folders.insert(module[..depth].to_vec());
                }
            }
        }
        let mut this = Self { files: own, modules, folders, passed_on: BTreeMap::new() };
        for (module, _, code) in &this.files {
            for (_, path, name) in uses(code) {
                this.passed_on.insert((module.clone(), name), path);
            }
        }
        this
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (module, file, code) in &self.files {
            let named = rooted(code).into_iter().chain(uses(code).into_iter().map(|(line, path, _)| (line, path)));
            for (line, path) in named {
                for met in self.met(module, &path, 0) {
                    if let Some(pair) = self.rooms(module, &met) {
                        let place = || format!("{}:{line} names {}", file.path, path.join("::"));
                        imports.entry(pair).or_insert_with(place);
                    }
                }
            }
        }
        imports
    }

    /// The modules that a path leads to or through, also where a name on it was passed on.
    fn met(&self, from: &Module, path: &[String], depth: usize) -> Vec<Module> {
        // Names may be passed on in a circle too.
        const DEPTH_MAX: usize = 8;
        let mut rest = path;
        let mut at = match rest.first().map(String::as_str) {
            Some("crate") => Module::new(),
            Some("self" | "super") => from.clone(),
            Some(name) if self.modules.contains(&child(from, name)) => from.clone(),
            _ => return Vec::new(),
        };
        while let Some(first @ ("crate" | "self" | "super")) = rest.first().map(String::as_str) {
            if first == "super" {
                at.pop();
            }
            rest = &rest[1..];
        }
        let mut met = Vec::new();
        while let Some((name, after)) = rest.split_first() {
            let inner = child(&at, name);
            if self.modules.contains(&inner) {
                at = inner;
                rest = after;
                continue;
            }
            if let Some(passed_on) = self.passed_on.get(&(at.clone(), name.clone()))
                && depth < DEPTH_MAX
            {
                let whole: Vec<String> = passed_on.iter().chain(after).cloned().collect();
                met.extend(self.met(&at, &whole, depth + 1));
            }
            break;
        }
        met.push(at);
        met
    }

    /// The two rooms in which importer and imported part ways, if both are rooms.
    fn rooms(&self, from: &Module, to: &Module) -> Option<(Module, Module)> {
        let same = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        let (one, other) = (from.get(..=same)?.to_vec(), to.get(..=same)?.to_vec());
        let are_rooms = same == 0 || (self.folders.contains(&one) && self.folders.contains(&other));
        are_rooms.then_some((one, other))
    }
}

/// Sets of rooms each of which leads to every other.
fn knots(imports: &Imports) -> Vec<BTreeSet<Module>> {
    let reached = |start: &Module| {
        let mut seen: BTreeSet<&Module> = BTreeSet::new();
        let mut todo = vec![start];
        while let Some(room) = todo.pop() {
            let next = imports.keys().filter(|(from, _)| from == room).map(|(_, to)| to);
            todo.extend(next.filter(|to| seen.insert(*to)));
        }
        seen.into_iter().cloned().collect::<BTreeSet<Module>>()
    };
    let reaches: BTreeMap<&Module, BTreeSet<Module>> = imports.keys().map(|(from, _)| (from, reached(from))).collect();
    let knots = reaches.iter().filter(|(room, reached)| reached.contains(**room)).map(|(room, reached)| {
        let back = |other: &&Module| reaches.get(other).is_some_and(|reached| reached.contains(*room));
        reached.iter().filter(back).cloned().collect::<BTreeSet<Module>>()
    });
    knots.collect::<BTreeSet<_>>().into_iter().collect()
}

fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// Modules that are there for tests alone.
fn test_modules(code: &str) -> Vec<String> {
    let after = code.split("#[cfg(test)]").skip(1);
    let declared = after.filter_map(|rest| {
        let (head, _) = rest.split_once(';')?;
        let (before, name) = head.rsplit_once("mod ")?;
        let bare = before.trim().trim_start_matches("pub").trim();
        (bare.is_empty() || bare.starts_with('(') || bare.starts_with('#')).then(|| name.trim().to_owned())
    });
    declared.filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')).collect()
}

/// Every `use` by line: the path of each name that it brings, and the name.
fn uses(code: &str) -> Vec<(usize, Vec<String>, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let begins = code[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || matches!(c, ';' | '{' | '}'));
        let Some((tree, _)) = code[at + 4..].split_once(';').filter(|_| begins) else { continue };
        let line = line_of(code, at);
        let mut leaves = Vec::new();
        leaves_of(&[], tree, &mut leaves);
        found.extend(leaves.into_iter().map(|(path, name)| (line, path, name)));
    }
    found
}

fn leaves_of(before: &[String], tree: &str, leaves: &mut Vec<(Vec<String>, String)>) {
    let tree = tree.trim().trim_start_matches("::");
    let (path, group) = match tree.split_once('{') {
        Some((path, group)) => (path, Some(group.rsplit_once('}').map_or(group, |(group, _)| group))),
        None => (tree, None),
    };
    let (path, renamed) = path.split_once(" as ").map_or((path, None), |(path, name)| (path, Some(name.trim())));
    let words = path.split("::").map(str::trim).filter(|word| !word.is_empty() && *word != "*");
    let mut whole: Vec<String> = before.iter().cloned().chain(words.map(str::to_owned)).collect();
    if let Some(group) = group {
        let mut depth = 0usize;
        let split = group.split(|c: char| {
            depth = if c == '{' { depth + 1 } else { depth.saturating_sub(usize::from(c == '}')) };
            c == ',' && depth == 0
        });
        split.filter(|part| !part.trim().is_empty()).for_each(|part| leaves_of(&whole, part, leaves));
        return;
    }
    // `a::{self}` brings `a`.
    if whole.len() > 1 && whole.last().is_some_and(|last| last == "self") {
        whole.pop();
    }
    if let Some(last) = whole.last().cloned() {
        leaves.push((whole, renamed.map_or(last, str::to_owned)));
    }
}

/// Every path in the code that begins at a root of its crate's, by line.
fn rooted(code: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let length = code[at..].find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':'))).unwrap_or(0);
            let path = code[at..at + length].split("::").filter(|word| !word.is_empty()).map(str::to_owned).collect();
            found.push((line_of(code, at), path));
        }
    }
    found
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests_of_the_rule {
    use super::*;

    fn complaints(planted: &[(&str, &str)]) -> Vec<String> {
        let manifest = File { path: "house/Cargo.toml".to_owned(), text: String::new() };
        let files =
            planted.iter().map(|(path, text)| File { path: format!("house/src/{path}"), text: (*text).to_owned() });
        circles(&[manifest].into_iter().chain(files).collect::<Vec<_>>())
    }

    /// Each row: files of a crate, and whether there is a circle among its rooms.
    #[test]
    fn a_planted_circle_is_caught() {
        let rows: &[(&[(&str, &str)], bool)] = &[
            (&[("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")], false),
            (&[("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")], true),
            (&[("a.rs", "use crate::{b::B, c};"), ("b.rs", "use super::a::A;")], true),
            (&[("a.rs", "use crate::{c, b::{B, D}};"), ("b.rs", "fn f() { crate::a::g() }")], true),
            (&[("a.rs", "// use crate::b::B;"), ("b.rs", "use crate::a::A;")], false),
            // Over a third.
            (&[("a.rs", "use crate::b;"), ("b.rs", "use crate::c;"), ("c.rs", "use crate::a;")], true),
            (&[("a.rs", "use crate::b;"), ("b.rs", "use crate::c;"), ("c.rs", "use crate::d;"), ("d.rs", "")], false),
            // Folders are one room, whichever of their files import.
            (&[("a/x.rs", "use crate::b::B;"), ("a/y.rs", ""), ("b/z.rs", "use crate::a::y::Y;")], true),
            (&[("a/x.rs", "use super::super::b::B;"), ("b/mod.rs", "use super::a::x::X;")], true),
            (&[("a/mod.rs", "use crate::b::B;"), ("a.rs", ""), ("b/z.rs", "use crate::c;"), ("c.rs", "")], false),
            // Files within one folder may know each other; folders within it may not.
            (&[("a/x.rs", "use super::y::Y;"), ("a/y.rs", "use super::x::X;")], false),
            (&[("a/x/m.rs", "use crate::a::y::Y;"), ("a/y/n.rs", "use super::super::x::X;")], true),
            (&[("a/x/m.rs", "use super::super::y::Y;"), ("a/y.rs", "use super::x::X;")], false),
            // A name that another passes on is imported from where it is.
            (
                &[
                    ("lib.rs", "mod a;\nmod b;\npub use b::{B, C as D};"),
                    ("a.rs", "use crate::D;"),
                    ("b.rs", "use crate::a::A;"),
                ],
                true,
            ),
            (&[("c/mod.rs", "pub use crate::b::B;"), ("a.rs", "use crate::c::B;"), ("b.rs", "use crate::a::A;")], true),
            // What tests need is no circle.
            (&[("a.rs", "#[cfg(test)]\nmod tests {\n use crate::b::B; }"), ("b.rs", "use crate::a::A;")], false),
            (&[("a/tests.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")], false),
            (
                &[
                    ("a/mod.rs", "#[cfg(test)]\npub(crate) mod testing;"),
                    ("a/testing.rs", "use crate::b::B;"),
                    ("b.rs", "use crate::a::A;"),
                ],
                false,
            ),
            // Another crate's module of the same name is nobody of ours.
            (&[("a.rs", "use other::b::B;"), ("b.rs", "use crate::a::A;")], false),
            // The page of contents names everything.
            (&[("lib.rs", "mod a;\npub use a::A;\nfn f() { crate::a::g() }"), ("a.rs", "")], false),
        ];
        for (planted, caught) in rows {
            let complaints = complaints(planted);
            assert_eq!(!complaints.is_empty(), *caught, "{planted:?}: {complaints:?}");
        }
    }

    #[test]
    fn a_complaint_says_who_and_where() {
        let complaints = complaints(&[
            ("a/x.rs", "\n\nuse crate::b::B;"),
            ("b.rs", "use crate::a::x::X;"),
            ("c.rs", "use crate::a;"),
        ]);
        assert_eq!(complaints.len(), 1);
        for part in ["house/src/: a, b import", "a → b: house/src/a/x.rs:3 names crate::b", "b → a: house/src/b.rs:1"]
        {
            assert!(complaints[0].contains(part), "{part} in {}", complaints[0]);
        }
    }
}
