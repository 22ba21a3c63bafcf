//! The port for keys: allotted once, opened as often as needed, ended for good.

use std::fmt;
use std::io;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretBox};

/// The number of a key. It is given out once and never again, also after a crash and after the key has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyNumber(pub u64);

/// Which installation keys and data belong to: both name it, so that the keys of another one are noticed before
/// anything is written under them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Installation(pub [u8; 16]);

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key of 256 bits. It is wiped from memory when it is dropped, and its `Debug` does not show it.
#[derive(Debug)]
pub struct Key(SecretBox<[u8; 32]>);

impl Key {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

/// Where keys are kept: apart from the data that they open.
///
/// The store makes the calls, in this order for each key: [`Keys::allot`], then [`Keys::open`] any number of times,
/// then [`Keys::end`] once, or again after a crash. All calls block. An adapter answers `open` from memory or from a
/// disk near by, as it may be called by a thread that serves clients; a service of keys keeps by it what it has
/// opened and not ended.
pub trait Keys: Send + Sync + 'static {
    /// Whose keys these are.
    fn installation(&self) -> Installation;

    /// New keys, durable when this returns; at least one, and `count` at most. An adapter makes many with one sync, so
    /// that a call for a few costs none most of the time. Keys that were allotted and not used when the process ended
    /// are never allotted again.
    ///
    /// # Errors
    /// [`KeysError::Io`] when they cannot be made durable.
    fn allot(&self, count: usize) -> Result<Vec<KeyNumber>, KeysError>;

    /// A key that was allotted.
    ///
    /// # Errors
    /// [`KeysError::Ended`] once it was ended: for good;
    /// [`KeysError::Unknown`] when it was never allotted here: the keys are older than the data;
    /// [`KeysError::Io`] when it cannot be read now.
    fn open(&self, id: KeyNumber) -> Result<Key, KeysError>;

    /// Destroys keys. When this returns, none of them can be opened any more, whatever happens to the machine, and
    /// [`Keys::ended`] has risen. One that has ended before is no error, and counts again.
    ///
    /// # Errors
    /// As [`Keys::open`], but never [`KeysError::Ended`]. Some of the keys may have ended: end them again.
    fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError>;

    /// How many ends there were, durable: a number that only rises. Whoever has noted it and meets a lower one later
    /// has been given older keys, in which what has ended since is open.
    fn ended(&self) -> u64;
}

/// Why keys cannot be used, in one line for the person who runs the node.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("the key has ended: what it sealed was erased")]
    Ended,
    #[error("there is no key {}: the keys are older than the data; put back the newest ones", .0.0)]
    Unknown(KeyNumber),
    #[error(
        "the keys are older than the data: {wanted} ends of keys are noted with the data and {found} with the keys, so \
         that what was erased since could be read again; put back the newest keys, or, if these are lost, a backup of \
         the data that is as old as the keys"
    )]
    Older {
        /// Ends that the keys know of.
        found: u64,
        /// Ends that were noted.
        wanted: u64,
    },
    #[error(
        "the key file {} is missing, and without it nothing that was said can be read: put it back from its own \
         backup, or say where it is with store.keys",
        .path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    #[error(
        "the key file {} is of installation {found}, and the data of {wanted}: put back the one that belongs to the \
         data",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Installation,
        /// Whose it should be.
        wanted: Installation,
    },
    #[error("the key file {} is in use by another process", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    #[error("the key file {} has format {found}, this program knows {known} at most: use a newer one", .path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format of this program.
        known: u32,
    },
    #[error("the key file {} {problem}: put it back from its own backup", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage.
        problem: &'static str,
    },
    #[error(
        "another file stands where the key file {} was when the node started: start the node again, or put it back",
        .path.display()
    )]
    Replaced {
        /// Where it was.
        path: PathBuf,
    },
    #[error("the keys cannot be used: cannot {doing} {}: {problem}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        problem: io::Error,
    },
}
