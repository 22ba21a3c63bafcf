//! The indexes held open, least recently used out first.
//! Invariant: two slots for one tenant never write: a slot is replaced when nobody uses it, or
//! when it was retired by the learner who held its lock.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use schema::TenantId;

use super::index::TenantIndex;
use super::metrics::OPEN_INDEXES;

/// One tenant's place.
pub(super) struct Slot {
    pub(super) tenant: TenantId,
    /// Where its index is, or will be.
    pub(super) dir: PathBuf,
    /// Set once it is open.
    pub(super) index: OnceLock<TenantIndex>,
    /// Held while opening.
    pub(super) opening: Arc<tokio::sync::Mutex<()>>,
    /// Held while it is built for those who search.
    pub(super) building: Arc<tokio::sync::Mutex<()>>,
    /// Held while learning.
    pub(super) learning: Arc<tokio::sync::Mutex<()>>,
    /// Held while it is brought up to date with other nodes.
    pub(super) refreshing: Arc<tokio::sync::Mutex<()>>,
    /// A refresh was asked for that has not begun.
    pub(super) told: AtomicBool,
    retired: AtomicBool,
}

impl Slot {
    /// From now on callers get another slot. Only for who holds `learning`.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

pub(super) struct Shelf {
    root: PathBuf,
    open_max: usize,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    by_tenant: HashMap<TenantId, Place>,
    /// Counts uses: a larger number is more recent.
    uses: u64,
}

struct Place {
    slot: Arc<Slot>,
    used: u64,
}

impl Shelf {
    pub(super) fn new(root: PathBuf, open_max: usize) -> Self {
        Self { root, open_max, slots: Mutex::default() }
    }

    /// The tenant's slot. While it is held, it stays on the shelf: there may be more than
    /// `open_max`, but only as many as work at the moment.
    pub(super) fn slot(&self, tenant: TenantId) -> Arc<Slot> {
        let mut slots = self.slots();
        slots.uses += 1;
        let used = slots.uses;
        if let Some(place) = slots.by_tenant.get_mut(&tenant).filter(|place| !place.slot.is_retired()) {
            place.used = used;
            return place.slot.clone();
        }
        let slot = Arc::new(Slot {
            tenant,
            dir: self.root.join(tenant.to_string()),
            index: OnceLock::new(),
            opening: Arc::default(),
            building: Arc::default(),
            learning: Arc::default(),
            refreshing: Arc::default(),
            told: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        });
        slots.by_tenant.insert(tenant, Place { slot: slot.clone(), used });
        slots.shrink(self.open_max);
        slot
    }

    /// The tenant's slot, if its index is open; that is no use of it.
    pub(super) fn opened(&self, tenant: TenantId) -> Option<Arc<Slot>> {
        let slots = self.slots();
        slots.by_tenant.get(&tenant).filter(|place| place.is_open()).map(|place| place.slot.clone())
    }

    /// At most `max` tenants whose indexes are open: those used most lately, and where there are more, the others
    /// by turns.
    pub(super) fn to_follow(&self, max: usize, round: usize) -> Vec<TenantId> {
        let mut open: Vec<(u64, TenantId)> = {
            let slots = self.slots();
            let open = slots.by_tenant.iter().filter(|(_, place)| place.is_open());
            open.map(|(tenant, place)| (place.used, *tenant)).collect()
        };
        open.sort_unstable_by_key(|(used, _)| std::cmp::Reverse(*used));
        let open: Vec<TenantId> = open.into_iter().map(|(_, tenant)| tenant).collect();
        if open.len() <= max {
            return open;
        }
        let by_turns = max / 2;
        let (first, others) = open.split_at(max - by_turns);
        // By name, as their order of use changes between two rounds.
        let mut others = others.to_vec();
        others.sort_unstable();
        let begin = round.wrapping_mul(by_turns) % others.len();
        let turn = others.iter().cycle().skip(begin).take(by_turns);
        first.iter().chain(turn).copied().collect()
    }

    /// Takes a tenant's slot off the shelf, if nobody uses it.
    pub(super) fn put_away(&self, tenant: TenantId) {
        let mut slots = self.slots();
        if slots.by_tenant.get(&tenant).is_some_and(Place::is_idle) {
            slots.by_tenant.remove(&tenant);
        }
        slots.report();
    }

    pub(super) fn report(&self) {
        self.slots().report();
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Nothing under this lock panics half way; the map stays sound.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn shrink(&mut self, open_max: usize) {
        while self.by_tenant.len() > open_max {
            let idle = self.by_tenant.iter().filter(|(_, place)| place.is_idle());
            // Tenants that never taught anything hold no index: they go first.
            let oldest = idle.min_by_key(|(_, place)| (place.slot.index.get().is_some(), place.used));
            let Some(tenant) = oldest.map(|(tenant, _)| *tenant) else { break };
            self.by_tenant.remove(&tenant);
        }
        self.report();
    }

    fn open(&self) -> usize {
        self.by_tenant.values().filter(|place| place.is_open()).count()
    }

    fn report(&self) {
        metrics::gauge!(OPEN_INDEXES).set(self.open() as f64);
    }
}

impl Place {
    fn is_open(&self) -> bool {
        self.slot.index.get().is_some() && !self.slot.is_retired()
    }

    /// Clones are only made under the shelf's lock, so one reference means nobody has it.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.slot) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_idle_slot_goes_and_one_in_use_stays() {
        let shelf = Shelf::new(PathBuf::new(), 2);
        let [busy, first, second] = [(); 3].map(|()| TenantId::generate());
        let held = shelf.slot(busy);
        shelf.slot(first);
        shelf.slot(second);
        let is_there = |tenant| shelf.slots().by_tenant.contains_key(tenant);
        assert!(is_there(&busy) && !is_there(&first) && is_there(&second));
        assert!(Arc::ptr_eq(&held, &shelf.slot(busy)));

        held.retire();
        assert!(!Arc::ptr_eq(&held, &shelf.slot(busy)), "a retired slot has a successor");
        let successor = shelf.slot(busy);
        shelf.put_away(busy);
        assert!(is_there(&busy), "in use");
        drop(successor);
        shelf.put_away(busy);
        assert!(!is_there(&busy));
    }

    #[test]
    fn those_used_most_are_followed_always_and_all_others_by_turns() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().into(), 10);
        let tenants: Vec<TenantId> = (0..7).map(|_| TenantId::generate()).collect();
        shelf.slot(TenantId::generate());
        for tenant in &tenants {
            let slot = shelf.slot(*tenant);
            assert!(slot.index.set(TenantIndex::create(&slot.dir).unwrap()).is_ok());
        }
        assert_eq!(shelf.to_follow(7, 0).len(), 7, "what is not open is not followed");
        let rounds: Vec<Vec<TenantId>> = (0..3).map(|round| shelf.to_follow(4, round)).collect();
        for round in &rounds {
            assert_eq!(round[..2], [tenants[6], tenants[5]]);
            assert_eq!(round.len(), 4);
        }
        let followed: std::collections::HashSet<_> = rounds.into_iter().flatten().collect();
        assert_eq!(followed.len(), 7);
        assert!(shelf.opened(tenants[0]).is_some() && shelf.opened(TenantId::generate()).is_none());
    }
}
