//! Reads this repository's own files, for the tests that keep house.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no source: what is built, what a node keeps, what belongs to git.
const SKIPPED: &[&str] = &["target", "data", ".git", "__pycache__", "node_modules"];

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct File {
    /// From the repository's root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// The repository's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file of the repository, by path.
///
/// # Errors
/// When a folder or a file cannot be read. A file that is not UTF-8 is no text, and left out.
pub fn files() -> std::io::Result<Vec<File>> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found)?;
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<File>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        // A link may point anywhere, also out of the repository.
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if kind.is_file() && name != ".git" {
            let bytes = fs::read(entry.path())?;
            if let Ok(text) = String::from_utf8(bytes) {
                found.push(File { path, text });
            }
        }
    }
    Ok(())
}

/// Rust source with every comment and every literal's inside blanked, so that what is left is code.
/// Lines stay where they were.
pub fn code(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let after_word = out.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_');
        let length = skipped(rest, after_word);
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (blank, after) = rest.split_at(length);
            out.extend(blank.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    out
}

/// How many bytes at the start of `rest` are a comment or a literal; 0 when it starts with code.
fn skipped(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return 1 + quoted(inside, '"');
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    if after_word {
        return 0;
    }
    // br"..", cr#"..."#, r"..": the prefix, its hashes, the text, the same hashes.
    let bare = rest.trim_start_matches(['b', 'c']);
    if let Some(raw) = bare.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if rest.len() - bare.len() <= 1 && raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = &raw[hashes + 1..];
            let inside = inside.find(&end).map_or(inside.len(), |at| at + end.len());
            return rest.len() - raw.len() + hashes + 1 + inside;
        }
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Bytes up to and with the closing quote.
fn quoted(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    inside.len()
}

/// A character literal's length; 0 for a lifetime or a label, which only begins like one.
fn character(rest: &str) -> usize {
    let inside = &rest[1..];
    let mut chars = inside.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some(_)) => 1 + quoted(inside, '\''),
        (Some(c), Some('\'')) => 1 + c.len_utf8() + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let rows = [
            ("let a = 1; // unsafe", "let a = 1;"),
            ("/* a /* b */ c */ d", "d"),
            ("say(\"a \\\" // b\") + c", "say( ) + c"),
            ("r#\"a \" b\"# + c", "+ c"),
            ("br\"a\\\" + c", "+ c"),
            ("for 'a' in '\\'' .. '\"' { x }", "for in .. { x }"),
            ("fn f<'a>(x: &'a str) { 'b: loop {} }", "fn f<'a>(x: &'a str) { 'b: loop {} }"),
            ("number\"x\" ", "number"),
        ];
        for (text, left) in rows {
            let got = code(text);
            assert_eq!(
                got.split_whitespace().collect::<Vec<_>>(),
                left.split_whitespace().collect::<Vec<_>>(),
                "{text}"
            );
        }
    }

    #[test]
    fn lines_stay_where_they_were() {
        let text = "a\n/* b\nc */\n\"d\ne\"\nf";
        assert_eq!(code(text).lines().count(), text.lines().count());
        assert_eq!(code(text).lines().last(), Some("f"));
    }

    #[test]
    fn the_repository_is_found() {
        let files = files().unwrap();
        for path in ["Cargo.toml", "tests/src/source.rs", "schema/src/lib.rs"] {
            assert!(files.iter().any(|file| file.path == path), "{path}");
        }
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }
}
