//! The first bytes of a key file: what it is, whose, how far its numbers were given out, and how many ends there were.
//! Invariant: each of the numbers is written by itself, so that who raises one does not take back another. `next` and
//! `ended` only rise.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::{Installation, KeysError};

/// A header's room: 12 letters, the format (u32), the installation (16 bytes), `next`, `ended` and `spare` (u64
/// each), little-endian; the rest is zeros.
pub(super) const HEADER_BYTES: u64 = 64;

const MAGIC: &[u8; 12] = b"tertulia key";
/// Format 1 did not count ends. Up to format 2 a stop took `next` back, and the next start filled slots behind it anew.
const FORMAT: u32 = 3;
const NEXT_AT: u64 = 32;
const ENDED_AT: u64 = 40;
const SPARE_AT: u64 = 48;

/// What a header says.
pub(super) struct Header {
    pub(super) installation: Installation,
    /// The first number whose slot is not filled.
    pub(super) next: u64,
    /// Ends of keys; none in a file of format 1.
    pub(super) ended: Option<u64>,
    /// The first number that was surely not given out, up to `next`; none when all below `next` may have been. In the
    /// file that is 0.
    pub(super) spare: Option<u64>,
    /// Whether an earlier program may have filled the slots behind `next` before, with other keys.
    pub(super) refills: bool,
}

impl Header {
    pub(super) fn read(path: &Path, file: &File) -> Result<Self, KeysError> {
        let damaged = |problem| KeysError::Damaged { path: path.into(), problem };
        let mut bytes = [0; HEADER_BYTES as usize];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("is no key file of Tertulia"));
            }
            Err(problem) => return Err(KeysError::Io { path: path.into(), doing: "read", problem }),
            Ok(()) => {}
        }
        let mut rest = bytes.as_slice();
        let (magic, format) = (take(&mut rest), u32::from_le_bytes(take(&mut rest)));
        if &magic != MAGIC {
            return Err(damaged("is no key file of Tertulia"));
        }
        if format > FORMAT {
            return Err(KeysError::TooNew { path: path.into(), found: format, known: FORMAT });
        }
        let (installation, next) = (Installation(take(&mut rest)), u64::from_le_bytes(take(&mut rest)));
        let ended = Some(u64::from_le_bytes(take(&mut rest))).filter(|_| format > 1);
        let spare = Some(u64::from_le_bytes(take(&mut rest))).filter(|spare| format > 2 && *spare > 0);
        if next == 0 || spare.is_some_and(|spare| spare > next) {
            return Err(damaged("has a damaged header"));
        }
        Ok(Self { installation, next, ended, spare, refills: format < 3 })
    }

    /// The whole of it, in this program's format.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let numbers = [self.next, self.ended.unwrap_or_default(), self.spare.unwrap_or_default()].map(u64::to_le_bytes);
        let mut bytes = [MAGIC.as_slice(), &FORMAT.to_le_bytes(), &self.installation.0, &numbers.concat()].concat();
        bytes.resize(HEADER_BYTES as usize, 0);
        file.write_all_at(&bytes, 0)
    }
}

pub(super) fn write_next(file: &File, next: u64) -> io::Result<()> {
    file.write_all_at(&next.to_le_bytes(), NEXT_AT)
}

pub(super) fn write_ended(file: &File, ended: u64) -> io::Result<()> {
    file.write_all_at(&ended.to_le_bytes(), ENDED_AT)
}

/// None says that all numbers below `next` may have been given out.
pub(super) fn write_spare(file: &File, spare: Option<u64>) -> io::Result<()> {
    file.write_all_at(&spare.unwrap_or_default().to_le_bytes(), SPARE_AT)
}

/// What the file says now, whatever was read of it before.
pub(super) fn read_next(file: &File) -> io::Result<u64> {
    read_number(file, NEXT_AT)
}

/// The same for its ends.
pub(super) fn read_ended(file: &File) -> io::Result<u64> {
    read_number(file, ENDED_AT)
}

fn read_number(file: &File, place: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, place)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The next bytes of what is left; zeros past its end.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    if let Some((first, after)) = rest.split_first_chunk::<N>() {
        taken = *first;
        *rest = after;
    }
    taken
}
