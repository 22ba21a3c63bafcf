//! Who may try to prove itself at the internal listener, and how many at once.
//! Invariant: strangers, however many and fast, leave places to those who have proven themselves from their address.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;

use tokio::time::Instant;

/// Connections of one address that have not proven themselves yet.
const PER_ADDRESS_MAX: usize = 8;
/// The same of all addresses from which nobody has proven itself …
const STRANGERS_MAX: usize = 32;
/// … and how many of those may come in a second, on the average and at once.
const STRANGERS_PER_SECOND: f64 = 20.0;
/// The same of all addresses together.
const ALL_MAX: usize = 512;
/// Addresses of nodes that are remembered.
const KNOWN_MAX: usize = 1_024;

/// The places of those who have not proven themselves yet. Cloning shares them; of one thread.
#[derive(Clone)]
pub(super) struct Places(Rc<RefCell<Inner>>);

struct Inner {
    unproven: BTreeMap<IpAddr, usize>,
    strangers: usize,
    all: usize,
    /// Those from which a node has proven itself, the latest last.
    known: VecDeque<IpAddr>,
    /// Strangers that may come now.
    allowed: f64,
    at: Instant,
}

/// A place of one connection; it is free again when this is dropped.
pub(super) struct Place {
    places: Places,
    address: IpAddr,
    is_stranger: bool,
}

impl Default for Places {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Inner {
            unproven: BTreeMap::new(),
            strangers: 0,
            all: 0,
            known: VecDeque::new(),
            allowed: STRANGERS_PER_SECOND,
            at: Instant::now(),
        })))
    }
}

impl Places {
    /// A place for a connection from an address; none if there is no room for it.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let inner = &mut *self.0.borrow_mut();
        let now = Instant::now();
        let since = now.duration_since(inner.at).as_secs_f64();
        (inner.allowed, inner.at) = ((inner.allowed + since * STRANGERS_PER_SECOND).min(STRANGERS_PER_SECOND), now);
        let is_stranger = !inner.known.contains(&address);
        let its = inner.unproven.get(&address).copied().unwrap_or_default();
        if its >= PER_ADDRESS_MAX || inner.all >= ALL_MAX {
            return None;
        }
        if is_stranger {
            if inner.strangers >= STRANGERS_MAX || inner.allowed < 1.0 {
                return None;
            }
            inner.allowed -= 1.0;
            inner.strangers += 1;
        }
        inner.all += 1;
        inner.unproven.insert(address, its + 1);
        Some(Place { places: self.clone(), address, is_stranger })
    }
}

impl Place {
    /// Whoever has it has proven itself.
    pub(super) fn proven(self) {
        let known = &mut self.places.0.borrow_mut().known;
        known.retain(|address| *address != self.address);
        if known.len() >= KNOWN_MAX {
            known.pop_front();
        }
        known.push_back(self.address);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let inner = &mut *self.places.0.borrow_mut();
        inner.all -= 1;
        inner.strangers -= usize::from(self.is_stranger);
        match inner.unproven.get_mut(&self.address) {
            Some(its) if *its > 1 => *its -= 1,
            _ => drop(inner.unproven.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn address(n: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_leave_places_to_nodes() {
        let places = Places::default();
        let node = address(0);
        places.enter(node).unwrap().proven();
        let mut held = Vec::new();
        // As many as come, from everywhere, for a long time.
        for n in 1..10_000 {
            held.extend(places.enter(address(n)));
            advance(Duration::from_millis(10)).await;
        }
        assert_eq!(held.len(), STRANGERS_MAX);
        let nodes: Vec<Place> = std::iter::from_fn(|| places.enter(node)).collect();
        assert_eq!(nodes.len(), PER_ADDRESS_MAX);
        drop((held, nodes));
        assert!(places.enter(address(1)).is_some() && places.enter(node).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_come_no_faster_than_they_may() {
        let places = Places::default();
        let mut came = 0;
        for n in 0..1_000 {
            came += usize::from(places.enter(address(n)).is_some());
            advance(Duration::from_millis(1)).await;
        }
        assert!((39..=40).contains(&came), "{came} in a second, and what may come at once");
        assert!(places.0.borrow().unproven.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_few_and_what_is_remembered_is_bounded() {
        let places = Places::default();
        let held: Vec<Place> = std::iter::from_fn(|| places.enter(address(7))).collect();
        assert_eq!(held.len(), PER_ADDRESS_MAX);
        for n in 0..2_000 {
            if let Some(place) = places.enter(address(1_000 + n)) {
                place.proven();
            }
            advance(Duration::from_millis(60)).await;
        }
        assert_eq!(places.0.borrow().known.len(), KNOWN_MAX);
    }
}
