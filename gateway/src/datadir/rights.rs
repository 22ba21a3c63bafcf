//! Who may look into the data directory: its owner, whatever the directory was before and whatever the process
//! was told to give away.
//! Invariant: only what this program keeps there is touched, and no link is followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{
    ADMIN_FILE, CLUSTER_FILE, DEMO_FILE, INDEX_FOLDER, KEYS_FOLDER, LOCK_FILE, OPENED_FILE, SECRET_FILE, STORE_FILE,
    VERSION_FILE,
};

/// Folders within each other that an index has at most.
const DEPTH_MAX: usize = 8;

/// From here on nothing that this process makes is for others, also what libraries make: the index, the
/// store's log and its shared memory.
pub(super) fn for_the_owner() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Takes from others what they may do with what is there already, and says so.
pub(super) fn tighten(directory: &Path) -> io::Result<()> {
    let mut changed = 0;
    // Another owner's, as a mounted volume may be: others cannot read what is in it all the same.
    if let Err(error) = tighten_one(directory, &mut changed) {
        tracing::warn!(path = %directory.display(), %error, "the data directory itself stays open to others");
    }
    let store = ["", "-wal", "-shm", "-journal"].map(|end| format!("{STORE_FILE}{end}"));
    let files =
        [LOCK_FILE, VERSION_FILE, SECRET_FILE, ADMIN_FILE, DEMO_FILE, OPENED_FILE, CLUSTER_FILE].map(str::to_owned);
    for name in files.iter().chain(&store) {
        tighten_one(&directory.join(name), &mut changed)?;
    }
    tighten_all(directory.join(INDEX_FOLDER), &mut changed)?;
    tighten_all(directory.join(KEYS_FOLDER), &mut changed)?;
    if changed > 0 {
        tracing::warn!(path = %directory.display(), changed, "others could look into the data directory; now they cannot");
    }
    Ok(())
}

/// The same for a file of keys that is kept elsewhere. Its folder may be a volume of others' making, and stays as it is.
pub(super) fn tighten_keys(file: &Path) -> io::Result<()> {
    let mut changed = 0;
    tighten_one(file, &mut changed)?;
    if changed > 0 {
        tracing::warn!(path = %file.display(), "others could read the keys; now they cannot");
    }
    Ok(())
}

fn tighten_all(folder: PathBuf, changed: &mut usize) -> io::Result<()> {
    let mut todo = vec![(folder, 0)];
    while let Some((path, depth)) = todo.pop() {
        // The folder first: then nobody follows us into it.
        if !tighten_one(&path, changed)? || depth > DEPTH_MAX {
            continue;
        }
        for entry in fs::read_dir(&path)? {
            todo.push((entry?.path(), depth + 1));
        }
    }
    Ok(())
}

/// Whether it is a folder to go on in. What is not there is no harm, also what has just gone.
fn tighten_one(path: &Path, changed: &mut usize) -> io::Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.permissions().mode();
        if !found.is_symlink() && mode & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7700))?;
            *changed += 1;
        }
    }
    #[cfg(not(unix))]
    let _ = changed;
    Ok(found.is_dir())
}
