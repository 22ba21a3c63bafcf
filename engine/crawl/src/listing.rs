//! Pages that a site lists itself: where its rules for robots say so, or in the usual places.
//! Invariant: lists take a bounded part of a walk's time and none of its requests; a list that is not read,
//! or not whole, is told; of what they name, no more is kept than a walk remembers.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use tokio::time::Instant;
use url::Url;

use super::fetch::{Fetched, unpack};
use super::limits::Limit;
use super::place::URL_BYTES_MAX;
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
#[derive(Default)]
struct Todo {
    waiting: VecDeque<List>,
    known: HashSet<Url>,
    /// Lists that were asked for, and addresses of pages that they named.
    read: usize,
    pages: usize,
}

struct List {
    url: Url,
    /// Somebody has named it: that it is not there is told.
    is_promised: bool,
}

impl Todo {
    fn add(&mut self, url: Url, is_promised: bool) {
        let fits = self.known.len() < KNOWN_MAX && url.as_str().len() <= URL_BYTES_MAX;
        if fits && self.known.insert(url.clone()) {
            self.waiting.push_back(List { url, is_promised });
        }
    }
}

impl Walk<'_> {
    /// Finds pages that the site lists itself. A list that cannot be read is no reason to stop.
    pub(super) async fn sitemaps(&mut self) {
        let requests = self.requests;
        let until = self.deadline.min(Instant::now() + self.bounds.time_max / TIME_PART);
        let named = self.robot.as_ref().map(|robot| robot.sitemaps.clone()).unwrap_or_default();
        // Some write only the path.
        let named = named.iter().filter_map(|text| self.frontier.place().at(text.trim()));
        let mut todo = Todo::default();
        named.for_each(|url| todo.add(url, true));
        self.read_all(&mut todo, until).await;
        for path in USUAL {
            if todo.pages > 0 || Instant::now() >= until {
                break;
            }
            self.frontier.place().at(path).into_iter().for_each(|url| todo.add(url, false));
            self.read_all(&mut todo, until).await;
        }
        self.requests = requests;
    }

    /// Reads lists and the lists they name.
    async fn read_all(&mut self, todo: &mut Todo, until: Instant) {
        while let Some(List { url, is_promised }) = todo.waiting.pop_front() {
            if !self.frontier.place().holds(&url) {
                continue;
            }
            let limit = if todo.read >= SITEMAPS_MAX {
                Some(Limit::Sitemaps(SITEMAPS_MAX))
            } else if todo.pages >= PAGES_MAX {
                Some(Limit::AllSitemapPages(PAGES_MAX))
            } else {
                (Instant::now() >= until).then_some(Limit::SitemapTime)
            };
            if let Some(limit) = limit {
                self.frontier.hits.pass(limit, url.as_str());
                continue;
            }
            todo.read += 1;
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
                    todo.pages += found.pages.len();
                    for page in found.pages {
                        self.frontier.find(&page, 1);
                    }
                    found.sitemaps.into_iter().for_each(|url| todo.add(url, true));
                }
                Ok(Fetched::Redirect(to)) => todo.add(to, is_promised),
                Ok(Fetched::Status(_)) | Err(_) if is_promised => {
                    self.frontier.hits.pass(Limit::SitemapUnread, url.as_str());
                }
                Ok(Fetched::Status(_)) | Err(_) => {}
            }
        }
    }
}
