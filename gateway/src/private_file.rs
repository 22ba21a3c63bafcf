//! Files for their owner's eyes alone, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

/// No file with one line in it is longer.
const LINE_BYTES_MAX: u64 = 1024;

/// The secret in a file of one line; none when there is no such file.
///
/// # Errors
/// The system's, and `InvalidData` for a file that holds something else.
pub(crate) fn read_line(file: &Path) -> io::Result<Option<SecretString>> {
    let mut text = String::new();
    match File::open(file) {
        Ok(file) => file.take(LINE_BYTES_MAX).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let line = text.trim();
    if line.is_empty() || line.contains(char::is_whitespace) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not hold one key"));
    }
    Ok(Some(line.into()))
}

/// Puts a secret into a file that its owner alone may read; whole or not at all.
///
/// # Errors
/// The system's.
pub(crate) fn write_line(file: &Path, secret: &SecretString) -> io::Result<()> {
    write_new(file, format!("{}\n", secret.expose_secret()).as_bytes())
}

/// Writes beside, then renames over: a crash leaves the old file or the new one.
pub(crate) fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = file.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    private(&mut options);
    let mut new = options.open(&beside)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    fs::rename(&beside, file)?;
    file.parent().map_or(Ok(()), sync_dir)
}

/// What was made or renamed in a directory is durable once the directory is.
pub(crate) fn sync_dir(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

pub(crate) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}
