//! Documents in files and folders.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use engine_documents::Kind;
use schema::limits::FILE_BYTES_MAX;

use super::CliError;

/// What is said of pipes, sockets and devices.
const NO_FILE: &str = "it is neither a file nor a folder";
/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 32;

/// A file to learn, and its name for the assistant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) source: String,
}

/// What was passed over, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) path: PathBuf,
    pub(super) reason: &'static str,
}

/// What there is to do.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) found: Vec<Found>,
    pub(super) skipped: Vec<Skipped>,
    /// Names of the folders that were searched whole: what they do not hold any more is forgotten.
    pub(super) folders: Vec<String>,
}

/// Documents in the order of their names, each once.
pub(super) fn find(paths: &[&PathBuf]) -> Result<Work, CliError> {
    let mut work = Work::default();
    for path in paths {
        let failed = |problem| CliError::File { path: (*path).clone(), problem };
        let kind = fs::metadata(path).map_err(failed)?.file_type();
        if kind.is_dir() {
            let name = folder_name(path).map_err(failed)?;
            search(path, &name, 0, &mut work).map_err(failed)?;
            if !name.is_empty() {
                work.folders.push(name);
            }
        } else if !kind.is_file() {
            // A pipe may have nothing in it for ever, a device has no end.
            return Err(failed(io::Error::other(NO_FILE)));
        } else {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            work.found.push(Found { path: (*path).clone(), source: name });
        }
    }
    let found = &mut work.found;
    found.sort_by(|a, b| (&a.source, &a.path).cmp(&(&b.source, &b.path)));
    found.dedup();
    // Two files of one name would replace each other: the second keeps its whole path as its name.
    let mut last = String::new();
    for document in found {
        if document.source == last {
            document.source = document.path.to_string_lossy().into_owned();
        } else {
            last.clone_from(&document.source);
        }
    }
    Ok(work)
}

/// A file's bytes, if they are not too many.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut options = fs::OpenOptions::new();
    options.read(true);
    // It may have become a pipe since it was found: opening that would wait for somebody to write into it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path).map_err(|error| error.to_string())?;
    if !file.metadata().map_err(|error| error.to_string())?.is_file() {
        return Err(NO_FILE.to_owned());
    }
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    Ok(bytes)
}

/// What a folder is called, also when it is given as `.`.
fn folder_name(path: &Path) -> io::Result<String> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    match name(path) {
        Some(name) => Ok(name),
        None => Ok(name(&fs::canonicalize(path)?).unwrap_or_default()),
    }
}

fn search(folder: &Path, source: &str, depth: usize, work: &mut Work) -> io::Result<()> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name, kind) = (entry.path(), entry.file_name(), entry.file_type()?);
        let text = name.to_string_lossy();
        let below = if source.is_empty() { text.to_string() } else { format!("{source}/{text}") };
        let mut skip = |path: PathBuf, reason| work.skipped.push(Skipped { path, reason });
        if text.starts_with('.') {
            skip(path, "hidden");
        } else if kind.is_symlink() {
            skip(path, "a link");
        } else if kind.is_dir() && depth >= DEPTH_MAX {
            skip(path, "too deep");
        } else if kind.is_dir() {
            folders.push((path, below));
        } else if kind.is_file() && Kind::of_name(&text).is_some() {
            work.found.push(Found { path, source: below });
        } else {
            skip(path, "none of Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB and CSV");
        }
    }
    for (path, below) in folders {
        search(&path, &below, depth + 1, work)?;
    }
    Ok(())
}
