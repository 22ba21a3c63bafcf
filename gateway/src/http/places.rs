//! Places for answers that are made of what is stored: so many at once for an address, so many for the node.
//! Invariant: whoever reads for an answer holds a place from before the reading until the client has taken it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use actors::Failure;
use schema::{ErrorCode, Neighbour, limits};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longest wait for a place.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Addresses remembered before those that hold nothing are forgotten.
const ADDRESSES_TIDY: usize = 1_024;

/// All places of the node.
pub struct Places {
    node: Arc<Semaphore>,
    addresses: Mutex<HashMap<Neighbour, Weak<Semaphore>>>,
}

/// One place; given back when dropped.
pub(crate) struct Place {
    _node: OwnedSemaphorePermit,
    _address: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self { node: Arc::new(Semaphore::new(limits::LISTINGS_MAX)), addresses: Mutex::default() }
    }
}

impl Places {
    /// Waits for a place, those of one address in the order in which they came.
    ///
    /// # Errors
    /// `busy` when none becomes free in time.
    pub(crate) async fn take(&self, address: Neighbour) -> Result<Place, Failure> {
        // An address waits for itself first: those behind it in the node's queue wait for nobody's share but theirs.
        let own = self.of(address);
        let both = async {
            let address = own.acquire_owned().await.ok()?;
            let node = Arc::clone(&self.node).acquire_owned().await.ok()?;
            Some(Place { _node: node, _address: address })
        };
        let place = timeout(WAIT_MAX, both).await.ok().flatten();
        place.ok_or_else(|| {
            let message = "too many answers wait to be taken; take those first";
            Failure::later(ErrorCode::Busy, message, Duration::from_secs(1))
        })
    }

    fn of(&self, address: Neighbour) -> Arc<Semaphore> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = addresses.get(&address).and_then(Weak::upgrade) {
            return known;
        }
        if addresses.len() >= ADDRESSES_TIDY && addresses.len() == addresses.capacity() {
            addresses.retain(|_, held| held.strong_count() > 0);
        }
        let new = Arc::new(Semaphore::new(limits::LISTINGS_PER_ADDRESS_MAX));
        addresses.insert(address, Arc::downgrade(&new));
        new
    }
}

/// An answer that keeps its place until it is taken.
pub(super) struct Listing<T>(pub(super) Place, pub(super) T);

impl<T: Serialize> Responder for Listing<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok().json(self.1);
        response.extensions_mut().insert(self.0);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_places_and_waits_for_no_other() {
        let places = Places::default();
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|text| Neighbour::from(text.parse::<IpAddr>().unwrap()));
        let mut held = Vec::new();
        for _ in 0..limits::LISTINGS_PER_ADDRESS_MAX {
            held.push(places.take(one).await.unwrap());
        }
        let refused = places.take(same).await.err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::Busy, Some(Duration::from_secs(1))));
        assert!(places.take(other).await.is_ok());
        let waits = places.take(same);
        let gives_back = async { drop(held.pop()) };
        assert!(tokio::join!(waits, gives_back).0.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_node_has_its_places_and_forgets_addresses() {
        let places = Places::default();
        let address = |n: u32| Neighbour::from(IpAddr::from(n.to_be_bytes()));
        let mut held = Vec::new();
        for n in 0..limits::LISTINGS_MAX {
            held.push(places.take(address(u32::try_from(n).unwrap())).await.unwrap());
        }
        assert!(places.take(address(1 << 20)).await.is_err());
        held.clear();
        for n in 0..100_000 {
            places.take(address(n)).await.unwrap();
        }
        assert!(places.addresses.lock().unwrap().len() <= 4 * ADDRESSES_TIDY);
    }
}
