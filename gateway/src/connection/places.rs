//! Counts the open connections of each address, over all threads.
//! Invariant: there are never more rows than connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use schema::Neighbour;

/// All counted connections of the node. Cheap to clone.
#[derive(Clone)]
pub(super) struct Places {
    per_address: u32,
    taken: Arc<Mutex<HashMap<Neighbour, u32>>>,
}

/// One connection's place, given back when dropped.
pub(super) struct Place {
    places: Places,
    address: Neighbour,
}

impl Places {
    /// Room for so many connections from each address, and for half of all at most.
    pub(super) fn new(per_address: u32, connections: usize) -> Self {
        let half = u32::try_from(connections / 2).unwrap_or(u32::MAX).max(1);
        Self { per_address: per_address.min(half), taken: Arc::default() }
    }

    /// A place for one more connection from an address, if there is one.
    pub(super) fn take(&self, address: Neighbour) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        // A full row has connections, so that nobody is left with a row of none.
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn each_address_has_its_share_and_gives_it_back() {
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|address| Neighbour::from(IpAddr::from(address)));
        for (per_address, connections, share) in [(3, 100, 3), (1000, 8, 4), (5, 1, 1)] {
            let places = Places::new(per_address, connections);
            let held: Vec<Place> = (0..share).map_while(|_| places.take(one)).collect();
            assert_eq!(held.len(), share);
            assert!(places.take(one).is_none());
            assert!(places.take(other).is_some());
            drop(held);
            assert!(places.take(one).is_some());
            assert!(places.taken.lock().unwrap().is_empty());
        }
    }
}
