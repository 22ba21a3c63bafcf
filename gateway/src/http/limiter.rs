//! Who may ask how often: by address, by key, by tenant. In memory, one bucket each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::{Failure, Tenant};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use metrics::counter;
use schema::{ErrorCode, TenantId};

use crate::auth::KeyId;
use crate::metrics::RATE_LIMITED;

/// Buckets beyond which those that are full again are forgotten.
const BUCKETS_TIDY: usize = 10_000;

/// All buckets of the node.
pub struct Limiter {
    clock: DefaultClock,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    keys: DefaultKeyedRateLimiter<KeyId>,
    tenants: Mutex<HashMap<TenantId, (NonZeroU32, Arc<DefaultDirectRateLimiter>)>>,
}

impl Limiter {
    /// Buckets that hold twice what flows in each second.
    #[must_use]
    pub fn new(per_address: NonZeroU32, per_key: NonZeroU32) -> Self {
        Self {
            clock: DefaultClock::default(),
            addresses: RateLimiter::keyed(quota(per_address)),
            keys: RateLimiter::keyed(quota(per_key)),
            tenants: Mutex::default(),
        }
    }

    /// One request from an address.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn address(&self, address: IpAddr) -> Result<(), Failure> {
        if self.addresses.len() > BUCKETS_TIDY {
            self.addresses.retain_recent();
        }
        self.addresses.check_key(&network(address)).map_err(|not_until| self.refuse("address", &not_until))
    }

    /// One request with an API key.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn key(&self, key: &KeyId) -> Result<(), Failure> {
        if self.keys.len() > BUCKETS_TIDY {
            self.keys.retain_recent();
        }
        self.keys.check_key(key).map_err(|not_until| self.refuse("key", &not_until))
    }

    /// One request or frame of a tenant, by its own profile's quota.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn tenant(&self, tenant: &Tenant) -> Result<(), Failure> {
        let allowed = tenant.requests_per_second();
        let bucket = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = tenants.entry(tenant.id());
            let (rate, bucket) = entry.or_insert_with(|| (allowed, Arc::new(RateLimiter::direct(quota(allowed)))));
            if *rate != allowed {
                (*rate, *bucket) = (allowed, Arc::new(RateLimiter::direct(quota(allowed))));
            }
            Arc::clone(bucket)
        };
        bucket.check().map_err(|not_until| self.refuse("tenant", &not_until))
    }

    fn refuse(&self, whose: &'static str, not_until: &NotUntil<<DefaultClock as Clock>::Instant>) -> Failure {
        counter!(RATE_LIMITED, "by" => whose).increment(1);
        let wait = not_until.wait_time_from(self.clock.now()).max(Duration::from_millis(1));
        let seconds = wait.as_secs() + 1;
        let message = format!("too many requests by this {whose}; wait {seconds} s");
        Failure::later(ErrorCode::RateLimited, message, Duration::from_secs(seconds))
    }
}

fn quota(per_second: NonZeroU32) -> Quota {
    Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
}

/// One household or office often has a whole /64 of IPv6: it counts as one.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (!0 << 64)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_two_seconds_worth_and_says_when_it_has_more() {
        let one = NonZeroU32::MIN;
        let limiter = Limiter::new(one, one);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(limiter.address(address).is_ok());
        assert!(limiter.address(address).is_ok());
        let failure = limiter.address(address).unwrap_err();
        assert_eq!(failure.code, ErrorCode::RateLimited);
        assert!(failure.retry_after.is_some_and(|wait| wait <= Duration::from_secs(2)));
        assert!(limiter.address("192.0.2.2".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller() {
        for (address, counts_as) in
            [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
        {
            assert_eq!(network(address.parse().unwrap()), counts_as.parse::<IpAddr>().unwrap());
        }
    }
}
