//! Carries out what a stricter policy asks for: the entries of a tenant's conversations move to now, spread in time.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use engine_store::{Hasten, Record, SharedStore, StoreError};
use schema::ConversationId;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock::Clock;
use crate::failure::Failure;
use crate::hasten::{self, Intention};
use crate::patience::patiently;
use crate::pause::Pause;
use crate::phase::Phase;
use crate::tenant::KnownTenants;

/// How often intentions are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Intentions that are read in one look.
const PAGE: usize = 64;
/// How long an intention waits before it is carried out: what was decided under the old policy, and is on its way
/// to the store without an answer, has arrived by then or never will.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// Intentions that are known at the same time.
const TASKS_MAX: usize = 64;
/// Conversations whose entries are moved in one write …
const PIECE: usize = 128;
/// … the pause after it …
const PIECE_PAUSE: Duration = Duration::from_millis(100);
/// … and from one of the new moments to the next: two hundred of a tenant's look in a second.
const STEP: Duration = Duration::from_millis(5);
/// The first pause after a failure …
const RETRY_MIN: Duration = Duration::from_secs(1);
/// … and the longest.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// Carries out the intentions that stand in the store, for one node.
///
/// The system runs one, beside the scanner, until the node drains. Tenants take turns, a piece each. Where a piece fails
/// its tenant is tried again from there, later and later, and the others go on. It is safe to do a piece twice, and
/// to begin anew after a crash: conversations look once too often, and find nothing to do.
pub(crate) struct Hastener {
    pub(crate) store: SharedStore,
    pub(crate) tenants: Arc<KnownTenants>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) phase: Arc<Phase>,
    /// Numbers from 0 to 1 that spread pauses.
    pub(crate) jitter: fn() -> f64,
}

/// The intentions that are known, by their records' ids.
#[derive(Default)]
struct Tasks {
    tasks: BTreeMap<String, Task>,
    /// When it was last looked for them, and up to which one.
    looked: Option<Instant>,
    cursor: Option<String>,
    /// Whose turn it was.
    last: Option<String>,
}

/// One intention, as it was written once.
struct Task {
    version: u64,
    /// None where it cannot be read: it stands there until somebody writes it anew.
    intention: Option<Intention>,
    /// Not to be looked at before.
    ready: Instant,
    pause: Pause,
    has_failed: bool,
    place: Option<Reach>,
}

/// How far it has come.
#[derive(Clone, Copy)]
struct Reach {
    /// The last conversation of the pieces that are done.
    after: Option<ConversationId>,
    /// When the next one is to look, at the earliest.
    from: Instant,
}

impl Hastener {
    /// Carries out what has waited long enough, until the node drains.
    pub(crate) async fn hasten(&self) {
        let mut tasks = Tasks::default();
        while !self.phase.is_draining() {
            let now = Instant::now();
            if tasks.next_look(now) <= now
                && let Err(error) = self.look(&mut tasks).await
            {
                tracing::warn!(index = "hastening", %error, "it could not be looked for new policies; it is tried again");
            }
            let Some(id) = tasks.next(Instant::now()) else {
                let until = tasks.next_moment(Instant::now());
                tokio::select! {
                    biased;
                    () = sleep_until(until) => {}
                    () = self.phase.drained() => {}
                }
                continue;
            };
            if let Some(mut task) = tasks.tasks.remove(&id) {
                match self.go_on(&mut task).await {
                    // Done, or written anew meanwhile: then the next look finds it.
                    Ok(true) => {}
                    Ok(false) => drop(tasks.tasks.insert(id, task)),
                    Err(failure) => {
                        let code = failure.code;
                        tracing::warn!(record = id, %code, "conversations could not be told of a new policy; it is tried again");
                        task.has_failed = true;
                        task.ready = Instant::now() + task.pause.length();
                        tasks.tasks.insert(id, task);
                    }
                }
            }
            sleep(PIECE_PAUSE).await;
        }
    }

    /// Reads the next page of intentions.
    async fn look(&self, tasks: &mut Tasks) -> Result<(), StoreError> {
        tasks.looked = Some(Instant::now());
        let page = hasten::standing(&self.store, tasks.cursor.clone(), PAGE).await?;
        tasks.see(page, Instant::now(), self.jitter);
        Ok(())
    }

    /// Moves one piece; true when there is nothing more to do.
    async fn go_on(&self, task: &mut Task) -> Result<bool, Failure> {
        let Some(Intention { tenant, missing }) = task.intention else { return Ok(false) };
        let failed = |error: StoreError| Failure::store(&error);
        let place = match task.place {
            Some(place) => place,
            None => {
                // The policy in force here may be the one before: its writer had no answer, and did not read it again.
                self.tenants.get(tenant).await?.reload().await?;
                // Where that has found a stricter one it was intended anew, and has to settle.
                if hasten::version(&self.store, tenant).await.map_err(failed)? != Some(task.version) {
                    return Ok(true);
                }
                Reach { after: None, from: Instant::now() }
            }
        };
        let (now, after) = (Instant::now(), place.after);
        let first = place.from.max(now);
        let from = self.clock.now().plus(first - now);
        let piece = Hasten { tenant, after, limit: PIECE, from, step: STEP, missing };
        task.place = Some(Reach { after, from: first });
        match patiently(self.jitter, || self.store.hasten(piece)).await.map_err(failed)? {
            Some(hastened) => {
                task.place = Some(Reach { after: Some(hastened.last), from: first + STEP * hastened.moved });
                task.pause.reset();
                task.has_failed = false;
                Ok(false)
            }
            None => {
                hasten::take_back(&self.store, tenant, task.version).await.map_err(failed)?;
                Ok(true)
            }
        }
    }
}

impl Tasks {
    /// Takes note of a page behind the cursor: what is new on it waits, what stands there no more is forgotten.
    fn see(&mut self, page: Vec<Record>, now: Instant, jitter: fn() -> f64) {
        let end = page.last().filter(|_| page.len() == PAGE).map(|last| last.id.clone());
        let begin = std::mem::replace(&mut self.cursor, end);
        let versions: BTreeMap<&str, u64> = page.iter().map(|record| (record.id.as_str(), record.version)).collect();
        let end = self.cursor.as_ref();
        self.tasks.retain(|id, task| {
            let is_elsewhere = begin.as_ref().is_some_and(|begin| id <= begin) || end.is_some_and(|end| id > end);
            is_elsewhere || versions.get(id.as_str()) == Some(&task.version)
        });
        for record in page {
            if self.tasks.contains_key(&record.id) {
                continue;
            }
            let intention = hasten::read(&record);
            if !self.has_room(intention.is_some()) {
                continue;
            }
            let Record { id, version, .. } = record;
            if intention.is_none() {
                tracing::error!(record = id, version, "an intention to look again cannot be read; it is left as it is");
            }
            let (ready, pause) = (now + SETTLED_AFTER, Pause::between(RETRY_MIN, RETRY_MAX, jitter));
            self.tasks.insert(id, Task { version, intention, ready, pause, has_failed: false, place: None });
        }
    }

    /// Whether there is room for one more; one that can be carried out takes that of one that cannot.
    fn has_room(&mut self, is_readable: bool) -> bool {
        if self.tasks.len() < TASKS_MAX {
            return true;
        }
        let poor = |task: &Task| task.intention.is_none() || task.has_failed;
        let poorest = self.tasks.iter().filter(|(_, task)| poor(task)).max_by_key(|(_, task)| task.ready);
        match poorest.map(|(id, _)| id.clone()) {
            Some(id) if is_readable => self.tasks.remove(&id).is_some(),
            _ => false,
        }
    }

    /// When it is to be looked for them again.
    fn next_look(&self, now: Instant) -> Instant {
        self.looked.map_or(now, |looked| looked + LOOK_EVERY)
    }

    /// The next moment at which there is something to do, when nothing is ready now.
    fn next_moment(&self, now: Instant) -> Instant {
        let known = self.tasks.values().filter(|task| task.intention.is_some()).map(|task| task.ready);
        known.fold(self.next_look(now), Instant::min)
    }

    /// Whose turn it is: of those that are ready, the first behind the last one.
    fn next(&mut self, now: Instant) -> Option<String> {
        let is_ready = |(_, task): &(&String, &Task)| task.intention.is_some() && task.ready <= now;
        let behind = self.last.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.tasks.range((behind, Bound::Unbounded)).find(is_ready);
        let next = next.or_else(|| self.tasks.iter().find(is_ready)).map(|(id, _)| id.clone());
        self.last.clone_from(&next);
        next
    }
}

#[cfg(test)]
#[path = "hastening_tests.rs"]
mod tests;
