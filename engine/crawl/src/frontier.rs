//! Which page comes next: breadth first, each once, within depth and number.
//! Invariant: no I/O and no clock; what it remembers is bounded.

use std::collections::{HashMap, HashSet, VecDeque};

use url::Url;

use super::Bounds;
use super::limits::{Hits, Limit};
use super::place::{Place, may_be_text};

/// Addresses remembered, met or waiting, …
const SEEN_MAX: usize = 50_000;
/// … and their letters. Each stands in up to three places: as met, as waiting, and its path.
const SEEN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Addresses of one path that differ in their query only and take their turn; further ones come after all
/// others: calendars, filters, sessions.
const VARIANTS_FIRST: usize = 20;

/// A page to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    /// Links from the first page.
    pub(super) depth: usize,
    /// Nothing on the site leads to it any more: what it leads to is not followed.
    pub(super) is_unlinked: bool,
}

pub(super) struct Frontier {
    place: Place,
    bounds: Bounds,
    queue: VecDeque<Target>,
    /// What comes after all others.
    later: VecDeque<Target>,
    seen: HashSet<String>,
    seen_bytes: usize,
    /// By path, how many addresses with a query are among those seen.
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
            seen_bytes: 0,
            variants: HashMap::new(),
            hits: Hits::default(),
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Remembers an address as met; false when it was, or when no more are remembered.
    pub(super) fn meet(&mut self, url: &Url) -> bool {
        if self.seen.contains(url.as_str()) || self.full(url).is_some() {
            return false;
        }
        self.seen_bytes += url.as_str().len();
        self.seen.insert(url.as_str().to_owned())
    }

    /// The bound that leaves no room for an address.
    fn full(&self, url: &Url) -> Option<Limit> {
        if self.seen.len() >= SEEN_MAX {
            return Some(Limit::Addresses(SEEN_MAX));
        }
        (self.seen_bytes + url.as_str().len() > SEEN_BYTES_MAX).then_some(Limit::AddressBytes(SEEN_BYTES_MAX))
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
        let variants = url.query().map(|_| self.variants.get(url.path()).copied().unwrap_or_default());
        let many = variants.is_some_and(|variants| variants >= self.bounds.queries_max);
        let limit = many.then_some(Limit::Queries(self.bounds.queries_max)).or_else(|| self.full(&url));
        if let Some(limit) = limit {
            self.hits.pass(limit, url.as_str());
            return false;
        }
        self.meet(&url);
        if variants.is_some() {
            *self.variants.entry(url.path().to_owned()).or_default() += 1;
        }
        let is_late = variants.is_some_and(|variants| variants >= VARIANTS_FIRST);
        let queue = if is_late { &mut self.later } else { &mut self.queue };
        queue.push_back(Target { url, depth, is_unlinked: false });
        true
    }

    /// A page that was known before and was not met: it is asked for itself.
    pub(super) fn ask_for(&mut self, url: &Url) {
        let Some(url) = self.place.spell(url) else { return };
        if self.meet(&url) {
            self.later.push_back(Target { url, depth: self.bounds.depth_max, is_unlinked: true });
        }
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

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_bytes_however_addresses_look() {
        let long = "x".repeat(900);
        for (look, make) in [
            ("short", Box::new(|n| format!("https://x.example/{n}")) as Box<dyn Fn(usize) -> String>),
            ("short, with queries", Box::new(|n| format!("https://x.example/{n}?q={n}"))),
            ("long", Box::new(|n| format!("https://x.example/{long}{n}"))),
            ("long, with queries", Box::new(|n| format!("https://x.example/{long}{n}?q={n}"))),
        ] {
            for queries_max in [0, 1, 2_000] {
                let bounds = Bounds { queries_max, ..Bounds::default() };
                let mut frontier = Frontier::new(Place::new(&url("https://x.example/")), bounds);
                let taken = (0..60_000).filter(|n| frontier.find(&url(&make(*n)), 1)).count();
                let bytes: usize = frontier.seen.iter().map(String::len).sum();
                assert!(taken <= SEEN_MAX && bytes <= SEEN_BYTES_MAX, "{look}: {taken}, {bytes}");
                assert_eq!((frontier.seen.len(), frontier.waiting()), (taken, taken), "{look}");
                assert!(frontier.variants.len() <= taken, "{look}: {}", frontier.variants.len());
                assert_eq!(frontier.hits.views().len(), 1, "{look}: one bound is told");
                assert_eq!(frontier.hits.views()[0].passed_over, 60_000 - taken, "{look}");
            }
        }
    }
}
