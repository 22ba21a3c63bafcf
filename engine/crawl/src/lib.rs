//! A site walked through page by page, and learned: politely, within bounds, and never into the
//! machine's own network.
//! Invariant: what to fetch is decided without I/O; an address is connected to only as checked.

mod address;
mod fetch;
mod frontier;
mod learn;
mod limits;
mod listing;
mod place;
mod read;
mod repeated;
mod sitemap;
mod sites;
mod walk;
#[cfg(test)]
mod walk_tests;

pub use fetch::{Fetch, FetchError, Fetched, Web};
pub use learn::{Learner, Outcome, SiteError};
pub use place::start_url;
pub use read::Read;
pub use sites::{Kept, Site, Sites};
pub use walk::{Absence, Step, Walk};

use std::time::Duration;

/// Who asks for pages, and why.
pub const USER_AGENT: &str = concat!("tertulia/", env!("CARGO_PKG_VERSION"), " (+learns pages for its owner)");
/// The name that a site's rules for robots may call us by.
const ROBOT: &str = "tertulia";

/// How far a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Pages that are read.
    pub pages_max: usize,
    /// Links from the first page to the last.
    pub depth_max: usize,
    /// Pages of one path that differ in their query only.
    pub queries_max: usize,
    /// Time in all.
    pub time_max: Duration,
    /// Shortest pause between two requests.
    pub pause: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            pages_max: schema::limits::SITE_PAGES_DEFAULT,
            depth_max: schema::limits::SITE_DEPTH_DEFAULT,
            queries_max: schema::limits::SITE_QUERIES_DEFAULT,
            time_max: Duration::from_secs(600),
            pause: Duration::from_millis(100),
        }
    }
}
