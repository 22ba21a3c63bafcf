//! What can be wrong with a configuration. Invariant: each error prints as one line.

use std::fmt;
use std::path::PathBuf;

/// Why a configuration is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read: {problem}", path.display())]
    Unreadable {
        /// The file that was named.
        path: PathBuf,
        /// The operating system's words.
        problem: std::io::Error,
    },
    #[error("{place}: {problem}")]
    Syntax {
        /// The file and line.
        place: Place,
        /// The parser's words.
        problem: String,
    },
    #[error("{place}: `{key}` is not a setting{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// The file and line, or the environment.
        place: Place,
        /// The key as it was written: a path, or a variable's name.
        key: String,
        /// The setting that is spelled most like it.
        nearest: Option<String>,
    },
    #[error("{place}: `{key}`: {problem}")]
    BadValue {
        /// The file and line, or the environment.
        place: Place,
        /// The setting: a path, or a variable's name.
        key: String,
        /// What was expected and what was found.
        problem: String,
    },
}

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the default file that is compiled in.
    Default {
        /// The line in the default file, from 1.
        line: usize,
    },
    /// In the operator's file.
    File {
        /// The file's path as it was given.
        path: PathBuf,
        /// The line in the file, from 1.
        line: usize,
    },
    /// In a variable of the environment.
    Environment,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default { line } => write!(f, "default settings, line {line}"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment => f.write_str("environment"),
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
}
