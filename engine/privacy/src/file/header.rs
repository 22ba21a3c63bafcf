//! The first bytes of a key file: what it is, whose, and how far its numbers were given out.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::{Installation, KeysError};

/// A header's room: 12 letters, the format (u32), the installation (16 bytes) and `next` (u64), little-endian; the
/// rest is zeros.
pub(super) const HEADER_BYTES: u64 = 64;

const MAGIC: &[u8; 12] = b"tertulia key";
const FORMAT: u32 = 1;

/// What a header says.
pub(super) struct Header {
    pub(super) installation: Installation,
    /// The first number that may not have been given out.
    pub(super) next: u64,
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
        if next == 0 { Err(damaged("has a damaged header")) } else { Ok(Self { installation, next }) }
    }

    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let mut bytes =
            [MAGIC.as_slice(), &FORMAT.to_le_bytes(), &self.installation.0, &self.next.to_le_bytes()].concat();
        bytes.resize(HEADER_BYTES as usize, 0);
        file.write_all_at(&bytes, 0)
    }
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
