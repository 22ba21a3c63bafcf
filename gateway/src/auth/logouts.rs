//! Visitors who were logged out: what they held until then opens nothing any more.
//! Invariant: from the moment at which a log-out is noted no look misses it, not even one that began
//! before it was stored; and it is stored before it is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actors::{Clock, Memory, record_body};
use engine_store::{Records, Scope, StoreError};
use schema::{ContactId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::AuthError;
use super::records::{self, FORMAT};
use super::token::RETURN_TTL;

/// Others may log the same contact out meanwhile; more often than this is a fault.
const ATTEMPTS_MAX: usize = 5;
/// Old records looked at with each new one: more than come, so that they do not pile up.
const TIDIED: usize = 4;

/// Who was logged out: a tenant's contact.
type Whom = (TenantId, ContactId);

/// The installation's logged-out visitors.
pub struct Logouts {
    records: Arc<dyn Records>,
    known: Memory<Whom, Option<Timestamp>>,
    /// Those that are on their way into the store.
    noted: Mutex<HashMap<Whom, Timestamp>>,
}

/// A log-out, as stored.
#[derive(Debug, Serialize, Deserialize)]
struct LogoutBody {
    format: u32,
    /// What was made until then is over.
    at: Timestamp,
}

impl Logouts {
    /// Log-outs in `records`.
    #[must_use]
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records, known: Memory::default(), noted: Mutex::default() }
    }

    /// Logs a contact out: what was made for it until now is refused from now on. Gives the moment,
    /// once it is durable.
    ///
    /// # Errors
    /// What the store says.
    pub async fn log_out(
        &self,
        tenant: TenantId,
        contact: ContactId,
        clock: &dyn Clock,
    ) -> Result<Timestamp, StoreError> {
        let noted = self.note((tenant, contact), clock);
        self.keep(tenant, contact, noted.at).await?;
        self.tidy(tenant, contact, noted.at).await;
        Ok(noted.at)
    }

    /// Whether what was made for a contact at `since` still holds.
    ///
    /// # Errors
    /// [`AuthError::LoggedOut`], or what the store says.
    pub async fn check(
        &self,
        tenant: TenantId,
        contact: ContactId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        let whom = (tenant, contact);
        let noted = self.noted().get(&whom).copied();
        let stored = match self.known.get(&whom, now) {
            Some(stored) => stored,
            None => {
                let look = self.known.look();
                let name = records::logout(tenant, contact);
                let stored = record_body::load::<LogoutBody, _>(&*self.records, name).await?.map(|(_, body)| body.at);
                self.known.put(whom, stored, now, look);
                stored
            }
        };
        if noted.max(stored).is_some_and(|at| since <= at) { Err(AuthError::LoggedOut) } else { Ok(()) }
    }

    /// The moment is taken while others may not look: whoever has looked before has an earlier one.
    fn note(&self, whom: Whom, clock: &dyn Clock) -> Noted<'_> {
        let mut noted = self.noted();
        let at = clock.now();
        noted.insert(whom, at);
        Noted { logouts: self, whom, at }
    }

    async fn keep(&self, tenant: TenantId, contact: ContactId, at: Timestamp) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let name = records::logout(tenant, contact);
            let found = record_body::load::<LogoutBody, _>(&*self.records, name.clone()).await?;
            let (version, before) = found.map_or((0, None), |(version, body)| (version, Some(body.at)));
            if before >= Some(at) {
                return Ok(());
            }
            match record_body::save(&*self.records, name, version, &LogoutBody { format: FORMAT, at }).await {
                Err(StoreError::Conflict { .. }) => {}
                stored => return stored.map(|_| ()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Removes a few records that are so old that nothing made before them can still hold.
    async fn tidy(&self, tenant: TenantId, beside: ContactId, now: Timestamp) {
        let after = Some(beside.to_string());
        let Ok(page) = self.records.scan(Scope::Tenant(tenant), records::LOGOUT, after, TIDIED).await else { return };
        for record in page {
            let over = record_body::read::<LogoutBody>(records::LOGOUT, &record)
                .is_ok_and(|(_, body)| body.at.plus(RETURN_TTL) <= now);
            if let Ok(contact) = record.id.parse()
                && over
            {
                // Another one may have been quicker.
                let _ = self.records.delete(records::logout(tenant, contact), record.version).await;
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Whom, Timestamp>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log-out on its way into the store; when it ends, however it ends, the store has the word again.
struct Noted<'a> {
    logouts: &'a Logouts,
    whom: Whom,
    at: Timestamp,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.logouts.known.forget(&self.whom);
        let mut noted = self.logouts.noted();
        // A later one of the same contact may be on its way.
        if noted.get(&self.whom) == Some(&self.at) {
            noted.remove(&self.whom);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{MemoryRecords, NOW};
    use super::*;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn what_was_made_until_then_is_over_and_what_comes_after_is_not() {
        let records = Arc::<MemoryRecords>::default();
        let logouts = Logouts::new(records.clone());
        let (tenant, other) = (TenantId::generate(), TenantId::generate());
        let [ana, bo] = [1, 2].map(|n| ContactId::from_bytes([n; 16]));
        assert!(logouts.check(tenant, ana, later(0), later(1)).await.is_ok());
        assert_eq!(logouts.log_out(tenant, ana, &At(later(2))).await, Ok(later(2)));
        // A look at an earlier moment, such as a clock that was set back gives, moves nothing back.
        logouts.log_out(tenant, ana, &At(later(1))).await.unwrap();
        for logouts in [&logouts, &Logouts::new(records.clone())] {
            for (tenant, contact, since, holds) in [
                (tenant, ana, 0, false),
                (tenant, ana, 2, false),
                (tenant, ana, 3, true),
                (tenant, bo, 0, true),
                (other, ana, 0, true),
            ] {
                let checked = logouts.check(tenant, contact, later(since), later(3)).await;
                assert_eq!(checked.is_ok(), holds, "{contact} {since}");
            }
        }
        assert!(logouts.noted().is_empty());
    }

    #[tokio::test]
    async fn records_of_long_ago_do_not_pile_up() {
        let records = Arc::<MemoryRecords>::default();
        let logouts = Logouts::new(records.clone());
        let tenant = TenantId::generate();
        let out = async |first: u8, n: u8, at| {
            let mut bytes = [0; 16];
            (bytes[0], bytes[1]) = (first, n);
            logouts.log_out(tenant, ContactId::from_bytes(bytes), &At(at)).await.unwrap()
        };
        for n in 0..40 {
            out(9, n, NOW).await;
        }
        let much_later = NOW.plus(RETURN_TTL);
        for n in 0..10 {
            out(1, n, much_later).await;
        }
        assert_eq!(records.all.lock().unwrap().len(), 10);
    }
}
