//! A walk through a site, and what the tenant's assistant learns from it.
//! Invariant: a page is forgotten only when it is gone or refused, or when the bound of pages leaves it out; never
//! because it could not be reached, nor because no page leads to it any more, nor when most of a site is refused.

use std::collections::{HashMap, HashSet};

use engine_documents::by_sort;
use engine_knowledge::{Document, Knowledge, KnowledgeError};
use schema::limits::{LEFT_OUT_PAGES_MAX, LEFT_OUT_SHOWN_MAX, SKIPPED_SHOWN_MAX};
use schema::wire::{JobView, LearnedCounts, LeftOut, LeftOutParts, LimitHit, SkippedPage};
use schema::{TenantId, Text, Timestamp};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Bounds;
use super::error::SiteError;
use super::fetch::Fetch;
use super::read::Read;
use super::repeated::Repeated;
use super::walk::{Absence, Step, Walk};

/// Pages learned in one commit, …
const BATCH_PAGES: usize = 16;
/// … or fewer that have so many bytes.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Times a batch is offered again to a learner that is busy.
const RETRIES_MAX: u32 = 5;

/// So many known pages at least must be refused, and more than half of all, before that is taken for a wall.
const WALLED_PAGES_MIN: usize = 2;

/// What a walk has come to so far.
#[derive(Debug, Default)]
pub struct Walked {
    /// Addresses that are known now.
    pub pages: Vec<String>,
    pub(super) read: usize,
    waiting: usize,
    pub(super) skipped: Vec<SkippedPage>,
    skipped_total: usize,
    pub(super) learned: LearnedCounts,
    pub(super) limits: Vec<LimitHit>,
    pub(super) left_out: Vec<LeftOutParts>,
    left_out_total: usize,
    /// The walk ended before the site did.
    pub cut: bool,
}

impl Walked {
    /// Writes the numbers into a view.
    pub fn show(&self, view: &mut JobView) {
        view.pages_read = self.read;
        view.pages_waiting = self.waiting;
        view.pages_skipped.clone_from(&self.skipped);
        view.pages_skipped_total = self.skipped_total;
        view.learned = self.learned;
        view.limits.clone_from(&self.limits);
        view.left_out.clone_from(&self.left_out);
        view.left_out_total = self.left_out_total;
    }

    /// Counts parts of a page that are not learned, by what they are and why.
    fn leave_out(&mut self, url: &str, sorts: &[LeftOut]) {
        for LeftOut { what, reason, why, parts, characters } in sorts {
            self.left_out_total += parts;
            let has_room = self.left_out.len() < LEFT_OUT_SHOWN_MAX;
            let known = self.left_out.iter_mut().find(|known| known.what == *what && known.why == *why);
            match known {
                Some(known) => {
                    known.parts += parts;
                    known.characters += characters;
                    known.pages += 1;
                    if known.urls.len() < LEFT_OUT_PAGES_MAX {
                        known.urls.push(url.to_owned());
                    }
                }
                None if has_room => self.left_out.push(LeftOutParts {
                    what: what.clone(),
                    reason: *reason,
                    why: why.clone(),
                    parts: *parts,
                    characters: *characters,
                    pages: 1,
                    url: url.to_owned(),
                    urls: vec![url.to_owned()],
                }),
                None => {}
            }
        }
    }

    fn skip(&mut self, url: String, reason: String) {
        self.skipped_total += 1;
        if self.skipped.len() < SKIPPED_SHOWN_MAX {
            self.skipped.push(SkippedPage { url, reason });
        }
    }
}

/// Learns sites for one tenant.
pub struct Learner<'a> {
    /// Where documents are learned.
    pub knowledge: &'a Knowledge,
    /// Whose.
    pub tenant: TenantId,
    /// Where pages come from.
    pub fetch: &'a dyn Fetch,
    /// Reads them.
    pub reader: &'a dyn Read,
    /// Ends the walk in good order.
    pub stop: &'a CancellationToken,
    /// Tells the time.
    pub now: &'a (dyn Fn() -> Timestamp + Send + Sync),
}

impl Learner<'_> {
    /// Learns a site of which `known` pages are known; `report` is told after every page.
    ///
    /// # Errors
    /// With what was learned until then in `outcome`.
    pub async fn learn(
        &self,
        start: &Url,
        bounds: Bounds,
        known: &[String],
        outcome: &mut Walked,
        mut report: impl FnMut(&Walked) + Send,
    ) -> Result<(), SiteError> {
        outcome.pages = known.to_vec();
        let mut walk = tokio::select! {
            walk = Walk::begin(start, bounds, self.fetch, self.reader, self.tenant) => walk?,
            () = self.stop.cancelled() => return Err(SiteError::Stopped),
        };
        let (mut kept, mut gone) = (HashSet::new(), HashSet::new());
        let mut refused: HashSet<String> = HashSet::new();
        // Addresses that lead to another page of the site, each with that page.
        let mut moved: HashMap<String, String> = HashMap::new();
        let (mut unsure, mut asked_for) = (false, false);
        let (mut batch, mut repeated) = (Batch::default(), Repeated::default());
        let stopped = loop {
            outcome.waiting = walk.waiting();
            outcome.limits = walk.limits();
            report(outcome);
            let step = tokio::select! {
                step = walk.next() => step,
                () = self.stop.cancelled() => break true,
            };
            match step {
                // All that the site leads to was met. What it led to before may be there all the same.
                None if !asked_for && !walk.was_cut() && walk.waiting() == 0 => {
                    asked_for = true;
                    let is_met = |url: &String| {
                        kept.contains(url) || gone.contains(url) || refused.contains(url) || moved.contains_key(url)
                    };
                    walk.ask_for(known.iter().filter(|url| !is_met(url)));
                }
                None => break false,
                Some(Step::Moved { asked, to }) => {
                    moved.insert(asked, to);
                }
                Some(Step::Read { asked, url, page }) => {
                    outcome.read += 1;
                    if asked != url {
                        moved.insert(asked, url.clone());
                    }
                    let left_out = by_sort(&page.left_out);
                    outcome.leave_out(&url, &left_out);
                    kept.insert(url.clone());
                    repeated.meet(&page.markdown);
                    if batch.add(ReadPage { url, markdown: page.markdown, left_out }) {
                        let empty = self.learn_batch(&mut batch, &mut repeated, outcome).await?;
                        kept.retain(|url| !empty.contains(url));
                        gone.extend(empty);
                    }
                }
                Some(Step::Skipped { url, reason, absence }) => {
                    unsure |= absence == Absence::Passing;
                    let place = match absence {
                        Absence::Passing => &mut kept,
                        Absence::Refused => &mut refused,
                        Absence::Gone => &mut gone,
                    };
                    place.insert(url.clone());
                    outcome.skip(url, reason);
                }
            }
        };
        outcome.waiting = walk.waiting();
        outcome.limits = walk.limits();
        let empty = self.learn_batch(&mut batch, &mut repeated, outcome).await?;
        kept.retain(|url| !empty.contains(url));
        gone.extend(empty);
        outcome.cut = stopped || walk.was_cut();
        let (together, alone) = by_company(moved, known);
        refused.extend(together);
        gone.extend(alone);
        // A login, a notice or a check for robots before the whole site looks like this; the end of a page does not.
        let known_refused = known.iter().filter(|url| refused.contains(*url)).count();
        let is_walled = known_refused >= WALLED_PAGES_MIN && known_refused * 2 > known.len();
        if is_walled {
            kept.extend(known.iter().filter(|url| !gone.contains(*url)).cloned());
        } else {
            gone.extend(refused);
        }
        // What was not met is gone only if all that could have led to it was seen.
        let whole = !unsure && !outcome.cut;
        let lost = |url: &String| !kept.contains(url) && (whole || gone.contains(url));
        if outcome.read > 0 {
            let lost: Vec<String> = outcome.pages.iter().filter(|url| lost(url)).cloned().collect();
            outcome.learned.removed = self.knowledge.forget_all(self.tenant, lost.clone()).await?;
            // Only now: a page that could not be forgotten is to be forgotten the next time.
            let lost: HashSet<String> = lost.into_iter().collect();
            outcome.pages.retain(|url| !lost.contains(url));
        }
        report(outcome);
        match (stopped, outcome.read) {
            (true, _) => Err(SiteError::Stopped),
            (false, 0) => Err(SiteError::Nothing),
            _ if is_walled => Err(SiteError::Walled { refused: known_refused, known: known.len() }),
            _ => Ok(()),
        }
    }

    /// Learns pages that were met; gives those that say nothing of their own.
    async fn learn_batch(
        &self,
        batch: &mut Batch,
        repeated: &mut Repeated,
        outcome: &mut Walked,
    ) -> Result<Vec<String>, SiteError> {
        let (mut documents, mut empty) = (Vec::new(), Vec::new());
        for ReadPage { url, markdown, mut left_out } in std::mem::take(batch).pages {
            let learned = repeated.learn(markdown);
            let told = by_sort(&learned.left_out);
            outcome.leave_out(&url, &told);
            left_out.extend(told);
            match learned.text {
                Some(text) => documents.push(Document { source: url, text: Text::from(text), left_out }),
                None => {
                    outcome.skip(url.clone(), "other pages say all that it says".into());
                    empty.push(url);
                }
            }
        }
        let mut tries = 0;
        let learned = loop {
            match self.knowledge.learn(self.tenant, documents.clone(), (self.now)()).await {
                Err(KnowledgeError::Busy) if tries < RETRIES_MAX => {
                    tries += 1;
                    tokio::time::sleep(std::time::Duration::from_secs(1) * tries).await;
                }
                learned => break learned?,
            }
        };
        for one in learned {
            if one.changed {
                outcome.learned.changed += 1;
            } else {
                outcome.learned.unchanged += 1;
            }
            if !outcome.pages.contains(&one.source) {
                outcome.pages.push(one.source);
            }
        }
        Ok(empty)
    }
}

/// A page that was read, and what of it was not.
struct ReadPage {
    url: String,
    markdown: String,
    left_out: Vec<LeftOut>,
}

/// Pages that are learned together.
#[derive(Default)]
struct Batch {
    pages: Vec<ReadPage>,
    bytes: usize,
}

impl Batch {
    /// True when it is full.
    fn add(&mut self, page: ReadPage) -> bool {
        self.bytes += page.markdown.len();
        self.pages.push(page);
        self.pages.len() >= BATCH_PAGES || self.bytes >= BATCH_BYTES
    }
}

/// Known pages that lead to one page together, as to a login; and those that have moved each for itself.
fn by_company(moved: HashMap<String, String>, known: &[String]) -> (Vec<String>, Vec<String>) {
    let mut led: HashMap<String, usize> = HashMap::new();
    for to in known.iter().filter_map(|url| moved.get(url)) {
        *led.entry(to.clone()).or_default() += 1;
    }
    let (together, alone): (Vec<_>, Vec<_>) =
        moved.into_iter().partition(|(_, to)| led.get(to).is_some_and(|pages| *pages >= WALLED_PAGES_MIN));
    let addresses = |pages: Vec<(String, String)>| pages.into_iter().map(|(asked, _)| asked).collect();
    (addresses(together), addresses(alone))
}
