//! The files in `web/`, as they lie in their folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{fs, io};

/// What is served; pictures and notes for readers of the repository are not.
const EXTENSIONS: &[&str] = &["html", "css", "js", "ts", "svg"];

/// All files that are served, by their path below the folder.
///
/// # Errors
/// Where the folder cannot be read, or a file is no text.
pub(crate) fn read(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut sources = BTreeMap::new();
    for path in files(folder)? {
        let below = path.strip_prefix(folder).unwrap_or(&path);
        let name: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        sources.insert(name.join("/"), fs::read_to_string(&path)?);
    }
    Ok(sources)
}

/// When one of them was last changed, in nanoseconds since 1970.
///
/// # Errors
/// Where the folder cannot be read.
pub(crate) fn newest(folder: &Path) -> io::Result<u128> {
    let mut newest = 0;
    for path in files(folder)? {
        let changed = fs::metadata(path)?.modified()?;
        newest = newest.max(changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()));
    }
    Ok(newest)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|one| extension == *one)) {
                found.push(path);
            }
        }
    }
    Ok(found)
}
