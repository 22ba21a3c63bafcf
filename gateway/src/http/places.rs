//! ReadPlaces for answers that read the store: so many at once for an address, for a tenant's visitors,
//! for a tenant's key, and for the node.
//! Invariant: whoever reads for an answer holds a place from before the reading until the client has taken it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use actors::Failure;
use schema::{ErrorCode, Neighbour, TenantId, limits};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longest wait for a place.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Shares remembered before those of whom nobody holds anything are forgotten.
const SHARES_TIDY: usize = 1_024;

/// Share share a place is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Share {
    /// That of an address.
    Address(Neighbour),
    /// That of a tenant's visitors, known or not.
    Visitors(TenantId),
    /// That of those who have a tenant's key.
    Key(TenantId),
}

impl Share {
    const fn places(self) -> usize {
        match self {
            Self::Address(_) => limits::LISTINGS_PER_ADDRESS_MAX,
            Self::Visitors(_) => limits::LISTINGS_PER_VISITORS_MAX,
            Self::Key(_) => limits::LISTINGS_PER_KEY_MAX,
        }
    }
}

/// All places of the node.
pub struct ReadPlaces {
    node: Arc<Semaphore>,
    shares: Mutex<HashMap<Share, Weak<Semaphore>>>,
}

/// One place; given back when dropped.
pub(crate) struct ReadPlace {
    _node: OwnedSemaphorePermit,
    _address: OwnedSemaphorePermit,
    _share: Option<OwnedSemaphorePermit>,
}

impl Default for ReadPlaces {
    fn default() -> Self {
        Self { node: Arc::new(Semaphore::new(limits::LISTINGS_MAX)), shares: Mutex::default() }
    }
}

impl ReadPlaces {
    /// Waits for a place, those of one share in the order in which they came; `whose` is the share of who asks
    /// beside that of their address.
    ///
    /// # Errors
    /// `busy` when none becomes free in time.
    pub(crate) async fn take(&self, address: Neighbour, whose: Option<Share>) -> Result<ReadPlace, Failure> {
        // All wait for their own share first: those behind them in the node's queue wait for nobody's but theirs.
        let (address, share) = (self.of(Share::Address(address)), whose.map(|whose| self.of(whose)));
        let all = async {
            let address = address.acquire_owned().await.ok()?;
            let share = match share {
                Some(share) => Some(share.acquire_owned().await.ok()?),
                None => None,
            };
            let node = Arc::clone(&self.node).acquire_owned().await.ok()?;
            Some(ReadPlace { _node: node, _address: address, _share: share })
        };
        let place = timeout(WAIT_MAX, all).await.ok().flatten();
        place.ok_or_else(|| {
            let message = "too many answers are unread; read those first";
            Failure::later(ErrorCode::Busy, message, Duration::from_secs(1))
        })
    }

    fn of(&self, whose: Share) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shares.get(&whose).and_then(Weak::upgrade) {
            return known;
        }
        if shares.len() >= SHARES_TIDY && shares.len() == shares.capacity() {
            shares.retain(|_, held| held.strong_count() > 0);
        }
        let new = Arc::new(Semaphore::new(whose.places()));
        shares.insert(whose, Arc::downgrade(&new));
        new
    }
}

/// An answer that keeps its place until it is taken.
pub(super) struct Placed<T>(pub(super) ReadPlace, pub(super) T);

impl<T: Serialize> Responder for Placed<T> {
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
        let places = ReadPlaces::default();
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|text| Neighbour::from(text.parse::<IpAddr>().unwrap()));
        let mut held = Vec::new();
        for _ in 0..limits::LISTINGS_PER_ADDRESS_MAX {
            held.push(places.take(one, None).await.unwrap());
        }
        let refused = places.take(same, None).await.err().unwrap();
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::Busy, Some(Duration::from_secs(1))));
        assert!(places.take(other, None).await.is_ok());
        let waits = places.take(same, None);
        let gives_back = async { drop(held.pop()) };
        assert!(tokio::join!(waits, gives_back).0.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenants_visitors_leave_places_to_its_key_and_both_to_others() {
        let places = ReadPlaces::default();
        let mut held = Vec::new();
        let mut addresses = (0_u32..).map(|n| Neighbour::from(IpAddr::from(n.to_be_bytes())));
        let [one, other] = [(); 2].map(|()| TenantId::generate());
        for (whose, count) in
            [(Share::Visitors(one), limits::LISTINGS_PER_VISITORS_MAX), (Share::Key(one), limits::LISTINGS_PER_KEY_MAX)]
        {
            for _ in 0..count {
                held.push(places.take(addresses.next().unwrap(), Some(whose)).await.unwrap());
            }
            assert!(places.take(addresses.next().unwrap(), Some(whose)).await.is_err(), "{whose:?}");
        }
        for whose in [Share::Visitors(other), Share::Key(other)] {
            held.push(places.take(addresses.next().unwrap(), Some(whose)).await.unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_node_has_its_places_and_forgets_addresses() {
        let places = ReadPlaces::default();
        let address = |n: u32| Neighbour::from(IpAddr::from(n.to_be_bytes()));
        let mut held = Vec::new();
        for n in 0..limits::LISTINGS_MAX {
            held.push(places.take(address(u32::try_from(n).unwrap()), None).await.unwrap());
        }
        assert!(places.take(address(1 << 20), None).await.is_err());
        held.clear();
        for n in 0..100_000 {
            places.take(address(n), None).await.unwrap();
        }
        assert!(places.shares.lock().unwrap().len() <= 4 * SHARES_TIDY);
    }
}
