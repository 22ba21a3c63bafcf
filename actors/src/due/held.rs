//! Tenants of whom nothing can be done: what is due for them waits, however much it is, and holds up nobody else's.
//! Invariant: bounded in number; of a tenant that is held one entry at a time is tried, after a pause that grows.

use std::collections::BTreeMap;
use std::time::Duration;

use schema::{TenantId, limits};
use tokio::time::Instant;

/// How long a tenant is held at first; it doubles each time.
const HELD_MIN: Duration = Duration::from_secs(3);
const HELD_MAX: Duration = Duration::from_secs(300);

/// Tenants that could not be read, and when each may be tried again.
#[derive(Default)]
pub(super) struct HeldTenants(BTreeMap<TenantId, Held>);

struct Held {
    until: Instant,
    pause: Duration,
    /// One entry was let through to see whether it goes again.
    tried: bool,
}

impl HeldTenants {
    /// Whether an entry of the tenant may be sent. Of one that was held, one is: the others wait for what comes of it.
    pub(super) fn admits(&mut self, tenant: TenantId, now: Instant) -> bool {
        let Some(held) = self.0.get_mut(&tenant) else { return true };
        if now < held.until {
            return false;
        }
        // Should no answer come, another one is tried a pause later.
        (held.until, held.tried) = (now + held.pause, true);
        true
    }

    /// Nothing could be done for the tenant.
    pub(super) fn hold(&mut self, tenant: TenantId, now: Instant) {
        let pause = match self.0.get(&tenant) {
            // It was on its way when the first one failed.
            Some(held) if !held.tried => return,
            Some(held) => (held.pause * 2).min(HELD_MAX),
            None => HELD_MIN,
        };
        if self.0.len() >= limits::DUE_TENANTS_HELD_MAX
            && !self.0.contains_key(&tenant)
            && let Some(soonest) = self.0.iter().min_by_key(|(_, held)| held.until).map(|(tenant, _)| *tenant)
        {
            self.0.remove(&soonest);
        }
        self.0.insert(tenant, Held { until: now + pause, pause, tried: false });
    }

    /// It goes again.
    pub(super) fn release(&mut self, tenant: TenantId) {
        self.0.remove(&tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(n: u16) -> TenantId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        TenantId::from_bytes(id)
    }

    #[test]
    fn of_a_held_tenant_one_entry_is_tried_less_and_less_often() {
        let (mut held, start) = (HeldTenants::default(), Instant::now());
        let mut tried = Vec::new();
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            // A thousand entries stand there.
            let sent = (0..1_000).filter(|_| held.admits(tenant(1), now)).count();
            assert!(held.admits(tenant(2), now), "another tenant's");
            if sent > 0 {
                tried.push((second, sent));
                // All that were sent fail, one after the other.
                (0..sent).for_each(|_| held.hold(tenant(1), now));
            }
        }
        assert_eq!(tried, [(0, 1_000), (3, 1), (9, 1), (21, 1), (45, 1)]);
        held.release(tenant(1));
        assert!(held.admits(tenant(1), start) && held.admits(tenant(1), start));
    }

    #[test]
    fn its_memory_is_bounded() {
        let (mut held, now) = (HeldTenants::default(), Instant::now());
        (0..5_000).for_each(|n| held.hold(tenant(n), now + Duration::from_nanos(u64::from(n))));
        assert_eq!(held.0.len(), limits::DUE_TENANTS_HELD_MAX);
        assert!(!held.admits(tenant(4_999), now));
    }
}
