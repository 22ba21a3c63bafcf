//! What the two processes say to each other.
//! Invariant: each line tells its version, and one of another version is understood as far as that.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::listening::Use;

/// The version of what is spoken here.
const VERSION: u32 = 1;
/// No line is longer.
pub(super) const LINE_BYTES_MAX: usize = 4096;
/// Longest wait for the other one's next line; both have nothing else to do then.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Most sockets that come with a line: one for each use.
pub(super) const SOCKETS_MAX: usize = 3;

/// Where a node of a data directory is asked.
pub(super) fn socket_file(data: &Path) -> PathBuf {
    data.join("takeover.sock")
}

/// One line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub(super) enum Word {
    /// The new one is there.
    Hello,
    /// The old one's sockets come with this line, in this order.
    Sockets {
        /// What each is for.
        of: Vec<Use>,
        /// The longest that the old one drains.
        drain_ms: u64,
    },
    /// It is not to be.
    Refused {
        /// Why not.
        reason: String,
    },
    /// The new one has what it needs.
    Go,
    /// The old one does not come back from here.
    Draining,
}

/// A line that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("it speaks version {0} of this, and this program version {VERSION}")]
    Version(u32),
    #[error("it says what nobody understands")]
    Strange,
    #[error("it hung up")]
    HungUp,
    #[error("it does not answer")]
    Silent,
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent,
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::HungUp,
            _ => Self::Io(error),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    word: &'a Word,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Word {
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(&Line { version: VERSION, word: self })?;
        line.push(b'\n');
        Ok(line)
    }

    pub(super) fn read(line: &[u8]) -> Result<Self, WireError> {
        let Version { version } = serde_json::from_slice(line).map_err(|_| WireError::Strange)?;
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        serde_json::from_slice(line).map_err(|_| WireError::Strange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_another_version_is_told() {
        let sockets = Word::Sockets { of: vec![Use::Http, Use::Internal], drain_ms: 22_000 };
        for word in [Word::Hello, sockets, Word::Refused { reason: "busy".into() }, Word::Go, Word::Draining] {
            let line = word.line().unwrap();
            assert!(line.len() < LINE_BYTES_MAX && line.ends_with(b"}\n"));
            assert_eq!(Word::read(&line).unwrap(), word);
        }
        assert_eq!(Word::Go.line().unwrap(), b"{\"version\":1,\"says\":\"go\"}\n");
        assert!(matches!(Word::read(br#"{"version":2,"sings":"go"}"#), Err(WireError::Version(2))));
        for strange in ["", "go", "[1]", r#"{"says":"go"}"#, r#"{"version":1,"says":"come"}"#] {
            assert!(matches!(Word::read(strange.as_bytes()), Err(WireError::Strange)), "{strange}");
        }
    }
}
