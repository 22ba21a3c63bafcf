//! `tertulia learn`: finds documents in files and folders and has them learned, one by one.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use engine::config::Config;
use schema::limits::DOCUMENT_BYTES_MAX;
use schema::wire::DocumentIn;

use super::backend::{self, Backend};
use super::error::CliError;

/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 32;
/// What a document's name ends with, in a folder. A file that is named itself may end otherwise.
const ENDINGS: [&str; 4] = ["md", "markdown", "txt", "text"];

/// A file to learn, and its name for the assistant.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    source: String,
}

/// What was passed over, and why.
#[derive(Debug, PartialEq, Eq)]
struct Skipped {
    path: PathBuf,
    reason: &'static str,
}

#[derive(Default)]
struct Counts {
    learned: usize,
    unchanged: usize,
    passages: usize,
    skipped: usize,
    failed: usize,
}

pub(super) async fn run(config: &Config, paths: &[PathBuf]) -> Result<(), CliError> {
    let (found, skipped) = find(paths)?;
    if found.is_empty() && skipped.is_empty() {
        return Err(CliError::Failed("there is nothing to learn: no .md, .markdown or .txt file".into()));
    }
    let backend = backend::for_tenant(config).await?;
    learn(&*backend, &found, &skipped, &mut io::stdout().lock(), &mut io::stderr().lock()).await
}

async fn learn(
    backend: &dyn Backend,
    found: &[Found],
    skipped: &[Skipped],
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> Result<(), CliError> {
    let mut counts = Counts::default();
    for Skipped { path, reason } in skipped {
        counts.skipped += 1;
        writeln!(notes, "skipped {}: {reason}", path.display())?;
    }
    for Found { path, source } in found {
        let text = match read(path) {
            Ok(text) => text,
            Err(reason) => {
                counts.skipped += 1;
                writeln!(notes, "skipped {}: {reason}", path.display())?;
                continue;
            }
        };
        match backend.learn(DocumentIn { source: source.clone(), text: text.into() }).await {
            Ok(learned) => {
                counts.passages += learned.passages;
                if learned.changed {
                    counts.learned += 1;
                    writeln!(out, "learned {source}: {} passages", learned.passages)?;
                } else {
                    counts.unchanged += 1;
                }
            }
            // The node looked at this document and said no; it may take the next one.
            Err(CliError::Refused { code, message })
                if code == schema::ErrorCode::BadField || code == schema::ErrorCode::TooLarge =>
            {
                counts.failed += 1;
                writeln!(notes, "failed {source}: {message} ({code})")?;
            }
            Err(error) => return Err(error),
        }
    }
    let Counts { learned, unchanged, passages, skipped, failed } = counts;
    writeln!(
        out,
        "{learned} learned, {unchanged} known already, {skipped} skipped, {failed} failed; {passages} passages"
    )?;
    match (failed, learned + unchanged) {
        (0, 1..) => Ok(()),
        (0, 0) => Err(CliError::Failed("nothing was learned".into())),
        _ => Err(CliError::Failed(format!("{failed} documents were not learned"))),
    }
}

/// Documents in the order of their names, each once.
fn find(paths: &[PathBuf]) -> Result<(Vec<Found>, Vec<Skipped>), CliError> {
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        let failed = |problem| CliError::File { path: path.clone(), problem };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if fs::metadata(path).map_err(failed)?.is_dir() {
            search(path, &name, 0, &mut found, &mut skipped).map_err(failed)?;
        } else {
            found.push(Found { path: path.clone(), source: name });
        }
    }
    found.sort_by(|a, b| (&a.source, &a.path).cmp(&(&b.source, &b.path)));
    found.dedup();
    // Two files of one name would replace each other: the second keeps its whole path as its name.
    let mut last = String::new();
    for document in &mut found {
        if document.source == last {
            document.source = document.path.to_string_lossy().into_owned();
        } else {
            last.clone_from(&document.source);
        }
    }
    Ok((found, skipped))
}

fn search(
    folder: &Path,
    source: &str,
    depth: usize,
    found: &mut Vec<Found>,
    skipped: &mut Vec<Skipped>,
) -> io::Result<()> {
    let mut skip = |path: PathBuf, reason| skipped.push(Skipped { path, reason });
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name, kind) = (entry.path(), entry.file_name(), entry.file_type()?);
        let text = name.to_string_lossy();
        let below = if source.is_empty() { text.to_string() } else { format!("{source}/{text}") };
        if text.starts_with('.') {
            skip(path, "hidden");
        } else if kind.is_symlink() {
            skip(path, "a link");
        } else if kind.is_dir() && depth >= DEPTH_MAX {
            skip(path, "too deep");
        } else if kind.is_dir() {
            folders.push((path, below));
        } else if kind.is_file() && ending_fits(&path) {
            found.push(Found { path, source: below });
        } else {
            skip(path, "not Markdown or text");
        }
    }
    for (path, below) in folders {
        search(&path, &below, depth + 1, found, skipped)?;
    }
    Ok(())
}

fn ending_fits(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > DOCUMENT_BYTES_MAX as u64 {
        return Err(format!("larger than {} MiB", DOCUMENT_BYTES_MAX >> 20));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    if bytes.contains(&0) {
        return Err("binary".into());
    }
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    if text.trim().is_empty() { Err("empty".into()) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
