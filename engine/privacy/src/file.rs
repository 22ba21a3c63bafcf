//! Keys in one file: a header, and a slot of 32 bytes for each key.
//! Invariant: a slot holds random bytes that were synced before its number was given out, or zeros once its key has
//! ended. The header names the first number that may not have been given out, and never one that was.

mod header;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::header::{HEADER_BYTES, Header};
use crate::{Installation, Key, KeyNumber, Keys, KeysError};

const SLOT_BYTES: u64 = 32;
/// Slots filled at a time, with two syncs.
const BLOCK_SLOTS: u64 = 4_096;

/// Keys in a file of their own, for its owner alone. One process at a time has it.
///
/// Ending a key overwrites its slot in place and syncs the file. A disk or file system that keeps what was
/// overwritten (snapshots of a volume, backups of this file) keeps the key as well: the README says how to back the
/// file up.
pub struct FileKeys {
    path: PathBuf,
    installation: Installation,
    state: Mutex<State>,
}

struct State {
    file: File,
    /// The number that is given out next.
    next: u64,
    /// Numbers below this one are given out, as the file says it.
    noted: u64,
    /// Slots in the file.
    slots: u64,
}

impl FileKeys {
    /// Opens the file, or makes it when the data belong to no installation yet: a file that is lost is not made anew
    /// under data that need it. Its folder is made if there is none.
    ///
    /// # Errors
    /// One line that says what is wrong with the file.
    pub fn open(path: &Path, wanted: Option<Installation>) -> Result<Self, KeysError> {
        let failed = |doing| move |problem| KeysError::Io { path: path.into(), doing, problem };
        let exists = path.try_exists().map_err(failed("look for"))?;
        match (exists, wanted) {
            (false, Some(_)) => return Err(KeysError::Missing { path: path.into() }),
            (false, None) => make(path).map_err(failed("make"))?,
            (true, _) => {}
        }
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(KeysError::InUse { path: path.into() }),
            Err(TryLockError::Error(problem)) => return Err(failed("lock")(problem)),
        }
        let header = Header::read(path, &mut file)?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != header.installation) {
            let found = header.installation;
            return Err(KeysError::Foreign { path: path.into(), found, wanted });
        }
        let length = file.metadata().map_err(failed("look at"))?.len();
        let slots = length.saturating_sub(HEADER_BYTES) / SLOT_BYTES;
        if header.next > slots + 1 {
            return Err(KeysError::Damaged { path: path.into(), problem: "is shorter than it was" });
        }
        let state = State { file, next: header.next, noted: header.next, slots };
        Ok(Self { path: path.into(), installation: header.installation, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> KeysError {
        move |problem| KeysError::Io { path: self.path.clone(), doing, problem }
    }
}

impl State {
    /// Where a key's slot is.
    fn seek(&mut self, id: KeyNumber) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(HEADER_BYTES + (id.0 - 1) * SLOT_BYTES)).map(drop)
    }

    /// Whether a number was given out, now or in an earlier life.
    const fn has(&self, id: KeyNumber) -> bool {
        0 < id.0 && id.0 < self.next
    }

    /// Fills slots until there is a block of them behind `next`, and has the header say that all are given out: after
    /// a crash nobody knows which of them were.
    fn reserve(&mut self, installation: Installation) -> io::Result<()> {
        let wanted = self.next.saturating_sub(1) + BLOCK_SLOTS;
        if self.slots < wanted {
            let mut block = vec![0; usize::try_from((wanted - self.slots) * SLOT_BYTES).unwrap_or(0)];
            random(&mut block)?;
            self.seek(KeyNumber(self.slots + 1))?;
            self.file.write_all(&block)?;
            block.fill(0);
            self.file.sync_data()?;
            self.slots = wanted;
        }
        Header { installation, next: self.slots + 1 }.write(&mut self.file)?;
        self.file.sync_data()?;
        self.noted = self.slots + 1;
        Ok(())
    }
}

impl Keys for FileKeys {
    fn installation(&self) -> Installation {
        self.installation
    }

    fn allot(&self, count: usize) -> Result<Vec<KeyNumber>, KeysError> {
        let mut state = self.lock();
        if state.next >= state.noted {
            state.reserve(self.installation).map_err(self.failed("add keys to"))?;
        }
        let end = state.noted.min(state.next.saturating_add(count.max(1) as u64));
        let allotted = (state.next..end).map(KeyNumber).collect();
        state.next = end;
        Ok(allotted)
    }

    fn open(&self, id: KeyNumber) -> Result<Key, KeysError> {
        let mut state = self.lock();
        if !state.has(id) {
            return Err(KeysError::Unknown(id));
        }
        let mut key = [0; 32];
        state.seek(id).and_then(|()| state.file.read_exact(&mut key)).map_err(self.failed("read"))?;
        if key == [0; 32] { Err(KeysError::Ended) } else { Ok(Key::new(key)) }
    }

    fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
        let mut state = self.lock();
        if let Some(unknown) = ids.iter().find(|id| !state.has(**id)) {
            return Err(KeysError::Unknown(*unknown));
        }
        for id in ids {
            state.seek(*id).and_then(|()| state.file.write_all(&[0; 32])).map_err(self.failed("end a key in"))?;
        }
        state.file.sync_data().map_err(self.failed("end a key in"))
    }
}

impl Drop for FileKeys {
    /// The next start need not pass over the keys that were not given out. Should this not reach the disk, it does.
    fn drop(&mut self) {
        let mut state = self.lock();
        if state.next < state.noted {
            let header = Header { installation: self.installation, next: state.next };
            drop(header.write(&mut state.file));
        }
    }
}

/// Makes the file, whole or not at all, in a folder for its owner alone.
fn make(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut begun = path.as_os_str().to_owned();
    begun.push(".new");
    let begun = PathBuf::from(begun);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&begun)?;
    let mut installation = [0; 16];
    random(&mut installation)?;
    Header { installation: Installation(installation), next: 1 }.write(&mut file)?;
    file.sync_all()?;
    fs::rename(&begun, path)?;
    File::open(folder)?.sync_all()
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
}
