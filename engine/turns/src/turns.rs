//! Places at slow work, shared out evenly between tenants.
//! Invariant: so many work at once and so many wait; no tenant holds more places than it leaves free, and
//! whoever asks for less work than others is not kept waiting by theirs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schema::TenantId;
use tokio::sync::oneshot;

/// All places are taken, or too many of them by this tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many wait already")]
pub struct Crowded;

/// Who works and who waits. Cloning shares it.
#[derive(Clone)]
pub struct Turns {
    inner: Arc<Inner>,
}

struct Inner {
    at_once: usize,
    at_once_each: usize,
    inside_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    inside: usize,
    working: usize,
    tenants: HashMap<TenantId, Share>,
    /// Who waits: first the tenant that was given least before this, then the smallest work, then who came
    /// first.
    waiting: BTreeMap<Mark, (TenantId, oneshot::Sender<()>)>,
    /// The largest share that anybody who began had been given before: who comes anew is counted from here.
    reached: u64,
    asked: u64,
}

/// Tenants whose share is remembered while they ask for nothing, before all of those are forgotten.
const REMEMBERED_MAX: usize = 1_024;

/// What the tenant was given before, what this costs, and a number.
type Mark = (u64, u64, u64);

#[derive(Default)]
struct Share {
    inside: usize,
    working: usize,
    given: u64,
}

impl Turns {
    /// `at_once` work, `at_once_each` of one tenant; `waiting` more wait.
    pub fn new(at_once: usize, at_once_each: usize, waiting: usize) -> Self {
        let inside_max = at_once.saturating_add(waiting);
        Self { inner: Arc::new(Inner { at_once, at_once_each, inside_max, state: Mutex::default() }) }
    }

    /// A place, from which to ask for a turn.
    pub fn enter(&self, tenant: TenantId) -> Result<Place, Crowded> {
        let mut state = self.inner.state();
        let free = self.inner.inside_max - state.inside;
        let own = state.tenants.get(&tenant).map_or(0, |share| share.inside);
        if own >= free {
            return Err(Crowded);
        }
        state.inside += 1;
        state.tenants.entry(tenant).or_default().inside += 1;
        Ok(Place { inner: Arc::clone(&self.inner), tenant, at: At::Inside })
    }
}

/// A tenant's place; given back when dropped, with the turn if it has one.
pub struct Place {
    inner: Arc<Inner>,
    tenant: TenantId,
    at: At,
}

enum At {
    Inside,
    Waiting(Mark),
    Working,
}

impl Place {
    /// Waits for a turn at work that costs so much, in any unit that all who share these turns use.
    pub async fn turn(mut self, cost: u64) -> Self {
        let started = {
            let mut state = self.inner.state();
            let (start, started) = oneshot::channel();
            let mark = state.wait(self.tenant, cost, start);
            self.at = At::Waiting(mark);
            state.begin(&self.inner);
            started
        };
        // The sender is kept for as long as this waits.
        let _ = started.await;
        self.at = At::Working;
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        let worked = match self.at {
            At::Inside => false,
            At::Working => true,
            // It may have been given a turn that it was never told of.
            At::Waiting(mark) => state.waiting.remove(&mark).is_none(),
        };
        state.inside -= 1;
        state.working -= usize::from(worked);
        if let Some(share) = state.tenants.get_mut(&self.tenant) {
            share.inside -= 1;
            share.working -= usize::from(worked);
        }
        state.forget(self.tenant);
        state.begin(&self.inner);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets a tenant that asks for nothing and was given no more than others. Who was given more is
    /// remembered: else whoever asks for one thing after the other would always come before those who ask
    /// for two.
    fn forget(&mut self, tenant: TenantId) {
        if self.tenants.get(&tenant).is_some_and(|share| share.inside == 0 && share.given <= self.reached) {
            self.tenants.remove(&tenant);
        }
        if self.tenants.len() > REMEMBERED_MAX {
            self.tenants.retain(|_, share| share.inside > 0);
        }
    }

    fn wait(&mut self, tenant: TenantId, cost: u64, start: oneshot::Sender<()>) -> Mark {
        self.asked += 1;
        let share = self.tenants.entry(tenant).or_default();
        let before = share.given.max(self.reached);
        let cost = cost.max(1);
        share.given = before.saturating_add(cost);
        let mark = (before, cost, self.asked);
        self.waiting.insert(mark, (tenant, start));
        mark
    }

    /// Lets whoever is next begin, as long as there is room.
    fn begin(&mut self, bounds: &Inner) {
        while self.working < bounds.at_once {
            let may = |tenant: &TenantId| self.tenants.get(tenant).is_some_and(|own| own.working < bounds.at_once_each);
            let next = self.waiting.iter().find(|(_, (tenant, _))| may(tenant)).map(|(mark, _)| *mark);
            let Some((mark, (tenant, start))) = next.and_then(|mark| self.waiting.remove_entry(&mark)) else { return };
            self.working += 1;
            self.reached = self.reached.max(mark.0);
            if let Some(share) = self.tenants.get_mut(&tenant) {
                share.working += 1;
            }
            // Who does not wait any more gives the turn back when its place is dropped.
            let _ = start.send(());
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
