//! The floor of a durable message: how often the disk under the node's data says "it is safe".

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::clock;
use crate::stats::{Durations, Percentiles};

/// A file in the node's directory, gone again afterwards.
const FILE: &str = "load-floor.tmp";

/// What the disk does.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Syncs {
    /// One after the other, in a second.
    pub per_second: f64,
    /// How long each took.
    pub took: Percentiles,
}

/// Appends `bytes` and calls `fdatasync`, again and again, in `directory`.
///
/// # Errors
/// The directory cannot be written.
pub fn fdatasync(directory: &Path, bytes: usize, lasting: Duration) -> Result<Syncs> {
    let path = directory.join(FILE);
    let written = syncs(&path, bytes, lasting).with_context(|| format!("writing {}", path.display()));
    let _ = std::fs::remove_file(&path);
    written
}

fn syncs(path: &Path, bytes: usize, lasting: Duration) -> Result<Syncs> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let (block, mut took) = (vec![b'.'; bytes], Durations::new()?);
    let begun = clock::now();
    let mut now = begun;
    while now - begun < lasting.as_nanos() as u64 {
        file.write_all(&block)?;
        file.sync_data()?;
        let then = std::mem::replace(&mut now, clock::now());
        took.record(now - then);
    }
    let took = took.percentiles();
    Ok(Syncs { per_second: took.count as f64 * 1e9 / (now - begun) as f64, took })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_syncs_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let syncs = fdatasync(directory.path(), 256, Duration::from_millis(20)).unwrap();
        assert!(syncs.took.count > 0 && syncs.per_second > 0.0);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(fdatasync(Path::new("/nowhere/at/all"), 1, Duration::ZERO).is_err());
    }
}
