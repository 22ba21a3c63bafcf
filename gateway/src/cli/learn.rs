//! `tertulia learn`: finds documents in files and folders and has them learned, one by one; has a
//! site learned and waits for it.

mod find;
mod screen;
mod site;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use engine_config::Config;
use schema::{ErrorCode, counted};

use find::{Found, Skipped};
use screen::Screen;

use super::arguments::Learn;
use super::backend::{self, Backend};
use super::error::CliError;

#[derive(Default)]
struct Counts {
    learned: usize,
    unchanged: usize,
    passages: usize,
    skipped: usize,
    failed: usize,
    forgotten: usize,
}

pub(super) async fn run(config: &Config, asked: &Learn) -> Result<(), CliError> {
    let is_site = |path: &&PathBuf| path.to_str().is_some_and(site::is_address);
    let (sites, paths): (Vec<&PathBuf>, Vec<&PathBuf>) = asked.targets.iter().partition(is_site);
    let work = find::find(&paths)?;
    if sites.is_empty() && work.found.is_empty() && work.skipped.is_empty() && work.folders.is_empty() {
        return Err(CliError::Failed("there is nothing to learn".into()));
    }
    let backend = backend::for_tenant(config, asked.allow_private_hosts).await?;
    let (mut out, mut notes) = (io::stdout().lock(), io::stderr().lock());
    let mut screen = Screen::new(&mut out, &mut notes);
    if !paths.is_empty() {
        learn(&*backend, &work, &mut screen).await?;
    }
    for site in sites {
        site::learn(&*backend, &site.to_string_lossy(), asked, &mut screen).await?;
    }
    Ok(())
}

async fn learn(backend: &dyn Backend, work: &find::Work, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let mut counts = Counts::default();
    for Skipped { path, reason } in &work.skipped {
        counts.skipped += 1;
        screen.note(&format!("skipped {}: {reason}", path.display()))?;
    }
    screen.begin(work.found.len());
    for (n, Found { path, source }) in work.found.iter().enumerate() {
        screen.at(n, work.found.len(), source);
        let bytes = match find::read(path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                counts.skipped += 1;
                screen.note(&format!("skipped {}: {reason}", path.display()))?;
                continue;
            }
        };
        match backend.learn_file(source.clone(), bytes.into()).await {
            Ok(learned) => {
                counts.passages += learned.passages;
                if learned.changed {
                    counts.learned += 1;
                    screen.line(&format!("learned {source}: {}", counted(learned.passages, "passage")))?;
                } else {
                    counts.unchanged += 1;
                }
            }
            // The document is to blame, and the next one may be better.
            Err(CliError::Refused {
                code: ErrorCode::UnreadableDocument | ErrorCode::UnsupportedMediaType | ErrorCode::TooLarge,
                message,
            }) => {
                counts.skipped += 1;
                screen.note(&format!("skipped {}: {message}", path.display()))?;
            }
            // The node looked at this document and said no; it may take the next one.
            Err(CliError::Refused { code: code @ ErrorCode::BadField, message }) => {
                counts.failed += 1;
                screen.note(&format!("failed {source}: {message} ({code})"))?;
            }
            Err(error) => return Err(error),
        }
    }
    counts.forgotten = forget_gone(backend, work, screen).await?;
    screen.end();
    let Counts { learned, unchanged, passages, skipped, failed, forgotten } = counts;
    let gone = if forgotten > 0 { format!(", {forgotten} forgotten") } else { String::new() };
    screen.line(&format!(
        "{learned} learned, {unchanged} known already, {skipped} skipped, {failed} failed{gone}; {}",
        counted(passages, "passage")
    ))?;
    match (failed, learned + unchanged + forgotten) {
        (0, 1..) => Ok(()),
        (0, 0) => Err(CliError::Failed("nothing was learned".into())),
        _ => Err(CliError::Failed(format!("{} not learned", counted(failed, "document")))),
    }
}

/// Forgets what was learned from these folders and is not in them any more.
async fn forget_gone(backend: &dyn Backend, work: &find::Work, screen: &mut Screen<'_>) -> Result<usize, CliError> {
    if work.folders.is_empty() {
        return Ok(0);
    }
    let there: HashSet<&str> = work.found.iter().map(|found| found.source.as_str()).collect();
    let is_gone = |source: &str| {
        let below = |folder: &String| source.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        work.folders.iter().any(below) && !there.contains(source)
    };
    let mut forgotten = 0;
    for document in backend.documents().await? {
        if is_gone(&document.source) && backend.forget(document.source.clone()).await? {
            forgotten += 1;
            screen.line(&format!("forgot {}: it is not in its folder any more", document.source))?;
        }
    }
    Ok(forgotten)
}
