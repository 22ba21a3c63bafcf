//! Has the node learn a site, and shows the progress.

use std::time::Duration;

use schema::counted;
use schema::wire::{JobState, JobView, LeftOutParts, SiteIn};
use tokio::time::{Instant, sleep};

use super::screen::Screen;
use super::{Backend, CliError, Learn};

/// How often it is asked how the job stands.
const POLL_EVERY: Duration = Duration::from_millis(300);
/// How often a line says so where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Whether a target is a site and not a file.
pub(super) fn is_address(target: &str) -> bool {
    let scheme = target.split("://").next().filter(|scheme| scheme.len() < target.len()).unwrap_or_default();
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
}

pub(super) async fn learn(
    backend: &dyn Backend,
    url: &str,
    asked: &Learn,
    screen: &mut Screen<'_>,
) -> Result<(), CliError> {
    let Learn { pages_max, depth_max, queries_max, every_hours, .. } = *asked;
    let site = SiteIn { url: url.to_owned(), pages_max, depth_max, queries_max, every_hours };
    let id = backend.learn_site(site).await?;
    screen.begin(1);
    let mut said = Instant::now();
    let job = loop {
        let job = backend.job(id).await?;
        if job.state != JobState::Running {
            break job;
        }
        let total = (job.pages_read + job.pages_waiting).min(pages_max.unwrap_or(usize::MAX));
        screen.at(job.pages_read, total.max(1), url);
        if !screen.is_terminal() && said.elapsed() >= LINE_EVERY {
            said = Instant::now();
            screen.line(&format!("{url}: {} read, {} to go", counted(job.pages_read, "page"), job.pages_waiting))?;
        }
        sleep(POLL_EVERY).await;
    };
    screen.end();
    summarise(&job, screen)?;
    if job.state == JobState::Failed {
        let why = job.error.unwrap_or_default();
        return Err(CliError::Failed(format!("{url} was not learned: {why}")));
    }
    Ok(())
}

fn summarise(job: &JobView, screen: &mut Screen<'_>) -> Result<(), CliError> {
    for page in &job.pages_skipped {
        screen.note(&format!("skipped {}: {}", page.url, page.reason))?;
    }
    let more = job.pages_skipped_total.saturating_sub(job.pages_skipped.len());
    if more > 0 {
        screen.note(&format!("skipped {more} more"))?;
    }
    for hit in &job.limits {
        let example = hit.example.as_deref().unwrap_or_default();
        screen.note(&format!("passed over {}, such as {example}: {}", hit.passed_over, hit.limit))?;
    }
    for parts in &job.left_out {
        let LeftOutParts { what, why, parts, characters, url, .. } = parts;
        let (times, size) = (counted(*parts, "time"), counted(*characters, "character"));
        screen.note(&format!("left out {what} {times}, {size}, such as on {url}: {why}"))?;
    }
    if job.state == JobState::Done
        && let Some(note) = &job.error
    {
        screen.note(note)?;
    }
    let (read, skipped, learned) = (job.pages_read, job.pages_skipped_total, job.learned);
    Ok(screen.line(&format!(
        "{}: {} read, {skipped} skipped; {} learned, {} known already, {} forgotten",
        job.url,
        counted(read, "page"),
        learned.changed,
        learned.unchanged,
        learned.removed
    ))?)
}
