//! Which page comes next: breadth first, each once, within depth and number.
//! Invariant: no I/O and no clock; what it remembers is bounded.

use std::collections::{HashMap, HashSet, VecDeque};

use url::Url;

use super::Bounds;
use super::limits::{Hits, Limit};
use super::place::{Place, may_be_text};

/// Addresses remembered, met or waiting.
const SEEN_MAX: usize = 50_000;
/// Addresses of one path that differ in their query only and take their turn; further ones come after all
/// others: calendars, filters, sessions.
const VARIANTS_FIRST: usize = 20;

/// A page to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    /// Links from the first page.
    pub(super) depth: usize,
}

pub(super) struct Frontier {
    place: Place,
    bounds: Bounds,
    queue: VecDeque<Target>,
    /// What comes after all others.
    later: VecDeque<Target>,
    seen: HashSet<String>,
    variants: HashMap<String, usize>,
    pub(super) hits: Hits,
}

impl Frontier {
    pub(super) fn new(place: Place, bounds: Bounds) -> Self {
        Self {
            place,
            bounds,
            queue: VecDeque::new(),
            later: VecDeque::new(),
            seen: HashSet::new(),
            variants: HashMap::new(),
            hits: Hits::default(),
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Remembers an address as met; false when it was.
    pub(super) fn meet(&mut self, url: &Url) -> bool {
        self.seen.len() < SEEN_MAX && self.seen.insert(url.as_str().to_owned())
    }

    /// A link that was found; false when it is passed over.
    pub(super) fn find(&mut self, url: &Url, depth: usize) -> bool {
        let Some(url) = self.place.spell(url).filter(may_be_text) else { return false };
        if self.seen.contains(url.as_str()) {
            return false;
        }
        if depth > self.bounds.depth_max {
            self.hits.pass(Limit::Depth(self.bounds.depth_max), url.as_str());
            return false;
        }
        let mut is_late = false;
        if url.query().is_some() {
            let variants = self.variants.entry(url.path().to_owned()).or_default();
            if *variants >= self.bounds.queries_max {
                self.hits.pass(Limit::Queries(self.bounds.queries_max), url.as_str());
                return false;
            }
            *variants += 1;
            is_late = *variants > VARIANTS_FIRST;
        }
        if !self.meet(&url) {
            self.hits.pass(Limit::Addresses(SEEN_MAX), url.as_str());
            return false;
        }
        let queue = if is_late { &mut self.later } else { &mut self.queue };
        queue.push_back(Target { url, depth });
        true
    }

    pub(super) fn next(&mut self) -> Option<Target> {
        self.queue.pop_front().or_else(|| self.later.pop_front())
    }

    /// The page that would come next.
    pub(super) fn first(&self) -> Option<&Target> {
        self.queue.front().or_else(|| self.later.front())
    }

    /// How many pages are known to wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + self.later.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn pages_come_once_in_the_order_in_which_they_were_found() {
        let bounds = Bounds { depth_max: 2, ..Bounds::default() };
        let mut frontier = Frontier::new(Place::new(&url("https://x.example/")), bounds);
        for (link, depth, taken) in [
            ("https://x.example/", 0, true),
            ("https://x.example/b", 1, true),
            ("https://x.example/a", 1, true),
            ("https://www.x.example/b#again", 1, false),
            ("https://x.example/logo.PNG", 1, false),
            ("https://y.example/", 1, false),
            ("https://x.example/guide.pdf", 2, true),
            ("https://x.example/deep", 3, false),
        ] {
            assert_eq!(frontier.find(&url(link), depth), taken, "{link}");
        }
        let order: Vec<String> =
            std::iter::from_fn(|| frontier.next()).map(|target| target.url.path().into()).collect();
        assert_eq!(order, ["/", "/b", "/a", "/guide.pdf"]);
    }

    #[test]
    fn pages_that_differ_in_their_query_come_last_and_endless_ones_end() {
        let bounds = Bounds { queries_max: 30, ..Bounds::default() };
        let mut frontier = Frontier::new(Place::new(&url("https://x.example/")), bounds);
        let taken = (0..1_000).filter(|n| frontier.find(&url(&format!("https://x.example/cal?day={n}")), 1)).count();
        assert_eq!(taken, 30);
        assert!(!frontier.find(&url("https://x.example/cal?day=999"), 1));
        let hits = frontier.hits.views();
        assert_eq!((hits.len(), hits[0].passed_over), (1, 970), "each counts once: {hits:?}");
        assert_eq!(hits[0].example.as_deref(), Some("https://x.example/cal?day=30"));
        assert!(frontier.find(&url("https://x.example/a"), 1));
        let order: Vec<Target> = std::iter::from_fn(|| frontier.next()).collect();
        assert_eq!((order[19].url.query(), order[20].url.path(), order.len()), (Some("day=19"), "/a", 31));
        let paths = (0..2 * SEEN_MAX).filter(|n| frontier.find(&url(&format!("https://x.example/{n}")), 1)).count();
        assert!(paths <= SEEN_MAX, "{paths}");
        assert!(frontier.hits.views().iter().any(|hit| hit.limit.contains("addresses met")));
    }
}
