//! Pages that a site lists itself: where its rules for robots say so, or in the usual places.
//! Invariant: lists take a bounded part of a walk's time and none of its requests; a list that is not read,
//! or not whole, is told.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use tokio::time::Instant;
use url::Url;

use super::fetch::{Fetched, unpack};
use super::limits::Limit;
use super::sitemap::{self, LOCATIONS_MAX};
use super::walk::Walk;

/// Lists that are fetched.
const SITEMAPS_MAX: usize = 64;
/// Lists that are known, to be fetched or told.
const KNOWN_MAX: usize = 10_000;
/// Pages taken from all lists.
const PAGES_MAX: usize = 50_000;
/// This part of a walk's time may be spent on lists.
const TIME_PART: u32 = 4;
/// Where a list is when nothing says where.
const USUAL: &[&str] =
    &["/sitemap.xml", "/sitemap_index.xml", "/sitemap-index.xml", "/wp-sitemap.xml", "/sitemap.xml.gz", "/sitemap.txt"];

/// Lists to be read.
struct Todo {
    waiting: VecDeque<Url>,
    known: HashSet<Url>,
}

impl Todo {
    fn add(&mut self, url: Url) {
        if self.known.len() < KNOWN_MAX && self.known.insert(url.clone()) {
            self.waiting.push_back(url);
        }
    }
}

impl Walk<'_> {
    /// Pages that the site lists itself. A list that cannot be read is no reason to stop.
    pub(super) async fn sitemaps(&mut self) -> Vec<Url> {
        let requests = self.requests;
        let until = self.deadline.min(Instant::now() + self.bounds.time_max / TIME_PART);
        let mut pages = Vec::new();
        let named = self.robot.as_ref().map(|robot| robot.sitemaps.clone()).unwrap_or_default();
        // Some write only the path.
        let named = named.iter().filter_map(|text| self.frontier.place().at(text.trim()));
        let mut todo = Todo { waiting: VecDeque::new(), known: HashSet::new() };
        named.for_each(|url| todo.add(url));
        self.read_all(&mut todo, until, true, &mut pages).await;
        for path in USUAL {
            if !pages.is_empty() || Instant::now() >= until {
                break;
            }
            self.frontier.place().at(path).into_iter().for_each(|url| todo.add(url));
            self.read_all(&mut todo, until, false, &mut pages).await;
        }
        self.requests = requests;
        pages
    }

    /// Reads lists and the lists they name. `told` says that the first of them were promised.
    async fn read_all(&mut self, todo: &mut Todo, until: Instant, told: bool, pages: &mut Vec<Url>) {
        let mut promised = told;
        let mut first = todo.waiting.len();
        let mut read = todo.known.len() - todo.waiting.len();
        while let Some(url) = todo.waiting.pop_front() {
            if !self.frontier.place().holds(&url) {
                continue;
            }
            if read >= SITEMAPS_MAX {
                self.frontier.hits.pass(Limit::Sitemaps(SITEMAPS_MAX), url.as_str());
                continue;
            }
            if Instant::now() >= until || pages.len() >= PAGES_MAX {
                self.frontier.hits.pass(Limit::SitemapTime, url.as_str());
                continue;
            }
            read += 1;
            if first == 0 {
                // From here on, lists come from other lists.
                promised = true;
            }
            first = first.saturating_sub(1);
            match self.request(&url).await {
                Ok(Fetched::Page(body)) => {
                    let is_packed = body.bytes.starts_with(&[0x1f, 0x8b]);
                    let bytes = if is_packed { unpack(&body.bytes).map(Bytes::from) } else { Ok(body.bytes) };
                    let Ok(bytes) = bytes else {
                        self.frontier.hits.pass(Limit::SitemapUnread, url.as_str());
                        continue;
                    };
                    let found = sitemap::read(&bytes, &url);
                    if found.is_cut {
                        self.frontier.hits.pass(Limit::SitemapPages(LOCATIONS_MAX), url.as_str());
                    }
                    pages.extend(found.pages);
                    found.sitemaps.into_iter().for_each(|url| todo.add(url));
                }
                Ok(Fetched::Redirect(to)) => todo.add(to),
                Ok(Fetched::Status(_)) | Err(_) if promised => {
                    self.frontier.hits.pass(Limit::SitemapUnread, url.as_str());
                }
                Ok(Fetched::Status(_)) | Err(_) => {}
            }
        }
    }
}
