//! Bodies of the routes that learn sites.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{JobId, Timestamp};

/// `POST /v1/knowledge/sites`: learn a site, now and from then on if asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteIn {
    /// Where to begin; only pages of its host are read.
    pub url: String,
    /// Pages to learn, 1 to 2,000; 200 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_max: Option<usize>,
    /// Links from the first page to the last, 0 to 50; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth_max: Option<usize>,
    /// Learn it again after so many hours, 1 to 8,760; left out, only when asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_hours: Option<u32>,
}

/// A job has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobStarted {
    /// Its id.
    pub job: JobId,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It reads pages.
    #[default]
    Running,
    /// It is through.
    Done,
    /// It ended early; `error` says why. What was learned until then stays.
    Failed,
}

/// `GET /v1/knowledge/jobs/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// The site.
    pub url: String,
    /// How it stands.
    pub state: JobState,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Pages read so far.
    pub pages_read: usize,
    /// Pages met that still wait to be read.
    pub pages_waiting: usize,
    /// Pages passed over, the first 100.
    pub pages_skipped: Vec<SkippedPage>,
    /// How many they are in all.
    pub pages_skipped_total: usize,
    /// What came of it.
    pub learned: LearnedCounts,
    /// Why it ended early, or did not see the whole site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A page that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedPage {
    /// Its address.
    pub url: String,
    /// Why.
    pub reason: String,
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

/// `GET /v1/knowledge/sites`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteList {
    /// The tenant's sites.
    pub sites: Vec<SiteView>,
}

/// A site that was learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteView {
    /// Where it begins.
    pub url: String,
    /// Pages to learn.
    pub pages_max: usize,
    /// Links from the first page to the last.
    pub depth_max: usize,
    /// How often it is learned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_hours: Option<u32>,
    /// When it is learned next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Pages known of it.
    pub pages: usize,
    /// The job that runs, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<JobView>,
}
