//! Keys in one file: a header, and a slot of 32 bytes for each key.
//! Invariant: a slot holds random bytes that were synced before the header first named its number as filled, and for
//! good the same ones, or [`ENDED`] once its key has ended. The header names numbers as unused only while none of them
//! was given out. Its count of ends rises with each end, behind the slots, so that no copy of the file shows the count
//! without the end.

mod header;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::header::{HEADER_BYTES, Header, read_ended, read_next, write_ended, write_next, write_spare};
use crate::{Installation, Key, KeyNumber, Keys, KeysError};

const SLOT_BYTES: u64 = 32;
/// What stands in the slot of a key that has ended. Zeros would not do: they are what damage looks like.
const ENDED: [u8; 32] = *b"tertulia: this key was ended\0\0\0\0";
/// Slots filled at a time, with two syncs: so many at first, since a process that is killed wastes what is left …
const FIRST_BLOCK_SLOTS: u64 = 256;
/// … and twice as many each time, up to this.
const BLOCK_SLOTS_MAX: u64 = 4_096;
/// Slots read at a time, where all are looked at.
const LOOK_SLOTS: u64 = 2_048;

/// Keys in a file of their own, for its owner alone. One process at a time has it.
///
/// Ending a key overwrites its slot in place and syncs the file. A disk or file system that keeps what was
/// overwritten (snapshots of a volume, backups of this file) keeps the key as well: the README says how to back the
/// file up.
///
/// Opening a key waits for no sync, whoever has begun one.
///
/// Copies of the file, made while it was in use or not, are told from newer ones by two numbers that are noted with the
/// data: how many ends there were, and the highest number in use. The second is enough because
/// - a slot that the header has once named as filled is never filled with other bytes: a copy that has a number has
///   the same key for it (or its end, or one that ended since, which the first number tells);
/// - a copy from before a number's slot was filled lacks the number, and so does one from a stop in good order, after
///   which the number was given out: such a copy says from where on its slots are unused;
/// - any copy gives out numbers only from there on, which is behind all that were given out before it was made. So does
///   a start after a crash: the word that some are unused is taken away durably before one of them is given out.
pub struct FileKeys {
    path: PathBuf,
    file: File,
    installation: Installation,
    /// Held for moments: never while something is synced.
    numbers: Mutex<Numbers>,
    /// Held while slots are filled.
    filling: Mutex<Filling>,
    sync: Syncing,
}

/// How the file is made durable.
type Syncing = Box<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

struct Numbers {
    /// The number that is given out next.
    next: u64,
    /// Numbers below this one have filled slots, and the file says of none of them that it is unused.
    noted: u64,
    /// Ends that the disk surely has.
    ended: u64,
    /// Ends that the file may show: as many, or more that are being synced or failed. An end that comes later counts
    /// from here and never takes a number that failed: a copy made of the file in between has that number without that
    /// end, and would pass for a newer one.
    counted: u64,
}

struct Filling {
    /// Slots to fill next time.
    block: u64,
    /// Numbers below this one have slots whose bytes the disk has. They stay what they are, also when it fails to be
    /// noted: the header may name them all the same.
    filled: u64,
    /// What the header may show as its `next`: another number is another file's.
    shown: [u64; 2],
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
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(KeysError::InUse { path: path.into() }),
            Err(TryLockError::Error(problem)) => return Err(failed("lock")(problem)),
        }
        let header = Header::read(path, &file)?;
        if let Some(wanted) = wanted {
            belongs(path, &header, wanted)?;
        }
        let length = file.metadata().map_err(failed("look at"))?.len();
        // What stands behind the header's number counts for nothing: after a power loss the file may be longer than
        // what was written to it.
        let slots = header.next - 1;
        if slots > length.saturating_sub(HEADER_BYTES) / SLOT_BYTES {
            return Err(KeysError::Damaged { path: path.into(), problem: "is shorter than it was" });
        }
        let ended = match header.ended {
            Some(ended) => ended,
            None => ended_among(&file, slots).map_err(failed("read"))?,
        };
        // An earlier program may have given out the numbers of all slots that are there, and copies that it made while
        // it ran say so. It would fill them anew: they are passed over, and it opens the file no more.
        let next = if header.refills {
            header.next.max(1 + length.saturating_sub(HEADER_BYTES) / SLOT_BYTES)
        } else {
            header.next
        };
        if header.refills {
            let header = Header { next, ended: Some(ended), spare: None, ..header };
            header.write(&file).and_then(|()| file.sync_data()).map_err(failed("bring forward"))?;
        }
        let spare = header.spare.unwrap_or(next);
        Ok(Self {
            path: path.into(),
            file,
            installation: header.installation,
            numbers: Mutex::new(Numbers { next: spare, noted: spare, ended, counted: ended }),
            filling: Mutex::new(Filling { block: FIRST_BLOCK_SLOTS, filled: next, shown: [next; 2] }),
            sync: Box::new(File::sync_data),
        })
    }

    /// Whether the file at `path` has given out a key, or may have: false when there is none. It stays as it is.
    ///
    /// # Errors
    /// When it cannot be read, or is no key file.
    pub fn is_used(path: &Path) -> Result<bool, KeysError> {
        match File::open(path) {
            Ok(file) => {
                let header = Header::read(path, &file)?;
                Ok(header.spare.unwrap_or(header.next) > 1)
            }
            // Nor is there one below what is no folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(problem) => Err(KeysError::Io { path: path.into(), doing: "open", problem }),
        }
    }

    /// Sees whether the file is there and this installation's, while another process may have it open. It stays as it
    /// is.
    ///
    /// # Errors
    /// As [`FileKeys::open`], but never [`KeysError::InUse`].
    pub fn see(path: &Path, wanted: Installation) -> Result<(), KeysError> {
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => belongs(path, &Header::read(path, &file)?, wanted),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(KeysError::Missing { path: path.into() }),
            Err(problem) => Err(KeysError::Io { path: path.into(), doing: "open", problem }),
        }
    }

    /// Numbers whose slots are filled; none when there is no such number.
    fn take(&self, count: usize) -> Option<Vec<KeyNumber>> {
        let mut numbers = lock(&self.numbers);
        let end = numbers.noted.min(numbers.next.saturating_add(count.max(1) as u64));
        if numbers.next >= end {
            return None;
        }
        let taken = (numbers.next..end).map(KeyNumber).collect();
        numbers.next = end;
        Some(taken)
    }

    /// Has the header say that the slots behind those that are given out are given out, too: after a crash nobody
    /// knows which of them were. Fills some first, if none are.
    fn reserve(&self, filling: &mut Filling) -> io::Result<()> {
        if filling.filled <= lock(&self.numbers).noted {
            let mut block = vec![0; usize::try_from(filling.block * SLOT_BYTES).unwrap_or(0)];
            random(&mut block)?;
            let written = self.file.write_all_at(&block, place(KeyNumber(filling.filled)));
            block.fill(0);
            written?;
            (self.sync)(&self.file)?;
            filling.filled += filling.block;
            filling.block = filling.block.saturating_mul(2).min(BLOCK_SLOTS_MAX);
        }
        filling.shown[1] = filling.filled;
        write_spare(&self.file, None)?;
        write_next(&self.file, filling.filled)?;
        (self.sync)(&self.file)?;
        filling.shown[0] = filling.filled;
        lock(&self.numbers).noted = filling.filled;
        Ok(())
    }

    /// Another file may have been put in its place, by an editor or a restore: what is done to the one that is open is
    /// then done to no file that anybody keeps.
    fn is_in_place(&self) -> Result<(), KeysError> {
        let identity = |found: Metadata| (found.dev(), found.ino());
        let open = self.file.metadata().map(identity).map_err(self.failed("look at"))?;
        match fs::metadata(&self.path).map(identity) {
            Ok(named) if named == open => Ok(()),
            Ok(_) => Err(KeysError::Replaced { path: self.path.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeysError::Replaced { path: self.path.clone() })
            }
            Err(error) => Err(self.failed("look at")(error)),
        }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> KeysError {
        move |problem| KeysError::Io { path: self.path.clone(), doing, problem }
    }
}

impl Numbers {
    /// Whether a number was given out, now or in an earlier life.
    const fn has(&self, id: KeyNumber) -> bool {
        0 < id.0 && id.0 < self.next
    }
}

/// Where a key's slot is.
const fn place(id: KeyNumber) -> u64 {
    HEADER_BYTES + (id.0 - 1) * SLOT_BYTES
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn belongs(path: &Path, header: &Header, wanted: Installation) -> Result<(), KeysError> {
    let found = header.installation;
    if found == wanted { Ok(()) } else { Err(KeysError::Foreign { path: path.into(), found, wanted }) }
}

impl Keys for FileKeys {
    fn installation(&self) -> Installation {
        self.installation
    }

    fn allot(&self, count: usize) -> Result<Vec<KeyNumber>, KeysError> {
        if let Some(taken) = self.take(count) {
            return Ok(taken);
        }
        let mut filling = lock(&self.filling);
        loop {
            // Somebody else may have filled some meanwhile, or have taken those that were.
            if let Some(taken) = self.take(count) {
                return Ok(taken);
            }
            self.is_in_place()?;
            // An older copy may have been written over it: the slots between would be missing in it.
            if !filling.shown.contains(&read_next(&self.file).map_err(self.failed("read"))?) {
                return Err(KeysError::Replaced { path: self.path.clone() });
            }
            self.reserve(&mut filling).map_err(self.failed("add keys to"))?;
        }
    }

    fn open(&self, id: KeyNumber) -> Result<Key, KeysError> {
        // Held while the slot is read, so that it is not half of one that is being ended.
        let numbers = lock(&self.numbers);
        if !numbers.has(id) {
            return Err(KeysError::Unknown(id));
        }
        let mut key = [0; 32];
        self.file.read_exact_at(&mut key, place(id)).map_err(self.failed("read"))?;
        drop(numbers);
        match key {
            ENDED => Err(KeysError::Ended),
            // What a power cut, a bad disk or half a restore leaves: were it taken for an end, what the key seals
            // would be removed.
            [0, rest @ ..] if rest == [0; 31] => {
                Err(KeysError::Damaged { path: self.path.clone(), problem: "has zeros where a key was" })
            }
            key => Ok(Key::new(key)),
        }
    }

    fn end(&self, ids: &[KeyNumber]) -> Result<(), KeysError> {
        let failed = || self.failed("end a key in");
        let mut numbers = lock(&self.numbers);
        if let Some(unknown) = ids.iter().find(|id| !numbers.has(**id)) {
            return Err(KeysError::Unknown(*unknown));
        }
        if ids.is_empty() {
            return Ok(());
        }
        self.is_in_place()?;
        // An older copy may have been written over it, too.
        let shown = read_ended(&self.file).map_err(self.failed("read"))?;
        if !(numbers.ended..=numbers.counted).contains(&shown) {
            return Err(KeysError::Replaced { path: self.path.clone() });
        }
        for id in ids {
            self.file.write_all_at(&ENDED, place(*id)).map_err(failed())?;
        }
        numbers.counted = numbers.counted.saturating_add(ids.len() as u64);
        let counted = numbers.counted;
        write_ended(&self.file, counted).map_err(failed())?;
        // From here on they cannot be opened.
        drop(numbers);
        (self.sync)(&self.file).map_err(failed())?;
        let mut numbers = lock(&self.numbers);
        numbers.ended = numbers.ended.max(counted);
        Ok(())
    }

    fn ended(&self) -> u64 {
        lock(&self.numbers).ended
    }
}

impl Drop for FileKeys {
    /// Says in the file which keys were not given out, so that the next start gives them out. If this does not reach the
    /// disk, the next start passes over them.
    fn drop(&mut self) {
        let (numbers, filling) = (lock(&self.numbers), lock(&self.filling));
        // If another copy was written over this file, these numbers say nothing about it.
        let is_ours = read_next(&self.file).is_ok_and(|next| next == filling.filled);
        if is_ours && numbers.next < filling.filled {
            drop(write_spare(&self.file, Some(numbers.next)));
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
    let file = options.open(&begun)?;
    let mut installation = [0; 16];
    random(&mut installation)?;
    Header { installation: Installation(installation), next: 1, ended: Some(0), spare: None, refills: false }
        .write(&file)?;
    file.sync_all()?;
    fs::rename(&begun, path)?;
    File::open(folder)?.sync_all()
}

/// How many of the first slots are of keys that have ended.
fn ended_among(file: &File, slots: u64) -> io::Result<u64> {
    let (mut ended, mut seen) = (0, 0);
    while seen < slots {
        let piece = LOOK_SLOTS.min(slots - seen);
        let mut bytes = vec![0; usize::try_from(piece * SLOT_BYTES).unwrap_or(0)];
        file.read_exact_at(&mut bytes, HEADER_BYTES + seen * SLOT_BYTES)?;
        ended += bytes.chunks_exact(ENDED.len()).filter(|slot| **slot == ENDED).count() as u64;
        bytes.fill(0);
        seen += piece;
    }
    Ok(ended)
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
}
