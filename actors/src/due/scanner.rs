//! Looks through the index of what is due, one for each node: page by page, with pauses, and no faster than the
//! workers attend to it.

use std::sync::Arc;
use std::time::Duration;

use engine_store::{DueEntry, DueQuery, SharedStore, StoreError};
use schema::{ConversationId, ConversationKey, TenantId, Timestamp, limits};
use tokio::time::{Instant, sleep, timeout};

use super::remembered::{Remembered, Sending};
use super::{DueWork, Errand, Share};
use crate::clock::Clock;
use crate::metrics::{DUE_LAG, DUE_SCANNED};
use crate::phase::Phase;
use crate::tenant::KnownTenants;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two pages of a look: three hundred conversations in a second at most, so that those who talk feel
/// nothing of what has piled up.
const PAGE_PAUSE: Duration = Duration::from_millis(200);
/// The same after a page of which nobody was sent for.
const SKIP_PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for a page.
const PAGE_MAX: Duration = Duration::from_secs(10);
/// How often, while the workers are busy, it is looked whether the node drains.
const GLANCE_EVERY: Duration = Duration::from_millis(250);
/// Pages of the round in one look.
const ROUND_PAGES: usize = 8;
/// What came due so long ago was seen when it did, unless it was written later than that: then the round finds it.
const FRONT_MARGIN: Duration = Duration::from_secs(30);

/// Why a look ended before it had seen everything.
enum Cut {
    Store(StoreError),
    Draining,
}

/// Looks through the index for one node.
///
/// The system runs one from its start until it drains. A look reads what has come due since the last one, all of it,
/// and some pages of the *round*, which goes through everything that is due and then begins again: what stands there
/// and cannot be done holds up nothing that is newer. Usually all of it is one page, and each look a whole round. A
/// look ends early with a store that does not answer (all then pause), or with the drain. It may send for a
/// conversation once too often, which asks the conversation for nothing new; it never takes an entry away.
pub(crate) struct Scanner {
    pub(crate) store: SharedStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tenants: Arc<KnownTenants>,
    pub(crate) phase: Arc<Phase>,
    pub(crate) work: Arc<DueWork>,
    /// What this node attends to, where it is not alone.
    pub(crate) share: Option<Share>,
    /// Numbers from 0 to 1 that spread pauses.
    pub(crate) jitter: fn() -> f64,
    /// Whether no other node has the same store: nothing can be on its way but what this life has begun.
    pub(crate) alone: bool,
}

/// Where the scanner stands, from one look to the next.
#[derive(Default)]
struct Rounds {
    remembered: Remembered,
    /// The round has come to here.
    round: Option<DueEntry>,
    /// All up to here was seen when it came due.
    front: Option<DueEntry>,
    /// How far ahead of the clock is looked.
    ahead: Duration,
    /// How late the latest of those came whom this look has sent for the first time.
    lag: Duration,
}

/// What a page was.
struct Seen {
    last: Option<DueEntry>,
    /// Whether there may be more behind it.
    is_full: bool,
    /// Whether somebody was sent for.
    has_sent: bool,
}

impl Seen {
    const fn pause(&self) -> Duration {
        if self.has_sent { PAGE_PAUSE } else { SKIP_PAUSE }
    }
}

impl Scanner {
    /// Sends for those who are due, until the node drains.
    pub(crate) async fn scan(&self) {
        let mut rounds = Rounds::default();
        if self.alone {
            rounds.ahead = limits::DUE_AHEAD_AT_START;
        }
        while !self.phase.is_draining() {
            match self.look(&mut rounds).await {
                Ok(()) => rounds.ahead = Duration::ZERO,
                Err(Cut::Draining) => return,
                Err(Cut::Store(error)) => {
                    tracing::warn!(index = "due", %error, "what is due could not be looked for; it is tried again");
                    self.work.failed();
                }
            }
            sleep(LOOK_EVERY.max(self.work.pause_left())).await;
        }
    }

    async fn look(&self, rounds: &mut Rounds) -> Result<(), Cut> {
        rounds.remembered.begin();
        rounds.lag = Duration::ZERO;
        for pages in 0..ROUND_PAGES {
            let from = rounds.round;
            let page = self.page(rounds, from).await?;
            if !page.is_full {
                rounds.round = None;
                rounds.remembered.end_round();
                break;
            }
            rounds.round = page.last;
            sleep(page.pause()).await;
            if pages == 0 {
                self.front(rounds).await?;
            }
        }
        metrics::gauge!(DUE_LAG).set(rounds.lag.as_secs_f64());
        Ok(())
    }

    /// What has come due since the last look.
    async fn front(&self, rounds: &mut Rounds) -> Result<(), Cut> {
        // A clock that was set back, or another node's, may write what is due a little earlier.
        let margin = i64::try_from(FRONT_MARGIN.as_millis()).unwrap_or(i64::MAX);
        let latest = before(Timestamp::from_millis(self.clock.now().as_millis().saturating_sub(margin)));
        let mut from = rounds.front.map(|front| front.min(latest));
        loop {
            let page = self.page(rounds, from).await?;
            from = page.last.or(from);
            rounds.front = from;
            if !page.is_full {
                return Ok(());
            }
            sleep(page.pause()).await;
        }
    }

    /// Reads a page, and sends for those on it whose turn it is.
    async fn page(&self, rounds: &mut Rounds, after: Option<DueEntry>) -> Result<Seen, Cut> {
        let now = self.clock.now();
        let query = DueQuery { before: now.plus(rounds.ahead), after, limit: limits::PAGE_DUE_MAX };
        let entries = timeout(PAGE_MAX, self.store.due(query)).await;
        let entries = entries.unwrap_or_else(|_| Err(StoreError::Unavailable("no page came in time".into())));
        let entries = entries.map_err(Cut::Store)?;
        metrics::counter!(DUE_SCANNED).increment(entries.len() as u64);
        let mut has_sent = false;
        for entry in &entries {
            // What is due for a tenant that is not served waits until it is.
            let is_disabled = self.tenants.known(entry.key.tenant).is_some_and(|tenant| tenant.is_disabled());
            let is_ours = self.share.as_ref().is_none_or(|share| share.has(*entry, now));
            if !is_disabled && is_ours && self.take(rounds, *entry, now).await? {
                has_sent = true;
            }
        }
        Ok(Seen { last: entries.last().copied(), is_full: entries.len() == limits::PAGE_DUE_MAX, has_sent })
    }

    /// Whether the entry's conversation was sent for.
    async fn take(&self, rounds: &mut Rounds, entry: DueEntry, now: Timestamp) -> Result<bool, Cut> {
        let admits = || self.work.held().admits(entry.key.tenant, Instant::now());
        match rounds.remembered.turn(entry, Instant::now()) {
            Sending::NotYet => return Ok(false),
            Sending::First => {
                if !admits() {
                    return Ok(false);
                }
                let late = now.since(entry.at);
                if late > rounds.lag {
                    rounds.lag = late;
                    metrics::gauge!(DUE_LAG).set(late.as_secs_f64());
                }
                self.send(entry).await?;
            }
            // Nobody new waits for those that could not be done before: they take what room is left.
            Sending::Again => {
                let Ok(room) = Arc::clone(&self.work.again).try_acquire_owned() else { return Ok(false) };
                let Ok(place) = self.work.waiting.try_reserve() else { return Ok(false) };
                if !self.work.pause_left().is_zero() || !admits() {
                    return Ok(false);
                }
                place.send(Errand { entry, _again: Some(room) });
            }
        }
        rounds.remembered.sent(entry, Instant::now(), (self.jitter)());
        Ok(true)
    }

    /// Gives an entry to the next worker that has a hand free.
    async fn send(&self, entry: DueEntry) -> Result<(), Cut> {
        let work = &self.work;
        loop {
            if self.phase.is_draining() {
                return Err(Cut::Draining);
            }
            let pause = work.pause_left();
            if !pause.is_zero() {
                sleep(pause.min(GLANCE_EVERY)).await;
            } else if let Ok(Ok(place)) = timeout(GLANCE_EVERY, work.waiting.reserve()).await {
                place.send(Errand { entry, _again: None });
                return Ok(());
            }
        }
    }
}

/// Before all entries of a moment.
fn before(at: Timestamp) -> DueEntry {
    let key =
        ConversationKey { tenant: TenantId::from_bytes([0; 16]), conversation: ConversationId::from_bytes([0; 16]) };
    DueEntry { at, key }
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
