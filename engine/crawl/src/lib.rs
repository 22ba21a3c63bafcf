//! A site walked through page by page, and learned: politely, within bounds, and never into the
//! machine's own network.
//! Invariant: what to fetch is decided without I/O; an address is connected to only as checked.

mod address;
mod bounds;
mod error;
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

pub use bounds::Bounds;
pub use error::SiteError;
pub use fetch::{Fetch, FetchError, Fetched, Web};
pub use learn::{Learner, Walked};
pub use place::start_url;
pub use read::Read;
pub use sites::{JobProgress, Kept, Post, Site, Sites};
pub use walk::{Absence, Step, Walk};

/// Who asks for pages, and why.
pub const USER_AGENT: &str = concat!("tertulia/", env!("CARGO_PKG_VERSION"), " (+learns pages for its owner)");
/// The name that a site's rules for robots may call us by.
const ROBOT: &str = "tertulia";
