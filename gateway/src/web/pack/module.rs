//! One ES module, line by line. What is read: `import { a, b as c } from './x.js';` and
//! `import text from './x.css' with { type: 'text' };` on one line, `export` before a function, class or
//! constant or with a list of names, and comments that have their lines to themselves.

use super::PackError;

/// A module as its lines.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) path: String,
    pub(super) lines: Vec<Line>,
}

/// What a line is to a packer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A comment or nothing.
    Comment(String),
    /// Names from another module.
    Import { names: Vec<Name>, from: String },
    /// The text of a file under a name.
    Text { name: String, from: String },
    /// A declaration that others may import.
    Export { name: String, declaration: String },
    /// Names declared elsewhere that others may import.
    Exports(Vec<String>),
    /// Anything else. `loads` are the modules of which it asks the address.
    Code { text: String, loads: Vec<Load> },
}

/// A name of another module, and what it is called here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) there: String,
    pub(super) here: String,
}

/// A module that is loaded later, or a picture, by its address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// The call as it stands in the code.
    pub(super) call: String,
    pub(super) path: String,
}

const RESOLVE: &str = "import.meta.resolve('";

impl Module {
    pub(super) fn read(path: &str, text: &str) -> Result<Self, PackError> {
        let mut lines = Vec::new();
        let mut in_comment = false;
        for (at, line) in text.lines().enumerate() {
            let wrong = |why| PackError::Line { path: path.to_owned(), line: at + 1, why };
            let bare = line.trim();
            if in_comment || bare.starts_with("/*") {
                in_comment = !bare.contains("*/");
                if !in_comment && !bare.ends_with("*/") {
                    return Err(wrong("a comment has its lines to itself"));
                }
                lines.push(Line::Comment(line.to_owned()));
            } else if bare.is_empty() || bare.starts_with("//") {
                lines.push(Line::Comment(line.to_owned()));
            } else if let Some(rest) = line.strip_prefix("import ") {
                let wrong = || wrong("write `import { a, b as c } from './x.js';`, on one line");
                lines.push(import(path, rest).ok_or_else(wrong)?);
            } else if let Some(rest) = line.strip_prefix("export ") {
                let wrong = || wrong("export a function, a class, a constant or a list of names, on one line");
                lines.push(export(rest).ok_or_else(wrong)?);
            } else if line.contains("/web/") {
                return Err(wrong(
                    "a file's address is `import.meta.resolve('./x.svg')`: its name changes with its content",
                ));
            } else if bare.matches('`').count() % 2 == 1 {
                // Its lines could look like comments, and their indentation is part of it.
                return Err(wrong(
                    "a text of several lines has a file of its own; elsewhere `\\x60` stands for a backtick",
                ));
            } else {
                let loads = loads(path, line).ok_or_else(|| wrong("write `import.meta.resolve('./x.js')`"))?;
                lines.push(Line::Code { text: line.to_owned(), loads });
            }
        }
        Ok(Self { path: path.to_owned(), lines })
    }

    /// The modules that it imports, in their order.
    pub(super) fn imports(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match line {
            Line::Import { from, .. } => Some(from.as_str()),
            _ => None,
        })
    }

    /// The names that others may import.
    pub(super) fn exports(&self) -> Vec<&str> {
        let names = self.lines.iter().flat_map(|line| match line {
            Line::Export { name, .. } => std::slice::from_ref(name),
            Line::Exports(names) => names,
            _ => &[],
        });
        names.map(String::as_str).collect()
    }
}

fn import(path: &str, rest: &str) -> Option<Line> {
    let (what, from) = rest.split_once(" from '")?;
    let (specifier, end) = from.split_once('\'')?;
    let from = resolve(path, specifier)?;
    match end {
        ";" => {
            let names = what.strip_prefix("{ ")?.strip_suffix(" }")?.split(", ").map(|name| {
                let (there, here) = name.split_once(" as ").unwrap_or((name, name));
                (is_name(there) && is_name(here)).then(|| Name { there: there.to_owned(), here: here.to_owned() })
            });
            Some(Line::Import { names: names.collect::<Option<_>>()?, from })
        }
        " with { type: 'text' };" => is_name(what).then(|| Line::Text { name: what.to_owned(), from }),
        _ => None,
    }
}

fn export(rest: &str) -> Option<Line> {
    if let Some(list) = rest.strip_prefix("{ ") {
        let names = list.strip_suffix(" };")?.split(", ").map(|name| is_name(name).then(|| name.to_owned()));
        return Some(Line::Exports(names.collect::<Option<_>>()?));
    }
    let plain = rest.strip_prefix("async ").unwrap_or(rest);
    // What may be set again could not be passed on by value.
    let named = ["function* ", "function ", "class ", "const "].iter().find_map(|word| plain.strip_prefix(word))?;
    let name: String = named.chars().take_while(|c| is_part_of_name(*c)).collect();
    is_name(&name).then(|| Line::Export { name, declaration: rest.to_owned() })
}

fn loads(path: &str, line: &str) -> Option<Vec<Load>> {
    let calls = line.match_indices(RESOLVE).map(|(at, _)| {
        let (specifier, _) = line[at + RESOLVE.len()..].split_once("')")?;
        Some(Load { call: format!("{RESOLVE}{specifier}')"), path: resolve(path, specifier)? })
    });
    calls.collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_part_of_name) && !text.starts_with(|c: char| c.is_ascii_digit())
}

const fn is_part_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$')
}

/// The path that a specifier means in a file: `./` and `../` are all there is.
fn resolve(from: &str, specifier: &str) -> Option<String> {
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    let mut rest = specifier.strip_prefix("./").unwrap_or(specifier);
    while let Some(up) = rest.strip_prefix("../") {
        folders.pop()?;
        rest = up;
    }
    let inside = specifier.starts_with('.') && !rest.is_empty() && !rest.split('/').any(|part| part.starts_with('.'));
    folders.push(rest);
    inside.then(|| folders.join("/"))
}
