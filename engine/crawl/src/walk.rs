//! Walks through a site: asks for one page after the other, reads it, and follows its links.
//! Invariant: one request at a time, with a pause; every number and time is bounded.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;
use engine_documents::{Kind, ReadDocument, Unreadable, robots_words};
use schema::TenantId;
use schema::wire::LimitHit;
use texting_robots::Robot;
use tokio::time::Instant;
use url::Url;

use super::error::SiteError;
use super::fetch::{Body, Fetch, FetchError, Fetched};
use super::frontier::{Frontier, Target};
use super::limits::Limit;
use super::place::Place;
use super::read::Read;
use super::{Bounds, ROBOT};

const REDIRECTS_MAX: usize = 5;
/// The longest pause that a site may ask for between two requests.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Rules for robots that are read, in bytes.
const ROBOTS_BYTES_MAX: usize = 128 * 1024;
/// Requests beyond two for each page that may be read.
const REQUESTS_MORE: usize = 50;

/// What became of a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It was read.
    Read {
        /// The address that was asked for.
        asked: String,
        /// Its address: the document's name.
        url: String,
        /// Its text.
        page: ReadDocument,
    },
    /// The address that was asked for is only a way to a page that is known.
    Moved {
        /// That address.
        asked: String,
        /// That page's.
        to: String,
    },
    /// It was passed over.
    Skipped {
        /// Its address.
        url: String,
        /// Why.
        reason: String,
        /// Whether it may be there all the same.
        absence: Absence,
    },
}

/// What it means for a page that it was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It may be there another time.
    Passing,
    /// The server refuses it, leads to another site, or says there what another page says: it is gone, unless most of
    /// the site answers so.
    Refused,
    /// It is gone.
    Gone,
}

/// A site being walked through.
pub struct Walk<'a> {
    fetch: &'a dyn Fetch,
    reader: &'a dyn Read,
    tenant: TenantId,
    pub(super) bounds: Bounds,
    pub(super) frontier: Frontier,
    pub(super) robot: Option<Robot>,
    pub(super) deadline: Instant,
    /// When the next request may be made.
    free_at: Instant,
    /// Requests made for pages.
    pub(super) requests: usize,
    read: usize,
    /// Texts that were read: a page under a second address is learned once.
    texts: HashSet<u64>,
    cut: bool,
}

/// What has come of a page.
enum Taken {
    Page(Box<ReadDocument>),
    /// It is only a way to another.
    Moved(Url),
}

/// Why a page is passed over.
struct Pass {
    reason: String,
    absence: Absence,
}

/// A page that has moved away looks like one behind another site's login.
fn elsewhere() -> Pass {
    Pass { reason: "it redirects to another site".into(), absence: Absence::Refused }
}

impl From<FetchError> for Pass {
    fn from(error: FetchError) -> Self {
        Self { reason: error.to_string(), absence: Absence::of_failure(error.may_pass()) }
    }
}

impl<'a> Walk<'a> {
    /// Reads the site's rules for robots, finds where its first page really is, and what it lists.
    ///
    /// # Errors
    /// When the site as a whole cannot be learned.
    pub async fn begin(
        start: &Url,
        bounds: Bounds,
        fetch: &'a dyn Fetch,
        reader: &'a dyn Read,
        tenant: TenantId,
    ) -> Result<Self, SiteError> {
        let now = Instant::now();
        let mut walk = Self {
            fetch,
            reader,
            tenant,
            bounds,
            frontier: Frontier::new(Place::new(start), bounds),
            robot: None,
            deadline: now + bounds.time_max,
            free_at: now,
            requests: 0,
            read: 0,
            texts: HashSet::new(),
            cut: false,
        };
        walk.robot = walk.robots().await?;
        if !walk.may_fetch(start) {
            return Err(SiteError::Robots);
        }
        // The site is known under the name to which its first page leads.
        let real = walk.settle(start).await?;
        if Place::new(&real).at("/") != Place::new(start).at("/") {
            walk.frontier = Frontier::new(Place::new(&real), bounds);
            walk.robot = walk.robots().await?;
        }
        walk.frontier.find(&real, 0);
        walk.sitemaps().await;
        Ok(walk)
    }

    /// The next page; none at the end.
    pub async fn next(&mut self) -> Option<Step> {
        let requests_max = 2 * self.bounds.pages_max + REQUESTS_MORE;
        let hit = if self.read >= self.bounds.pages_max {
            Some(Limit::Pages(self.bounds.pages_max))
        } else if Instant::now() >= self.deadline {
            Some(Limit::Time(self.bounds.time_max.as_secs()))
        } else {
            (self.requests >= requests_max).then_some(Limit::Requests(requests_max))
        };
        if let Some(limit) = hit {
            let waiting = self.frontier.waiting();
            if waiting > 0 {
                let example = self.frontier.first().map(|target| target.url.to_string());
                self.frontier.hits.set(limit, waiting, example);
                self.cut |= !matches!(limit, Limit::Pages(_));
            }
            return None;
        }
        let target = self.frontier.next()?;
        let mut url = target.url.clone();
        let visited = self.visit(&target, &mut url).await;
        let asked = String::from(target.url);
        Some(match visited {
            Ok(Some(page)) => {
                self.read += 1;
                Step::Read { asked, url: url.into(), page }
            }
            Ok(None) => Step::Moved { asked, to: url.into() },
            Err(Pass { reason, absence }) => Step::Skipped { url: asked, reason, absence },
        })
    }

    /// Pages that were known before, and that no page has led to: each is asked for itself, within the same bounds.
    pub fn ask_for<'p>(&mut self, pages: impl Iterator<Item = &'p String>) {
        for page in pages.filter_map(|page| Url::parse(page).ok()) {
            self.frontier.ask_for(&page);
        }
    }

    /// Whether the walk ended before its end: by time, or because too many pages led nowhere.
    #[must_use]
    pub const fn was_cut(&self) -> bool {
        self.cut
    }

    /// Bounds that were hit so far.
    #[must_use]
    pub fn limits(&self) -> Vec<LimitHit> {
        self.frontier.hits.views()
    }

    /// Pages that are known and wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.frontier.waiting()
    }

    /// Fetches and reads one page; nothing where it is another page that is known. `url` is then that page's.
    async fn visit(&mut self, target: &Target, url: &mut Url) -> Result<Option<ReadDocument>, Pass> {
        let gone = |reason: &str| Pass { reason: reason.to_owned(), absence: Absence::Gone };
        for _ in 0..=REDIRECTS_MAX {
            if !self.may_fetch(url) {
                return Err(gone("the site's rules for robots exclude it"));
            }
            match self.request(url).await? {
                Fetched::Status(status) => {
                    return Err(Pass { reason: format!("status {status}"), absence: Absence::of_status(status) });
                }
                Fetched::Redirect(to) => {
                    let to = self.frontier.place().spell(&to).ok_or_else(elsewhere)?;
                    if to == *url {
                        return Err(gone("it redirects to itself"));
                    }
                    *url = to;
                    if !self.frontier.meet(url) {
                        return Ok(None);
                    }
                }
                Fetched::Page(body) => match self.take(target, url, body).await? {
                    Taken::Page(page) => return Ok(Some(*page)),
                    Taken::Moved(to) => {
                        *url = to;
                        if !self.frontier.meet(url) {
                            return Ok(None);
                        }
                    }
                },
            }
        }
        Err(gone("it redirects too often"))
    }

    /// Reads a page that has come, and finds its links.
    async fn take(&mut self, target: &Target, url: &mut Url, body: Body) -> Result<Taken, Pass> {
        let gone = |reason: String| Pass { reason, absence: Absence::Gone };
        let Body { media_type, charset, robots, bytes } = body;
        let (noindex, nofollow) = robots.as_deref().map(robots_words).unwrap_or_default();
        let kind = Kind::of(media_type.as_deref(), url.path(), &bytes);
        let kind = kind.ok_or_else(|| gone(Unreadable::UnknownKind.to_string()))?;
        let read = self.reader.read(self.tenant, kind, charset.as_deref(), bytes).await;
        let mut page = read.map_err(|error| {
            let absence =
                if error == Unreadable::Empty { Absence::Refused } else { Absence::of_failure(error.may_pass()) };
            Pass { reason: error.to_string(), absence }
        })?;
        if !nofollow && !target.is_unlinked {
            self.follow(&page, url, target.depth + 1);
        }
        let base = base_of(&page, url);
        page.links.clear();
        if let Some(to) = page.moved.take().filter(|_| !nofollow).and_then(|to| base.join(&to).ok()) {
            match self.frontier.place().spell(&to) {
                Some(to) if to != *url => return Ok(Taken::Moved(to)),
                // What only leads elsewhere is no page of this site.
                None if page.markdown.trim().is_empty() => return Err(elsewhere()),
                _ => {}
            }
        }
        let canonical = page.canonical.take().and_then(|text| base.join(&text).ok());
        if noindex || page.noindex {
            // Of several addresses of one page, the one that is to be known may want to be kept.
            if let Some(canonical) = canonical.filter(|_| !nofollow && !page.nofollow) {
                self.frontier.find(&canonical, target.depth);
            }
            return Err(gone("it asks not to be kept".into()));
        }
        if page.markdown.trim().is_empty() {
            return Err(Pass { reason: Unreadable::Empty.to_string(), absence: Absence::Refused });
        }
        if let Some(canonical) = canonical {
            self.rename(url, &canonical, target.depth);
        }
        let mut hasher = DefaultHasher::new();
        page.markdown.hash(&mut hasher);
        if !self.texts.insert(hasher.finish()) {
            return Err(Pass { reason: "another page says the same".into(), absence: Absence::Refused });
        }
        Ok(Taken::Page(Box::new(page)))
    }

    fn follow(&mut self, page: &ReadDocument, url: &Url, depth: usize) {
        let base = base_of(page, url);
        for link in &page.links {
            if let Ok(link) = base.join(link) {
                self.frontier.find(&link, depth);
            }
        }
    }

    /// A page may say under which address it wants to be known. It is believed where only the query
    /// differs; another path is one more page to look at, since many sites get this wrong.
    fn rename(&mut self, url: &mut Url, canonical: &Url, depth: usize) {
        let Some(canonical) = self.frontier.place().spell(canonical) else { return };
        if canonical == *url {
            return;
        }
        if canonical.path() == url.path() && self.frontier.meet(&canonical) {
            *url = canonical;
        } else {
            self.frontier.find(&canonical, depth);
        }
    }

    /// The site's rules: none where it has none.
    async fn robots(&mut self) -> Result<Option<Robot>, SiteError> {
        let Some(mut url) = self.frontier.place().at("/robots.txt") else { return Ok(None) };
        for _ in 0..=REDIRECTS_MAX {
            match self.request(&url).await {
                Ok(Fetched::Page(body)) => {
                    let bytes = body.bytes.slice(..body.bytes.len().min(ROBOTS_BYTES_MAX));
                    return Ok(rules(bytes).await);
                }
                Ok(Fetched::Redirect(to)) if self.frontier.place().holds(&to) => url = to,
                // It is not this site's to say where the rules of it are.
                Ok(Fetched::Redirect(_)) | Err(FetchError::TooLarge | FetchError::Encoding) => return Ok(None),
                Ok(Fetched::Status(400..=499)) => return Ok(None),
                Ok(Fetched::Status(status)) => return Err(SiteError::Rules(format!("status {status}"))),
                Err(error) if error.is_of_the_way() => return Err(away(&url, &error)),
                Err(error) => return Err(SiteError::Rules(error.to_string())),
            }
        }
        Ok(None)
    }

    /// Where the first page is in the end.
    async fn settle(&mut self, start: &Url) -> Result<Url, SiteError> {
        let mut url = start.clone();
        for _ in 0..=REDIRECTS_MAX {
            match self.request(&url).await {
                Ok(Fetched::Page(_)) => return Ok(url),
                Ok(Fetched::Status(status)) => return Err(SiteError::Start(format!("status {status}"))),
                Ok(Fetched::Redirect(to)) if self.frontier.place().holds(&to) => url = to,
                Ok(Fetched::Redirect(_)) => return Err(SiteError::Start("it redirects to another site".into())),
                Err(error) if error.is_of_the_way() => return Err(away(&url, &error)),
                Err(error) => return Err(SiteError::Start(error.to_string())),
            }
        }
        Err(SiteError::Start("it redirects too often".into()))
    }

    fn may_fetch(&self, url: &Url) -> bool {
        self.robot.as_ref().is_none_or(|robot| robot.allowed(url.as_str()))
    }

    pub(super) async fn request(&mut self, url: &Url) -> Result<Fetched, FetchError> {
        tokio::time::sleep_until(self.free_at).await;
        self.requests += 1;
        let fetched = self.fetch.get(url).await;
        let asked = self.robot.as_ref().and_then(|robot| robot.delay).filter(|delay| delay.is_finite());
        let asked = Duration::from_secs_f32(asked.unwrap_or(0.0).clamp(0.0, PAUSE_MAX.as_secs_f32()));
        self.free_at = Instant::now() + self.bounds.pause.max(asked);
        fetched
    }
}

impl Absence {
    /// Statuses that may pass are the server's or its neighbours' trouble; any other refusal is its word on the page:
    /// it is behind a login, forbidden, or was never one to be got.
    const fn of_status(status: u16) -> Self {
        match status {
            404 | 410 => Self::Gone,
            501 | 505 => Self::Refused,
            408 | 421 | 423 | 425 | 429 | 500..=599 => Self::Passing,
            _ => Self::Refused,
        }
    }

    const fn of_failure(may_pass: bool) -> Self {
        if may_pass { Self::Passing } else { Self::Gone }
    }
}

/// Nothing was heard of the site. One that has no TLS looks like that, too.
fn away(url: &Url, error: &FetchError) -> SiteError {
    let hint = match (error, url.scheme()) {
        (FetchError::Unreachable, "https") => "; if it has no https, begin its address with http://",
        _ => "",
    };
    SiteError::Away(format!("{error}{hint}"))
}

/// Against what a page's links are to be read.
fn base_of(page: &ReadDocument, url: &Url) -> Url {
    page.base.as_deref().and_then(|base| url.join(base).ok()).unwrap_or_else(|| url.clone())
}

/// The rules in a stranger's file, read where neither time nor a panic matters.
async fn rules(bytes: Bytes) -> Option<Robot> {
    let read = move || catch_unwind(AssertUnwindSafe(|| Robot::new(ROBOT, &bytes).ok())).ok().flatten();
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_of_which_nothing_is_heard_is_not_told_in_words_about_robots() {
        for (address, error, expected) in [
            (
                "https://x.example/",
                FetchError::Unreachable,
                "its host cannot be reached; if it has no https, begin its address with http://",
            ),
            ("http://x.example/", FetchError::Unreachable, "its host cannot be reached"),
            (
                "http://localhost/",
                FetchError::Private,
                "its address leads into a private network; `learning.private_hosts` allows that",
            ),
        ] {
            assert!(error.is_of_the_way());
            let told = away(&Url::parse(address).unwrap(), &error).to_string();
            assert_eq!(told, format!("the site cannot be reached: {expected}"));
        }
        assert!(!FetchError::Broken.is_of_the_way() && !FetchError::TooSlow.is_of_the_way());
    }
}
