//! Limits how often an address, a key or a tenant may ask. In memory, one bucket each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::{Failure, KeyId, Tenant};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use metrics::counter;
use schema::{AgentName, ContactId, ErrorCode, Neighbour, TenantId};

use crate::auth::{Holder, Kind};
use crate::connection::Slots;
use crate::metrics::RATE_LIMITED;

/// Buckets beyond which those that are full again are forgotten.
const BUCKETS_TIDY: usize = 10_000;

/// All buckets of the node.
pub struct Limiter {
    clock: DefaultClock,
    addresses: RateLimiter<Neighbour, Slots<Neighbour>, DefaultClock>,
    told_of_proxies: AtomicBool,
    keys: DefaultKeyedRateLimiter<KeyId>,
    agents: DefaultKeyedRateLimiter<(TenantId, AgentName)>,
    visitors: RateLimiter<(TenantId, ContactId), Slots<(TenantId, ContactId)>, DefaultClock>,
    new_visitors: RateLimiter<Neighbour, Slots<Neighbour>, DefaultClock>,
    tenants: Mutex<HashMap<TenantId, Arc<Buckets>>>,
}

/// A tenant's.
struct Buckets {
    rate: NonZeroU32,
    all: Bucket,
    visitors: Bucket,
}

/// What all nodes together may let pass: here a part of it does at once, and what that was is told and counted later.
struct Bucket {
    own: DefaultDirectRateLimiter,
    /// Passed here since it was last told.
    passed: AtomicU64,
    /// All nodes together have let pass what they may until then.
    full_until: Mutex<Option<Instant>>,
}

/// What of a tenant's has passed here lately.
pub(crate) struct Passed {
    /// Whose.
    pub(crate) tenant: TenantId,
    /// Of visitors alone, or of all.
    pub(crate) of_visitors: bool,
    /// How much.
    pub(crate) count: u64,
    /// How much may in a second, at one node.
    pub(crate) rate: NonZeroU32,
}

impl Bucket {
    fn new(rate: NonZeroU32) -> Self {
        Self { own: RateLimiter::direct(quota(rate)), passed: AtomicU64::new(0), full_until: Mutex::default() }
    }

    /// Lets one through that has not been counted yet: whoever is refused elsewhere has used up nothing.
    fn admit(&self) -> Result<(), Duration> {
        let full_until = *self.full_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = full_until.and_then(|until| until.checked_duration_since(Instant::now())) {
            return Err(wait);
        }
        self.own.check().map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }

    fn count(&self) {
        let _ = self.passed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Buckets {
    fn new(rate: NonZeroU32) -> Self {
        Self { rate, all: Bucket::new(rate), visitors: Bucket::new(of_visitors(rate)) }
    }

    fn take(&self, is_visitor: bool) -> Result<(), Duration> {
        if is_visitor {
            self.visitors.admit()?;
        }
        self.all.admit()?;
        if is_visitor {
            self.visitors.count();
        }
        self.all.count();
        Ok(())
    }
}

/// The part of a tenant's rate that visitors may use up.
fn of_visitors(rate: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(rate.get() - rate.get().div_ceil(4)).unwrap_or(rate)
}

/// What flows into the buckets.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Requests of one address in a second, with bursts of twice that.
    pub address: NonZeroU32,
    /// Requests with one API key, or of one agent, in a second, with bursts of twice that.
    pub key: NonZeroU32,
    /// Requests and frames of one visitor in a second …
    pub visitor: NonZeroU32,
    /// … and how many of them at once.
    pub visitor_burst: NonZeroU32,
    /// New visitors from one address in an hour; as many may come at once.
    pub new_visitors: NonZeroU32,
}

impl Limiter {
    /// A limiter with all its buckets full, at these rates.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        let clock = DefaultClock::default();
        let per_second = Quota::per_second(rates.visitor).allow_burst(rates.visitor_burst);
        Self {
            addresses: RateLimiter::new(quota(rates.address), Slots::new(), clock.clone()),
            keys: RateLimiter::keyed(quota(rates.key)),
            agents: RateLimiter::keyed(quota(rates.key)),
            visitors: RateLimiter::new(per_second, Slots::new(), clock.clone()),
            new_visitors: RateLimiter::new(Quota::per_hour(rates.new_visitors), Slots::new(), clock.clone()),
            clock,
            told_of_proxies: AtomicBool::new(false),
            tenants: Mutex::default(),
        }
    }

    /// One request or frame of somebody, on whatever way it comes, from the budget that is their own.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn own(&self, principal: &Holder) -> Result<(), Failure> {
        match &principal.kind {
            Kind::ApiKey { key, .. } => self.key(key),
            Kind::Agent(agent) => self.agent(principal.tenant, &agent.name),
            Kind::Visitor(visitor) => self.visitor(principal.tenant, visitor.contact),
        }
    }

    /// One request or frame of a visitor, on whatever way it comes.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn visitor(&self, tenant: TenantId, contact: ContactId) -> Result<(), Failure> {
        let visitor = (tenant, contact);
        self.visitors.check_key(&visitor).map_err(|not_until| self.refuse("visitor", &not_until))
    }

    /// Somebody whom no server has announced comes from an address for the first time.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn new_visitor(&self, address: Neighbour) -> Result<(), Failure> {
        self.new_visitors.check_key(&address).map_err(|not_until| self.refuse("address", &not_until))
    }

    /// One request from an address.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn address(&self, address: Neighbour) -> Result<(), Failure> {
        self.addresses.check_key(&address).map_err(|not_until| self.refuse("address", &not_until))
    }

    /// A connection has asked more than its share; it is ended.
    pub(crate) fn connection() -> Failure {
        counter!(RATE_LIMITED, "by" => "connection").increment(1);
        let message = "too many requests on this connection; wait 1 s and open another one";
        Failure::later(ErrorCode::RateLimited, message, Duration::from_secs(1))
    }

    /// Somebody at this address says that it passes requests on. Its operator should know, once, that
    /// its clients share one address until it is trusted.
    pub(crate) fn untrusted_proxy(&self, address: IpAddr) {
        if !self.told_of_proxies.load(Ordering::Relaxed) && !self.told_of_proxies.swap(true, Ordering::Relaxed) {
            tracing::warn!(%address, "requests come through a proxy that is not in `server.trusted_proxies`: its clients count as one");
        }
    }

    /// A socket that does not say who it is has had its frames.
    pub(crate) fn unknown() -> Failure {
        counter!(RATE_LIMITED, "by" => "unknown").increment(1);
        let message = "too many frames before an `auth`; wait 1 s";
        Failure::later(ErrorCode::RateLimited, message, Duration::from_secs(1))
    }

    fn agent(&self, tenant: TenantId, name: &AgentName) -> Result<(), Failure> {
        if self.agents.len() > BUCKETS_TIDY {
            self.agents.retain_recent();
        }
        let agent = (tenant, name.clone());
        self.agents.check_key(&agent).map_err(|not_until| self.refuse("agent", &not_until))
    }

    fn key(&self, key: &KeyId) -> Result<(), Failure> {
        if self.keys.len() > BUCKETS_TIDY {
            self.keys.retain_recent();
        }
        self.keys.check_key(key).map_err(|not_until| self.refuse("key", &not_until))
    }

    /// One request or frame of a tenant, by its own profile's quota; after all budgets that are the caller's
    /// own. Visitors, and whoever wants to become one, leave some of it to those who have the tenant's key.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn of_tenant(&self, tenant: &Tenant, is_visitor: bool) -> Result<(), Failure> {
        let rate = tenant.requests_per_second();
        let buckets = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            let buckets = tenants.entry(tenant.id()).or_insert_with(|| Arc::new(Buckets::new(rate)));
            if buckets.rate != rate {
                *buckets = Arc::new(Buckets::new(rate));
            }
            Arc::clone(buckets)
        };
        buckets.take(is_visitor).map_err(|wait| refusal("tenant", wait))
    }

    /// What tenants' requests have passed here since this was asked before.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let all = tenants.iter().flat_map(|(tenant, buckets)| {
            [(false, &buckets.all, buckets.rate), (true, &buckets.visitors, of_visitors(buckets.rate))].map(
                |(of_visitors, bucket, rate)| Passed {
                    tenant: *tenant,
                    of_visitors,
                    count: bucket.passed.swap(0, Ordering::Relaxed),
                    rate,
                },
            )
        });
        all.filter(|passed| passed.count > 0).collect()
    }

    /// All nodes together have let pass what they may of a tenant's.
    pub(crate) fn is_full(&self, passed: &Passed, wait: Duration) {
        let buckets = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(&passed.tenant).cloned();
        if let Some(buckets) = buckets {
            let bucket = if passed.of_visitors { &buckets.visitors } else { &buckets.all };
            *bucket.full_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + wait);
        }
    }

    fn refuse(&self, whose: &'static str, not_until: &NotUntil<<DefaultClock as Clock>::Instant>) -> Failure {
        refusal(whose, not_until.wait_time_from(self.clock.now()))
    }
}

fn refusal(whose: &'static str, wait: Duration) -> Failure {
    counter!(RATE_LIMITED, "by" => whose).increment(1);
    let seconds = wait.max(Duration::from_millis(1)).as_secs() + 1;
    let message = format!("too many requests by this {whose}; wait {seconds} s");
    Failure::later(ErrorCode::RateLimited, message, Duration::from_secs(seconds))
}

fn quota(per_second: NonZeroU32) -> Quota {
    Quota::per_second(per_second).allow_burst(per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(address: &str) -> Neighbour {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_bucket_holds_two_seconds_worth_and_says_when_it_has_more() {
        let one = NonZeroU32::MIN;
        let limiter =
            Limiter::new(Rates { address: one, key: one, visitor: one, visitor_burst: one, new_visitors: one });
        let [address, other] = ["192.0.2.1", "192.0.2.2"].map(neighbour);
        assert!(limiter.address(address).is_ok());
        assert!(limiter.address(address).is_ok());
        let failure = limiter.address(address).unwrap_err();
        assert_eq!(failure.code, ErrorCode::RateLimited);
        assert!(failure.retry_after.is_some_and(|wait| wait <= Duration::from_secs(2)));
        assert!(limiter.address(other).is_ok());
    }

    #[test]
    fn visitors_leave_some_of_the_tenants_rate_to_its_server() {
        for (rate, of_visitors) in [(1, 2), (2, 2), (4, 6), (5, 6), (1_000, 1_500)] {
            let buckets = Buckets::new(NonZeroU32::new(rate).unwrap());
            let taken = (0..10_000).take_while(|_| buckets.take(true).is_ok()).count();
            // A slow machine lets a few more flow in.
            assert!((of_visitors..=of_visitors + of_visitors / 10).contains(&taken), "{rate}: {taken}");
            assert_eq!(buckets.take(false).is_ok(), rate > 1, "{rate}");
        }
    }

    #[test]
    fn new_visitors_have_an_hour_and_a_visitor_is_one_tenants() {
        let [one, two] = [1, 2].map(|n| NonZeroU32::new(n).unwrap());
        let limiter =
            Limiter::new(Rates { address: one, key: one, visitor: one, visitor_burst: two, new_visitors: two });
        let [here, there] = ["2001:db8::1", "2001:db8:1::1"].map(neighbour);
        assert!(limiter.new_visitor(here).is_ok() && limiter.new_visitor(here).is_ok());
        let wait = limiter.new_visitor(here).unwrap_err().retry_after.unwrap();
        assert!((1_790..=1_801).contains(&wait.as_secs()), "{wait:?}");
        assert!(limiter.new_visitor(there).is_ok());
        let (ours, theirs, ana) = (TenantId::generate(), TenantId::generate(), ContactId::from_bytes([7; 16]));
        assert!(limiter.visitor(ours, ana).is_ok() && limiter.visitor(ours, ana).is_ok());
        assert_eq!(limiter.visitor(ours, ana).unwrap_err().code, ErrorCode::RateLimited);
        assert!(limiter.visitor(theirs, ana).is_ok());
    }
}
