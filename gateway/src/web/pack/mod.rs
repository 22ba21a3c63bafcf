//! Makes of the plain files in `web/` what a node serves: one script and one sheet for each page, the
//! widget, and the client, each a script of its own.
//!
//! It reads lines, not JavaScript: what it takes of the language is little and checked, see
//! `module.rs`. The build script runs it; a debug build also does where a file has changed since.

mod graph;
mod module;
mod page;
mod style;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Hexadecimal characters of a content's hash in a name: too many to meet twice by chance.
pub(crate) const NAME_HASH_LEN: usize = 16;
/// Documents, and what their script and their sheet are called.
const PAGES: &[(&str, &str)] = &[("chat/index.html", "chat"), ("studio/index.html", "studio")];
/// Scripts that other pages load by a tag, and the modules at which they begin.
const SCRIPTS: &[(&str, &str)] = &[("widget.js", "widget/loader.js")];
/// Modules that pages of others import, each packed with all that it needs: while nodes of two versions serve
/// together, what one has made loads nothing that another has.
const CLIENT: &[&str] = &["tertulia.js", "ui/visitor.js"];
/// Folders whose modules belong to one page: they are served in its script alone.
const OF_PAGES: &[&str] = &["chat/", "studio/", "widget/"];

/// One file as it is served, by its path below `/web/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackedFile {
    /// Its lasting name. `NAME.HASH.EXT` is the same file for ever, `NAME.EXT` the newest.
    pub(crate) name: String,
    /// What is served under that name, not yet compressed.
    pub(crate) content: String,
}

impl PackedFile {
    /// What tells its content from any other: hexadecimal, [`NAME_HASH_LEN`] long.
    pub(crate) fn hash(&self) -> String {
        hash(&self.content)
    }
}

/// Why the files cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    /// A line is written in a way that the packer does not read.
    #[error("{path}:{line}: {why}")]
    Line {
        /// The file in which it was found, below `/web/`.
        path: String,
        /// The line, from 1.
        line: usize,
        /// How it is to be written.
        why: &'static str,
    },
    /// A file names one that is not there.
    #[error("{by} names {path}, which is not there")]
    Missing {
        /// The file that names it.
        by: String,
        /// The file that is not there.
        path: String,
    },
    /// Modules import each other in a circle.
    #[error("{0} imports itself, over others")]
    Circle(String),
    /// A file cannot be put into one with others.
    #[error("{path}: {why}")]
    File {
        /// The file in which it was found, below `/web/`.
        path: String,
        /// What stands against it.
        why: &'static str,
    },
}

/// Makes the site of its sources, which are named by their path below `web/`.
///
/// # Errors
/// Where a source is not written as the packer reads it.
pub(crate) fn make(sources: &BTreeMap<String, String>) -> Result<Vec<PackedFile>, PackError> {
    let mut graph = graph::Graph::read(sources)?;
    let mut made = Vec::new();
    for (document, name) in PAGES {
        made.extend(page::make(sources, &mut graph, document, name)?);
    }
    for (name, entry) in SCRIPTS {
        made.push(PackedFile { name: (*name).to_owned(), content: graph.pack(entry, graph::Kind::Script)? });
    }
    made.extend(graph.take_loaded());
    let shared = |path: &str| !OF_PAGES.iter().any(|folder| path.starts_with(folder));
    for (path, text) in sources.iter().filter(|(path, _)| shared(path)) {
        let content = match path.as_str() {
            entry if CLIENT.contains(&entry) => graph.pack(entry, graph::Kind::Module)?,
            _ => text.clone(),
        };
        made.push(PackedFile { name: path.clone(), content });
    }
    Ok(made)
}

/// The name under which a content lasts.
fn lasting(name: &str, content: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    format!("{stem}.{}.{extension}", hash(content))
}

fn hash(content: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    digest.iter().take(NAME_HASH_LEN / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
