//! How far a walk goes at most.

use std::time::Duration;

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
