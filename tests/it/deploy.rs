//! What deploy/ says is so: of the program's settings, commands and figures, of the repository's files, and of its own
//! arithmetic. What others' tools say of its files is in `test_tools`.

mod image;
mod pages;
mod settings;
mod sizing;

use tests::source::{self, File};

pub(crate) use settings::{drain_s, refused, settings};

/// Every file of deploy/.
fn files() -> Vec<File> {
    let mut files = source::files().unwrap();
    files.retain(|file| file.path.starts_with("deploy/"));
    assert!(files.len() > 20, "deploy/ has {} files only", files.len());
    files
}

/// One file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(source::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
