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
        /// What the system says.
        problem: std::io::Error,
    },
    #[error("{place}: {problem}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        problem: String,
    },
    #[error("{place}: `{key}` is not a setting{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// Where.
        place: Place,
        /// What stands there: a path, or a variable's name.
        key: String,
        /// The setting that is spelled most like it.
        nearest: Option<String>,
    },
    #[error("{place}: `{key}`: {problem}")]
    BadValue {
        /// Where.
        place: Place,
        /// The setting: a path, or a variable's name.
        key: String,
        /// What was expected.
        problem: String,
    },
}

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nobody gave it: the defaults that are compiled in.
    Default {
        /// Which line, from 1.
        line: usize,
    },
    /// In a file.
    File {
        /// Which.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// In the environment.
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
