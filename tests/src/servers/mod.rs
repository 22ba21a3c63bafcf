//! The real stores, for tests and for a person: Cassandra and Redis, each in processes of its own; and for tests the
//! programs that stand beside nodes.
//! Invariant: no server outlives the process that started it, however that one ends; and none touches another
//! server of the machine, for each has a loopback address of its own.

pub mod authority;
mod beside;
pub mod cassandra;
mod cql;
pub mod keyspaces;
mod leash;
mod place;
pub mod program;
pub mod redis;

pub use authority::Authority;
pub use beside::Leash;
pub use cassandra::Cassandra;
pub use program::Program;
pub use redis::Redis;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::Context;
use tempfile::TempDir;

/// Between two looks at a server that does not say when it is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Looks until there is something to see; none when the time is over. Blocks.
fn look_until<T>(deadline: Instant, mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<Option<T>> {
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Where cargo builds: this program stands in a folder of it, or, a test, in one below that.
fn target() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.parent().context("this program stands in no folder")?;
    let is_below = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    let profile = if is_below { folder.parent() } else { Some(folder) };
    Ok(profile.and_then(Path::parent).context("this program does not stand where cargo builds")?.to_owned())
}

/// A folder for what a server keeps, which goes with it.
fn scratch(name: &str) -> anyhow::Result<TempDir> {
    let folder = target()?.join("servers");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(folder)?)
}

/// A name for a keyspace that no other test has, nor had on a store that runs on.
#[must_use]
pub fn keyspace_name() -> String {
    format!("test_{:016x}", rand::random::<u64>())
}
