//! The data directory: one process at a time, its format version, and the node's secrets.
//! Invariant: secrets are made once, and a directory that has lost them or its database is refused, not begun
//! anew; nothing in it is for anybody but its owner.

mod cluster;
mod rights;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use engine_privacy::{FileKeys, KeysError};
use secrecy::{ExposeSecret, SecretBox, SecretString};

use crate::private_file::{private, read_line, sync_dir, write_line, write_new};
use crate::secret::{self, Key};

pub use cluster::ClusterDir;

/// The format of the directory that this program writes, and the newest it reads.
pub const FORMAT: u32 = 1;

const LOCK_FILE: &str = "lock";
const VERSION_FILE: &str = "VERSION";
const SECRET_FILE: &str = "secret.key";
const ADMIN_FILE: &str = "admin.key";
const DEMO_FILE: &str = "demo.key";
const STORE_FILE: &str = "tertulia.db";
/// Where the keys of texts are, unless the operator has another place for them.
const KEYS_FOLDER: &str = "keys";
const KEYS_FILE: &str = "conversations.keys";
/// What the knowledge keeps beside the store; it can be made anew from it.
const INDEX_FOLDER: &str = "knowledge";
/// Says that the store was open: from then on it is never empty.
const OPENED_FILE: &str = "opened";
/// Names the keyspace of a node whose store is a cluster.
const CLUSTER_FILE: &str = "cluster";

/// An open data directory. While it lives no other process can open it.
pub struct DataDir {
    path: PathBuf,
    secret: Key,
    admin_key: SecretString,
    // Held for its lock, which the system gives back when the process ends, however it ends.
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error(
        "data directory {}: another process is using it; commands find a running node by the same configuration: \
         give them its --config and environment",
        .path.display()
    )]
    InUse { path: PathBuf },
    #[error(
        "data directory {}: there is none; name the node's with --config or TERTULIA_DATA, or start a new node there \
         with `tertulia serve`",
        .path.display()
    )]
    None { path: PathBuf },
    #[error("data directory {}: cannot {doing}: {problem}", .path.display())]
    Io { path: PathBuf, doing: &'static str, problem: io::Error },
    #[error(
        "data directory {}: it has format {found}, and this program reads up to {FORMAT}; use a newer program",
        .path.display()
    )]
    TooNew { path: PathBuf, found: u32 },
    #[error(
        "data directory {}: nothing is stored in it, and the keys of another installation are at {}: is its volume \
         mounted? Mount it, or put the data back; to begin afresh, with new keys and without what was said, move the \
         key file away",
        .path.display(), .keys.display()
    )]
    Bare { path: PathBuf, keys: PathBuf },
    #[error(
        "data directory {}: its node keeps everything in a cluster, in the keyspace {keyspace}: set TERTULIA_STORE to \
         it, or name another directory",
        .path.display()
    )]
    OfCluster { path: PathBuf, keyspace: String },
    #[error(
        "data directory {}: its node keeps everything in it, and nothing of that is brought over to a cluster: name \
         another directory",
        .path.display()
    )]
    OfItsOwn { path: PathBuf },
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("data directory {}: {file} {problem}", .path.display())]
    Damaged { path: PathBuf, file: &'static str, problem: &'static str },
}

impl DataDir {
    /// One that a node has made.
    ///
    /// # Errors
    /// [`DataDirError::None`], or as [`DataDir::open`].
    pub fn existing(path: &Path) -> Result<Self, DataDirError> {
        see_one(path)?;
        Self::open(path)
    }

    /// Opens the directory as [`DataDir::open`] does, unless there are keys without the data that they open: then
    /// nothing is touched. `keys` is the folder that the operator chose for them.
    ///
    /// # Errors
    /// [`DataDirError::Bare`], or as [`DataDir::open`].
    pub fn open_beside(path: &Path, keys: Option<&Path>) -> Result<Self, DataDirError> {
        let file = keys_file(path, keys);
        // A store whose keys were given out is not empty: it names them before it is given any.
        let has_store = fs::metadata(path.join(STORE_FILE)).is_ok_and(|store| store.len() > 0);
        if !has_store && !was_used(path) && FileKeys::is_used(&file)? {
            let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
            return Err(DataDirError::Bare { path: absolute(path), keys: absolute(&file) });
        }
        Self::open(path)
    }

    /// Opens the directory, makes it if there is none, and holds its lock. Blocks for a few disk
    /// writes the first time.
    ///
    /// # Errors
    /// One line for people: in use, not writable, too new, or damaged.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |doing| move |problem| DataDirError::Io { path: path.into(), doing, problem };
        rights::for_the_owner();
        create_dir(path).map_err(failed("create it"))?;
        let lock = lock(path)?;
        rights::tighten(path).map_err(failed("keep others out of it"))?;
        cluster::refuse(path)?;
        let format = read_version(path)?;
        let secret_file = path.join(SECRET_FILE);
        let known = secret_file.try_exists().map_err(failed("read its secret.key"))?;
        if format.is_some() && !known {
            let problem = "is missing: put it back from a backup, for no key or token is valid without it";
            return Err(DataDirError::Damaged { path: path.into(), file: SECRET_FILE, problem });
        }
        keep_store(path, known, format.is_some())?;
        if !known {
            secret::random_key()
                .and_then(|secret| write_new(&secret_file, secret.expose_secret()))
                .map_err(failed("write its secret.key"))?;
        }
        let secret = read_secret(path)?;
        let admin_file = path.join(ADMIN_FILE);
        let admin_key = match read_line(&admin_file).map_err(failed("read its admin.key"))? {
            Some(key) => key,
            None => {
                let made = secret::generate_api_key();
                made.and_then(|key| write_line(&admin_file, &key).map(|()| key))
                    .map_err(failed("write its admin.key"))?
            }
        };
        // Last, so that a directory with a version has all its secrets.
        if format.is_none() {
            let version = format!("{FORMAT}\n");
            write_new(&path.join(VERSION_FILE), version.as_bytes()).map_err(failed("write its VERSION"))?;
        }
        Ok(Self { path: path.into(), secret, admin_key, _lock: lock })
    }

    /// Whether this program could open a directory that another process may hold: it has a format that the program
    /// knows, and a store of its own.
    ///
    /// # Errors
    /// As [`DataDir::open`].
    pub fn see(path: &Path) -> Result<(), DataDirError> {
        cluster::refuse(path)?;
        read_version(path).map(drop)
    }

    /// The directory's path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the embedded store has its file.
    #[must_use]
    pub fn store_file(&self) -> PathBuf {
        store_file(&self.path)
    }

    /// Where the keys are under which texts are sealed: in the folder that the operator chose, or in one of ours. The
    /// file is closed to others there, too.
    #[must_use]
    pub fn keys_file(&self, chosen: Option<&Path>) -> PathBuf {
        let file = keys_file(&self.path, chosen);
        // Inside of the directory all of them are closed already.
        if chosen.is_some()
            && let Err(error) = rights::tighten_keys(&file)
        {
            tracing::warn!(path = %file.display(), %error, "the keys stay open to others");
        }
        file
    }

    /// The store was opened: an empty file in its place is a loss from now on.
    ///
    /// # Errors
    /// When that cannot be noted.
    pub fn store_is_open(&self) -> Result<(), DataDirError> {
        let file = self.path.join(OPENED_FILE);
        let note = || if file.try_exists()? { Ok(()) } else { write_new(&file, b"") };
        note().map_err(|problem| DataDirError::Io {
            path: self.path.clone(),
            doing: "note that its store was opened",
            problem,
        })
    }

    /// Where the demo tenant's generated key is kept.
    #[must_use]
    pub fn demo_file(&self) -> PathBuf {
        demo_file(&self.path)
    }

    /// The key for `/v1/admin`.
    #[must_use]
    pub fn admin_key(&self) -> &SecretString {
        &self.admin_key
    }

    /// The key under which API keys are hashed.
    #[must_use]
    pub fn pepper(&self) -> Key {
        self.derive(b"tertulia api keys v1")
    }

    /// The key that seals visitors' tokens.
    #[must_use]
    pub fn token_key(&self) -> Key {
        self.derive(b"tertulia visitor tokens v1")
    }

    /// One key for one purpose: from none of them can another be found.
    fn derive(&self, label: &[u8]) -> Key {
        secret::mac(&self.secret, label)
    }
}

/// Sees that a node has made this directory its own.
fn see_one(path: &Path) -> Result<(), DataDirError> {
    if path.join(VERSION_FILE).exists() {
        return Ok(());
    }
    Err(DataDirError::None { path: std::path::absolute(path).unwrap_or_else(|_| path.into()) })
}

/// Where the keys of texts are, in a directory that another process may hold: in the folder that the operator chose, or
/// in one of ours.
#[must_use]
pub fn keys_file(directory: &Path, chosen: Option<&Path>) -> PathBuf {
    chosen.map_or_else(|| directory.join(KEYS_FOLDER), Path::to_path_buf).join(KEYS_FILE)
}

/// Where the embedded store has its file, in a directory that another process may hold.
#[must_use]
pub fn store_file(directory: &Path) -> PathBuf {
    directory.join(STORE_FILE)
}

/// Where the demo tenant's generated key is kept, in a directory that another process may hold.
#[must_use]
pub fn demo_file(directory: &Path) -> PathBuf {
    directory.join(DEMO_FILE)
}

/// Where the key for `/v1/admin` is kept, in a directory that another process may hold.
#[must_use]
pub fn admin_file(directory: &Path) -> PathBuf {
    directory.join(ADMIN_FILE)
}

/// Makes the store's file in a new directory, and sees in an old one that it is still there. It is made before
/// the secret: so one without the other was lost, whenever the first start ended.
fn keep_store(path: &Path, has_secret: bool, has_version: bool) -> Result<(), DataDirError> {
    let failed = |problem| DataDirError::Io { path: path.into(), doing: "look at its tertulia.db", problem };
    let file = path.join(STORE_FILE);
    let damaged = |problem| Err(DataDirError::Damaged { path: path.into(), file: STORE_FILE, problem });
    let lost_secret =
        "is missing beside a tertulia.db: put it back from a backup, for no key or token is valid without it";
    match fs::metadata(&file) {
        Ok(store) if store.len() > 0 && !has_secret => {
            Err(DataDirError::Damaged { path: path.into(), file: SECRET_FILE, problem: lost_secret })
        }
        Ok(store) if store.len() == 0 && has_version && was_used(path) => damaged(EMPTIED),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_secret => damaged(LOST),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut options = OpenOptions::new();
            options.create_new(true).write(true);
            private(&mut options);
            options.open(&file).and_then(|file| file.sync_all()).and_then(|()| sync_dir(path)).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whether there are traces of a store that was open once; the last two are those of programs that did not
/// note it.
fn was_used(path: &Path) -> bool {
    [OPENED_FILE, DEMO_FILE, INDEX_FOLDER].iter().any(|name| path.join(name).exists())
}

/// What to do about a store that is not there any more.
const LOST: &str = "is missing: put the whole directory back from a backup; to begin afresh, with new keys and \
                    without what was said, move the directory away";
const EMPTIED: &str = "is empty: put the whole directory back from a backup; to begin afresh, with new keys and \
                       without what was said, move the directory away";

fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn lock(path: &Path) -> Result<File, DataDirError> {
    let failed = |problem| DataDirError::Io { path: path.into(), doing: "write in it", problem };
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    private(&mut options);
    let lock = options.open(path.join(LOCK_FILE)).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path: path.into() }),
        Err(TryLockError::Error(problem)) => Err(failed(problem)),
    }
}

fn read_version(path: &Path) -> Result<Option<u32>, DataDirError> {
    let text = match fs::read_to_string(path.join(VERSION_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(DataDirError::Io { path: path.into(), doing: "read its VERSION", problem }),
    };
    match text.trim().parse() {
        Ok(found) if found > FORMAT => Err(DataDirError::TooNew { path: path.into(), found }),
        Ok(found) => Ok(Some(found)),
        Err(_) => Err(DataDirError::Damaged {
            path: path.into(),
            file: VERSION_FILE,
            problem: "is not a number: is this a data directory of Tertulia?",
        }),
    }
}

fn read_secret(path: &Path) -> Result<Key, DataDirError> {
    let mut secret = Box::new([0; 32]);
    let mut rest = [0; 1];
    let read = File::open(path.join(SECRET_FILE)).and_then(|mut file| {
        file.read_exact(secret.as_mut())?;
        file.read(&mut rest)
    });
    match read {
        Ok(0) => Ok(SecretBox::new(secret)),
        Err(problem) if problem.kind() != io::ErrorKind::UnexpectedEof => {
            Err(DataDirError::Io { path: path.into(), doing: "read its secret.key", problem })
        }
        _ => Err(DataDirError::Damaged { path: path.into(), file: SECRET_FILE, problem: "does not hold 32 bytes" }),
    }
}

#[cfg(test)]
mod tests;
