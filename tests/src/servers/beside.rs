//! A program of ours that stands beside the one under test, in a folder that it keeps.
//! Invariant: as for the other servers: it is gone with this, and with the process.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::leash::{Leashed, last_words};
use super::look_until;

/// A running program, killed when this is dropped; its folder goes when the process does.
#[derive(Debug)]
pub struct Leash(Option<Leashed>);

impl Leash {
    /// Starts one that keeps its log in a folder, and waits until it has said some words. Blocks.
    ///
    /// # Errors
    /// When it does not get so far; its last words are in the error.
    pub fn start(command: &Command, folder: &Path, words: &str, within: Duration) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let log = folder.join("log");
        // Of a program that was here before.
        let said = fs::metadata(&log).map_or(0, |log| log.len());
        let mut server = Leashed::start(command, folder)?;
        let is_up = look_until(Instant::now() + within, || {
            if let Some(status) = server.over()? {
                bail!("it has ended ({status}); its last words:\n{}", last_words(folder));
            }
            let log = fs::read(&log).unwrap_or_default();
            let new = log.get(usize::try_from(said)?..).unwrap_or_default();
            Ok(String::from_utf8_lossy(new).contains(words).then_some(()))
        })?;
        is_up.with_context(|| format!("it does not get ready; its last words:\n{}", last_words(folder)))?;
        Ok(Self(Some(server)))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.0.take().map(Leashed::kill);
    }
}
