//! Bodies of the routes that learn sites.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LeftOutReason;
use crate::{JobId, Timestamp, limits};

/// `POST /v1/knowledge/sites`: learn a site, now and from then on if asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteIn {
    /// The address to begin at; only pages of its host are read.
    #[schemars(regex(pattern = r"^\s*[Hh][Tt][Tt][Pp][Ss]?:"))]
    pub url: String,
    /// Pages to learn, 1 to 2,000; 200 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::SITE_PAGES_MAX))]
    pub pages_max: Option<usize>,
    /// Links from the first page to the last, 0 to 50; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = limits::SITE_DEPTH_MAX))]
    pub depth_max: Option<usize>,
    /// Pages of one path that differ in their query only (`/item?id=7`), 1 to 2,000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::SITE_QUERIES_MAX))]
    pub queries_max: Option<usize>,
    /// Learn it again after so many hours, 1 to 8,760; left out, only when asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::SITE_HOURS_MAX))]
    pub every_hours: Option<u32>,
}

/// The answer to `POST /v1/knowledge/sites`: a job has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobStarted {
    /// The job's id, for `GET /v1/knowledge/jobs/{id}`.
    pub job: JobId,
}

/// Whether a job still runs, and how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// The job reads pages.
    #[default]
    Running,
    /// The job has ended and learned what it could read.
    Done,
    /// It ended early; `error` says why. What was learned until then stays.
    Failed,
}

/// `GET /v1/knowledge/jobs/{id}`: one learning of one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobView {
    /// The job's id.
    pub id: JobId,
    /// The address at which the site begins.
    pub url: String,
    /// Whether the job still runs.
    pub state: JobState,
    /// When the job began.
    pub started_at: Timestamp,
    /// When the job ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Pages read so far.
    pub pages_read: usize,
    /// Pages met that still wait to be read.
    pub pages_waiting: usize,
    /// Pages passed over, the first 100.
    pub pages_skipped: Vec<SkippedPage>,
    /// How many pages were passed over in all.
    pub pages_skipped_total: usize,
    /// Pages by what became of them.
    pub learned: LearnedCounts,
    /// Bounds that kept pages from being read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitHit>,
    /// Parts of pages that were not learned, the first 50 by what they are and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutParts>,
    /// How many such parts there are in all.
    #[serde(default)]
    pub left_out_total: usize,
    /// Why the job ended early, or did not see the whole site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A page that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedPage {
    /// The page's address.
    pub url: String,
    /// Why it was not learned, in words.
    pub reason: String,
}

/// A bound that was hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitHit {
    /// The bound that was hit.
    #[serde(default)]
    pub kind: LimitKind,
    /// How much it allows, where it is a number: pages, links, addresses, minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// The same in words: what was passed over, and how the bound is raised where it can be.
    pub limit: String,
    /// How many addresses were passed over because of it, as far as they were counted.
    pub passed_over: usize,
    /// One of the addresses that were passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// A bound of learning a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Pages in all; `pages_max` raises it.
    Pages,
    /// Links from the first page; `depth_max` raises it.
    Depth,
    /// Pages of one path that differ in their query; `queries_max` raises it.
    Queries,
    /// Addresses that the walk remembers.
    Addresses,
    /// Minutes that a job may take.
    Time,
    /// Requests in all: too many led to no page.
    Requests,
    /// Sitemaps that are read of one site.
    Sitemaps,
    /// The time that sitemaps may take.
    SitemapTime,
    /// Addresses in one sitemap, or in all of them.
    SitemapPages,
    /// Sitemaps that cannot be had, or are too large.
    SitemapUnread,
    /// Another bound, told in `limit`; also every bound noted before bounds had names.
    #[default]
    #[serde(other)]
    Other,
}

/// Parts of pages that were not learned, all of one sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOutParts {
    /// Their name in their pages: an element, with its id and first class.
    pub what: String,
    /// Why they are left out.
    #[serde(default)]
    pub reason: LeftOutReason,
    /// `reason` in words.
    pub why: String,
    /// Number of such parts.
    pub parts: usize,
    /// How many characters of text they have together.
    pub characters: usize,
    /// Number of pages that have such parts.
    #[serde(default)]
    pub pages: usize,
    /// A page with one of them.
    pub url: String,
    /// The first pages with one of them, at most 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

/// Pages by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LearnedCounts {
    /// New, or saying something else than before.
    pub changed: usize,
    /// Saying the same as before.
    pub unchanged: usize,
    /// Gone from the site, and forgotten.
    pub removed: usize,
}

/// `GET /v1/knowledge/sites`: all sites of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteList {
    /// At most 16.
    pub sites: Vec<SiteView>,
}

/// A site that was learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteView {
    /// The address at which the site begins.
    pub url: String,
    /// Most pages that are learned of it.
    pub pages_max: usize,
    /// Most links from the first page to the last.
    pub depth_max: usize,
    /// Most pages of one path that differ in their query only.
    pub queries_max: usize,
    /// Hours between two learnings; absent when it is learned on request only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_hours: Option<u32>,
    /// When it is learned next; absent when it is learned on request only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Pages of the site that the assistant knows now.
    pub pages: usize,
    /// The job that runs, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<JobView>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_other_versions_can_be_read() {
        let hit = |json: &str| serde_json::from_str::<LimitHit>(json).map(|hit| (hit.kind, hit.most)).ok();
        assert_eq!(hit(r#"{"limit":"more than 3 pages","passed_over":1}"#), Some((LimitKind::Other, None)));
        assert_eq!(hit(r#"{"kind":"moons","limit":"x","passed_over":1}"#), Some((LimitKind::Other, None)));
        let pages = r#"{"kind":"pages","most":3,"limit":"x","passed_over":1}"#;
        assert_eq!(hit(pages), Some((LimitKind::Pages, Some(3))));
        let parts = |json: &str| serde_json::from_str::<LeftOutParts>(json).map(|one| (one.reason, one.pages)).ok();
        let before = r#"{"what":"nav","why":"x","parts":1,"characters":9,"url":"https://shop.example/"}"#;
        assert_eq!(parts(before), Some((LeftOutReason::Other, 0)));
        let now = before.replace("\"why\"", "\"reason\":\"navigation\",\"pages\":4,\"why\"");
        assert_eq!(parts(&now), Some((LeftOutReason::Navigation, 4)));
        let later = before.replace("\"why\"", "\"reason\":\"moonlight\",\"why\"");
        assert_eq!(parts(&later), Some((LeftOutReason::Other, 0)));
    }
}
